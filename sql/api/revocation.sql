-- Revocation, for assay-order (RFC 8555 section 7.6) and for operators. lib/store/order.h is the contract.

-- The one door for every revocation but that of a burnt serial (schema: serials_guard). Already revoked: only a change
-- to keyCompromise counts. Returns how many changed. Rows are locked in the order of serials. Not callable by programs.
CREATE OR REPLACE FUNCTION certificates_revoke(p_serials bytea[], p_reason integer, p_detail text) RETURNS integer
LANGUAGE plpgsql AS $$
DECLARE
	v_count integer;
BEGIN
	WITH revoked AS (
		UPDATE certificates c SET revoked_at = coalesce(c.revoked_at, now()), reason = p_reason
			FROM (SELECT DISTINCT unnest(p_serials) AS serial ORDER BY 1) x
			WHERE c.serial = x.serial AND (c.revoked_at IS NULL OR (p_reason = 1 AND c.reason <> 1))
			RETURNING c.serial, c.reason, c.revoked_at
	), noted AS (
		INSERT INTO revocations (serial, reason, at) SELECT r.serial, r.reason, r.revoked_at FROM revoked r
	)
	INSERT INTO audit_log (action, object, detail)
		SELECT 'certificate.revoke', encode(r.serial, 'hex'), 'reason ' || p_reason || ', ' || p_detail FROM revoked r;
	GET DIAGNOSTICS v_count = ROW_COUNT;
	RETURN v_count;
END $$;

CREATE OR REPLACE FUNCTION certificate_revoke(p_serial bytea, p_reason integer, p_detail text) RETURNS boolean
LANGUAGE plpgsql AS $$
BEGIN
	RETURN certificates_revoke(ARRAY[p_serial], p_reason, p_detail) = 1;
END $$;

-- Keys that are refused from now on, for certificates and for accounts. p_revoke: every certificate with them is to go,
-- whoever has it; unless that was done before. Returns how many were not blocked yet. Not callable by programs.
CREATE OR REPLACE FUNCTION keys_block(p_spki_sha256s bytea[], p_reason text, p_revoke boolean) RETURNS integer
LANGUAGE plpgsql AS $$
DECLARE
	v_count integer;
BEGIN
	WITH blocked AS (
		INSERT INTO blocked_keys (spki_sha256, reason, revoking)
			SELECT x.spki_sha256, p_reason, p_revoke
				FROM (SELECT DISTINCT unnest(p_spki_sha256s) AS spki_sha256 ORDER BY 1) x
			ON CONFLICT DO NOTHING RETURNING spki_sha256
	)
	INSERT INTO audit_log (action, object, detail)
		SELECT 'key.block', encode(b.spki_sha256, 'hex'), p_reason FROM blocked b;
	GET DIAGNOSTICS v_count = ROW_COUNT;
	IF p_revoke AND v_count < cardinality(p_spki_sha256s) THEN
		UPDATE blocked_keys b SET revoking = true FROM (SELECT DISTINCT unnest(p_spki_sha256s) AS spki_sha256 ORDER BY 1) x
			WHERE b.spki_sha256 = x.spki_sha256 AND NOT b.revoking AND b.horizon IS NULL;
	END IF;
	RETURN v_count;
END $$;

-- p_account NULL: the request was signed by the certificate's own key. That proves that somebody else may have it, or
-- will: whatever becomes of the revocation, the key is refused from now on, and its other certificates go, too.
-- Otherwise the certificate is the account's, or the account is authorized for every name of it now.
CREATE OR REPLACE FUNCTION revoke(p_account uuid, p_thumbprint bytea, p_serial bytea, p_der bytea, p_reason integer,
	OUT code integer)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, assay, pg_temp AS $$
DECLARE
	v_cert record;
BEGIN
	code := 0;
	IF p_account IS NOT NULL THEN
		code := account_code(p_account, p_thumbprint);
		IF code <> 0 THEN
			RETURN;
		END IF;
	END IF;
	SELECT c.account_id, c.names, c.spki_sha256, c.revoked_at, c.not_after INTO v_cert
		FROM certificates c WHERE c.serial = p_serial AND c.der = p_der;
	IF NOT FOUND THEN
		code := 4;
		RETURN;
	END IF;
	IF p_account IS NULL THEN
		p_reason := 1;
		PERFORM keys_block(ARRAY[v_cert.spki_sha256], 'certificate ' || encode(p_serial, 'hex') || ' revoked by its key',
			true);
	ELSIF v_cert.account_id <> p_account THEN
		IF EXISTS (
				SELECT FROM unnest(v_cert.names) n(name) WHERE NOT EXISTS (
					SELECT FROM reusable_authorizations u JOIN authorizations a ON a.id = u.authz_id
						WHERE u.account_id = p_account AND u.name = n.name
							AND a.status = 1 AND a.expires_at > now())) THEN
			code := 12;
			RETURN;
		END IF;
		-- Who took the names over can say that their former holder's use has ended, and nothing about his key.
		p_reason := 5;
	END IF;
	IF v_cert.not_after <= now() THEN
		code := 10;
	-- The account's word does not prove that the key is known to others; only the key itself does.
	ELSIF (p_account IS NOT NULL AND v_cert.revoked_at IS NOT NULL)
		OR NOT certificate_revoke(p_serial, p_reason, CASE WHEN p_account IS NULL THEN 'by its key'
			ELSE 'by account ' || p_account END)
	THEN
		code := 11;
	END IF;
END $$;
