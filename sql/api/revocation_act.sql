-- Revoking many: what an operator selects, the acts that come of it, and the keeper's part. An act is written down in
-- batches, and each batch is a transaction of some milliseconds, so that nobody waits long for a lock of it.

-- The unexpired certificates that fit everything given (NULL: any), whether revoked or not. An order's profile and
-- account are the certificate's. The time is that of the record before signing, and serial numbers begin with the
-- signer's, which is never an hour away. p_issuer: name, or SHA-256 of the certificate in hexadecimal. Something must
-- be given that narrows the search. Not callable by programs.
CREATE OR REPLACE FUNCTION certificates_selected(p_serials bytea[], p_account uuid, p_name text, p_spki_sha256 bytea,
	p_from timestamptz, p_to timestamptz, p_issuer text, p_profile text)
RETURNS TABLE (serial bytea, account_id uuid, names text[], issuer smallint, reserved_at timestamptz,
	not_after timestamptz, issued boolean, revoked_at timestamptz, reason integer)
LANGUAGE plpgsql STABLE AS $$
BEGIN
	IF num_nonnulls(p_serials, p_account, p_name, p_spki_sha256, p_from) = 0 THEN
		RAISE EXCEPTION 'assay: nothing was selected: give serial numbers, an account, a name, a key or the beginning of a time'
			USING ERRCODE = 'invalid_parameter_value';
	END IF;
	-- Planned for what is given: one plan for all would be a search through everything.
	RETURN QUERY EXECUTE 'SELECT c.serial, c.account_id, c.names, c.issuer, c.reserved_at, c.not_after, c.der IS NOT NULL,'
			' c.revoked_at, c.reason::integer FROM certificates c WHERE c.not_after > now()'
			|| CASE WHEN p_serials IS NULL THEN '' ELSE ' AND c.serial = ANY ($1)' END
			|| CASE WHEN p_account IS NULL THEN '' ELSE
				' AND c.serial IN (SELECT o.serial FROM orders o WHERE o.account_id = $2 AND o.status = 3)' END
			|| CASE WHEN p_name IS NULL THEN '' ELSE ' AND c.names @> ARRAY[$3]' END
			|| CASE WHEN p_spki_sha256 IS NULL THEN '' ELSE ' AND c.spki_sha256 = $4' END
			|| CASE WHEN p_from IS NULL THEN '' ELSE ' AND c.reserved_at >= $5 AND c.serial >= $9' END
			|| CASE WHEN p_to IS NULL THEN '' ELSE ' AND c.reserved_at < $6 AND c.serial < $10' END
			|| CASE WHEN p_issuer IS NULL THEN '' ELSE
				' AND c.issuer IN (SELECT i.id FROM issuers i WHERE $7 IN (i.name, encode(i.sha256, ''hex'')))' END
			|| CASE WHEN p_profile IS NULL THEN '' ELSE
				' AND EXISTS (SELECT FROM orders o WHERE o.id = c.order_id AND o.profile = $8)' END
		USING p_serials, p_account, p_name, p_spki_sha256, p_from, p_to, p_issuer, p_profile,
			partition_bound('serial', greatest(p_from - interval '1 hour', '1970-01-01 UTC'))::bytea,
			partition_bound('serial', least(p_to + interval '1 hour', '2106-01-01 UTC'))::bytea;
END $$;

-- Writes down what is to be revoked; the serials must be known. Not callable by programs.
CREATE OR REPLACE FUNCTION revocation_begin(p_serials bytea[], p_reason integer, p_why text, p_selection text)
RETURNS integer
LANGUAGE plpgsql AS $$
DECLARE
	v_act integer;
BEGIN
	INSERT INTO revocation_acts (why, selection, reason, found)
		VALUES (p_why, p_selection, p_reason, cardinality(p_serials)) RETURNING id INTO v_act;
	INSERT INTO revocation_batches (act, batch, serials)
		SELECT v_act, (x.i - 1) / 500, array_agg(x.serial ORDER BY x.i)
			FROM (SELECT u.serial, row_number() OVER (ORDER BY u.serial) AS i FROM unnest(p_serials) u(serial)) x
			GROUP BY 2;
	INSERT INTO audit_log (action, object, detail) VALUES ('revocation.begin', v_act::text,
		cardinality(p_serials) || ' certificates, ' || p_selection || ', reason ' || p_reason || ': ' || p_why);
	RETURN v_act;
END $$;

-- One batch of an act, or of any (NULL), that nobody else has in hand. Returns how many certificates were looked at;
-- 0: there is none. A key that is said to be compromised is blocked. Not callable by programs.
CREATE OR REPLACE FUNCTION revocation_step(p_act integer) RETURNS integer
LANGUAGE plpgsql AS $$
DECLARE
	v_batch revocation_batches;
	v_act revocation_acts;
	v_what text;
	v_revoked integer;
BEGIN
	SELECT * INTO v_batch FROM revocation_batches b
		WHERE b.act BETWEEN coalesce(p_act, 0) AND coalesce(p_act, 2147483647)
		ORDER BY b.act, b.batch LIMIT 1 FOR UPDATE SKIP LOCKED;
	IF NOT FOUND THEN
		RETURN 0;
	END IF;
	SELECT * INTO v_act FROM revocation_acts a WHERE a.id = v_batch.act;
	DELETE FROM revocation_batches b WHERE b.act = v_batch.act AND b.batch = v_batch.batch;
	v_what := 'act ' || v_act.id || ': ' || v_act.why;
	IF v_act.reason = 1 THEN
		PERFORM keys_block(ARRAY(SELECT c.spki_sha256 FROM unnest(v_batch.serials) x(serial)
			JOIN certificates c ON c.serial = x.serial), v_what, true);
	END IF;
	v_revoked := certificates_revoke(v_batch.serials, v_act.reason, v_what);
	-- The row's lock lets those who end the last batches at once see each other's.
	UPDATE revocation_acts a SET revoked = a.revoked + v_revoked WHERE a.id = v_act.id;
	UPDATE revocation_acts a SET ended_at = now()
		WHERE a.id = v_act.id AND NOT EXISTS (SELECT FROM revocation_batches b WHERE b.act = v_act.id);
	IF FOUND THEN
		INSERT INTO audit_log (action, object, detail)
			SELECT 'revocation.end', a.id::text, a.revoked || ' revoked' FROM revocation_acts a WHERE a.id = v_act.id;
	END IF;
	RETURN cardinality(v_batch.serials);
END $$;

-- The certificates of the keys that are to go: a key is looked at once soon, and once again when nobody can be at it any
-- more who looked before it was blocked. Few certificates are revoked here, many become an act. Returns how many keys and
-- certificates it did something about. Not callable by programs.
CREATE OR REPLACE FUNCTION revocation_cascade() RETURNS integer
LANGUAGE plpgsql AS $$
DECLARE
	k blocked_keys;
	-- Asked before the search: what this transaction does not see then cannot come any more.
	v_ended xid8 := pg_snapshot_xmin(pg_current_snapshot());
	-- A transaction id that was given out after the block was seen is above those of all who looked before. Not so one
	-- that this transaction had already.
	v_fresh boolean := pg_current_xact_id_if_assigned() IS NULL;
	v_serials bytea[];
	v_what text;
	v_done integer := 0;
BEGIN
	FOR k IN SELECT * FROM blocked_keys b WHERE b.revoking AND coalesce(b.horizon <= v_ended, true)
		ORDER BY b.blocked_at LIMIT 200 FOR NO KEY UPDATE SKIP LOCKED
	LOOP
		v_serials := ARRAY(SELECT c.serial FROM certificates c WHERE c.spki_sha256 = k.spki_sha256
			AND c.not_after > now() AND (c.revoked_at IS NULL OR c.reason <> 1));
		v_what := 'key ' || encode(k.spki_sha256, 'hex');
		IF cardinality(v_serials) > 500 THEN
			PERFORM revocation_begin(v_serials, 1, k.reason, v_what);
		ELSIF cardinality(v_serials) > 0 THEN
			PERFORM certificates_revoke(v_serials, 1, v_what || ': ' || k.reason);
		ELSIF k.horizon IS NOT NULL THEN
			UPDATE blocked_keys b SET revoking = false WHERE b.spki_sha256 = k.spki_sha256;
			INSERT INTO audit_log (action, object) VALUES ('key.revoked', encode(k.spki_sha256, 'hex'));
			v_done := v_done + 1;
		END IF;
		IF k.horizon IS NULL AND v_fresh THEN
			UPDATE blocked_keys b SET horizon = pg_current_xact_id() WHERE b.spki_sha256 = k.spki_sha256;
			v_done := v_done + 1;
		END IF;
		v_done := v_done + cardinality(v_serials);
		EXIT WHEN v_done >= 500;
	END LOOP;
	RETURN v_done;
END $$;

-- For the keeper, to be called until it returns 0: nothing more to do for now. Each call is one short transaction.
CREATE OR REPLACE FUNCTION revocation_sweep() RETURNS integer
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, assay, pg_temp AS $$
DECLARE
	v_count integer := revocation_step(NULL);
BEGIN
	IF v_count = 0 THEN
		v_count := revocation_cascade();
	END IF;
	RETURN v_count;
END $$;

-- For the keeper: merges what waits to be indexed by name, and forgets revocations that were journalled a month ago.
-- Nobody waits for it: a search reads what was not merged, too.
CREATE OR REPLACE FUNCTION certificates_tidy() RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, assay, pg_temp AS $$
BEGIN
	PERFORM gin_clean_pending_list(i.inhrelid) FROM pg_inherits i
		JOIN pg_index n ON n.indexrelid = i.inhrelid
		JOIN partition_ranges r ON n.indrelid = format('assay.%I', r.child)::regclass
		WHERE i.inhparent = 'assay.certificates_names'::regclass AND r.lower_at < now() + interval '1 hour'
			AND r.upper_at > now() - interval '1 day';
	DELETE FROM revocations v USING (SELECT o.* FROM revocations o ORDER BY o.id LIMIT 10000) x
		WHERE v.id = x.id AND x.journalled AND x.made_at < now() - interval '31 days';
END $$;
