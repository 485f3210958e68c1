-- Certificate status: for assay-ocsp, which may only read, and for assay-ocsp-signer. lib/store/ocsp.h is the contract.
-- Status: 0 good, 1 revoked, 2 unknown. A serial that was never issued, whose certificate was reserved but not issued
-- (yet), that is another issuer's, or that expired longer ago than p_archive seconds, is unknown: never good.

CREATE OR REPLACE FUNCTION ocsp_issuers()
RETURNS TABLE (r_id integer, r_sha256 bytea, r_certificate bytea, r_name text, r_answers boolean)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, assay, pg_temp AS $$
BEGIN
	RETURN QUERY SELECT i.id::integer, i.sha256, i.certificate, i.name,
			EXISTS (SELECT FROM responders d WHERE d.issuer = i.id AND d.not_after > now() AND d.der IS NOT NULL)
		FROM issuers i ORDER BY i.id;
END $$;

-- What to answer. code 0: with this response; 1: a response must be signed; 2: unknown. One index access in each table.
CREATE OR REPLACE FUNCTION ocsp_get(p_issuer integer, p_serial bytea, p_archive bigint, OUT code integer,
	OUT response bytea, OUT this_update timestamptz, OUT next_update timestamptz)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, assay, pg_temp AS $$
DECLARE
	v record;
BEGIN
	SELECT c.revoked_at, c.reason, r.revoked_at AS told_at, r.reason AS told_reason, r.response, r.this_update, r.next_update
		INTO v FROM certificates c LEFT JOIN ocsp_responses r ON r.serial = p_serial
		WHERE c.serial = p_serial AND c.issuer = p_issuer AND (c.der IS NOT NULL OR c.revoked_at IS NOT NULL)
			AND c.not_after + make_interval(secs => p_archive) > now();
	IF NOT FOUND THEN
		code := 2;
	ELSIF v.next_update > now() AND v.revoked_at IS NOT DISTINCT FROM v.told_at
		AND v.reason IS NOT DISTINCT FROM v.told_reason
	THEN
		code := 0;
		response := v.response;
		this_update := v.this_update;
		next_update := v.next_update;
	ELSE
		code := 1;
	END IF;
END $$;

-- The status of each, in the order asked for: one row for each. An unknown one without r_not_after was never reserved
-- either, so no certificate of this serial will ever be: only that may be called revoked (RFC 6960 section 2.2).
CREATE OR REPLACE FUNCTION ocsp_status(p_issuers integer[], p_serials bytea[], p_archive bigint)
RETURNS TABLE (r_serial bytea, r_issuer integer, r_status integer, r_revoked_at timestamptz, r_reason integer,
	r_not_after timestamptz)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, assay, pg_temp AS $$
BEGIN
	RETURN QUERY SELECT x.serial, x.issuer, s.status, CASE s.status WHEN 1 THEN c.revoked_at END,
			CASE s.status WHEN 1 THEN c.reason::integer END,
			coalesce(c.not_after, (SELECT coalesce(z.burnt_at, now()) FROM serials z WHERE z.serial = x.serial))
		FROM unnest(p_issuers, p_serials) WITH ORDINALITY x(issuer, serial, i)
		LEFT JOIN certificates c ON c.serial = x.serial AND c.issuer = x.issuer
		CROSS JOIN LATERAL (SELECT CASE
			WHEN (c.not_after + make_interval(secs => p_archive) > now()) IS NOT TRUE THEN 2
			WHEN c.revoked_at IS NOT NULL THEN 1
			WHEN c.der IS NOT NULL THEN 0
			ELSE 2 END) s(status)
		ORDER BY x.i;
END $$;

-- Has this worker the duty, now and for p_lease seconds from the last renewal? Not callable by programs.
CREATE OR REPLACE FUNCTION ocsp_on_duty(p_worker uuid, p_duty integer, p_lease integer) RETURNS boolean
LANGUAGE plpgsql AS $$
BEGIN
	-- Reading costs no commit; the lease is renewed when half of it is over.
	IF EXISTS (SELECT FROM ocsp_duties d WHERE d.duty = p_duty AND CASE WHEN d.worker = p_worker
			THEN d.held_until > now() + make_interval(secs => p_lease / 2) ELSE false END)
	THEN
		RETURN true;
	END IF;
	UPDATE ocsp_duties d SET worker = p_worker, held_until = now() + make_interval(secs => p_lease)
		WHERE d.duty = p_duty AND (d.worker = p_worker OR d.held_until <= now());
	RETURN FOUND;
END $$;

-- A worker that ends in peace leaves its duties to the others at once.
CREATE OR REPLACE FUNCTION ocsp_leave(p_worker uuid) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, assay, pg_temp AS $$
BEGIN
	UPDATE ocsp_duties d SET worker = NULL, held_until = '-infinity' WHERE d.worker = p_worker;
END $$;

-- Certificates of these issuers whose status has changed. What has been told meanwhile is struck off.
CREATE OR REPLACE FUNCTION ocsp_due_changed(p_worker uuid, p_issuers integer[], p_limit integer, p_lease integer,
	p_archive bigint)
RETURNS TABLE (r_serial bytea, r_issuer integer, r_status integer, r_revoked_at timestamptz, r_reason integer,
	r_not_after timestamptz)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, assay, pg_temp AS $$
BEGIN
	IF NOT ocsp_on_duty(p_worker, 0, p_lease) THEN
		RETURN;
	END IF;
	DELETE FROM ocsp_changes x USING (SELECT y.id, y.serial FROM ocsp_changes y ORDER BY y.id LIMIT p_limit) y
		WHERE x.id = y.id AND NOT EXISTS (
			SELECT FROM certificates c LEFT JOIN ocsp_responses r ON r.serial = c.serial
				WHERE c.serial = y.serial AND c.issuer = ANY (p_issuers)
					AND c.not_after + make_interval(secs => p_archive) > now()
					AND (r.serial IS NULL OR r.revoked_at IS DISTINCT FROM c.revoked_at
						OR r.reason IS DISTINCT FROM c.reason));
	RETURN QUERY SELECT DISTINCT ON (c.serial) c.serial, c.issuer::integer, 1, c.revoked_at, c.reason::integer, c.not_after
		FROM (SELECT y.serial FROM ocsp_changes y ORDER BY y.id LIMIT p_limit) y
		JOIN certificates c ON c.serial = y.serial AND c.revoked_at IS NOT NULL ORDER BY c.serial;
END $$;

-- Certificates of these issuers that have no response yet. Serials begin with their time, so new ones come behind the
-- mark; p_overlap seconds of the newest are looked at again and again, for what was reserved and not issued yet.
CREATE OR REPLACE FUNCTION ocsp_due_new(p_worker uuid, p_issuers integer[], p_limit integer, p_lease integer,
	p_overlap integer)
RETURNS TABLE (r_serial bytea, r_issuer integer, r_status integer, r_revoked_at timestamptz, r_reason integer,
	r_not_after timestamptz)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, assay, pg_temp AS $$
DECLARE
	c_scan constant integer := 20000; -- bounds a call that goes through what others have signed
	v_mark bytea;
	v_first bytea;
	v_count integer := 0;
	v_end bytea;
BEGIN
	IF NOT ocsp_on_duty(p_worker, 1, p_lease) THEN
		RETURN;
	END IF;
	SELECT d.mark INTO v_mark FROM ocsp_duties d WHERE d.duty = 1;
	FOR r_serial, r_issuer, r_status, r_revoked_at, r_reason, r_not_after IN
		SELECT c.serial, c.issuer::integer, CASE WHEN c.revoked_at IS NULL THEN 0 ELSE 1 END, c.revoked_at,
				c.reason::integer, c.not_after
			FROM (SELECT x.* FROM certificates x WHERE x.serial >= v_mark ORDER BY x.serial LIMIT c_scan) c
			WHERE (c.der IS NOT NULL OR c.revoked_at IS NOT NULL) AND c.issuer = ANY (p_issuers) AND c.not_after > now()
				AND NOT EXISTS (SELECT FROM ocsp_responses r WHERE r.serial = c.serial)
			ORDER BY c.serial LIMIT p_limit
	LOOP
		v_first := coalesce(v_first, r_serial);
		v_count := v_count + 1;
		RETURN NEXT;
	END LOOP;
	-- With as many as asked for, what lies behind the first does not matter.
	IF v_count < p_limit THEN
		SELECT c.serial INTO v_end FROM certificates c WHERE c.serial >= v_mark ORDER BY c.serial OFFSET c_scan LIMIT 1;
	END IF;
	v_end := least(v_end, partition_bound('serial', now() - make_interval(secs => p_overlap))::bytea);
	-- Up to the first that has none: what is not stored in the end is found again. A little progress is not worth a commit.
	v_end := least(v_end, v_first);
	IF v_end > v_mark AND (v_first IS NOT NULL
		OR v_mark < partition_bound('serial', now() - make_interval(secs => p_overlap + 5))::bytea)
	THEN
		UPDATE ocsp_duties d SET mark = v_end WHERE d.duty = 1;
	END IF;
END $$;

-- Responses whose time has come. Those of certificates that have expired are never due again, those of issuers that the
-- worker does not know later.
CREATE OR REPLACE FUNCTION ocsp_due_again(p_worker uuid, p_issuers integer[], p_limit integer, p_lease integer,
	p_archive bigint)
RETURNS TABLE (r_serial bytea, r_issuer integer, r_status integer, r_revoked_at timestamptz, r_reason integer,
	r_not_after timestamptz)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, assay, pg_temp AS $$
BEGIN
	IF NOT ocsp_on_duty(p_worker, 2, p_lease) THEN
		RETURN;
	END IF;
	UPDATE ocsp_responses r SET refresh_at = CASE WHEN x.wanted THEN now() + interval '1 hour' END
		FROM (SELECT y.serial, c.serial IS NOT NULL AS wanted, y.issuer = ANY (p_issuers) AS known
			FROM (SELECT z.serial, z.issuer FROM ocsp_responses z WHERE z.refresh_at <= now() ORDER BY z.refresh_at
				LIMIT p_limit) y
			LEFT JOIN certificates c ON c.serial = y.serial AND c.not_after + make_interval(secs => p_archive) > now()) x
		WHERE r.serial = x.serial AND NOT (x.wanted AND x.known);
	RETURN QUERY SELECT c.serial, c.issuer::integer, CASE WHEN c.revoked_at IS NULL THEN 0 ELSE 1 END, c.revoked_at,
			c.reason::integer, c.not_after
		FROM (SELECT z.serial, z.refresh_at FROM ocsp_responses z WHERE z.refresh_at <= now() ORDER BY z.refresh_at
			LIMIT p_limit) y
		JOIN certificates c ON c.serial = y.serial;
END $$;

-- A response signed later never gives way to an earlier one. Returns how many were stored.
CREATE OR REPLACE FUNCTION ocsp_store(p_serials bytea[], p_this_updates timestamptz[], p_next_updates timestamptz[],
	p_refresh_ats timestamptz[], p_revoked_ats timestamptz[], p_reasons integer[], p_responses bytea[]) RETURNS integer
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, assay, pg_temp AS $$
DECLARE
	v_count integer;
BEGIN
	INSERT INTO ocsp_responses AS r (serial, issuer, this_update, next_update, refresh_at, revoked_at, reason, response)
		SELECT DISTINCT ON (x.serial) x.serial, c.issuer, x.this_update, x.next_update, x.refresh_at, x.revoked_at,
				CASE WHEN x.revoked_at IS NOT NULL THEN x.reason::smallint END, x.response
			FROM unnest(p_serials, p_this_updates, p_next_updates, p_refresh_ats, p_revoked_ats, p_reasons, p_responses)
				x(serial, this_update, next_update, refresh_at, revoked_at, reason, response)
			JOIN certificates c ON c.serial = x.serial
			ORDER BY x.serial, x.this_update DESC
		ON CONFLICT (serial) DO UPDATE SET this_update = EXCLUDED.this_update, next_update = EXCLUDED.next_update,
				refresh_at = EXCLUDED.refresh_at, revoked_at = EXCLUDED.revoked_at, reason = EXCLUDED.reason,
				response = EXCLUDED.response
			WHERE r.this_update <= EXCLUDED.this_update;
	GET DIAGNOSTICS v_count = ROW_COUNT;
	RETURN v_count;
END $$;
