-- Authorizations and challenges, for assay-order. lib/store/authz.h is the contract.

-- As the client should see it now: pending or valid past expires is expired.
CREATE OR REPLACE FUNCTION authz_get(p_account uuid, p_thumbprint bytea, p_id uuid) RETURNS authz_answer
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, assay, pg_temp AS $$
DECLARE
	r authz_answer;
BEGIN
	SELECT CASE WHEN acc.status <> 0 THEN 2 WHEN acc.thumbprint <> p_thumbprint THEN 3 WHEN a.id IS NULL THEN 4 ELSE 0 END,
			a.id, a.order_id, CASE WHEN a.status IN (0, 1) AND a.expires_at <= now() THEN 4 ELSE a.status END, a.name,
			a.wildcard, a.expires_at, a.secret, a.attempted, a.challenge, a.validated_at, a.error, false
		INTO r FROM accounts acc LEFT JOIN authorizations a ON a.id = p_id AND a.account_id = acc.id
		WHERE acc.id = p_account;
	r.code := coalesce(r.code, 1);
	RETURN r;
END $$;

CREATE OR REPLACE FUNCTION authz_deactivate(p_account uuid, p_thumbprint bytea, p_id uuid) RETURNS authz_answer
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, assay, pg_temp AS $$
DECLARE
	r authz_answer;
	v_name text;
	v_order uuid;
BEGIN
	r.code := account_code(p_account, p_thumbprint);
	IF r.code <> 0 THEN
		RETURN r;
	END IF;
	UPDATE authorizations a SET status = 3, due_at = NULL, held_until = NULL
		WHERE a.id = p_id AND a.account_id = p_account AND a.status IN (0, 1) AND a.expires_at > now()
		RETURNING CASE WHEN a.wildcard THEN '*.' || a.name ELSE a.name END, a.order_id INTO v_name, v_order;
	IF FOUND THEN
		-- The order that made it and, when it was valid, later ones that reused it: ids are times.
		PERFORM closing_begin(p_account, p_id, v_order,
			problem('unauthorized', 403, 'The authorization for ' || v_name || ' was deactivated.'));
		DELETE FROM reusable_authorizations u
			WHERE u.account_id = p_account AND u.name = v_name AND u.authz_id = p_id;
		INSERT INTO audit_log (action, object, detail) VALUES ('authorization.deactivate', p_id::text, v_name);
		RETURN authz_get(p_account, p_thumbprint, p_id);
	END IF;
	r := authz_get(p_account, p_thumbprint, p_id);
	IF r.code = 0 THEN
		r.code := CASE r.status WHEN 4 THEN 10 ELSE 5 END;
	END IF;
	RETURN r;
END $$;

-- RFC 8555 section 7.5.1: the key authorization is made of the account key of this moment (section 8.1).
CREATE OR REPLACE FUNCTION challenge_respond(p_account uuid, p_thumbprint bytea, p_id uuid, p_type integer)
RETURNS authz_answer
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, assay, pg_temp AS $$
DECLARE
	r authz_answer;
BEGIN
	UPDATE authorizations a SET attempted = p_type, challenge = 1, key_thumbprint = p_thumbprint,
			due_at = now() + interval '5 seconds'
		FROM accounts acc
		WHERE acc.id = p_account AND acc.status = 0 AND acc.thumbprint = p_thumbprint AND a.id = p_id AND a.account_id = p_account AND a.status = 0 AND a.attempted = 0 AND a.expires_at > now()
			AND p_type BETWEEN 1 AND 3 AND (NOT a.wildcard OR p_type = 2)
		RETURNING 0, a.id, a.order_id, a.status, a.name, a.wildcard, a.expires_at, a.secret, a.attempted, a.challenge,
			a.validated_at, a.error, true
		INTO r;
	IF FOUND THEN
		RETURN r;
	END IF;
	r := authz_get(p_account, p_thumbprint, p_id);
	IF r.code = 0 AND r.attempted <> p_type THEN
		r.code := CASE r.status WHEN 4 THEN 10 ELSE 5 END;
	END IF;
	RETURN r;
END $$;
