-- Issuance, for assay-signer, which alone may create serials and certificates. lib/store/issuance.h is the contract.

-- What was reserved for these orders and not issued is burnt (schema: serials_burn lists it). Not callable by programs.
CREATE OR REPLACE FUNCTION serials_burn(p_orders uuid[]) RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
	UPDATE serials s SET burnt_at = now() FROM (SELECT DISTINCT unnest(p_orders) AS id ORDER BY 1) x
		WHERE s.order_id = x.id AND s.burnt_at IS NULL;
END $$;

-- Orders that were claimed again and again without an end. Not callable by programs.
CREATE OR REPLACE FUNCTION orders_give_up(p_orders uuid[]) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
	v_dead uuid[];
BEGIN
	SELECT array_agg(o.id) INTO v_dead FROM unnest(p_orders) x(id) JOIN orders o ON o.id = x.id
		WHERE o.status = 2 AND (o.attempt - o.waits >= 8 OR o.attempt >= 32000) AND coalesce(o.held_until <= now(), true);
	IF v_dead IS NOT NULL THEN
		PERFORM orders_fail(v_dead, problem('serverInternal', 500, 'The server could not issue the certificate.'));
		INSERT INTO audit_log (action, object) SELECT 'order.give_up', x::text FROM unnest(v_dead) x;
	END IF;
END $$;

-- Of the orders that were claimed three times without a result, and may be what ends their workers: the one that a batch
-- may take, the least tried first. See validation_claim. Not callable by programs.
CREATE OR REPLACE FUNCTION order_suspect(p_orders uuid[], p_caa_due boolean) RETURNS uuid
LANGUAGE plpgsql STABLE AS $$
BEGIN
	RETURN (SELECT o.id FROM unnest(p_orders) x(id) JOIN orders o ON o.id = x.id
		WHERE o.status = 2 AND o.caa_due = p_caa_due AND coalesce(o.held_until <= now(), true)
			AND o.attempt - o.waits BETWEEN 3 AND 7 AND o.attempt < 32000
		ORDER BY o.attempt - o.waits, o.id LIMIT 1);
END $$;

-- Everything the signer decides from, as it is now. The arrays follow the order's authz_ids, hence its names; an
-- authorization that is gone reads as invalid. A serial that an earlier claim reserved is burnt. No rows while issuance is
-- stopped: the orders lose no attempt.
CREATE OR REPLACE FUNCTION issuance_claim(p_orders uuid[], p_lease integer)
RETURNS TABLE (r_order uuid, r_account uuid, r_attempt integer, r_account_status integer, r_status integer,
	r_expires_at timestamptz, r_now timestamptz, r_profile text, r_not_before timestamptz, r_not_after timestamptz,
	r_csr bytea, r_key_blocked boolean, r_key_is_account boolean, r_names text[], r_authz_statuses integer[],
	r_authz_same_account integer[], r_authz_names text[], r_authz_wildcards integer[], r_authz_expires timestamptz[],
	r_authz_methods integer[], r_authz_validated timestamptz[], r_authz_caa timestamptz[])
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, assay, pg_temp AS $$
DECLARE
	v_count integer;
BEGIN
	PERFORM set_config('synchronous_commit', 'off', true);
	RETURN QUERY
	WITH claimed AS (
		UPDATE orders o SET attempt = o.attempt + 1, held_until = now() + make_interval(secs => p_lease)
			FROM (SELECT DISTINCT unnest(p_orders) AS id ORDER BY 1) x
			WHERE o.id = x.id AND o.status = 2 AND NOT o.caa_due AND o.attempt < 32000
				AND coalesce(o.held_until <= now(), true) AND NOT EXISTS (SELECT FROM issuance_stop)
				AND (o.attempt - o.waits < 3 OR o.id = (SELECT order_suspect(p_orders, false)))
			RETURNING o.*
	), burnt AS (
		UPDATE serials s SET burnt_at = now() FROM claimed c
			WHERE c.attempt > 1 AND s.order_id = c.id AND s.burnt_at IS NULL
	)
	SELECT c.id, c.account_id, c.attempt::integer, coalesce(acc.status, 2)::integer, c.status::integer, c.expires_at, now(),
			c.profile, c.not_before, c.not_after, c.csr,
			EXISTS (SELECT FROM blocked_keys b WHERE b.spki_sha256 = c.spki_sha256),
			EXISTS (SELECT FROM accounts k WHERE k.thumbprint = c.key_thumbprint),
			c.names, z.statuses, z.same_account, z.names, z.wildcards, z.expires, z.methods, z.validated, z.caa
		FROM claimed c LEFT JOIN accounts acc ON acc.id = c.account_id
		CROSS JOIN LATERAL (
			-- Sorted once, not in each aggregate.
			SELECT array_agg(a.status) AS statuses, array_agg(a.same_account) AS same_account, array_agg(a.name) AS names,
				array_agg(a.wildcard) AS wildcards, array_agg(a.expires_at) AS expires, array_agg(a.method) AS methods,
				array_agg(a.validated_at) AS validated, array_agg(a.caa_at) AS caa
			FROM (SELECT coalesce(a.status, 2)::integer AS status,
					coalesce(a.account_id = c.account_id, false)::integer AS same_account, coalesce(a.name, '') AS name,
					coalesce(a.wildcard, false)::integer AS wildcard, coalesce(a.expires_at, now()) AS expires_at,
					coalesce(a.attempted, 0)::integer AS method, a.validated_at, a.caa_at
				FROM unnest(c.authz_ids) WITH ORDINALITY x(id, i) LEFT JOIN authorizations a ON a.id = x.id
				ORDER BY x.i) a) z;
	GET DIAGNOSTICS v_count = ROW_COUNT;
	IF v_count < cardinality(p_orders) THEN
		PERFORM set_config('synchronous_commit', 'on', true);
		PERFORM orders_give_up(p_orders);
	END IF;
END $$;

-- Record before signing. What the signer decided is checked once more here, at the last moment before the key is
-- used: account and every authorization good, order still this attempt's. Rows: the orders that may be signed; none when
-- issuance is stopped. The lock lets admin_issuance_drain wait for the calls that looked before the stop was committed; it
-- cannot be had while the drain waits for it, which is after the stop.
CREATE OR REPLACE FUNCTION issuance_record(p_orders uuid[], p_attempts integer[], p_serials bytea[], p_tbs bytea[],
	p_spki_sha256s bytea[], p_issuers bytea[], p_not_befores timestamptz[], p_not_afters timestamptz[],
	p_crl_shards integer[])
RETURNS SETOF uuid
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, assay, pg_temp AS $$
DECLARE
	-- Taken before the statement's look at blocked_keys: revocation_cascade waits for who may have looked too early.
	v_xid xid8 := pg_current_xact_id();
BEGIN
	IF NOT pg_try_advisory_xact_lock_shared(1634955641, 6) THEN
		RETURN;
	END IF;
	RETURN QUERY
	WITH wanted AS (
		SELECT DISTINCT ON (x.id) x.* FROM unnest(p_orders, p_attempts, p_serials, p_tbs, p_spki_sha256s, p_issuers,
				p_not_befores, p_not_afters, p_crl_shards)
			x(id, attempt, serial, tbs, spki_sha256, issuer, not_before, not_after, crl_shard) ORDER BY x.id
	), fit AS (
		SELECT x.*, o.account_id, o.names, i.id AS issuer_id
			FROM wanted x JOIN orders o ON o.id = x.id JOIN issuers i ON i.sha256 = x.issuer
			JOIN accounts acc ON acc.id = o.account_id
			WHERE o.status = 2 AND o.attempt = x.attempt AND NOT o.caa_due AND o.spki_sha256 = x.spki_sha256
				AND acc.status = 0 AND NOT EXISTS (SELECT FROM issuance_stop)
				AND NOT EXISTS (SELECT FROM blocked_keys b WHERE b.spki_sha256 = x.spki_sha256)
				AND cardinality(o.authz_ids) = (SELECT count(*) FROM unnest(o.authz_ids) u(id)
					JOIN authorizations a ON a.id = u.id
					WHERE a.status = 1 AND a.expires_at > now() AND a.account_id = o.account_id)
			ORDER BY x.id FOR NO KEY UPDATE OF o
	), reserved AS (
		INSERT INTO serials (serial, order_id) SELECT f.serial, f.id FROM fit f
			ON CONFLICT DO NOTHING RETURNING serials.serial, serials.order_id
	), recorded AS (
		INSERT INTO certificates (serial, order_id, account_id, not_before, not_after, issuer, crl_shard, spki_sha256,
				names, tbs)
			SELECT f.serial, f.id, f.account_id, f.not_before, f.not_after, f.issuer_id, f.crl_shard, f.spki_sha256,
					f.names, f.tbs
				FROM reserved r JOIN fit f ON f.id = r.order_id
	), audited AS (
		INSERT INTO audit_log (action, object, detail)
			SELECT 'certificate.reserve', encode(r.serial, 'hex'), r.order_id::text FROM reserved r
	)
	SELECT r.order_id FROM reserved r;
END $$;

-- As signers of the release before call it, whose certificates named no shard.
CREATE OR REPLACE FUNCTION issuance_reserve(p_orders uuid[], p_attempts integer[], p_serials bytea[], p_tbs bytea[],
	p_spki_sha256s bytea[], p_issuers bytea[], p_not_befores timestamptz[], p_not_afters timestamptz[])
RETURNS SETOF uuid
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, assay, pg_temp AS $$
	SELECT issuance_record(p_orders, p_attempts, p_serials, p_tbs, p_spki_sha256s, p_issuers, p_not_befores, p_not_afters,
		array_fill(0, ARRAY[cardinality(p_orders)]))
$$;

CREATE OR REPLACE FUNCTION issuance_issue(p_orders uuid[], p_attempts integer[], p_serials bytea[], p_ders bytea[])
RETURNS SETOF uuid
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, assay, pg_temp AS $$
BEGIN
	RETURN QUERY
	WITH done AS (
		UPDATE orders o SET status = 3, serial = x.serial, due_at = NULL, held_until = NULL
			FROM (SELECT DISTINCT ON (u.id) u.* FROM unnest(p_orders, p_attempts, p_serials, p_ders) u(id, attempt, serial, der)
				JOIN certificates c ON c.serial = u.serial AND c.order_id = u.id AND c.der IS NULL
					AND c.revoked_at IS NULL ORDER BY u.id) x
			WHERE o.id = x.id AND o.attempt = x.attempt AND o.status = 2
			RETURNING o.id, x.serial, x.der
	), stored AS (
		UPDATE certificates c SET der = d.der, tbs = NULL, issued_at = now() FROM done d WHERE c.serial = d.serial
	), audited AS (
		INSERT INTO audit_log (action, object, detail)
			SELECT 'certificate.issue', encode(d.serial, 'hex'), encode(sha256(d.der), 'hex') FROM done d
	)
	SELECT d.id FROM done d;
END $$;

CREATE OR REPLACE FUNCTION issuance_refuse(p_orders uuid[], p_attempts integer[], p_problems text[]) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, assay, pg_temp AS $$
DECLARE
	v_refused uuid[];
BEGIN
	WITH refused AS (
		UPDATE orders o SET status = 4, due_at = NULL, held_until = NULL, caa_due = false,
				error = coalesce(x.problem, problem('serverInternal', 500, 'No reason given.'))
			FROM (SELECT DISTINCT ON (u.id) u.* FROM unnest(p_orders, p_attempts, p_problems) u(id, attempt, problem)
				ORDER BY u.id) x
			WHERE o.id = x.id AND o.attempt = x.attempt AND o.status = 2
			RETURNING o.id, o.error
	), audited AS (
		INSERT INTO audit_log (action, object, detail) SELECT 'order.refuse', r.id::text, r.error FROM refused r
	)
	SELECT array_agg(r.id) INTO v_refused FROM refused r;
	IF v_refused IS NOT NULL THEN
		PERFORM serials_burn(v_refused);
	END IF;
END $$;

CREATE OR REPLACE FUNCTION issuance_defer_caa(p_orders uuid[], p_attempts integer[]) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, assay, pg_temp AS $$
BEGIN
	UPDATE orders o SET caa_due = true, held_until = NULL, due_at = now() + interval '5 seconds'
		FROM (SELECT DISTINCT ON (u.id) u.* FROM unnest(p_orders, p_attempts) u(id, attempt) ORDER BY u.id) x
		WHERE o.id = x.id AND o.attempt = x.attempt AND o.status = 2;
END $$;

-- No issuing key can be reached just now: the claim is given back without counting as an attempt.
CREATE OR REPLACE FUNCTION issuance_wait(p_orders uuid[], p_attempts integer[], p_secs integer) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, assay, pg_temp AS $$
BEGIN
	UPDATE orders o SET waits = o.waits + 1, held_until = now() + make_interval(secs => p_secs)
		FROM (SELECT DISTINCT ON (u.id) u.* FROM unnest(p_orders, p_attempts) u(id, attempt) ORDER BY u.id) x
		WHERE o.id = x.id AND o.attempt = x.attempt AND o.status = 2;
END $$;

-- An issuing certificate, what clients get behind theirs, and other chains they may ask for.
CREATE OR REPLACE FUNCTION issuer_record(p_sha256 bytea, p_certificate bytea, p_chain_pem text, p_name text,
	p_alternates text[]) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, assay, pg_temp AS $$
BEGIN
	UPDATE issuers i SET chain_pem = p_chain_pem, name = p_name, alternates = p_alternates
		WHERE i.sha256 = p_sha256
			AND (i.chain_pem, i.name, i.alternates) IS DISTINCT FROM (p_chain_pem, p_name, p_alternates);
	IF FOUND THEN
		INSERT INTO audit_log (action, object, detail) VALUES ('issuer.change', encode(p_sha256, 'hex'), p_name);
	END IF;
	INSERT INTO issuers (sha256, certificate, chain_pem, name, alternates)
		SELECT p_sha256, p_certificate, p_chain_pem, p_name, p_alternates
			WHERE sha256(p_certificate) = p_sha256 AND NOT EXISTS (SELECT FROM issuers i WHERE i.sha256 = p_sha256)
		ON CONFLICT (sha256) DO NOTHING;
	IF FOUND THEN
		INSERT INTO audit_log (action, object, detail) VALUES ('issuer.register', encode(p_sha256, 'hex'), p_name);
	END IF;
END $$;

-- As signers of the release before call it.
CREATE OR REPLACE FUNCTION issuer_register(p_sha256 bytea, p_certificate bytea, p_chain_pem text, p_name text)
RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, assay, pg_temp AS $$
BEGIN
	UPDATE issuers i SET chain_pem = p_chain_pem, name = p_name
		WHERE i.sha256 = p_sha256 AND (i.chain_pem, i.name) IS DISTINCT FROM (p_chain_pem, p_name);
	INSERT INTO issuers (sha256, certificate, chain_pem, name)
		SELECT p_sha256, p_certificate, p_chain_pem, p_name
			WHERE sha256(p_certificate) = p_sha256 AND NOT EXISTS (SELECT FROM issuers i WHERE i.sha256 = p_sha256)
		ON CONFLICT (sha256) DO NOTHING;
	IF FOUND THEN
		INSERT INTO audit_log (action, object, detail) VALUES ('issuer.register', encode(p_sha256, 'hex'), p_name);
	END IF;
END $$;
