-- The journal's side in the database, for assay-signer, assay-keeper and operators. lib/store/journalled.h is the contract.

-- 0: this database has never heard of the file.
CREATE OR REPLACE FUNCTION journal_position(p_file uuid) RETURNS bigint
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, assay, pg_temp AS $$
BEGIN
	RETURN coalesce((SELECT f.position FROM journal_files f WHERE f.id = p_file), 0);
END $$;

-- Everything before p_position is known here, in this transaction or before.
CREATE OR REPLACE FUNCTION journal_reached(p_file uuid, p_program text, p_host text, p_position bigint) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, assay, pg_temp AS $$
BEGIN
	UPDATE journal_files f SET position = greatest(f.position, p_position), reached_at = now() WHERE f.id = p_file;
	IF NOT FOUND THEN
		INSERT INTO journal_files (id, program, host, position) VALUES (p_file, p_program, p_host, p_position)
			ON CONFLICT (id) DO UPDATE SET position = greatest(journal_files.position, p_position), reached_at = now();
	END IF;
END $$;

CREATE OR REPLACE FUNCTION journal_unknown(p_serials bytea[]) RETURNS SETOF bytea
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, assay, pg_temp AS $$
BEGIN
	RETURN QUERY SELECT x.serial FROM unnest(p_serials) x(serial)
		WHERE NOT EXISTS (SELECT FROM serials s WHERE s.serial = x.serial);
END $$;

-- Not callable by programs.
CREATE OR REPLACE FUNCTION journal_has_partition(p_serial bytea) RETURNS boolean
LANGUAGE plpgsql STABLE AS $$
BEGIN
	RETURN EXISTS (SELECT FROM partition_ranges r WHERE r.parent = 'certificates'
		AND p_serial >= partition_bound('serial', r.lower_at)::bytea AND p_serial < partition_bound('serial', r.upper_at)::bytea);
END $$;

-- One certificate that a journal tells of. Its serial is taken for ever; no order will burn it, so it stands under an
-- id of its own in serials. Revocations that were read before it are applied.
-- 0 restored; 1 it was perhaps never signed, and counts as superseded; 2 expired long ago; 3 its issuer is not registered;
-- 4 known after all; 5 a responder's, of which the serial alone is kept. Not callable by programs.
CREATE OR REPLACE FUNCTION journal_restore_one(p_file uuid, p_position bigint, p_kind integer, p_settled boolean, p_serial bytea,
	p_order uuid, p_account uuid, p_issuer bytea, p_shard integer, p_spki_sha256 bytea, p_not_before timestamptz,
	p_not_after timestamptz, p_names text, p_tbs bytea) RETURNS integer
LANGUAGE plpgsql AS $$
DECLARE
	v_issuer smallint := (SELECT i.id FROM issuers i WHERE i.sha256 = p_issuer);
	v_revoked forgotten_revocations;
BEGIN
	IF p_not_after < now() - interval '1 day' THEN
		RETURN 2;
	END IF;
	IF v_issuer IS NULL THEN
		RETURN 3;
	END IF;
	-- The backup may be older than the partition.
	IF NOT journal_has_partition(p_serial) THEN
		PERFORM partitions(7, NULL);
		IF NOT journal_has_partition(p_serial) THEN
			RETURN 2;
		END IF;
	END IF;
	INSERT INTO serials (serial, order_id) VALUES (p_serial, gen_random_uuid()) ON CONFLICT DO NOTHING;
	IF NOT FOUND THEN
		RETURN 4;
	END IF;
	INSERT INTO audit_log (action, object, detail) VALUES ('certificate.restore', encode(p_serial, 'hex'),
		'order ' || p_order || ', journal ' || p_file || ' at ' || p_position);
	IF p_kind <> 0 THEN
		RETURN 5;
	END IF;
	INSERT INTO certificates (serial, order_id, account_id, not_before, not_after, issuer, crl_shard, spki_sha256, names, tbs)
		VALUES (p_serial, p_order, p_account, p_not_before, p_not_after, v_issuer, p_shard, p_spki_sha256,
			string_to_array(p_names, ' '), p_tbs);
	IF NOT p_settled THEN
		UPDATE serials s SET burnt_at = now() WHERE s.serial = p_serial;
		RETURN 1;
	END IF;
	INSERT INTO forgotten_certificates (serial, file, position) VALUES (p_serial, p_file, p_position);
	DELETE FROM forgotten_revocations r WHERE r.serial = p_serial RETURNING * INTO v_revoked;
	IF FOUND THEN
		PERFORM journal_revoke_one(p_serial, v_revoked.at, v_revoked.reason);
	END IF;
	RETURN 0;
END $$;

CREATE OR REPLACE FUNCTION journal_restore(p_file uuid, p_positions text[], p_kinds integer[], p_settled integer[],
	p_serials bytea[], p_orders uuid[], p_accounts uuid[], p_issuers bytea[], p_shards integer[], p_spki_sha256s bytea[],
	p_not_befores timestamptz[], p_not_afters timestamptz[], p_names text[], p_tbs bytea[])
RETURNS TABLE (r_serial bytea, r_outcome integer)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, assay, pg_temp AS $$
BEGIN
	-- Signer and keeper may read their journals at the same time: a revocation and its certificate must not miss each other.
	PERFORM pg_advisory_xact_lock(hashtext('assay.journal'));
	RETURN QUERY SELECT x.serial, journal_restore_one(p_file, x.position::bigint, x.kind, x.settled = 1, x.serial, x.order_id,
			x.account_id, x.issuer, x.shard, x.spki_sha256, x.not_before, x.not_after, x.names, x.tbs)
		FROM unnest(p_positions, p_kinds, p_settled, p_serials, p_orders, p_accounts, p_issuers, p_shards, p_spki_sha256s,
			p_not_befores, p_not_afters, p_names, p_tbs)
			x(position, kind, settled, serial, order_id, account_id, issuer, shard, spki_sha256, not_before, not_after, names, tbs);
END $$;

-- As it was: the time of then, and the reason. False when the database says so already, or something worse. Not callable
-- by programs.
CREATE OR REPLACE FUNCTION journal_revoke_one(p_serial bytea, p_at timestamptz, p_reason integer) RETURNS boolean
LANGUAGE plpgsql AS $$
BEGIN
	UPDATE certificates c SET revoked_at = coalesce(c.revoked_at, p_at), reason = p_reason
		WHERE c.serial = p_serial AND (c.revoked_at IS NULL OR (p_reason = 1 AND c.reason <> 1));
	IF NOT FOUND THEN
		RETURN false;
	END IF;
	INSERT INTO revocations (serial, reason, at, journalled) SELECT c.serial, c.reason, c.revoked_at, true
		FROM certificates c WHERE c.serial = p_serial;
	INSERT INTO audit_log (action, object, detail)
		VALUES ('certificate.revoke', encode(p_serial, 'hex'), 'reason ' || p_reason || ', again, by the journal');
	RETURN true;
END $$;

-- Revocations in the order of the journal. Rows: those that were missing here, and whether the certificate is known.
-- p_apply false: nothing is changed.
CREATE OR REPLACE FUNCTION journal_revoke(p_serials bytea[], p_ats timestamptz[], p_reasons integer[], p_apply boolean)
RETURNS TABLE (r_serial bytea, r_known boolean)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, assay, pg_temp AS $$
DECLARE
	x record;
BEGIN
	IF p_apply THEN
		PERFORM pg_advisory_xact_lock(hashtext('assay.journal'));
	END IF;
	FOR x IN SELECT u.serial, u.at, u.reason, c.serial IS NOT NULL AS known, f.serial IS NOT NULL AS kept
		FROM unnest(p_serials, p_ats, p_reasons) WITH ORDINALITY u(serial, at, reason, i)
			LEFT JOIN certificates c ON c.serial = u.serial LEFT JOIN forgotten_revocations f ON f.serial = u.serial
		WHERE c.serial IS NULL OR c.revoked_at IS NULL OR (u.reason = 1 AND c.reason <> 1)
		ORDER BY u.i
	LOOP
		IF NOT x.known THEN
			-- What has no partition any more expired long ago.
			CONTINUE WHEN x.serial < (SELECT partition_bound('serial', min(r.lower_at))::bytea
				FROM partition_ranges r WHERE r.parent = 'certificates');
			IF p_apply THEN
				INSERT INTO forgotten_revocations (serial, at, reason) VALUES (x.serial, x.at, x.reason)
					ON CONFLICT (serial) DO UPDATE SET reason = x.reason WHERE x.reason = 1;
			END IF;
			CONTINUE WHEN x.kept;
		ELSIF p_apply AND NOT journal_revoke_one(x.serial, x.at, x.reason) THEN
			CONTINUE;
		END IF;
		r_serial := x.serial;
		r_known := x.known;
		RETURN NEXT;
	END LOOP;
END $$;

-- Rows: keys that were not blocked here.
CREATE OR REPLACE FUNCTION journal_block(p_spki_sha256s bytea[], p_ats timestamptz[], p_whys text[], p_apply boolean)
RETURNS SETOF bytea
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, assay, pg_temp AS $$
DECLARE
	x record;
BEGIN
	FOR x IN SELECT DISTINCT ON (u.spki_sha256) u.* FROM unnest(p_spki_sha256s, p_ats, p_whys) u(spki_sha256, at, why)
		WHERE NOT EXISTS (SELECT FROM blocked_keys b WHERE b.spki_sha256 = u.spki_sha256) ORDER BY u.spki_sha256, u.at
	LOOP
		IF p_apply THEN
			INSERT INTO blocked_keys (spki_sha256, blocked_at, reason, journalled) VALUES (x.spki_sha256, x.at, x.why, true)
				ON CONFLICT DO NOTHING;
			INSERT INTO audit_log (action, object, detail)
				VALUES ('key.block', encode(x.spki_sha256, 'hex'), x.why || ', again, by the journal');
		END IF;
		RETURN NEXT x.spki_sha256;
	END LOOP;
END $$;

-- The outbox: what is to be written, and that it was.
CREATE OR REPLACE FUNCTION journal_outbox(p_limit integer)
RETURNS TABLE (r_id bigint, r_serial bytea, r_at timestamptz, r_reason integer)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, assay, pg_temp AS $$
BEGIN
	RETURN QUERY SELECT r.id, r.serial, r.at, r.reason::integer FROM revocations r WHERE NOT r.journalled
		ORDER BY r.id LIMIT p_limit;
END $$;

CREATE OR REPLACE FUNCTION journal_outbox_keys(p_limit integer)
RETURNS TABLE (r_spki_sha256 bytea, r_at timestamptz, r_why text)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, assay, pg_temp AS $$
BEGIN
	RETURN QUERY SELECT b.spki_sha256, b.blocked_at, b.reason FROM blocked_keys b WHERE NOT b.journalled
		ORDER BY b.blocked_at LIMIT p_limit;
END $$;

CREATE OR REPLACE FUNCTION journal_outbox_done(p_ids text[], p_spki_sha256s bytea[]) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, assay, pg_temp AS $$
BEGIN
	UPDATE revocations r SET journalled = true FROM (SELECT unnest(p_ids)::bigint AS id ORDER BY 1) x
		WHERE r.id = x.id AND NOT r.journalled;
	UPDATE blocked_keys b SET journalled = true FROM (SELECT unnest(p_spki_sha256s) AS key ORDER BY 1) x
		WHERE b.spki_sha256 = x.key AND NOT b.journalled;
END $$;

-- Forgets files that have not been heard of for longer than certificates live. One that is read after all is read from
-- its beginning.
CREATE OR REPLACE FUNCTION journal_tidy() RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, assay, pg_temp AS $$
BEGIN
	DELETE FROM journal_files f WHERE f.reached_at < now() - interval '1200 days';
END $$;

-- Is every revocation of it on the disk outside?
CREATE OR REPLACE FUNCTION revocation_journalled(p_serial bytea) RETURNS boolean
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, assay, pg_temp AS $$
BEGIN
	RETURN NOT EXISTS (SELECT FROM revocations r WHERE r.serial = p_serial AND NOT r.journalled);
END $$;

-- For operators: what the journals have brought back, what is not written yet.
CREATE OR REPLACE FUNCTION admin_forgotten()
RETURNS TABLE (serial bytea, names text[], account_id uuid, order_id uuid, not_after timestamptz, revoked_at timestamptz,
	found_at timestamptz, seen_at timestamptz)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, assay, pg_temp AS $$
#variable_conflict use_column
BEGIN
	RETURN QUERY SELECT c.serial, c.names, c.account_id, c.order_id, c.not_after, c.revoked_at, f.found_at, f.seen_at
		FROM forgotten_certificates f JOIN certificates c ON c.serial = f.serial WHERE c.not_after > now() ORDER BY c.serial;
END $$;

CREATE OR REPLACE FUNCTION admin_forgotten_seen() RETURNS integer
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, assay, pg_temp AS $$
DECLARE
	v_count integer;
BEGIN
	UPDATE forgotten_certificates f SET seen_at = now() WHERE f.seen_at IS NULL;
	GET DIAGNOSTICS v_count = ROW_COUNT;
	IF v_count > 0 THEN
		INSERT INTO audit_log (action, object, detail) VALUES ('journal.seen', 'forgotten certificates', v_count::text);
	END IF;
	RETURN v_count;
END $$;

CREATE OR REPLACE FUNCTION admin_journal()
RETURNS TABLE (r_waiting bigint, r_oldest timestamptz, r_forgotten bigint, r_unknown_revocations bigint)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, assay, pg_temp AS $$
BEGIN
	RETURN QUERY SELECT (SELECT count(*) FROM revocations r WHERE NOT r.journalled)
			+ (SELECT count(*) FROM blocked_keys b WHERE NOT b.journalled),
		least((SELECT min(r.made_at) FROM revocations r WHERE NOT r.journalled),
			(SELECT min(b.blocked_at) FROM blocked_keys b WHERE NOT b.journalled)),
		(SELECT count(*) FROM forgotten_certificates f WHERE f.seen_at IS NULL),
		(SELECT count(*) FROM forgotten_revocations);
END $$;

-- What assayctl doctor asks the database about itself. r_level: 0 fine, 1 to be looked at, 2 wrong. p_seals: how many of
-- the newest seals are verified; p_journal: whether a journal is configured.
CREATE OR REPLACE FUNCTION admin_doctor(p_seals integer, p_journal boolean)
RETURNS TABLE (r_level integer, r_check text, r_text text)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, assay, pg_temp AS $$
DECLARE
	v_seal bigint := (SELECT max(s.seal) FROM audit_seals s);
	v_broken bigint;
BEGIN
	RETURN QUERY SELECT CASE WHEN coalesce(max(r.upper_at) < now() + interval '1 day', true) THEN 2
			WHEN max(r.upper_at) < now() + interval '3 days' THEN 1 ELSE 0 END, 'partitions',
			t.parent || ' until ' || coalesce(to_char(max(r.upper_at) AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI'), 'never')
		FROM partitioned t LEFT JOIN partition_ranges r ON r.parent = t.parent GROUP BY t.parent ORDER BY t.parent;
	v_broken := audit_verify(greatest(coalesce(v_seal, 0) - p_seals, 0));
	RETURN QUERY SELECT CASE WHEN v_broken IS NULL THEN 0 ELSE 2 END, 'audit log',
		CASE WHEN v_broken IS NULL THEN 'the newest ' || least(coalesce(v_seal, 0), p_seals) || ' seals are whole'
			ELSE 'seal ' || v_broken || ' does not fit its rows or its predecessor' END;
	RETURN QUERY SELECT CASE WHEN count(h.program) = 0 THEN 2 ELSE 0 END, 'programs',
			p.program || ': ' || count(h.program) || ' heard of within the last minute'
		FROM unnest(ARRAY['assay-account', 'assay-directory', 'assay-keeper', 'assay-order', 'assay-signer', 'assay-validator'])
				WITH ORDINALITY p(program, i)
			LEFT JOIN heartbeats h ON h.program = p.program AND h.at > now() - interval '1 minute'
		GROUP BY p.program, p.i ORDER BY p.i;
	RETURN QUERY SELECT CASE WHEN count(*) = 0 THEN 0 ELSE 1 END, 'work', count(*) || ' jobs are older than ten minutes'
		FROM (SELECT a.id FROM authorizations a WHERE a.due_at IS NOT NULL AND uuid_at(a.id) < now() - interval '10 minutes'
			UNION ALL
			SELECT o.id FROM orders o WHERE o.due_at IS NOT NULL AND uuid_at(o.id) < now() - interval '10 minutes') w;
	RETURN QUERY SELECT CASE WHEN p_journal AND j.r_oldest < now() - interval '1 minute' THEN 2 ELSE 0 END, 'journal',
			j.r_waiting || ' revocations and blocked keys are not written yet' FROM admin_journal() j;
	RETURN QUERY SELECT CASE WHEN j.r_forgotten > 0 THEN 1 ELSE 0 END, 'journal',
			j.r_forgotten || ' certificates were restored from it and not looked at (doctor --journal, --seen)'
		FROM admin_journal() j;
	RETURN QUERY SELECT CASE WHEN j.r_unknown_revocations > 0 THEN 1 ELSE 0 END, 'journal',
			j.r_unknown_revocations || ' revocations are of certificates that are not known here' FROM admin_journal() j;
END $$;

CREATE OR REPLACE FUNCTION admin_migrations() RETURNS TABLE (r_name text, r_sha256 bytea)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, assay, pg_temp AS $$
BEGIN
	RETURN QUERY SELECT m.name, m.sha256 FROM migrations m ORDER BY m.name;
END $$;
