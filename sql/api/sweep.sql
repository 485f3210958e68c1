-- What the keeper sweeps. lib/store/sweep.h is the contract.

-- Work that is due and held by nobody, oldest first. Pushed forward, so that the next sweep does not queue it again. While
-- issuance is stopped, what waits for a signer waits here.
CREATE OR REPLACE FUNCTION sweep_due(p_limit integer, p_backoff integer) RETURNS TABLE (r_kind integer, r_id uuid)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, assay, pg_temp AS $$
BEGIN
	RETURN QUERY
	WITH due AS (
		SELECT a.id FROM authorizations a WHERE a.due_at <= now() AND coalesce(a.held_until <= now(), true)
			ORDER BY a.due_at LIMIT p_limit FOR NO KEY UPDATE SKIP LOCKED)
	UPDATE authorizations a SET due_at = now() + make_interval(secs => p_backoff) FROM due d WHERE a.id = d.id
		RETURNING 0, a.id;
	RETURN QUERY
	WITH due AS (
		SELECT o.id FROM orders o WHERE o.due_at <= now() AND coalesce(o.held_until <= now(), true)
				AND (o.caa_due OR NOT EXISTS (SELECT FROM issuance_stop))
			ORDER BY o.due_at LIMIT p_limit FOR NO KEY UPDATE SKIP LOCKED)
	UPDATE orders o SET due_at = now() + make_interval(secs => p_backoff) FROM due d WHERE o.id = d.id
		RETURNING CASE WHEN o.caa_due THEN 1 ELSE 2 END, o.id;
	RETURN QUERY SELECT 3, d.id FROM responders_due(p_limit, p_backoff) d(id);
END $$;

-- A job that was delivered too often. What a worker holds at the moment is not dead: whoever holds it decides, and else
-- the sweep brings it again.
CREATE OR REPLACE FUNCTION sweep_dead(p_kind integer, p_id uuid) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, assay, pg_temp AS $$
DECLARE
	v_problem text := problem('serverInternal', 500, 'The server gave up on this.');
BEGIN
	IF p_kind = 0 THEN
		PERFORM authz_fail(ARRAY(SELECT a.id FROM authorizations a WHERE a.id = p_id AND a.challenge = 1
			AND coalesce(a.held_until <= now(), true)), 2::smallint,
			v_problem);
	ELSIF p_kind = 3 THEN
		PERFORM responder_end(p_id, 'its job failed too often');
	ELSE
		PERFORM orders_fail(ARRAY(SELECT o.id FROM orders o WHERE o.id = p_id AND o.status = 2
			AND coalesce(o.held_until <= now(), true)), v_problem);
	END IF;
	INSERT INTO audit_log (action, object, detail)
		VALUES ('job.dead', p_id::text, (ARRAY['validate', 'caa', 'sign', 'responder'])[p_kind + 1]);
END $$;

-- Rows of programs that have not been heard of for a day go away.
CREATE OR REPLACE FUNCTION heartbeat(p_program text, p_host text, p_pid integer) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, assay, pg_temp AS $$
BEGIN
	UPDATE heartbeats h SET at = now() WHERE h.program = p_program AND h.host = p_host AND h.pid = p_pid;
	IF NOT FOUND THEN
		INSERT INTO heartbeats (program, host, pid) VALUES (p_program, p_host, p_pid)
			ON CONFLICT (program, host, pid) DO UPDATE SET at = now();
		DELETE FROM heartbeats h WHERE h.at < now() - interval '1 day';
	END IF;
END $$;

-- Which kinds of worker have been heard of lately: without one of each, no order ends.
CREATE OR REPLACE FUNCTION workers_alive(p_secs integer, OUT validator boolean, OUT signer boolean, OUT keeper boolean)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, assay, pg_temp AS $$
DECLARE
	v_since timestamptz := now() - make_interval(secs => p_secs);
BEGIN
	validator := EXISTS (SELECT FROM heartbeats h WHERE h.program = 'assay-validator' AND h.at > v_since);
	signer := EXISTS (SELECT FROM heartbeats h WHERE h.program = 'assay-signer' AND h.at > v_since);
	keeper := EXISTS (SELECT FROM heartbeats h WHERE h.program = 'assay-keeper' AND h.at > v_since);
END $$;
