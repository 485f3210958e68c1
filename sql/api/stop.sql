-- The kill switch of issuance, for assay-admin: lib/store/admin.h and the scripts issuance_*.sql of sql/admin are its users.
-- order_new, order_finalize, issuance_claim, issuance_reserve and sweep_due look at issuance_stop; nothing else does, so that
-- validation, downloads, revocation and what is published about it go on.

-- True when it was not stopped before. In force for every call that begins after the commit; admin_issuance_drain waits for
-- those that began before.
CREATE OR REPLACE FUNCTION admin_issuance_stop(p_reason text) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, assay, pg_temp AS $$
BEGIN
	INSERT INTO issuance_stop (reason) VALUES (p_reason) ON CONFLICT DO NOTHING;
	IF FOUND THEN
		INSERT INTO audit_log (action, object, detail) VALUES ('issuance.stop', 'issuance', p_reason);
	END IF;
	RETURN FOUND;
END $$;

-- True when it had been stopped.
CREATE OR REPLACE FUNCTION admin_issuance_start(p_reason text) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, assay, pg_temp AS $$
BEGIN
	IF coalesce(p_reason, '') = '' THEN
		RAISE EXCEPTION 'a reason must be given' USING ERRCODE = 'check_violation';
	END IF;
	DELETE FROM issuance_stop;
	IF FOUND THEN
		INSERT INTO audit_log (action, object, detail) VALUES ('issuance.start', 'issuance', p_reason);
	END IF;
	RETURN FOUND;
END $$;

-- Orders whose certificate may be in the making: reserved, and the lease of the signer that did so lasts. It begins no
-- signature when half of the lease is over. Not callable by programs.
CREATE OR REPLACE FUNCTION issuance_in_flight() RETURNS bigint
LANGUAGE sql VOLATILE AS $$
	SELECT count(*) FROM orders o JOIN serials s ON s.order_id = o.id AND s.burnt_at IS NULL
		WHERE o.due_at IS NOT NULL AND o.status = 2 AND o.held_until > clock_timestamp()
$$;

-- Behind a committed stop: returns when no certificate is being made any more, at once or within one lease, or after
-- p_secs. What it returns is the number of those still in the making: 0 is the acknowledgement.
CREATE OR REPLACE FUNCTION admin_issuance_drain(p_secs integer) RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, assay, pg_temp SET lock_timeout = '60s' AS $$
DECLARE
	v_end timestamptz := clock_timestamp() + make_interval(secs => p_secs);
	v_count bigint;
BEGIN
	IF NOT EXISTS (SELECT FROM issuance_stop) THEN
		RAISE EXCEPTION 'issuance is not stopped' USING ERRCODE = 'object_not_in_prerequisite_state';
	END IF;
	-- Had once, it has done its work: no call that looked before the stop is left.
	PERFORM pg_advisory_lock(1634955641, 6);
	PERFORM pg_advisory_unlock(1634955641, 6);
	LOOP
		v_count := issuance_in_flight();
		EXIT WHEN v_count = 0 OR clock_timestamp() >= v_end;
		PERFORM pg_sleep(0.02);
	END LOOP;
	RETURN v_count;
END $$;

-- One row. stopped_at, actor and reason are NULL while issuance goes on.
CREATE OR REPLACE FUNCTION admin_issuance_status()
RETURNS TABLE (stopped_at timestamptz, actor text, reason text, waiting bigint, in_flight bigint)
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, assay, pg_temp AS $$
#variable_conflict use_column
BEGIN
	RETURN QUERY SELECT s.stopped_at, s.actor, s.reason,
			(SELECT count(*) FROM orders o WHERE o.due_at IS NOT NULL AND o.status = 2), issuance_in_flight()
		FROM (VALUES (1)) one(row) LEFT JOIN issuance_stop s ON true;
END $$;
