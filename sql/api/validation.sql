-- Validation and CAA, for assay-validator, which alone may move a challenge to valid or invalid.
-- lib/store/validation.h is the contract. Lock order: authorizations by id, then orders by id.

-- One failed authorization as an order's subproblem (RFC 8555 section 6.7.1). Not callable by programs.
CREATE OR REPLACE FUNCTION subproblem(p_problem text, p_name text) RETURNS jsonb
LANGUAGE plpgsql IMMUTABLE AS $$
BEGIN
	RETURN (p_problem::jsonb - 'status' - 'instance')
		|| jsonb_build_object('identifier', jsonb_build_object('type', 'dns', 'value', p_name));
EXCEPTION WHEN data_exception THEN -- not JSON: the worker's bug must not keep the order from ending
	RETURN jsonb_build_object('type', 'urn:ietf:params:acme:error:serverInternal',
		'identifier', jsonb_build_object('type', 'dns', 'value', p_name));
END $$;

CREATE OR REPLACE FUNCTION problem_of_authorizations(p_subproblems jsonb) RETURNS text
LANGUAGE sql IMMUTABLE AS $$
	SELECT json_build_object('type', 'urn:ietf:params:acme:error:unauthorized',
		'detail', 'An authorization of this order failed.', 'status', 403, 'subproblems', p_subproblems)::text
$$;

-- Pending authorizations that can no longer become valid, and the orders that made them. Not callable by programs.
CREATE OR REPLACE FUNCTION authz_fail(p_ids uuid[], p_status smallint, p_error text) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
	v record;
BEGIN
	FOR v IN
		WITH failed AS (
			UPDATE authorizations a SET status = p_status, challenge = CASE a.challenge WHEN 1 THEN 3 ELSE a.challenge END,
					error = p_error, due_at = NULL, held_until = NULL
				FROM (SELECT DISTINCT unnest(p_ids) AS id ORDER BY 1) x
				WHERE a.id = x.id AND a.status = 0
				RETURNING a.order_id, CASE WHEN a.wildcard THEN '*.' || a.name ELSE a.name END AS name)
		SELECT f.order_id, jsonb_agg(subproblem(p_error, f.name)) AS subproblems FROM failed f GROUP BY 1 ORDER BY 1
	LOOP
		PERFORM orders_fail(ARRAY[v.order_id], problem_of_authorizations(v.subproblems));
	END LOOP;
END $$;

-- A claim promises nothing to anybody, so it need not wait for the disk (synchronous_commit is off in the claims, here and
-- in issuance.sql): after a crash of PostgreSQL a claim that it forgot is a row that nobody holds. Whoever held it has the
-- same attempt number as the next one then, and that is harmless: results are taken once, because a challenge leaves
-- processing once, and an order has one serial that is not burnt. An end that is found while claiming is a promise again.

-- Of the authorizations that were claimed three times without a result, and may be what ends their workers: the one that a
-- batch may take, the least tried first. A function, so that a claim pays for it only when there is one. Not callable by
-- programs.
CREATE OR REPLACE FUNCTION authz_suspect(p_ids uuid[]) RETURNS uuid
LANGUAGE plpgsql STABLE AS $$
BEGIN
	RETURN (SELECT a.id FROM unnest(p_ids) x(id) JOIN authorizations a ON a.id = x.id
		WHERE a.status = 0 AND a.challenge = 1 AND coalesce(a.held_until <= now(), true) AND a.expires_at > now()
			AND a.attempt - a.tries BETWEEN 3 AND 7
		ORDER BY a.attempt - a.tries, a.id LIMIT 1);
END $$;

-- Rows are taken in order of id. When some were not taken, the reason may be that they are hopeless: those end here.
-- Of rows that may be poisonous a batch takes one, and the sweep brings the others again: so the neighbours of a poisonous
-- row get through before it is tried again.
-- p_full: accounts that have their share under way; theirs stay as they are, and due.
CREATE OR REPLACE FUNCTION validation_claim(p_ids uuid[], p_lease integer, p_full uuid[] DEFAULT NULL)
RETURNS TABLE (r_id uuid, r_account uuid, r_attempt integer, r_tries integer, r_name text, r_wildcard boolean,
	r_type integer, r_secret bytea, r_key_thumbprint bytea)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, assay, pg_temp AS $$
DECLARE
	v_count integer;
	v_dead uuid[];
BEGIN
	PERFORM set_config('synchronous_commit', 'off', true);
	RETURN QUERY UPDATE authorizations a SET attempt = a.attempt + 1, held_until = now() + make_interval(secs => p_lease)
		FROM (SELECT DISTINCT unnest(p_ids) AS id ORDER BY 1) x
		WHERE a.id = x.id AND a.status = 0 AND a.challenge = 1 AND coalesce(a.held_until <= now(), true)
			AND a.expires_at > now() AND coalesce(a.account_id <> ALL (p_full), true)
			AND (a.attempt - a.tries < 3 OR a.id = (SELECT authz_suspect(p_ids)))
		RETURNING a.id, a.account_id, a.attempt::integer, a.tries::integer, a.name, a.wildcard, a.attempted::integer,
			a.secret, a.key_thumbprint;
	GET DIAGNOSTICS v_count = ROW_COUNT;
	IF v_count = cardinality(p_ids) THEN
		RETURN;
	END IF;
	PERFORM set_config('synchronous_commit', 'on', true);
	SELECT array_agg(a.id) INTO v_dead FROM unnest(p_ids) x(id) JOIN authorizations a ON a.id = x.id
		WHERE a.status = 0 AND a.challenge = 1 AND a.expires_at <= now();
	IF v_dead IS NOT NULL THEN
		PERFORM authz_fail(v_dead, 4::smallint, problem('malformed', 400, 'The authorization has expired.'));
	END IF;
	SELECT array_agg(a.id) INTO v_dead FROM unnest(p_ids) x(id) JOIN authorizations a ON a.id = x.id
		WHERE a.status = 0 AND a.challenge = 1 AND coalesce(a.held_until <= now(), true) AND a.attempt - a.tries >= 8;
	IF v_dead IS NOT NULL THEN
		PERFORM authz_fail(v_dead, 2::smallint,
			problem('serverInternal', 500, 'The server could not complete the validation.'));
	END IF;
END $$;

-- Claims that go on are lent their rows for longer. What was claimed by another meanwhile, or is finished, stays as it is.
CREATE OR REPLACE FUNCTION validation_renew(p_authz uuid[], p_authz_attempts integer[], p_orders uuid[],
	p_order_attempts integer[], p_lease integer) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, assay, pg_temp AS $$
BEGIN
	UPDATE authorizations a SET held_until = now() + make_interval(secs => p_lease)
		FROM (SELECT DISTINCT ON (u.id) u.* FROM unnest(p_authz, p_authz_attempts) u(id, attempt) ORDER BY u.id) x
		WHERE a.id = x.id AND a.attempt = x.attempt AND a.status = 0 AND a.challenge = 1;
	UPDATE orders o SET held_until = now() + make_interval(secs => p_lease)
		FROM (SELECT DISTINCT ON (u.id) u.* FROM unnest(p_orders, p_order_attempts) u(id, attempt) ORDER BY u.id) x
		WHERE o.id = x.id AND o.attempt = x.attempt AND o.status = 2 AND o.caa_due;
END $$;

-- Results, fenced by attempt. A pending order loses its outstanding authorizations exactly once each, because an
-- authorization leaves pending exactly once. "Try again" leaves it there: its evidence tells whether it was counted, when
-- a worker sends a result a second time because it never learned that the first COMMIT was done.
CREATE OR REPLACE FUNCTION validation_finish(p_ids uuid[], p_attempts integer[], p_outcomes integer[], p_problems text[],
	p_retries timestamptz[], p_caa_ats timestamptz[], p_evidence text[], p_valid_until timestamptz) RETURNS SETOF uuid
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, assay, pg_temp AS $$
BEGIN
	RETURN QUERY
	WITH results AS (
		SELECT DISTINCT ON (x.id) x.* FROM unnest(p_ids, p_attempts, p_outcomes, p_problems, p_retries, p_caa_ats, p_evidence)
			x(id, attempt, outcome, problem, retry_at, caa_at, evidence)
			WHERE x.outcome BETWEEN 0 AND 2 ORDER BY x.id
	), finished AS (
		UPDATE authorizations a SET
			status = CASE x.outcome WHEN 0 THEN 1 WHEN 1 THEN 2 ELSE 0 END,
			challenge = CASE x.outcome WHEN 0 THEN 2 WHEN 1 THEN 3 ELSE 1 END,
			validated_at = CASE x.outcome WHEN 0 THEN now() END,
			caa_at = CASE x.outcome WHEN 0 THEN x.caa_at END,
			expires_at = CASE x.outcome WHEN 0 THEN p_valid_until ELSE a.expires_at END,
			error = CASE x.outcome WHEN 0 THEN NULL ELSE coalesce(x.problem, problem('serverInternal', 500, 'No reason given.')) END,
			tries = a.tries + CASE x.outcome WHEN 2 THEN 1 ELSE 0 END,
			held_until = CASE x.outcome WHEN 2 THEN x.retry_at END,
			due_at = CASE x.outcome WHEN 2 THEN coalesce(x.retry_at, now()) END
		FROM results x WHERE a.id = x.id AND a.attempt = x.attempt AND a.status = 0 AND a.challenge = 1
			AND (x.outcome <> 2 OR NOT EXISTS (
				SELECT FROM validations v WHERE v.authz_id = x.id AND v.attempt = x.attempt))
		RETURNING a.id, a.attempt, a.order_id, a.account_id, a.attempted, a.error, a.expires_at,
			CASE WHEN a.wildcard THEN '*.' || a.name ELSE a.name END AS name, x.outcome, x.evidence
	), recorded AS (
		INSERT INTO validations (authz_id, attempt, outcome, order_id, account_id, problem, evidence)
			SELECT f.id, f.attempt, f.outcome, f.order_id, f.account_id, f.error, f.evidence FROM finished f
	), reusable AS (
		INSERT INTO reusable_authorizations AS u (account_id, name, authz_id, expires_at)
			SELECT DISTINCT ON (f.account_id, f.name) f.account_id, f.name, f.id, f.expires_at
				FROM finished f WHERE f.outcome = 0 ORDER BY f.account_id, f.name, f.id
			ON CONFLICT (account_id, name) DO UPDATE SET authz_id = excluded.authz_id, expires_at = excluded.expires_at
	), touched AS (
		SELECT f.order_id, count(*) FILTER (WHERE f.outcome = 0) AS made_valid,
				jsonb_agg(subproblem(f.error, f.name)) FILTER (WHERE f.outcome = 1) AS failures
			FROM finished f WHERE f.outcome < 2 GROUP BY 1 ORDER BY 1
	), moved AS (
		UPDATE orders o SET outstanding = o.outstanding - t.made_valid,
				status = CASE WHEN t.failures IS NOT NULL THEN 4 WHEN o.outstanding = t.made_valid THEN 1 ELSE 0 END,
				error = CASE WHEN t.failures IS NOT NULL THEN problem_of_authorizations(t.failures) END
			FROM touched t WHERE o.id = t.order_id AND o.status = 0
			RETURNING o.id, o.status
	)
	SELECT m.id FROM moved m WHERE m.status IN (1, 4);
END $$;

CREATE OR REPLACE FUNCTION caa_claim(p_orders uuid[], p_lease integer)
RETURNS TABLE (r_order uuid, r_account uuid, r_attempt integer, r_authz uuid, r_name text, r_wildcard boolean,
	r_method integer)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, assay, pg_temp AS $$
BEGIN
	PERFORM orders_give_up(p_orders);
	RETURN QUERY
	WITH claimed AS (
		UPDATE orders o SET attempt = o.attempt + 1, held_until = now() + make_interval(secs => p_lease)
			FROM (SELECT DISTINCT unnest(p_orders) AS id ORDER BY 1) x
			WHERE o.id = x.id AND o.status = 2 AND o.caa_due AND coalesce(o.held_until <= now(), true)
				AND (o.attempt - o.waits < 3 OR o.id = (SELECT order_suspect(p_orders, true)))
			RETURNING o.id, o.account_id, o.attempt, o.authz_ids)
	SELECT c.id, c.account_id, c.attempt::integer, a.id, a.name, a.wildcard, a.attempted::integer
		FROM claimed c, unnest(c.authz_ids) WITH ORDINALITY x(id, i) JOIN authorizations a ON a.id = x.id
		ORDER BY c.id, x.i;
END $$;

-- What was seen goes into the audit log, whatever came of it (BR 5.4.1).
CREATE OR REPLACE FUNCTION caa_finish(p_orders uuid[], p_attempts integer[], p_problems text[], p_evidence text[],
	p_caa_at timestamptz) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, assay, pg_temp AS $$
DECLARE
	v record;
BEGIN
	UPDATE authorizations a SET caa_at = greatest(a.caa_at, p_caa_at)
		FROM (SELECT DISTINCT unnest(o.authz_ids) AS id
			FROM unnest(p_orders, p_attempts, p_problems) x(id, attempt, problem) JOIN orders o ON o.id = x.id
			WHERE x.problem IS NULL AND o.attempt = x.attempt AND o.status = 2 AND o.caa_due ORDER BY 1) y
		WHERE a.id = y.id AND a.status = 1;
	FOR v IN
		UPDATE orders o SET caa_due = false, held_until = NULL, error = x.problem,
				status = CASE WHEN x.problem IS NULL THEN 2 ELSE 4 END,
				due_at = CASE WHEN x.problem IS NULL THEN now() + interval '5 seconds' END
			FROM (SELECT DISTINCT ON (u.id) u.* FROM unnest(p_orders, p_attempts, p_problems, p_evidence)
				u(id, attempt, problem, evidence) ORDER BY u.id) x
			WHERE o.id = x.id AND o.attempt = x.attempt AND o.status = 2 AND o.caa_due
			RETURNING o.id, x.problem, x.evidence
	LOOP
		INSERT INTO audit_log (action, object, detail) VALUES ('order.caa', v.id::text, v.evidence);
		IF v.problem IS NOT NULL THEN
			PERFORM serials_burn(ARRAY[v.id]);
			INSERT INTO audit_log (action, object, detail) VALUES ('order.refuse', v.id::text, v.problem);
		END IF;
	END LOOP;
END $$;
