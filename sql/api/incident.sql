-- Incidents: certificates that are to be renewed before their time, in waves, and revoked at a deadline. Operators
-- prepare and steer them (assay-admin), the keeper does what is due. lib/store/incident.h is the contract.
--
-- Codes: 0 done; 1 there is no such incident; 2 its state forbids it; 3 the selection is not complete, or empty;
-- 4 the last wave would end after the deadline; 5 the deadline is not later than it was.

-- When the wave of an ordinal is asked to renew. Nothing for a wave that had not begun when the incident was paused.
-- Whatever pauses did, everyone is asked before the deadline. Not callable by programs.
CREATE OR REPLACE FUNCTION incident_window(i incidents, p_ordinal integer, OUT begins timestamptz, OUT ends timestamptz)
LANGUAGE plpgsql STABLE AS $$
BEGIN
	begins := least(i.begin_at + make_interval(secs => ((p_ordinal - 1) / i.wave_size)::double precision * i.wave_secs),
		i.deadline_at - make_interval(secs => i.wave_secs));
	ends := begins + make_interval(secs => i.wave_secs);
	IF i.status = 2 AND begins > i.paused_at THEN
		begins := NULL;
		ends := NULL;
	END IF;
END $$;

CREATE OR REPLACE FUNCTION names_hash(p_names text[]) RETURNS bigint
LANGUAGE sql IMMUTABLE AS $$ SELECT hashtextextended(array_to_string(p_names, ' '), 0) $$;

-- One step of a search through all certificates that are good: those of the next p_limit serial numbers behind p_after
-- that match. r_last NULL: that was the end. Serial numbers begin with their time, give or take the signer's way from
-- drawing one to the issuance. Not callable by programs.
CREATE OR REPLACE FUNCTION incident_match(f incident_filter, p_after bytea, p_limit integer, OUT r_serials bytea[],
	OUT r_last bytea)
LANGUAGE plpgsql STABLE AS $$
DECLARE
	v_upper bytea := coalesce(partition_bound('serial', f.issued_to + interval '1 hour')::bytea, '\x41');
	v_scanned integer;
BEGIN
	WITH scanned AS MATERIALIZED (
		SELECT c.serial, c.order_id, c.issued_at, c.not_after, c.revoked_at, c.account_id, c.issuer, c.spki_sha256, c.names
			FROM certificates c WHERE c.serial > p_after AND c.serial < v_upper ORDER BY c.serial LIMIT p_limit
	), matching AS (
		SELECT s.serial FROM scanned s
			WHERE s.issued_at IS NOT NULL AND s.revoked_at IS NULL AND s.not_after > now()
				AND (f.spki_sha256 IS NULL OR s.spki_sha256 = f.spki_sha256)
				AND (f.account_id IS NULL OR s.account_id = f.account_id)
				AND (f.names IS NULL OR s.names && f.names)
				AND (f.issued_from IS NULL OR s.issued_at >= f.issued_from)
				AND (f.issued_to IS NULL OR s.issued_at < f.issued_to)
				AND (f.issuer IS NULL OR s.issuer IN (SELECT i.id FROM issuers i WHERE f.issuer IN (i.name, encode(i.sha256, 'hex'))))
				AND ((f.profile IS NULL AND f.methods IS NULL) OR EXISTS (
					SELECT FROM orders o WHERE o.id = s.order_id AND coalesce(o.profile = f.profile, true)
						AND (f.methods IS NULL OR EXISTS (SELECT FROM unnest(o.authz_ids) z(id)
							JOIN authorizations a ON a.id = z.id WHERE a.attempted = ANY (f.methods)))))
	)
	SELECT count(*), (SELECT x.serial FROM scanned x ORDER BY x.serial DESC LIMIT 1),
			(SELECT array_agg(m.serial ORDER BY m.serial) FROM matching m)
		INTO v_scanned, r_last, r_serials FROM scanned s;
	r_serials := coalesce(r_serials, '{}');
	IF v_scanned < p_limit THEN
		r_last := NULL;
	END IF;
END $$;

CREATE OR REPLACE FUNCTION incident_lower(f incident_filter) RETURNS bytea
LANGUAGE sql IMMUTABLE AS $$ SELECT coalesce(partition_bound('serial', f.issued_from - interval '1 hour')::bytea, '\x40') $$;

-- The dry run, one step: how many match. r_after begins as NULL and is handed on from step to step.
CREATE OR REPLACE FUNCTION incident_count(p_spki_sha256 bytea, p_issuer text, p_profile text, p_account uuid,
	p_names text[], p_methods integer[], p_issued_from timestamptz, p_issued_to timestamptz, p_after bytea,
	p_limit integer, OUT r_found integer, OUT r_last bytea)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, assay, pg_temp AS $$
DECLARE
	f incident_filter := (p_spki_sha256, p_issuer, p_profile, p_account, p_names, p_methods, p_issued_from, p_issued_to);
BEGIN
	SELECT cardinality(m.r_serials), m.r_last INTO r_found, r_last
		FROM incident_match(f, coalesce(p_after, incident_lower(f)), p_limit) m;
END $$;

-- The dry run of a list: how many of these are good certificates.
CREATE OR REPLACE FUNCTION incident_count_serials(p_serials bytea[]) RETURNS integer
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, assay, pg_temp AS $$
BEGIN
	RETURN (SELECT count(*) FROM (SELECT DISTINCT unnest(p_serials) AS serial) x JOIN certificates c ON c.serial = x.serial
		WHERE c.issued_at IS NOT NULL AND c.revoked_at IS NULL AND c.not_after > now());
END $$;

-- A new incident, with nothing selected yet. All parts of the filter NULL: certificates will be named by serial number.
CREATE OR REPLACE FUNCTION incident_create(p_why text, p_explanation_url text, p_spki_sha256 bytea, p_issuer text,
	p_profile text, p_account uuid, p_names text[], p_methods integer[], p_issued_from timestamptz,
	p_issued_to timestamptz) RETURNS integer
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, assay, pg_temp AS $$
DECLARE
	f incident_filter := (p_spki_sha256, p_issuer, p_profile, p_account, p_names, p_methods, p_issued_from, p_issued_to);
	v_id integer;
BEGIN
	IF num_nonnulls(p_spki_sha256, p_issuer, p_profile, p_account, p_names, p_methods, p_issued_from, p_issued_to) = 0 THEN
		f := NULL;
	END IF;
	INSERT INTO incidents (why, explanation_url, filter, scanned) VALUES (p_why, p_explanation_url, f,
		coalesce(incident_lower(f), '\x40')) RETURNING id INTO v_id;
	PERFORM incident_note(v_id, 'create', p_why || coalesce('; ' || to_json(f)::text, ''));
	RETURN v_id;
END $$;

-- Not callable by programs.
CREATE OR REPLACE FUNCTION incident_note(p_id integer, p_what text, p_detail text) RETURNS void
LANGUAGE sql AS $$
	INSERT INTO audit_log (action, object, detail) VALUES ('incident.' || p_what, p_id::text, p_detail)
$$;

-- Certificates behind those selected so far; the caller holds the incident's row. Returns how many were new. Not
-- callable by programs.
CREATE OR REPLACE FUNCTION incident_append(i incidents, p_serials bytea[]) RETURNS integer
LANGUAGE plpgsql AS $$
DECLARE
	v_count integer;
BEGIN
	INSERT INTO incident_certificates (incident_id, ordinal, serial, account_id, names_hash)
		SELECT i.id, i.selected + row_number() OVER (ORDER BY c.serial), c.serial, c.account_id, names_hash(c.names)
			FROM (SELECT DISTINCT unnest(p_serials) AS serial) x JOIN certificates c ON c.serial = x.serial
			WHERE c.issued_at IS NOT NULL AND c.revoked_at IS NULL AND c.not_after > now()
				AND NOT EXISTS (SELECT FROM incident_certificates y WHERE y.serial = x.serial AND y.incident_id = i.id);
	GET DIAGNOSTICS v_count = ROW_COUNT;
	RETURN v_count;
END $$;

-- One step of the selection by filter. It goes on where the last step ended, whoever makes it; p_again: from the start,
-- for certificates that were issued meanwhile. done: all were compared.
CREATE OR REPLACE FUNCTION incident_select(p_id integer, p_limit integer, p_again boolean, OUT code integer,
	OUT added integer, OUT selected integer, OUT done boolean)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, assay, pg_temp AS $$
DECLARE
	i incidents;
	m record;
BEGIN
	SELECT * INTO i FROM incidents x WHERE x.id = p_id FOR NO KEY UPDATE;
	code := CASE WHEN NOT FOUND THEN 1 WHEN i.status > 2 OR i.filter IS NOT DISTINCT FROM NULL THEN 2 ELSE 0 END;
	IF code <> 0 THEN
		RETURN;
	END IF;
	IF p_again THEN
		i.scanned := incident_lower(i.filter);
	ELSIF i.selected_at IS NOT NULL THEN
		added := 0;
		selected := i.selected;
		done := true;
		RETURN;
	END IF;
	SELECT * INTO m FROM incident_match(i.filter, i.scanned, p_limit);
	added := incident_append(i, m.r_serials);
	selected := i.selected + added;
	done := m.r_last IS NULL;
	UPDATE incidents x SET scanned = coalesce(m.r_last, i.scanned), selected = i.selected + added,
			selected_at = CASE WHEN m.r_last IS NULL THEN now() END
		WHERE x.id = p_id;
	IF done THEN
		PERFORM incident_note(p_id, 'select', (i.selected + added)::text);
	END IF;
END $$;

-- Certificates by serial number, while the list has not been declared complete (p_last).
CREATE OR REPLACE FUNCTION incident_add(p_id integer, p_serials bytea[], p_last boolean, OUT code integer,
	OUT added integer, OUT selected integer)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, assay, pg_temp AS $$
DECLARE
	i incidents;
BEGIN
	SELECT * INTO i FROM incidents x WHERE x.id = p_id FOR NO KEY UPDATE;
	code := CASE WHEN NOT FOUND THEN 1 WHEN i.status > 2 OR i.filter IS DISTINCT FROM NULL THEN 2 ELSE 0 END;
	IF code <> 0 THEN
		RETURN;
	END IF;
	added := incident_append(i, p_serials);
	selected := i.selected + added;
	UPDATE incidents x SET selected = i.selected + added, selected_at = CASE WHEN p_last THEN now() ELSE x.selected_at END
		WHERE x.id = p_id;
	IF p_last THEN
		PERFORM incident_note(p_id, 'select', (i.selected + added)::text);
	END IF;
END $$;

-- When the last wave ends; as in incident_window. Not callable by programs.
CREATE OR REPLACE FUNCTION incident_last_end(i incidents) RETURNS timestamptz
LANGUAGE sql STABLE AS $$
	SELECT i.begin_at + make_interval(secs => ((greatest(i.selected, 1) - 1) / i.wave_size + 1)::double precision * i.wave_secs)
$$;

-- The waves begin at p_begin_at (NULL: now).
CREATE OR REPLACE FUNCTION incident_start(p_id integer, p_wave_size integer, p_wave_secs integer, p_begin_at timestamptz,
	p_deadline_at timestamptz, p_reason integer) RETURNS integer
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, assay, pg_temp AS $$
DECLARE
	i incidents;
BEGIN
	SELECT * INTO i FROM incidents x WHERE x.id = p_id FOR NO KEY UPDATE;
	IF NOT FOUND THEN
		RETURN 1;
	ELSIF i.status <> 0 THEN
		RETURN 2;
	ELSIF i.selected_at IS NULL OR i.selected = 0 THEN
		RETURN 3;
	END IF;
	i.wave_size := p_wave_size;
	i.wave_secs := p_wave_secs;
	i.begin_at := coalesce(p_begin_at, now());
	i.deadline_at := p_deadline_at;
	i.reason := p_reason;
	IF incident_last_end(i) > p_deadline_at THEN
		RETURN 4;
	END IF;
	UPDATE incidents x SET status = 1, wave_size = i.wave_size, wave_secs = i.wave_secs, begin_at = i.begin_at,
			deadline_at = i.deadline_at, reason = i.reason,
			watched = partition_bound('serial', i.created_at - interval '1 hour')::bytea
		WHERE x.id = p_id;
	PERFORM incident_note(p_id, 'start', format('%s certificates, %s in %s s from %s, reason %s at %s', i.selected,
		p_wave_size, p_wave_secs, i.begin_at, p_reason, p_deadline_at));
	RETURN 0;
END $$;

-- Nothing begins and nothing is revoked while it is paused. Going on, waves that had not begun are later by the pause.
CREATE OR REPLACE FUNCTION incident_pause(p_id integer, p_pause boolean) RETURNS integer
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, assay, pg_temp AS $$
BEGIN
	UPDATE incidents x SET status = CASE WHEN p_pause THEN 2 ELSE 1 END, paused_at = CASE WHEN p_pause THEN now() END,
			begin_at = CASE WHEN p_pause THEN x.begin_at ELSE x.begin_at + (now() - x.paused_at) END
		WHERE x.id = p_id AND x.status = CASE WHEN p_pause THEN 1 ELSE 2 END;
	IF NOT FOUND THEN
		RETURN CASE WHEN EXISTS (SELECT FROM incidents x WHERE x.id = p_id) THEN 2 ELSE 1 END;
	END IF;
	PERFORM incident_note(p_id, CASE WHEN p_pause THEN 'pause' ELSE 'resume' END, NULL);
	RETURN 0;
END $$;

-- What was revoked stays so; windows are the ordinary ones again.
CREATE OR REPLACE FUNCTION incident_abort(p_id integer, p_why text) RETURNS integer
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, assay, pg_temp AS $$
BEGIN
	UPDATE incidents x SET status = 4, paused_at = NULL, ended_at = now() WHERE x.id = p_id AND x.status IN (0, 1, 2);
	IF NOT FOUND THEN
		RETURN CASE WHEN EXISTS (SELECT FROM incidents x WHERE x.id = p_id) THEN 2 ELSE 1 END;
	END IF;
	PERFORM incident_note(p_id, 'abort', p_why);
	RETURN 0;
END $$;

CREATE OR REPLACE FUNCTION incident_extend(p_id integer, p_deadline_at timestamptz, p_why text) RETURNS integer
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, assay, pg_temp AS $$
DECLARE
	i incidents;
BEGIN
	SELECT * INTO i FROM incidents x WHERE x.id = p_id FOR NO KEY UPDATE;
	IF NOT FOUND THEN
		RETURN 1;
	ELSIF i.status NOT IN (1, 2) THEN
		RETURN 2;
	ELSIF (p_deadline_at > i.deadline_at) IS NOT TRUE THEN
		RETURN 5;
	END IF;
	UPDATE incidents x SET deadline_at = p_deadline_at WHERE x.id = p_id;
	PERFORM incident_note(p_id, 'extend', i.deadline_at || ' to ' || p_deadline_at || ': ' || p_why);
	RETURN 0;
END $$;

-- One row an incident, newest first; p_id NULL: all. Whether a certificate was revoked is asked of the certificate
-- itself, and only for one incident.
CREATE OR REPLACE FUNCTION incident_status(p_id integer)
RETURNS TABLE (r_id integer, r_status integer, r_created_at timestamptz, r_why text, r_selection text,
	r_complete boolean, r_selected integer, r_renewed integer, r_revoked integer, r_revoked_unrenewed integer,
	r_asked integer, r_wave_size integer, r_wave_secs integer, r_begin_at timestamptz, r_last_end_at timestamptz,
	r_deadline_at timestamptz, r_reason integer, r_ended_at timestamptz, r_explanation_url text)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, assay, pg_temp AS $$
BEGIN
	RETURN QUERY
		SELECT i.id, i.status::integer, i.created_at, i.why, coalesce(json_strip_nulls(to_json(i.filter))::text, 'a list'),
				i.selected_at IS NOT NULL, i.selected, i.renewed, coalesce(t.revoked, i.revoked), t.unrenewed,
				CASE WHEN i.begin_at IS NOT NULL THEN greatest(0, least(i.selected, i.wave_size * (1 + floor(extract(
					epoch FROM coalesce(i.paused_at, i.ended_at, now()) - i.begin_at) / i.wave_secs))))::integer END,
				i.wave_size, i.wave_secs, i.begin_at, incident_last_end(i), i.deadline_at, i.reason::integer, i.ended_at,
				i.explanation_url
			FROM incidents i
			LEFT JOIN LATERAL (
				SELECT count(*)::integer AS revoked, (count(*) FILTER (WHERE x.renewed_at IS NULL))::integer AS unrenewed
					FROM incident_certificates x JOIN certificates c ON c.serial = x.serial
					WHERE x.incident_id = i.id AND c.revoked_at IS NOT NULL) t ON p_id IS NOT NULL
			WHERE p_id IS NULL OR i.id = p_id
			ORDER BY i.id DESC;
END $$;

-- What the keeper does, one bounded step for each running incident that nobody else is at: marks what was renewed, by
-- "replaces" or by a newer certificate of the same account and names, and past the deadline revokes. r_more: there is
-- more to do at once.
CREATE OR REPLACE FUNCTION incident_keep(p_watch integer, p_revoke integer)
RETURNS TABLE (r_id integer, r_renewed integer, r_revoked integer, r_more boolean, r_ended boolean)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, assay, pg_temp AS $$
DECLARE
	i incidents;
	w record;
	v_upto integer;
	v_serials bytea[];
BEGIN
	FOR i IN SELECT * FROM incidents x WHERE x.status = 1 ORDER BY x.id FOR NO KEY UPDATE SKIP LOCKED LOOP
		SELECT * INTO w FROM incident_watch(i.id, i.watched, p_watch);
		r_id := i.id;
		r_renewed := w.r_renewed;
		r_revoked := 0;
		r_ended := false;
		r_more := w.r_more;
		v_upto := i.disposed;
		IF i.deadline_at <= now() THEN
			v_upto := least(i.disposed + p_revoke, i.selected);
			v_serials := ARRAY(SELECT x.serial FROM incident_certificates x
				WHERE x.incident_id = i.id AND x.ordinal > i.disposed AND x.ordinal <= v_upto);
			IF i.reason = 1 THEN
				PERFORM keys_block(ARRAY(SELECT c.spki_sha256 FROM unnest(v_serials) x(serial)
					JOIN certificates c ON c.serial = x.serial), 'incident ' || i.id, true);
			END IF;
			r_revoked := certificates_revoke(v_serials, i.reason, 'incident ' || i.id);
			r_ended := v_upto = i.selected AND i.selected_at IS NOT NULL;
			r_more := r_more OR v_upto < i.selected;
		END IF;
		IF r_ended THEN
			PERFORM incident_note(i.id, 'end', (i.revoked + r_revoked) || ' revoked at the deadline');
		END IF;
		UPDATE incidents x SET watched = w.r_watched, renewed = i.renewed + r_renewed, disposed = v_upto,
				revoked = i.revoked + r_revoked, status = CASE WHEN r_ended THEN 3 ELSE 1 END,
				ended_at = CASE WHEN r_ended THEN now() END
			WHERE x.id = i.id;
		RETURN NEXT;
	END LOOP;
END $$;

-- Looks at the next p_limit certificates behind p_after, and marks what they renew; one that is itself to go renews
-- nothing. A certificate may be issued some
-- time after its serial number was drawn, so the last two minutes are looked at again. Not callable by programs.
CREATE OR REPLACE FUNCTION incident_watch(p_id integer, p_after bytea, p_limit integer, OUT r_renewed integer,
	OUT r_watched bytea, OUT r_more boolean)
LANGUAGE plpgsql AS $$
DECLARE
	v_settled bytea := partition_bound('serial', now() - interval '2 minutes')::bytea;
	v_seen integer;
	v_last bytea;
BEGIN
	WITH fresh AS MATERIALIZED (
		SELECT c.serial, c.order_id, c.account_id, c.names, c.issued_at FROM certificates c
			WHERE c.serial > p_after ORDER BY c.serial LIMIT p_limit
	), good AS MATERIALIZED (
		SELECT f.* FROM fresh f WHERE f.issued_at IS NOT NULL AND NOT EXISTS (
			SELECT FROM incident_certificates y WHERE y.serial = f.serial AND y.incident_id = p_id)
	), renews AS (
		SELECT x.ordinal FROM good g
			JOIN incident_certificates x ON x.account_id = g.account_id AND x.names_hash = names_hash(g.names)
			WHERE x.incident_id = p_id AND x.serial < g.serial AND x.renewed_at IS NULL
		UNION
		SELECT x.ordinal FROM good g JOIN orders o ON o.id = g.order_id
			JOIN incident_certificates x ON x.incident_id = p_id
				AND x.serial = decode(translate(split_part(o.replaces, '.', 2), '-_', '+/'), 'base64')
			WHERE o.replaces IS NOT NULL AND x.renewed_at IS NULL
	), marked AS (
		UPDATE incident_certificates x SET renewed_at = now() FROM (SELECT r.ordinal FROM renews r ORDER BY 1) r
			WHERE x.incident_id = p_id AND x.ordinal = r.ordinal AND x.renewed_at IS NULL
			RETURNING x.ordinal
	)
	SELECT count(*), (SELECT x.serial FROM fresh x ORDER BY x.serial DESC LIMIT 1), (SELECT count(*) FROM marked)
		INTO v_seen, v_last, r_renewed FROM fresh f;
	r_more := v_seen = p_limit AND v_last < v_settled;
	r_watched := greatest(p_after, least(v_last, v_settled));
END $$;
