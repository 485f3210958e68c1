-- Revocation lists, for assay-signer, which makes them, for assay-keeper, which schedules and publishes them, and for
-- operators. lib/store/crl.h is the contract.

-- Where the file of a URL is, below the folder that is served; NULL for what is no such URL.
CREATE OR REPLACE FUNCTION file_path(p_url text) RETURNS text
LANGUAGE sql IMMUTABLE AS $$
	SELECT CASE WHEN p_url ~ '^http://[^/]+(/[A-Za-z0-9_~-][A-Za-z0-9._~-]*)+$' THEN substring(p_url FROM '^http://[^/]+/(.*)$') END
$$;

-- At start: an issuer's shards exist from now on, each due at once. Those above p_shards stay, for certificates name
-- them. 7: the issuer has another crl_url, which certificates may name.
CREATE OR REPLACE FUNCTION crl_register(p_issuer bytea, p_not_after timestamptz, p_crl_url text, p_shards integer,
	p_ca_issuers_url text, OUT code integer)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, assay, pg_temp AS $$
DECLARE
	v_issuer smallint := (SELECT i.id FROM issuers i WHERE i.sha256 = p_issuer);
	v_known text;
BEGIN
	code := 7;
	IF v_issuer IS NULL OR p_shards NOT BETWEEN 1 AND 1024 OR (p_crl_url IS NOT NULL AND file_path(p_crl_url) IS NULL)
		OR coalesce(file_path(p_ca_issuers_url), CASE WHEN p_ca_issuers_url IS NOT NULL THEN '.crl' ELSE '' END) LIKE '%.crl'
	THEN
		RETURN;
	END IF;
	INSERT INTO issuer_locations (issuer, not_after, crl_url, ca_issuers_path)
		VALUES (v_issuer, p_not_after, p_crl_url, file_path(p_ca_issuers_url)) ON CONFLICT (issuer) DO NOTHING;
	SELECT l.crl_url INTO v_known FROM issuer_locations l WHERE l.issuer = v_issuer FOR UPDATE;
	IF v_known <> p_crl_url THEN
		RETURN;
	END IF;
	UPDATE issuer_locations l SET crl_url = coalesce(l.crl_url, p_crl_url), ca_issuers_path = file_path(p_ca_issuers_url)
		WHERE l.issuer = v_issuer AND (l.crl_url, l.ca_issuers_path)
			IS DISTINCT FROM (coalesce(l.crl_url, p_crl_url), file_path(p_ca_issuers_url));
	IF p_crl_url IS NOT NULL THEN
		INSERT INTO crl_shards (issuer, shard, url, path, due_at)
			SELECT v_issuer, n, u.url, file_path(u.url), now() FROM generate_series(1, p_shards) n,
				LATERAL (SELECT p_crl_url || '/' || n || '.crl' AS url) u
				WHERE NOT EXISTS (SELECT FROM crl_shards s WHERE s.issuer = v_issuer AND s.shard = n);
	END IF;
	code := 0;
EXCEPTION WHEN unique_violation THEN
	-- The path is another issuer's. The block is undone as a whole.
	code := 7;
END $$;

-- Turns revocations into due shards: p_delay behind the first one. Returns how many it collected; rows that others are
-- collecting just now are theirs.
CREATE OR REPLACE FUNCTION crl_schedule(p_limit integer, p_delay integer) RETURNS integer
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, assay, pg_temp AS $$
DECLARE
	v_taken integer;
BEGIN
	WITH taken AS (
		DELETE FROM crl_changes c WHERE c.ctid = ANY (ARRAY(
				SELECT x.ctid FROM crl_changes x LIMIT p_limit FOR UPDATE SKIP LOCKED))
			RETURNING c.issuer, c.shard, c.at
	), touched AS (
		SELECT t.issuer, t.shard, count(*) AS n, min(t.at) AS at FROM taken t GROUP BY t.issuer, t.shard
	), locked AS (
		SELECT s.id, t.n, t.at FROM touched t JOIN crl_shards s ON s.issuer = t.issuer AND s.shard = t.shard
			ORDER BY s.id FOR UPDATE OF s
	), due AS (
		UPDATE crl_shards s SET changes = s.changes + l.n,
				due_at = least(s.due_at, l.at + make_interval(secs => p_delay))
			FROM locked l WHERE s.id = l.id
	)
	SELECT count(*) INTO v_taken FROM taken;
	RETURN v_taken;
END $$;

-- Shards to make now, pushed forward as sweep_due does. Nothing of an issuer that has ended is due.
CREATE OR REPLACE FUNCTION crl_due(p_limit integer, p_backoff integer) RETURNS SETOF uuid
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, assay, pg_temp AS $$
BEGIN
	RETURN QUERY
	WITH due AS (
		SELECT s.id FROM crl_shards s WHERE s.due_at <= now() AND coalesce(s.held_until <= now(), true)
				AND s.issuer IS NOT NULL
				AND (SELECT l.not_after > now() FROM issuer_locations l WHERE l.issuer = s.issuer)
			ORDER BY s.due_at LIMIT p_limit FOR NO KEY UPDATE SKIP LOCKED)
	UPDATE crl_shards s SET due_at = now() + make_interval(secs => p_backoff) FROM due d WHERE s.id = d.id
		RETURNING s.id;
END $$;

-- One shard, for a signer that has the key of its issuer. It gets a number of its own, higher than any before, also than
-- those of a database that was restored from an older state. What was counted in r_changes was committed before now, so
-- everything that is read from here on shows it. A job that comes twice finds the shard not due any more.
CREATE OR REPLACE FUNCTION crl_claim(p_id uuid, p_issuers bytea[], p_lease integer)
RETURNS TABLE (r_issuer bytea, r_url text, r_number bigint, r_this_update timestamptz, r_changes bigint)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, assay, pg_temp AS $$
DECLARE
	v_now timestamptz;
BEGIN
	PERFORM FROM crl_shards s JOIN issuers i ON i.id = s.issuer
		WHERE s.id = p_id AND i.sha256 = ANY (p_issuers) AND s.due_at <= now() + interval '30 seconds'
			AND coalesce(s.held_until <= now(), true) FOR NO KEY UPDATE OF s;
	IF NOT FOUND THEN
		RETURN;
	END IF;
	-- Not the transaction's time: it may have waited for the row.
	v_now := clock_timestamp();
	RETURN QUERY
	UPDATE crl_shards s SET held_until = v_now + make_interval(secs => p_lease),
			numbered = greatest(s.numbered + 1, (extract(epoch FROM v_now) * 1000)::bigint)
		FROM issuers i WHERE s.id = p_id AND i.id = s.issuer
		RETURNING i.sha256, s.url, s.numbered, date_trunc('second', v_now), s.changes;
END $$;

-- Keeps the shard; false: another signer has it.
CREATE OR REPLACE FUNCTION crl_renew(p_id uuid, p_number bigint, p_lease integer) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, assay, pg_temp AS $$
BEGIN
	UPDATE crl_shards s SET held_until = clock_timestamp() + make_interval(secs => p_lease)
		WHERE s.id = p_id AND s.numbered = p_number;
	RETURN FOUND;
END $$;

-- The next entries behind p_after, in order of serial. What expired before the newest list was made was on it, so it has
-- been listed once behind its end and may go (RFC 5280 section 3.3). Not so what was revoked in the hour before that
-- list: its transaction may have been open then.
CREATE OR REPLACE FUNCTION crl_entries(p_id uuid, p_after bytea, p_this_update timestamptz, p_limit integer)
RETURNS TABLE (r_serial bytea, r_revoked_at timestamptz, r_reason integer)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, assay, pg_temp AS $$
DECLARE
	v_issuer smallint;
	v_shard smallint;
	v_before timestamptz;
BEGIN
	SELECT s.issuer, s.shard, coalesce(s.this_update, '-infinity') INTO v_issuer, v_shard, v_before
		FROM crl_shards s WHERE s.id = p_id;
	RETURN QUERY SELECT c.serial, c.revoked_at, c.reason::integer FROM certificates c
		WHERE c.issuer = v_issuer AND c.crl_shard = v_shard AND c.revoked_at IS NOT NULL AND c.serial > p_after
			AND c.revoked_at < p_this_update + interval '1 second'
			AND (c.not_after >= v_before OR c.revoked_at >= v_before - interval '1 hour')
		ORDER BY c.serial LIMIT p_limit;
END $$;

CREATE OR REPLACE FUNCTION crl_part_store(p_id uuid, p_number bigint, p_part integer, p_bytes bytea) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, assay, pg_temp AS $$
BEGIN
	INSERT INTO crl_parts (shard_id, number, part, bytes)
		SELECT s.id, p_number, p_part, p_bytes FROM crl_shards s
			WHERE s.id = p_id AND p_number BETWEEN s.number + 1 AND s.numbered
		ON CONFLICT DO NOTHING;
END $$;

-- The list whose parts are stored is the newest from now on, unless a newer one is. Not callable by programs.
CREATE OR REPLACE FUNCTION crl_swap(p_id uuid, p_number bigint, p_this_update timestamptz, p_next_update timestamptz,
	p_entries bigint, p_size bigint, p_sha256 bytea) RETURNS boolean
LANGUAGE plpgsql AS $$
DECLARE
	v_path text;
BEGIN
	UPDATE crl_shards s SET number = p_number, this_update = p_this_update, next_update = p_next_update,
			published_at = clock_timestamp(), entries = p_entries, size = p_size, sha256 = p_sha256
		WHERE s.id = p_id AND p_number BETWEEN s.number + 1 AND s.numbered AND p_this_update < p_next_update
			AND coalesce(p_this_update >= s.this_update, true)
			AND (SELECT sum(octet_length(p.bytes)) = p_size AND max(p.part) = count(*) - 1 FROM crl_parts p
				WHERE p.shard_id = p_id AND p.number = p_number)
		RETURNING s.path INTO v_path;
	IF NOT FOUND THEN
		DELETE FROM crl_parts p WHERE p.shard_id = p_id AND p.number = p_number
			AND p_number <> (SELECT s.number FROM crl_shards s WHERE s.id = p_id);
		RETURN false;
	END IF;
	-- Those of the list before, and what dead signers left behind.
	DELETE FROM crl_parts p WHERE p.shard_id = p_id AND p.number < p_number;
	INSERT INTO audit_log (action, object, detail)
		VALUES ('crl.publish', v_path, format('number %s, %s entries, sha256 %s', p_number, p_entries, encode(p_sha256, 'hex')));
	RETURN true;
END $$;

-- p_changes: as crl_claim told it. What was revoked since makes the shard due again after p_delay, otherwise p_refresh.
-- False: a newer list is there already, or the clock went back.
CREATE OR REPLACE FUNCTION crl_publish(p_id uuid, p_number bigint, p_this_update timestamptz, p_next_update timestamptz,
	p_entries bigint, p_size bigint, p_sha256 bytea, p_changes bigint, p_refresh integer, p_delay integer)
RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, assay, pg_temp AS $$
DECLARE
	v_swapped boolean := crl_swap(p_id, p_number, p_this_update, p_next_update, p_entries, p_size, p_sha256);
BEGIN
	-- What another signer has begun since is its own.
	UPDATE crl_shards s SET held_until = NULL,
			due_at = now() + make_interval(secs => CASE WHEN v_swapped AND s.changes = p_changes THEN p_refresh
				ELSE least(p_delay, p_refresh) END)
		WHERE s.id = p_id AND s.numbered = p_number;
	RETURN v_swapped;
END $$;

-- What could not be made: tried again after p_pause.
CREATE OR REPLACE FUNCTION crl_fail(p_id uuid, p_number bigint, p_pause integer) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, assay, pg_temp AS $$
BEGIN
	UPDATE crl_shards s SET held_until = NULL, due_at = now() + make_interval(secs => p_pause)
		WHERE s.id = p_id AND s.numbered = p_number;
	DELETE FROM crl_parts p WHERE p.shard_id = p_id AND p.number = p_number
		AND p_number > (SELECT s.number FROM crl_shards s WHERE s.id = p_id);
END $$;

-- What is to be published: everything (p_seconds NULL), or what became so within the last p_seconds.
CREATE OR REPLACE FUNCTION crl_files(p_seconds integer)
RETURNS TABLE (r_id uuid, r_path text, r_number bigint, r_size bigint, r_sha256 bytea)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, assay, pg_temp AS $$
BEGIN
	RETURN QUERY SELECT s.id, s.path, s.number, s.size, s.sha256 FROM crl_shards s
		WHERE s.published_at > coalesce(now() - make_interval(secs => p_seconds), '-infinity') ORDER BY s.path;
END $$;

CREATE OR REPLACE FUNCTION crl_part(p_id uuid, p_number bigint, p_part integer) RETURNS SETOF bytea
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, assay, pg_temp AS $$
BEGIN
	RETURN QUERY SELECT p.bytes FROM crl_parts p WHERE p.shard_id = p_id AND p.number = p_number AND p.part = p_part;
END $$;

-- A file that was published bears a number that this database does not know of: it was restored from an older state.
-- The next list goes beyond it, and is made now. A number of the far future is somebody's lie, and is not believed.
CREATE OR REPLACE FUNCTION crl_overtaken(p_id uuid, p_number bigint) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, assay, pg_temp AS $$
BEGIN
	UPDATE crl_shards s SET numbered = p_number, due_at = now()
		WHERE s.id = p_id AND s.issuer IS NOT NULL AND s.numbered < p_number
			AND p_number < (extract(epoch FROM now() + interval '30 days') * 1000)::bigint;
	IF FOUND THEN
		INSERT INTO audit_log (action, object, detail)
			SELECT 'crl.overtaken', s.path, 'number ' || p_number FROM crl_shards s WHERE s.id = p_id;
	END IF;
END $$;

-- The issuing certificates, for what stands in caIssuers.
CREATE OR REPLACE FUNCTION issuer_files() RETURNS TABLE (r_path text, r_certificate bytea)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, assay, pg_temp AS $$
BEGIN
	RETURN QUERY SELECT l.ca_issuers_path, i.certificate FROM issuer_locations l JOIN issuers i ON i.id = l.issuer
		WHERE l.ca_issuers_path IS NOT NULL ORDER BY i.id;
END $$;

-- A list that was made elsewhere (assayctl, which has checked it). 4: its URL is no such URL, or one of ours;
-- 7: there is one with this number or a higher one.
CREATE OR REPLACE FUNCTION admin_crl_import(p_url text, p_number bigint, p_this_update timestamptz,
	p_next_update timestamptz, p_entries bigint, p_der bytea, OUT code integer)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, assay, pg_temp AS $$
DECLARE
	v_id uuid;
BEGIN
	code := 4;
	IF file_path(p_url) IS NULL THEN
		RETURN;
	END IF;
	INSERT INTO crl_shards (url, path) VALUES (p_url, file_path(p_url)) ON CONFLICT (path) DO NOTHING;
	SELECT s.id INTO v_id FROM crl_shards s WHERE s.url = p_url AND s.issuer IS NULL FOR UPDATE;
	IF NOT FOUND THEN
		RETURN;
	END IF;
	code := 7;
	UPDATE crl_shards s SET numbered = p_number WHERE s.id = v_id AND s.numbered < p_number;
	IF NOT FOUND THEN
		RETURN;
	END IF;
	INSERT INTO crl_parts (shard_id, number, part, bytes)
		SELECT v_id, p_number, n, substring(p_der FROM n * 65536 + 1 FOR 65536)
			FROM generate_series(0, (octet_length(p_der) - 1) / 65536) n;
	IF NOT crl_swap(v_id, p_number, p_this_update, p_next_update, p_entries, octet_length(p_der), sha256(p_der)) THEN
		RAISE EXCEPTION 'assay: list % of % cannot be published', p_number, p_url USING ERRCODE = 'integrity_constraint_violation';
	END IF;
	code := 0;
END $$;

-- For assayctl status: each issuer's lists, and each list from elsewhere. r_oldest: the thisUpdate of the oldest of
-- them, r_ends: the first nextUpdate, both NULL while one was never made.
CREATE OR REPLACE FUNCTION admin_crls()
RETURNS TABLE (r_name text, r_lists bigint, r_missing bigint, r_overdue bigint, r_entries bigint, r_size bigint,
	r_oldest timestamptz, r_ends timestamptz)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, assay, pg_temp AS $$
BEGIN
	RETURN QUERY SELECT coalesce(i.name, s.path), count(*), count(*) FILTER (WHERE s.number = 0),
			count(*) FILTER (WHERE s.due_at < now() - interval '1 minute'), coalesce(sum(s.entries), 0)::bigint,
			coalesce(sum(s.size), 0)::bigint, min(s.this_update), min(s.next_update)
		FROM crl_shards s LEFT JOIN issuers i ON i.id = s.issuer LEFT JOIN issuer_locations l ON l.issuer = s.issuer
		WHERE coalesce(l.not_after > now(), true)
		GROUP BY i.id, coalesce(i.name, s.path) ORDER BY i.id, 1;
END $$;
