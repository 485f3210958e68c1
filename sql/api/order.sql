-- The order resource, for assay-order. lib/store/order.h is the contract.

-- A problem document (RFC 9457) as text. Not callable by programs.
CREATE OR REPLACE FUNCTION problem(p_type text, p_status integer, p_detail text) RETURNS text
LANGUAGE sql IMMUTABLE AS $$
	SELECT json_build_object('type', 'urn:ietf:params:acme:error:' || p_type, 'detail', p_detail, 'status', p_status)::text
$$;

-- Unfinished orders become invalid; a serial that was reserved for them is burnt. Not callable by programs.
CREATE OR REPLACE FUNCTION orders_fail(p_ids uuid[], p_error text) RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
	UPDATE orders o SET status = 4, error = p_error, due_at = NULL, held_until = NULL, caa_due = false
		FROM (SELECT DISTINCT unnest(p_ids) AS id ORDER BY 1) x
		WHERE o.id = x.id AND o.status IN (0, 1, 2);
	PERFORM serials_burn(p_ids);
END $$;

-- newOrder (RFC 8555 section 7.4). Names, ids and secrets are parallel and sorted by name. The order ends with its
-- first authorization at the latest. Written for the order of one name, which nearly all are: statements cost more to
-- start than to run.
CREATE OR REPLACE FUNCTION order_new(p_account uuid, p_thumbprint bytea, p_id uuid, p_names text[], p_authz_ids uuid[],
	p_secrets bytea[], p_profile text, p_not_before timestamptz, p_not_after timestamptz, p_expires_at timestamptz,
	p_authz_expires_at timestamptz, p_min_reuse timestamptz) RETURNS order_answer
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, assay, pg_temp AS $$
DECLARE
	r order_answer;
	v_reused uuid[];
	v_outstanding integer := 0;
	v_wildcard boolean;
BEGIN
	SELECT CASE WHEN acc.status <> 0 THEN 2 WHEN acc.thumbprint <> p_thumbprint THEN 3
				WHEN EXISTS (SELECT FROM issuance_stop) THEN 16 ELSE 0 END,
			ARRAY(SELECT (SELECT u.authz_id FROM reusable_authorizations u
				WHERE u.account_id = p_account AND u.name = n AND u.expires_at >= p_min_reuse) FROM unnest(p_names) n)
		INTO r.code, v_reused FROM accounts acc WHERE acc.id = p_account;
	IF r.code <> 0 OR NOT FOUND THEN
		r.code := coalesce(r.code, 1);
		RETURN r;
	END IF;
	r.id := p_id;
	r.expires_at := p_expires_at;
	r.not_before := p_not_before;
	r.not_after := p_not_after;
	r.names := p_names;
	r.authz_ids := p_authz_ids;
	r.profile := p_profile;
	r.has_certificate := false;
	FOR i IN 1 .. cardinality(p_names) LOOP
		IF v_reused[i] IS NOT NULL THEN
			r.authz_ids[i] := v_reused[i];
			r.expires_at := least(r.expires_at, (SELECT a.expires_at FROM authorizations a WHERE a.id = v_reused[i]));
		ELSE
			v_wildcard := starts_with(p_names[i], '*.');
			v_outstanding := v_outstanding + 1;
			r.expires_at := least(r.expires_at, p_authz_expires_at);
			INSERT INTO authorizations (id, account_id, order_id, expires_at, wildcard, name, secret)
				VALUES (p_authz_ids[i], p_account, p_id, p_authz_expires_at, v_wildcard,
					CASE WHEN v_wildcard THEN substr(p_names[i], 3) ELSE p_names[i] END, p_secrets[i]);
		END IF;
	END LOOP;
	r.status := CASE v_outstanding WHEN 0 THEN 1 ELSE 0 END;
	INSERT INTO orders (id, account_id, expires_at, not_before, not_after, status, outstanding, profile, names, authz_ids)
		VALUES (p_id, p_account, r.expires_at, p_not_before, p_not_after, r.status, v_outstanding, p_profile,
			p_names, r.authz_ids);
	RETURN r;
END $$;

-- As the client should see it now: past expires, what is not finished has ended.
CREATE OR REPLACE FUNCTION order_get(p_account uuid, p_thumbprint bytea, p_id uuid) RETURNS order_answer
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, assay, pg_temp AS $$
DECLARE
	r order_answer;
BEGIN
	SELECT CASE WHEN acc.status <> 0 THEN 2 WHEN acc.thumbprint <> p_thumbprint THEN 3 WHEN o.id IS NULL THEN 4 ELSE 0 END,
			o.id, o.status, o.expires_at, o.not_before, o.not_after, o.names, o.authz_ids, o.profile, o.error, o.status = 3,
			o.replaces
		INTO r FROM accounts acc LEFT JOIN orders o ON o.id = p_id AND o.account_id = acc.id WHERE acc.id = p_account;
	r.code := coalesce(r.code, 1);
	IF r.status < 2 AND r.expires_at <= now() THEN
		r.status := 4;
		r.error := problem('malformed', 400, 'The order has expired.');
	END IF;
	RETURN r;
END $$;

-- finalize: one guarded move. Only when it did not happen is the reason looked for, so the common case costs one
-- statement; whichever reason is found then, the order was not moved by this call. p_profiles: those that take keys of
-- the CSR's kind; NULL: all.
CREATE OR REPLACE FUNCTION order_finalize(p_account uuid, p_thumbprint bytea, p_id uuid, p_names text[], p_csr bytea,
	p_spki_sha256 bytea, p_key_thumbprint bytea, p_profiles text[] DEFAULT NULL) RETURNS order_answer
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, assay, pg_temp AS $$
DECLARE
	r order_answer;
BEGIN
	UPDATE orders o SET status = 2, csr = p_csr, spki_sha256 = p_spki_sha256, key_thumbprint = p_key_thumbprint,
			due_at = now() + interval '5 seconds'
		FROM accounts acc
		WHERE acc.id = p_account AND acc.status = 0 AND acc.thumbprint = p_thumbprint
			AND o.id = p_id AND o.account_id = p_account AND o.status = 1 AND o.expires_at > now() AND o.names = p_names
			AND coalesce(o.profile = ANY (p_profiles), true)
			AND NOT EXISTS (SELECT FROM blocked_keys b WHERE b.spki_sha256 = p_spki_sha256)
			AND NOT EXISTS (SELECT FROM accounts a WHERE a.thumbprint = p_key_thumbprint)
			AND NOT EXISTS (SELECT FROM issuance_stop)
		RETURNING 0, o.id, o.status, o.expires_at, o.not_before, o.not_after, o.names, o.authz_ids, o.profile, o.error,
			false, o.replaces
		INTO r;
	IF FOUND THEN
		RETURN r;
	END IF;
	r.code := account_code(p_account, p_thumbprint);
	IF r.code <> 0 THEN
		RETURN r;
	END IF;
	SELECT CASE
			WHEN o.status IN (0, 1) AND o.expires_at <= now() THEN 10
			WHEN o.status <> 1 THEN 6
			WHEN o.names <> p_names THEN 7
			WHEN o.profile <> ALL (p_profiles) THEN 15
			WHEN EXISTS (SELECT FROM blocked_keys b WHERE b.spki_sha256 = p_spki_sha256) THEN 8
			WHEN EXISTS (SELECT FROM accounts a WHERE a.thumbprint = p_key_thumbprint) THEN 9
			WHEN EXISTS (SELECT FROM issuance_stop) THEN 16
			ELSE 6 END
		INTO r.code FROM orders o WHERE o.id = p_id AND o.account_id = p_account;
	r.code := coalesce(r.code, 4);
	RETURN r;
END $$;

-- Certificate download (section 7.4.2). Chain 0 is the issuer's first one, n its nth alternate; chains tells how many
-- there are.
CREATE OR REPLACE FUNCTION certificate_get(p_account uuid, p_thumbprint bytea, p_id uuid, p_chain integer,
	OUT code integer, OUT der bytea, OUT chain_pem text, OUT chains integer)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, assay, pg_temp AS $$
BEGIN
	SELECT CASE WHEN acc.status <> 0 THEN 2 WHEN acc.thumbprint <> p_thumbprint THEN 3
				WHEN c.der IS NULL OR p_chain NOT BETWEEN 0 AND cardinality(i.alternates) THEN 4 ELSE 0 END,
			c.der, CASE p_chain WHEN 0 THEN i.chain_pem ELSE i.alternates[p_chain] END, 1 + cardinality(i.alternates)
		INTO code, der, chain_pem, chains
		FROM accounts acc
		LEFT JOIN orders o ON o.id = p_id AND o.account_id = acc.id AND o.status = 3
		LEFT JOIN certificates c ON c.serial = o.serial
		LEFT JOIN issuers i ON i.id = c.issuer
		WHERE acc.id = p_account;
	code := coalesce(code, 1);
END $$;

-- As handlers of the release before call it.
CREATE OR REPLACE FUNCTION order_certificate(p_account uuid, p_thumbprint bytea, p_id uuid, OUT code integer,
	OUT der bytea, OUT chain_pem text)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, assay, pg_temp AS $$
BEGIN
	SELECT CASE WHEN acc.status <> 0 THEN 2 WHEN acc.thumbprint <> p_thumbprint THEN 3 WHEN c.der IS NULL THEN 4 ELSE 0 END,
			c.der, i.chain_pem
		INTO code, der, chain_pem
		FROM accounts acc
		LEFT JOIN orders o ON o.id = p_id AND o.account_id = acc.id AND o.status = 3
		LEFT JOIN certificates c ON c.serial = o.serial
		LEFT JOIN issuers i ON i.id = c.issuer
		WHERE acc.id = p_account;
	code := coalesce(code, 1);
END $$;
