-- What operators may do, for assay-admin. The psql scripts of sql/admin call these; each act is an audit row.

-- RFC 5280 section 5.3.1: the reasons that a CA may give (BR 7.2.2; 9 is the CA's own), by number or name.
CREATE OR REPLACE FUNCTION admin_reason(p_reason text) RETURNS integer
LANGUAGE plpgsql IMMUTABLE SECURITY DEFINER SET search_path = pg_catalog, assay, pg_temp AS $$
DECLARE
	v_reason integer := (SELECT r.number FROM (VALUES (0, 'unspecified'), (1, 'keyCompromise'), (3, 'affiliationChanged'),
		(4, 'superseded'), (5, 'cessationOfOperation'), (9, 'privilegeWithdrawn')) r(number, name)
		WHERE p_reason IN (r.number::text, r.name));
BEGIN
	IF v_reason IS NULL THEN
		RAISE EXCEPTION 'assay: there is no reason "%": give unspecified (0), keyCompromise (1), affiliationChanged (3), '
			'superseded (4), cessationOfOperation (5) or privilegeWithdrawn (9)', coalesce(p_reason, '')
			USING ERRCODE = 'invalid_parameter_value';
	END IF;
	RETURN v_reason;
END $$;

-- Serial numbers in hexadecimal, as people write them: separated by white space or commas, colons between bytes, "#"
-- begins a comment. A file of them, for instance.
CREATE OR REPLACE FUNCTION admin_serials(p_text text) RETURNS bytea[]
LANGUAGE plpgsql IMMUTABLE SECURITY DEFINER SET search_path = pg_catalog, assay, pg_temp AS $$
DECLARE
	v_words text[] := ARRAY(SELECT lower(replace(x.word, ':', ''))
		FROM regexp_split_to_table(regexp_replace(p_text, '#[^\n]*', '', 'g'), '[\s,]+') x(word) WHERE x.word <> '');
	v_bad text := (SELECT w FROM unnest(v_words) w WHERE w !~ '^40[0-9a-f]{34}$' LIMIT 1);
BEGIN
	IF v_bad IS NOT NULL THEN
		RAISE EXCEPTION 'assay: "%" is no serial number of ours: those have 36 hexadecimal digits and begin with 40', v_bad
			USING ERRCODE = 'invalid_parameter_value';
	END IF;
	RETURN ARRAY(SELECT decode(w, 'hex') FROM unnest(v_words) w);
END $$;

-- What a revocation of the selected certificates with this reason would do; see certificates_selected.
CREATE OR REPLACE FUNCTION admin_selected(p_serials bytea[], p_account uuid, p_name text, p_spki_sha256 bytea,
	p_from timestamptz, p_to timestamptz, p_issuer text, p_profile text, p_reason integer)
RETURNS TABLE (found bigint, to_change bigint, revoked_before bigint, unknown_or_expired bigint, accounts bigint,
	issuers text, first_reserved timestamptz, last_expiry timestamptz)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, assay, pg_temp AS $$
BEGIN
	RETURN QUERY SELECT count(*), count(*) FILTER (WHERE c.revoked_at IS NULL OR (p_reason = 1 AND c.reason <> 1)),
			count(*) FILTER (WHERE c.revoked_at IS NOT NULL),
			coalesce((SELECT count(DISTINCT s) FROM unnest(p_serials) s), count(*)) - count(*),
			count(DISTINCT c.account_id), (SELECT string_agg(i.name, ', ' ORDER BY i.id) FROM issuers i
				WHERE i.id = ANY (array_agg(DISTINCT c.issuer))),
			min(c.reserved_at), max(c.not_after)
		FROM certificates_selected(p_serials, p_account, p_name, p_spki_sha256, p_from, p_to, p_issuer, p_profile) c;
END $$;

CREATE OR REPLACE FUNCTION admin_sample(p_serials bytea[], p_account uuid, p_name text, p_spki_sha256 bytea,
	p_from timestamptz, p_to timestamptz, p_issuer text, p_profile text, p_limit integer)
RETURNS TABLE (serial bytea, account_id uuid, names text[], not_after timestamptz, issued boolean,
	revoked_at timestamptz, reason integer)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, assay, pg_temp AS $$
#variable_conflict use_column
BEGIN
	RETURN QUERY SELECT c.serial, c.account_id, c.names, c.not_after, c.issued, c.revoked_at, c.reason
		FROM certificates_selected(p_serials, p_account, p_name, p_spki_sha256, p_from, p_to, p_issuer, p_profile) c
		ORDER BY c.revoked_at IS NOT NULL, c.serial LIMIT p_limit;
END $$;

-- Begins an act on what would change. p_expect is the number that the operator saw: another one is refused, and so is a
-- list with serial numbers that are not found. By key, as keyCompromise: the key is refused from this moment on. NULL
-- when there is nothing to change.
CREATE OR REPLACE FUNCTION admin_revoke(p_serials bytea[], p_account uuid, p_name text, p_spki_sha256 bytea,
	p_from timestamptz, p_to timestamptz, p_issuer text, p_profile text, p_reason integer, p_why text, p_expect bigint)
RETURNS integer
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, assay, pg_temp AS $$
DECLARE
	v_all bytea[];
	v_change bytea[];
	v_unknown bytea;
BEGIN
	IF coalesce(btrim(p_why), '') = '' THEN
		RAISE EXCEPTION 'assay: say why, for the audit log' USING ERRCODE = 'invalid_parameter_value';
	END IF;
	PERFORM admin_reason(p_reason::text);
	SELECT array_agg(c.serial), array_agg(c.serial) FILTER (WHERE c.revoked_at IS NULL OR (p_reason = 1 AND c.reason <> 1))
		INTO v_all, v_change
		FROM certificates_selected(p_serials, p_account, p_name, p_spki_sha256, p_from, p_to, p_issuer, p_profile) c;
	v_unknown := (SELECT s FROM unnest(p_serials) s EXCEPT SELECT s FROM unnest(v_all) s LIMIT 1);
	IF v_unknown IS NOT NULL THEN
		RAISE EXCEPTION 'assay: % is unknown, expired or not selected; nothing was revoked', encode(v_unknown, 'hex')
			USING ERRCODE = 'invalid_parameter_value';
	END IF;
	IF coalesce(cardinality(v_change), 0) IS DISTINCT FROM p_expect THEN
		RAISE EXCEPTION 'assay: certificates that would change: %; expected: %; nothing was revoked',
			coalesce(cardinality(v_change), 0), coalesce(p_expect::text, 'no number') USING ERRCODE = 'invalid_parameter_value';
	END IF;
	IF p_spki_sha256 IS NOT NULL AND p_reason = 1 THEN
		PERFORM keys_block(ARRAY[p_spki_sha256], p_why, true);
	END IF;
	IF v_change IS NULL THEN
		RETURN NULL;
	END IF;
	RETURN revocation_begin(v_change, p_reason, p_why, concat_ws(', ',
		cardinality(p_serials) || ' serial numbers', 'account ' || p_account, 'name ' || p_name,
		'key ' || encode(p_spki_sha256, 'hex'), 'from ' || p_from, 'to ' || p_to, 'issuer ' || p_issuer,
		'profile ' || p_profile));
END $$;

-- A batch of an act; no row when no batch is left that nobody has in hand.
CREATE OR REPLACE FUNCTION admin_revoke_step(p_act integer) RETURNS TABLE (looked_at integer, revoked integer, found integer)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, assay, pg_temp AS $$
DECLARE
	v_count integer := revocation_step(p_act);
BEGIN
	-- A keeper has what is left in hand: once it is done, the act has ended; if it fails, the batch is ours.
	IF v_count = 0 THEN
		PERFORM FROM revocation_batches b WHERE b.act = p_act ORDER BY b.batch LIMIT 1 FOR UPDATE;
		IF FOUND THEN
			v_count := revocation_step(p_act);
		END IF;
	END IF;
	RETURN QUERY SELECT v_count, a.revoked, a.found FROM revocation_acts a WHERE a.id = p_act AND v_count > 0;
END $$;

-- Acts, newest first; with a number, that one.
CREATE OR REPLACE FUNCTION admin_acts(p_act integer DEFAULT NULL)
RETURNS TABLE (act integer, begun_at timestamptz, ended_at timestamptz, actor text, selection text, why text,
	reason integer, found integer, revoked integer, batches_left bigint)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, assay, pg_temp AS $$
BEGIN
	RETURN QUERY SELECT a.id, a.begun_at, a.ended_at, a.actor, a.selection, a.why, a.reason::integer, a.found, a.revoked,
			(SELECT count(*) FROM revocation_batches b WHERE b.act = a.id)
		FROM revocation_acts a WHERE a.id BETWEEN coalesce(p_act, 0) AND coalesce(p_act, 2147483647)
		ORDER BY a.id DESC LIMIT 20;
END $$;

-- Refuses a key from now on; certificates that have it stay. False: it was blocked before.
CREATE OR REPLACE FUNCTION admin_block_key(p_spki_sha256 bytea, p_why text) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, assay, pg_temp AS $$
BEGIN
	IF coalesce(btrim(p_why), '') = '' THEN
		RAISE EXCEPTION 'assay: say why, for the audit log' USING ERRCODE = 'invalid_parameter_value';
	END IF;
	RETURN keys_block(ARRAY[p_spki_sha256], p_why, false) = 1;
END $$;

-- Lets a key be used again that was blocked by mistake. What was revoked stays so. False: it is not blocked.
CREATE OR REPLACE FUNCTION admin_unblock_key(p_spki_sha256 bytea, p_why text) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, assay, pg_temp AS $$
BEGIN
	IF coalesce(btrim(p_why), '') = '' THEN
		RAISE EXCEPTION 'assay: say why, for the audit log' USING ERRCODE = 'invalid_parameter_value';
	END IF;
	DELETE FROM blocked_keys b WHERE b.spki_sha256 = p_spki_sha256;
	IF NOT FOUND THEN
		RETURN false;
	END IF;
	INSERT INTO audit_log (action, object, detail) VALUES ('key.unblock.why', encode(p_spki_sha256, 'hex'), p_why);
	RETURN true;
END $$;

CREATE OR REPLACE FUNCTION admin_blocked_key(p_spki_sha256 bytea)
RETURNS TABLE (blocked_at timestamptz, actor text, reason text, revoking boolean)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, assay, pg_temp AS $$
BEGIN
	RETURN QUERY SELECT b.blocked_at, b.actor, b.reason, b.revoking FROM blocked_keys b WHERE b.spki_sha256 = p_spki_sha256;
END $$;

-- Closes the account as revoked by the server (RFC 8555 section 7.1.2).
CREATE OR REPLACE FUNCTION admin_account_revoke(p_account uuid, p_why text) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, assay, pg_temp AS $$
BEGIN
	IF NOT account_close(p_account, 2::smallint, 'account.revoke') THEN
		RETURN false;
	END IF;
	INSERT INTO audit_log (action, object, detail) VALUES ('account.why', p_account::text, p_why);
	RETURN true;
END $$;

CREATE OR REPLACE FUNCTION admin_account(p_account uuid)
RETURNS TABLE (id uuid, status integer, created_at timestamptz, contacts text[], unfinished_orders bigint,
	certificates bigint)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, assay, pg_temp AS $$
#variable_conflict use_column
BEGIN
	RETURN QUERY SELECT a.id, a.status::integer, a.created_at, a.contacts,
			(SELECT count(*) FROM orders o WHERE o.account_id = a.id AND (o.status = 2
				OR (o.status IN (0, 1) AND o.expires_at > now()))),
			(SELECT count(*) FROM certificates c WHERE c.account_id = a.id AND c.not_after > now())
		FROM accounts a WHERE a.id = p_account;
END $$;

-- Work that has been due for longer than it should be.
CREATE OR REPLACE FUNCTION admin_stuck(p_older interval)
RETURNS TABLE (kind text, id uuid, account_id uuid, names text[], attempt integer, due_at timestamptz,
	held_until timestamptz, error text)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, assay, pg_temp AS $$
#variable_conflict use_column
BEGIN
	RETURN QUERY
		SELECT 'authorization', a.id, a.account_id, ARRAY[a.name], a.attempt::integer, a.due_at, a.held_until, a.error
			FROM authorizations a WHERE a.due_at IS NOT NULL AND uuid_at(a.id) < now() - p_older
		UNION ALL
		SELECT CASE WHEN o.caa_due THEN 'caa' ELSE 'order' END, o.id, o.account_id, o.names, o.attempt::integer, o.due_at,
				o.held_until, o.error
			FROM orders o WHERE o.due_at IS NOT NULL AND uuid_at(o.id) < now() - p_older
		ORDER BY 6;
END $$;

-- The moment a UUIDv7 was made (RFC 9562 section 5.7).
CREATE OR REPLACE FUNCTION uuid_at(p_id uuid) RETURNS timestamptz
LANGUAGE sql IMMUTABLE AS $$
	SELECT to_timestamp(('x' || substr(replace(p_id::text, '-', ''), 1, 12))::bit(48)::bigint / 1000.0)
$$;

-- Counts for a dashboard.
CREATE OR REPLACE FUNCTION admin_status()
RETURNS TABLE (what text, count bigint, oldest timestamptz)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, assay, pg_temp AS $$
#variable_conflict use_column
BEGIN
	RETURN QUERY
		SELECT 'validations under way', count(*), min(a.due_at) FROM authorizations a WHERE a.due_at IS NOT NULL
		UNION ALL
		SELECT 'orders processing', count(*), min(o.due_at) FROM orders o WHERE o.due_at IS NOT NULL
		UNION ALL
		SELECT h.program || ' alive', count(*), min(h.at) FROM heartbeats h WHERE h.at > now() - interval '1 minute'
			GROUP BY h.program
		UNION ALL
		SELECT 'partitions ahead of now: ' || t.parent, count(r.child), max(r.upper_at)
			FROM partitioned t LEFT JOIN partition_ranges r ON r.parent = t.parent AND r.upper_at > now()
			GROUP BY t.parent;
END $$;
