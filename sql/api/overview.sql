-- What assayctl status shows. Cheap enough to be asked every minute: no scan of more than the last day's orders.

CREATE OR REPLACE FUNCTION admin_overview()
RETURNS TABLE (r_section text, r_item text, r_count bigint, r_at timestamptz)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, assay, pg_temp AS $$
DECLARE
	-- The smallest UUIDv7 of a day ago: orders are in order of time.
	v_day uuid := partition_bound('uuid', now() - interval '1 day')::uuid;
BEGIN
	RETURN QUERY
		SELECT 'orders of the last day', s.name, count(o.id), min(uuid_at(o.id))
			FROM (VALUES (0, 'pending'), (1, 'ready'), (2, 'processing'), (3, 'valid'), (4, 'invalid')) s(status, name)
			LEFT JOIN orders o ON o.status = s.status AND o.id >= v_day
			GROUP BY s.status, s.name ORDER BY s.status;
	RETURN QUERY
		SELECT 'work under way', 'validations', count(*), min(a.due_at) FROM authorizations a WHERE a.due_at IS NOT NULL
		UNION ALL
		SELECT 'work under way', CASE WHEN o.caa_due THEN 'CAA checks' ELSE 'issuances' END, count(*), min(o.due_at)
			FROM orders o WHERE o.due_at IS NOT NULL GROUP BY o.caa_due;
	RETURN QUERY
		SELECT 'programs alive', h.program, count(*), max(h.at) FROM heartbeats h WHERE h.at > now() - interval '1 minute'
			GROUP BY h.program ORDER BY h.program;
	RETURN QUERY
		SELECT 'audit log', 'seals', s.seal, s.sealed_at FROM audit_seals s ORDER BY s.seal DESC LIMIT 1;
	RETURN QUERY
		SELECT 'database', 'partitions of ' || t.parent || ' until', count(r.child), max(r.upper_at)
			FROM partitioned t LEFT JOIN partition_ranges r ON r.parent = t.parent GROUP BY t.parent ORDER BY t.parent;
END $$;

CREATE OR REPLACE FUNCTION admin_issuers()
RETURNS TABLE (r_name text, r_certificate bytea, r_registered_at timestamptz)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, assay, pg_temp AS $$
BEGIN
	RETURN QUERY SELECT i.name, i.certificate, i.registered_at FROM issuers i ORDER BY i.id;
END $$;
