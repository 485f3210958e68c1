-- What operators may do, for assay-admin. The psql scripts of sql/admin call these; each act is an audit row.

CREATE OR REPLACE FUNCTION admin_certificates(p_serials bytea[], p_account uuid, p_name text, p_spki_sha256 bytea)
RETURNS TABLE (serial bytea, account_id uuid, order_id uuid, names text[], not_after timestamptz, issued boolean,
	revoked_at timestamptz, reason integer)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, assay, pg_temp AS $$
#variable_conflict use_column
BEGIN
	RETURN QUERY SELECT c.serial, c.account_id, c.order_id, c.names, c.not_after, c.der IS NOT NULL, c.revoked_at,
			c.reason::integer
		FROM certificates c
		WHERE num_nonnulls(p_serials, p_account, p_name, p_spki_sha256) > 0
			AND (p_serials IS NULL OR c.serial = ANY (p_serials))
			AND (p_account IS NULL OR c.account_id = p_account)
			AND (p_name IS NULL OR p_name = ANY (c.names))
			AND (p_spki_sha256 IS NULL OR c.spki_sha256 = p_spki_sha256)
			AND c.not_after > now()
		ORDER BY c.serial;
END $$;

-- Returns how many changed. A burnt serial can be revoked like any other.
CREATE OR REPLACE FUNCTION admin_revoke(p_serials bytea[], p_reason integer, p_why text) RETURNS integer
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, assay, pg_temp AS $$
BEGIN
	RETURN (SELECT count(*) FILTER (WHERE certificate_revoke(x.serial, p_reason, p_why))
		FROM (SELECT DISTINCT unnest(p_serials) AS serial ORDER BY 1) x);
END $$;

CREATE OR REPLACE FUNCTION admin_block_key(p_spki_sha256 bytea, p_why text) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, assay, pg_temp AS $$
BEGIN
	RETURN key_block(p_spki_sha256, p_why);
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
