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

-- As the client should see it now: past expires, what is not finished has ended.
CREATE OR REPLACE FUNCTION order_row(p_account uuid, p_id uuid) RETURNS order_answer
LANGUAGE plpgsql STABLE AS $$
DECLARE
	r order_answer;
BEGIN
	SELECT 0, o.id, CASE WHEN o.status IN (0, 1) AND o.expires_at <= now() THEN 4 ELSE o.status END, o.expires_at,
			o.not_before, o.not_after, o.names, o.authz_ids, o.profile,
			CASE WHEN o.status IN (0, 1) AND o.expires_at <= now()
				THEN problem('malformed', 400, 'The order has expired.') ELSE o.error END,
			o.status = 3
		INTO r FROM orders o WHERE o.id = p_id AND o.account_id = p_account;
	r.code := coalesce(r.code, 4);
	RETURN r;
END $$;

-- newOrder (RFC 8555 section 7.4). Names, ids and secrets are parallel and sorted by name. The order ends with its
-- first authorization at the latest.
CREATE OR REPLACE FUNCTION order_new(p_account uuid, p_thumbprint bytea, p_id uuid, p_names text[], p_authz_ids uuid[],
	p_secrets bytea[], p_profile text, p_not_before timestamptz, p_not_after timestamptz, p_expires_at timestamptz,
	p_authz_expires_at timestamptz, p_min_reuse timestamptz) RETURNS order_answer
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, assay, pg_temp AS $$
DECLARE
	r order_answer;
	v_outstanding integer;
	v_first timestamptz;
BEGIN
	r.code := account_code(p_account, p_thumbprint);
	IF r.code <> 0 THEN
		RETURN r;
	END IF;
	SELECT array_agg(coalesce(u.authz_id, n.id) ORDER BY n.i), count(*) - count(u.authz_id), min(u.expires_at)
		INTO r.authz_ids, v_outstanding, v_first
		FROM unnest(p_names, p_authz_ids) WITH ORDINALITY n(name, id, i)
		LEFT JOIN reusable_authorizations u ON u.account_id = p_account AND u.name = n.name
			AND u.expires_at >= p_min_reuse;
	IF v_outstanding > 0 THEN
		v_first := least(v_first, p_authz_expires_at);
		INSERT INTO authorizations (id, account_id, order_id, expires_at, wildcard, name, secret)
			SELECT n.id, p_account, p_id, p_authz_expires_at, starts_with(n.name, '*.'),
				CASE WHEN starts_with(n.name, '*.') THEN substr(n.name, 3) ELSE n.name END, n.secret
			FROM unnest(p_authz_ids, p_secrets, p_names, r.authz_ids) n(id, secret, name, used)
			WHERE n.id = n.used;
	END IF;
	r.id := p_id;
	r.status := CASE v_outstanding WHEN 0 THEN 1 ELSE 0 END;
	r.expires_at := least(p_expires_at, v_first);
	r.not_before := p_not_before;
	r.not_after := p_not_after;
	r.names := p_names;
	r.profile := p_profile;
	r.has_certificate := false;
	INSERT INTO orders (id, account_id, expires_at, not_before, not_after, status, outstanding, profile, names, authz_ids)
		VALUES (p_id, p_account, r.expires_at, p_not_before, p_not_after, r.status, v_outstanding, p_profile,
			p_names, r.authz_ids);
	RETURN r;
END $$;

CREATE OR REPLACE FUNCTION order_get(p_account uuid, p_thumbprint bytea, p_id uuid) RETURNS order_answer
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, assay, pg_temp AS $$
DECLARE
	r order_answer;
BEGIN
	r.code := account_code(p_account, p_thumbprint);
	IF r.code <> 0 THEN
		RETURN r;
	END IF;
	RETURN order_row(p_account, p_id);
END $$;

-- finalize: one guarded move. Only when it did not happen is the reason looked for, so the common case costs one
-- statement; whichever reason is found then, the order was not moved by this call.
CREATE OR REPLACE FUNCTION order_finalize(p_account uuid, p_thumbprint bytea, p_id uuid, p_names text[], p_csr bytea,
	p_spki_sha256 bytea, p_key_thumbprint bytea) RETURNS order_answer
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, assay, pg_temp AS $$
DECLARE
	r order_answer;
BEGIN
	r.code := account_code(p_account, p_thumbprint);
	IF r.code <> 0 THEN
		RETURN r;
	END IF;
	UPDATE orders o SET status = 2, csr = p_csr, spki_sha256 = p_spki_sha256, key_thumbprint = p_key_thumbprint,
			due_at = now() + interval '10 seconds'
		WHERE o.id = p_id AND o.account_id = p_account AND o.status = 1 AND o.expires_at > now() AND o.names = p_names
			AND NOT EXISTS (SELECT FROM blocked_keys b WHERE b.spki_sha256 = p_spki_sha256)
			AND NOT EXISTS (SELECT FROM accounts a WHERE a.thumbprint = p_key_thumbprint)
		RETURNING 0, o.id, o.status, o.expires_at, o.not_before, o.not_after, o.names, o.authz_ids, o.profile, o.error,
			false
		INTO r;
	IF FOUND THEN
		RETURN r;
	END IF;
	SELECT CASE
			WHEN o.status IN (0, 1) AND o.expires_at <= now() THEN 10
			WHEN o.status <> 1 THEN 6
			WHEN o.names <> p_names THEN 7
			WHEN EXISTS (SELECT FROM blocked_keys b WHERE b.spki_sha256 = p_spki_sha256) THEN 8
			WHEN EXISTS (SELECT FROM accounts a WHERE a.thumbprint = p_key_thumbprint) THEN 9
			ELSE 6 END
		INTO r.code FROM orders o WHERE o.id = p_id AND o.account_id = p_account;
	r.code := coalesce(r.code, 4);
	RETURN r;
END $$;

CREATE OR REPLACE FUNCTION order_certificate(p_account uuid, p_thumbprint bytea, p_id uuid, OUT code integer,
	OUT der bytea, OUT chain_pem text)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, assay, pg_temp AS $$
BEGIN
	code := account_code(p_account, p_thumbprint);
	IF code <> 0 THEN
		RETURN;
	END IF;
	SELECT c.der, i.chain_pem INTO der, chain_pem
		FROM orders o JOIN certificates c ON c.serial = o.serial JOIN issuers i ON i.id = c.issuer
		WHERE o.id = p_id AND o.account_id = p_account AND o.status = 3;
	IF NOT FOUND THEN
		code := 4;
	END IF;
END $$;
