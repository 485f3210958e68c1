-- Delegated OCSP responder certificates: assay-ocsp-signer registers a public key, assay-signer certifies it.
-- lib/store/responder.h is the contract.

-- Registering the same key under the same id again changes nothing. An issuer has a bounded number of responders that
-- are not over, so that whoever took a worker over cannot have any number of them.
CREATE OR REPLACE FUNCTION responder_register(p_id uuid, p_issuer bytea, p_spki bytea, p_host text, OUT code integer)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, assay, pg_temp AS $$
DECLARE
	c_max constant integer := 32;
	v_issuer smallint;
BEGIN
	code := 0;
	SELECT i.id INTO v_issuer FROM issuers i WHERE i.sha256 = p_issuer FOR NO KEY UPDATE;
	IF NOT FOUND THEN
		code := 1;
		RETURN;
	END IF;
	PERFORM FROM responders d WHERE d.id = p_id OR d.spki_sha256 = sha256(p_spki);
	IF FOUND THEN
		IF NOT EXISTS (SELECT FROM responders d WHERE d.id = p_id AND d.spki = p_spki AND d.issuer = v_issuer) THEN
			code := 2;
		END IF;
		RETURN;
	END IF;
	IF EXISTS (SELECT FROM blocked_keys b WHERE b.spki_sha256 = sha256(p_spki)) THEN
		code := 3;
	ELSIF (SELECT count(*) FROM responders d WHERE d.issuer = v_issuer AND d.error IS NULL
		AND coalesce(d.not_after > now(), true)) >= c_max
	THEN
		code := 4;
	ELSE
		INSERT INTO responders (id, issuer, spki, spki_sha256, host)
			VALUES (p_id, v_issuer, p_spki, sha256(p_spki), p_host);
		INSERT INTO audit_log (action, object, detail) VALUES ('responder.register', p_id::text,
			encode(sha256(p_spki), 'hex') || ' on ' || p_host);
	END IF;
END $$;

-- What became of them. Unknown ids have no row.
CREATE OR REPLACE FUNCTION responder_get(p_ids uuid[])
RETURNS TABLE (r_id uuid, r_issuer integer, r_der bytea, r_not_before timestamptz, r_not_after timestamptz, r_error text)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, assay, pg_temp AS $$
BEGIN
	RETURN QUERY SELECT d.id, d.issuer::integer, d.der, d.not_before, d.not_after, d.error
		FROM unnest(p_ids) x(id) JOIN responders d ON d.id = x.id;
END $$;

-- For the signer. What an earlier attempt reserved and did not issue is burnt.
CREATE OR REPLACE FUNCTION responder_claim(p_ids uuid[], p_lease integer)
RETURNS TABLE (r_id uuid, r_attempt integer, r_issuer bytea, r_spki bytea, r_now timestamptz)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, assay, pg_temp AS $$
BEGIN
	RETURN QUERY
	WITH claimed AS (
		UPDATE responders d SET attempt = d.attempt + 1, held_until = now() + make_interval(secs => p_lease),
				serial = NULL, tbs = NULL, not_before = NULL, not_after = NULL
			FROM (SELECT DISTINCT unnest(p_ids) AS id ORDER BY 1) x
			WHERE d.id = x.id AND d.due_at IS NOT NULL AND d.attempt < 8 AND coalesce(d.held_until <= now(), true)
			RETURNING d.*
	), burnt AS (
		UPDATE serials s SET burnt_at = now() FROM claimed c WHERE s.order_id = c.id AND s.burnt_at IS NULL
	)
	SELECT c.id, c.attempt::integer, i.sha256, c.spki, now() FROM claimed c JOIN issuers i ON i.id = c.issuer;
END $$;

-- Record before signing. Rows: those that may be signed.
CREATE OR REPLACE FUNCTION responder_reserve(p_ids uuid[], p_attempts integer[], p_serials bytea[], p_tbs bytea[],
	p_not_befores timestamptz[], p_not_afters timestamptz[]) RETURNS SETOF uuid
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, assay, pg_temp AS $$
BEGIN
	RETURN QUERY
	WITH fit AS (
		SELECT DISTINCT ON (x.id) x.* FROM unnest(p_ids, p_attempts, p_serials, p_tbs, p_not_befores, p_not_afters)
				x(id, attempt, serial, tbs, not_before, not_after)
			JOIN responders d ON d.id = x.id AND d.attempt = x.attempt AND d.due_at IS NOT NULL AND d.serial IS NULL
			WHERE NOT EXISTS (SELECT FROM blocked_keys b WHERE b.spki_sha256 = d.spki_sha256)
			ORDER BY x.id
	), reserved AS (
		INSERT INTO serials (serial, order_id) SELECT f.serial, f.id FROM fit f
			ON CONFLICT DO NOTHING RETURNING serials.serial, serials.order_id
	), recorded AS (
		UPDATE responders d SET serial = f.serial, tbs = f.tbs, not_before = f.not_before, not_after = f.not_after
			FROM reserved r JOIN fit f ON f.id = r.order_id WHERE d.id = f.id AND d.attempt = f.attempt
			RETURNING d.id, d.serial
	), audited AS (
		INSERT INTO audit_log (action, object, detail)
			SELECT 'responder.reserve', encode(d.serial, 'hex'), d.id::text FROM recorded d
	)
	SELECT d.id FROM recorded d;
END $$;

-- The first responder of an issuer makes all of its certificates new (ocsp_due_new).
CREATE OR REPLACE FUNCTION responder_issue(p_ids uuid[], p_attempts integer[], p_serials bytea[], p_ders bytea[])
RETURNS SETOF uuid
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, assay, pg_temp AS $$
BEGIN
	UPDATE ocsp_duties d SET mark = '' WHERE d.duty = 1 AND EXISTS (
		SELECT FROM unnest(p_ids) x(id) JOIN responders n ON n.id = x.id WHERE NOT EXISTS (
			SELECT FROM responders o WHERE o.issuer = n.issuer AND o.der IS NOT NULL AND o.not_after > now()));
	RETURN QUERY
	WITH done AS (
		UPDATE responders d SET der = x.der, tbs = NULL, due_at = NULL, held_until = NULL
			FROM (SELECT DISTINCT ON (u.id) u.* FROM unnest(p_ids, p_attempts, p_serials, p_ders) u(id, attempt, serial, der)
				ORDER BY u.id) x
			WHERE d.id = x.id AND d.attempt = x.attempt AND d.serial = x.serial AND d.der IS NULL AND d.error IS NULL
			RETURNING d.id, d.serial, d.der
	), audited AS (
		INSERT INTO audit_log (action, object, detail)
			SELECT 'responder.issue', encode(d.serial, 'hex'), encode(sha256(d.der), 'hex') FROM done d
	)
	SELECT d.id FROM done d;
END $$;

-- Final: the worker registers another key. What had been reserved is burnt. Not callable by programs.
CREATE OR REPLACE FUNCTION responder_end(p_id uuid, p_error text) RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
	UPDATE responders d SET due_at = NULL, held_until = NULL, error = p_error
		WHERE d.id = p_id AND d.due_at IS NOT NULL;
	IF FOUND THEN
		UPDATE serials s SET burnt_at = now() WHERE s.order_id = p_id AND s.burnt_at IS NULL;
		INSERT INTO audit_log (action, object, detail) VALUES ('responder.refuse', p_id::text, p_error);
	END IF;
END $$;

CREATE OR REPLACE FUNCTION responder_refuse(p_ids uuid[], p_attempts integer[], p_errors text[]) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, assay, pg_temp AS $$
BEGIN
	PERFORM responder_end(d.id, coalesce(x.error, 'no reason given'))
		FROM unnest(p_ids, p_attempts, p_errors) x(id, attempt, error)
		JOIN responders d ON d.id = x.id AND d.attempt = x.attempt;
END $$;

-- Work that is due and held by nobody, for the keeper; what was tried too often is refused. Not callable by programs.
CREATE OR REPLACE FUNCTION responders_due(p_limit integer, p_backoff integer) RETURNS SETOF uuid
LANGUAGE plpgsql AS $$
BEGIN
	PERFORM responder_end(d.id, 'the signer tried too often') FROM responders d
		WHERE d.due_at <= now() AND d.attempt >= 8 AND coalesce(d.held_until <= now(), true);
	RETURN QUERY
	WITH due AS (
		SELECT d.id FROM responders d WHERE d.due_at <= now() AND coalesce(d.held_until <= now(), true)
			ORDER BY d.due_at LIMIT p_limit FOR NO KEY UPDATE SKIP LOCKED)
	UPDATE responders d SET due_at = now() + make_interval(secs => p_backoff) FROM due x WHERE d.id = x.id
		RETURNING d.id;
END $$;

-- For assayctl: those that are not over, and the refused of the last week.
CREATE OR REPLACE FUNCTION admin_responders()
RETURNS TABLE (r_issuer text, r_id uuid, r_host text, r_serial bytea, r_registered_at timestamptz,
	r_not_before timestamptz, r_not_after timestamptz, r_error text)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, assay, pg_temp AS $$
BEGIN
	RETURN QUERY SELECT i.name, d.id, d.host, d.serial, d.registered_at, d.not_before, d.not_after, d.error
		FROM responders d JOIN issuers i ON i.id = d.issuer
		WHERE coalesce(d.not_after, d.registered_at + interval '7 days') > now() ORDER BY i.id, d.registered_at;
END $$;
