-- Renewal information (RFC 9773), for assay-directory, and newOrder's "replaces", for assay-order. lib/store/renewal.h
-- and lib/store/order.h are the contracts.

-- The certificate of a certificate id (section 4.1), or no row. The first part is compared with the subject key
-- identifier of the certificate's issuer, as it stands in DER there (RFC 5280 section 4.2.1.2: never critical, an OCTET
-- STRING in an OCTET STRING). A serial that was reserved and is not known to have been signed is no certificate. Not
-- callable by programs.
CREATE OR REPLACE FUNCTION certificate_of_id(p_key_id bytea, p_serial bytea)
RETURNS TABLE (account_id uuid, order_id uuid, not_before timestamptz, not_after timestamptz, revoked_at timestamptz,
	names text[])
LANGUAGE sql STABLE AS $$
	SELECT c.account_id, c.order_id, c.not_before, c.not_after, c.revoked_at, c.names
		FROM certificates c JOIN issuers i ON i.id = c.issuer
		WHERE c.serial = p_serial AND c.der IS NOT NULL AND octet_length(p_key_id) BETWEEN 1 AND 64
			AND position('\x0603551d0e04'::bytea || set_byte('\x00', 0, octet_length(p_key_id) + 2) || '\x04'::bytea
				|| set_byte('\x00', 0, octet_length(p_key_id)) || p_key_id IN i.certificate) > 0
$$;

-- Facts from which the handler makes the suggested window. incident_start is the beginning of the earliest window that
-- an incident has for the certificate; while an incident is paused, windows that had not begun do not exist.
CREATE OR REPLACE FUNCTION renewal_info(p_key_id bytea, p_serial bytea, OUT code integer, OUT not_before timestamptz,
	OUT not_after timestamptz, OUT revoked_at timestamptz, OUT profile text, OUT incident_start timestamptz,
	OUT incident_end timestamptz, OUT explanation_url text)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, assay, pg_temp AS $$
DECLARE
	c record;
BEGIN
	SELECT * INTO c FROM certificate_of_id(p_key_id, p_serial);
	IF NOT FOUND THEN
		code := 4;
		RETURN;
	END IF;
	code := 0;
	not_before := c.not_before;
	not_after := c.not_after;
	revoked_at := c.revoked_at;
	SELECT o.profile INTO profile FROM orders o WHERE o.id = c.order_id;
	SELECT w.begins, w.ends, i.explanation_url INTO incident_start, incident_end, explanation_url
		FROM incident_certificates x JOIN incidents i ON i.id = x.incident_id
		CROSS JOIN LATERAL incident_window(i, x.ordinal) w
		WHERE x.serial = p_serial AND i.status IN (1, 2, 3)
			AND (w.begins IS NOT NULL OR c.revoked_at IS NOT NULL)
		ORDER BY w.begins NULLS LAST LIMIT 1;
END $$;

-- newOrder with "replaces" (section 5): the certificate must be the account's, have one name at least in common with
-- the order, and not be replaced by another order that is not invalid. p_replaces is the certificate id as it was sent,
-- of which the other two are the parts. Rate limits, when they come, spare such an order inside its window.
CREATE OR REPLACE FUNCTION order_new_replacing(p_account uuid, p_thumbprint bytea, p_id uuid, p_names text[],
	p_authz_ids uuid[], p_secrets bytea[], p_profile text, p_not_before timestamptz, p_not_after timestamptz,
	p_expires_at timestamptz, p_authz_expires_at timestamptz, p_min_reuse timestamptz, p_replaces text, p_key_id bytea,
	p_serial bytea) RETURNS order_answer
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, assay, pg_temp AS $$
DECLARE
	r order_answer;
	c record;
	v_order uuid;
BEGIN
	r.code := account_code(p_account, p_thumbprint);
	IF r.code <> 0 THEN
		RETURN r;
	END IF;
	SELECT * INTO c FROM certificate_of_id(p_key_id, p_serial);
	r.code := CASE WHEN NOT FOUND THEN 20 WHEN c.account_id <> p_account THEN 21
		WHEN NOT c.names && p_names THEN 22 ELSE 0 END;
	IF r.code <> 0 THEN
		RETURN r;
	END IF;
	-- Who comes second waits here for the first one's end, then sees its order: each statement looks anew.
	INSERT INTO replacements (serial, order_id) VALUES (p_serial, p_id) ON CONFLICT DO NOTHING;
	IF NOT FOUND THEN
		SELECT x.order_id INTO v_order FROM replacements x WHERE x.serial = p_serial FOR NO KEY UPDATE;
		IF EXISTS (SELECT FROM orders o WHERE o.id = v_order
			AND (o.status IN (2, 3) OR (o.status IN (0, 1) AND o.expires_at > now()))) THEN
			r.code := 23;
			RETURN r;
		END IF;
		UPDATE replacements x SET order_id = p_id WHERE x.serial = p_serial;
	END IF;
	r := order_new(p_account, p_thumbprint, p_id, p_names, p_authz_ids, p_secrets, p_profile, p_not_before, p_not_after,
		p_expires_at, p_authz_expires_at, p_min_reuse);
	-- Refused there: what was marked has an order that does not exist, and so is free.
	IF r.code <> 0 THEN
		RETURN r;
	END IF;
	UPDATE orders o SET replaces = p_replaces WHERE o.id = p_id;
	r.replaces := p_replaces;
	RETURN r;
END $$;
