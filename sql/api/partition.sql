-- Partitions are made ahead and dropped whole; there is no DEFAULT partition, so an insert outside is an error
-- rather than a row that nobody finds.

-- Where the partition that begins at a moment begins, as the literal of its key.
CREATE OR REPLACE FUNCTION partition_bound(p_key text, p_at timestamptz) RETURNS text
LANGUAGE sql IMMUTABLE AS $$
	SELECT CASE p_key
		WHEN 'uuid' THEN (lpad(to_hex((extract(epoch FROM p_at) * 1000)::bigint), 12, '0') || repeat('0', 20))::uuid::text
		WHEN 'serial' THEN '\x40' || lpad(to_hex(extract(epoch FROM p_at)::bigint), 8, '0')
		ELSE to_char(p_at AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS"+00"') END
$$;

-- Made beside the table and then attached: that locks out no reader or writer.
CREATE OR REPLACE FUNCTION partition_create(p_parent text, p_from timestamptz, p_to timestamptz) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
	v partitioned;
	v_child text := p_parent || '_' || to_char(p_from AT TIME ZONE 'UTC', 'YYYYMMDD');
BEGIN
	SELECT * INTO v FROM partitioned t WHERE t.parent = p_parent;
	EXECUTE format('CREATE TABLE assay.%I (LIKE assay.%I INCLUDING DEFAULTS INCLUDING CONSTRAINTS) WITH (fillfactor = %s)',
		v_child, p_parent, v.page_fill);
	EXECUTE format('ALTER TABLE assay.%I ATTACH PARTITION assay.%I FOR VALUES FROM (%L) TO (%L)',
		p_parent, v_child, partition_bound(v.key, p_from), partition_bound(v.key, p_to));
	INSERT INTO partition_ranges (child, parent, lower_at, upper_at) VALUES (v_child, p_parent, p_from, p_to);
END $$;

-- May this one go? Nothing in it may still be alive.
CREATE OR REPLACE FUNCTION partition_is_over(p_parent text, p_child text) RETURNS boolean
LANGUAGE plpgsql STABLE AS $$
DECLARE
	v_alive boolean;
	v_test text := CASE p_parent
		WHEN 'orders' THEN 'status = 2 OR (status IN (0, 1) AND expires_at > now())'
		WHEN 'authorizations' THEN 'status IN (0, 1) AND expires_at > now()'
		-- With a revocation list behind its end (crl.validity is ten days at most), on which what was revoked still is.
		WHEN 'certificates' THEN 'not_after > now() - interval ''11 days'''
		ELSE 'false' END;
BEGIN
	EXECUTE format('SELECT EXISTS (SELECT FROM assay.%I WHERE %s)', p_child, v_test) INTO v_alive;
	RETURN NOT v_alive;
END $$;

-- Nothing is dropped that belongs to an unexpired certificate: 100 days before the oldest one are kept, too, for its
-- order, authorizations and evidence. p_retention NULL: nothing is dropped at all.
CREATE OR REPLACE FUNCTION partitions(p_days_ahead integer, p_retention bigint) RETURNS integer
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, assay, pg_temp AS $$
DECLARE
	v partitioned;
	p partition_ranges;
	v_upper timestamptz;
	v_next timestamptz;
	v_oldest timestamptz := now();
	v_changed integer := 0;
	v_rows integer;
BEGIN
	PERFORM pg_advisory_xact_lock(hashtext('assay.partitions'));
	-- Hints that have run out are of no use. Those in use by others wait for the next time.
	DELETE FROM reusable_authorizations u USING (
		SELECT x.account_id, x.name FROM reusable_authorizations x WHERE x.expires_at < now()
			LIMIT 50000 FOR UPDATE SKIP LOCKED) x
		WHERE u.account_id = x.account_id AND u.name = x.name;
	FOR v IN SELECT * FROM partitioned t ORDER BY t.parent LOOP
		SELECT max(r.upper_at) INTO v_upper FROM partition_ranges r WHERE r.parent = v.parent;
		v_upper := coalesce(v_upper, date_trunc('day', now(), 'UTC') - interval '1 day');
		WHILE v_upper < now() + make_interval(days => greatest(p_days_ahead, 1)) LOOP
			v_next := v_upper + make_interval(days => v.days);
			PERFORM partition_create(v.parent, v_upper, v_next);
			v_upper := v_next;
			v_changed := v_changed + 1;
		END LOOP;
	END LOOP;
	IF p_retention IS NULL THEN
		RETURN v_changed;
	END IF;

	FOR p IN SELECT * FROM partition_ranges r WHERE r.parent = 'certificates' ORDER BY r.lower_at LOOP
		IF NOT partition_is_over(p.parent, p.child) THEN
			v_oldest := p.lower_at;
			EXIT;
		END IF;
	END LOOP;
	FOR p IN SELECT * FROM partition_ranges r
		WHERE r.upper_at < least(now() - make_interval(secs => p_retention), v_oldest - CASE r.parent
			WHEN 'certificates' THEN interval '0' WHEN 'ocsp_responses' THEN interval '0' ELSE interval '100 days' END)
		ORDER BY r.lower_at
	LOOP
		CONTINUE WHEN NOT partition_is_over(p.parent, p.child);
		-- Serial numbers hold their time, so those of a finished partition can never come again.
		IF p.parent = 'certificates' THEN
			DELETE FROM serials s WHERE s.serial IN (SELECT x.serial FROM serials x
				WHERE x.serial < partition_bound('serial', p.upper_at)::bytea LIMIT 50000);
			GET DIAGNOSTICS v_rows = ROW_COUNT;
			CONTINUE WHEN v_rows = 50000;
			DELETE FROM replacements s WHERE s.serial IN (SELECT x.serial FROM replacements x
				WHERE x.serial < partition_bound('serial', p.upper_at)::bytea LIMIT 50000);
			GET DIAGNOSTICS v_rows = ROW_COUNT;
			CONTINUE WHEN v_rows = 50000;
		END IF;
		BEGIN
			-- Needs the table to itself for a moment: rather the next time than a queue behind it.
			SET LOCAL lock_timeout = '500ms';
			EXECUTE format('DROP TABLE assay.%I', p.child);
			DELETE FROM partition_ranges r WHERE r.child = p.child;
			INSERT INTO audit_log (action, object, detail)
				VALUES ('partition.drop', p.child, p.lower_at || ' to ' || p.upper_at);
			v_changed := v_changed + 1;
		EXCEPTION WHEN lock_not_available THEN
			RETURN v_changed;
		END;
	END LOOP;
	RETURN v_changed;
END $$;
