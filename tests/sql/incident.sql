\ir given.psql
SELECT plan(64);
SELECT given_account() AS a, given_account() AS b \gset
\set key '\\x0102030405060708090a0b0c0d0e0f1011121314'
UPDATE issuers SET certificate = '\x0603551d0e04160414'::bytea || :'key'::bytea WHERE name = 'test issuer';
CREATE FUNCTION given_issued(account uuid, key text, type integer, VARIADIC names text[]) RETURNS bytea LANGUAGE plpgsql AS $$
DECLARE
	o order_answer := given_order(account, VARIADIC names);
	s bytea := new_serial();
	z uuid;
BEGIN
	FOREACH z IN ARRAY o.authz_ids LOOP
		PERFORM responded(account, z, type);
		PERFORM finished(z, claimed(z), 0);
	END LOOP;
	IF finalized(account, o.id, names, key) <> 0 THEN RAISE 'not finalized'; END IF;
	PERFORM taken(o.id);
	PERFORM reserved(o.id, 1, s, key);
	PERFORM issued(o.id, 1, s);
	RETURN s;
END $$;
SELECT given_issued(:'a', 'k1', 2, 'a1.org') AS a1, given_issued(:'a', 'k2', 1, 'a2.org') AS a2, given_issued(:'b', 'k1', 2, 'b1.org') AS b1,
	given_issued(:'b', 'k3', 1, 'b2.org', 'b3.org') AS b2 \gset
-- All steps of a search; steps of two, so that there are several.
CREATE FUNCTION matching(f incident_filter) RETURNS bytea[] LANGUAGE plpgsql AS $$
DECLARE
	v_after bytea := incident_lower(f);
	v_all bytea[] := '{}';
	m record;
BEGIN
	LOOP
		SELECT * INTO m FROM incident_match(f, v_after, 2);
		v_all := v_all || m.r_serials;
		EXIT WHEN m.r_last IS NULL;
		v_after := m.r_last;
	END LOOP;
	RETURN v_all;
END $$;
CREATE FUNCTION sorted(VARIADIC s bytea[]) RETURNS bytea[] LANGUAGE sql AS $$ SELECT array_agg(x ORDER BY x) FROM unnest(s) x $$;

-- What a filter finds.
SELECT is(matching(NULL), sorted(:'a1', :'a2', :'b1', :'b2'), 'everything that is good');
SELECT is(matching((sha256('k1'), NULL, NULL, NULL, NULL, NULL, NULL, NULL)), sorted(:'a1', :'b1'), 'by key');
SELECT is(matching((NULL, 'test issuer', NULL, NULL, NULL, NULL, NULL, NULL)), sorted(:'a1', :'a2', :'b1', :'b2'), 'by issuer');
SELECT is(matching((NULL, 'no issuer', NULL, NULL, NULL, NULL, NULL, NULL)), '{}'::bytea[], 'by another one');
SELECT is(matching((NULL, NULL, 'default', NULL, NULL, NULL, NULL, NULL)), sorted(:'a1', :'a2', :'b1', :'b2'), 'by profile');
SELECT is(matching((NULL, NULL, 'other', NULL, NULL, NULL, NULL, NULL)), '{}'::bytea[], 'by another one');
SELECT is(matching((NULL, NULL, NULL, :'a', NULL, NULL, NULL, NULL)), sorted(:'a1', :'a2'), 'by account');
SELECT is(matching((NULL, NULL, NULL, NULL, '{b3.org,a1.org}', NULL, NULL, NULL)), sorted(:'a1', :'b2'), 'by names');
SELECT is(matching((NULL, NULL, NULL, NULL, NULL, '{1}', NULL, NULL)), sorted(:'a2', :'b2'), 'by method');
SELECT is(matching((NULL, NULL, NULL, NULL, NULL, '{1,2}', NULL, NULL)), sorted(:'a1', :'a2', :'b1', :'b2'), 'by methods');
SELECT is(matching((NULL, NULL, NULL, NULL, NULL, '{3}', NULL, NULL)), '{}'::bytea[], 'by one that was not used');
SELECT is(matching((NULL, NULL, NULL, NULL, NULL, NULL, now(), NULL)), sorted(:'a1', :'a2', :'b1', :'b2'), 'from its moment on');
SELECT is(matching((NULL, NULL, NULL, NULL, NULL, NULL, NULL, now())), '{}'::bytea[], 'until, without it');
SELECT is(matching((NULL, NULL, NULL, NULL, NULL, NULL, now() + interval '1 s', now() + interval '1 hour')), '{}'::bytea[], 'later');
SELECT is(matching((sha256('k1'), NULL, NULL, :'b', NULL, NULL, NULL, NULL)), sorted(:'b1'), 'all parts must fit');
SELECT is(r_found, 2, 'the count is of the same') FROM incident_count(sha256('k1'), NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, 100);
SELECT is(r_last IS NOT NULL, true, 'and says that there may be more') FROM incident_count(NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, 3);

-- Preparing.
SELECT incident_create('weak keys', 'https://ca.test/1', sha256('k1'), NULL, NULL, NULL, NULL, NULL, NULL, NULL) AS i \gset
SELECT is(incident_start(:i, 1, 60, NULL, now() + interval '1 day', 4), 3, 'not before the selection is complete');
SELECT is(done, false, 'a step') FROM incident_select(:i, 2, false);
SELECT is(done, false, 'and another') FROM incident_select(:i, 2, false);
SELECT is(done, true, 'and the last') FROM incident_select(:i, 2, false);
SELECT is(added, 0, 'then nothing more') FROM incident_select(:i, 2, false);
SELECT is(selected, 2, 'two were found') FROM incident_select(:i, 2, false);
SELECT given_issued(:'a', 'k1', 2, 'a4.org') AS a4 \gset
SELECT is(added, 1, 'again, it finds what is new') FROM incident_select(:i, 100, true);
SELECT is(array_agg(ordinal ORDER BY ordinal), '{1,2,3}'::integer[], 'ordinals have no gap') FROM incident_certificates WHERE incident_id = :i;
SELECT is(code, 2, 'a list is not for an incident with a filter') FROM incident_add(:i, ARRAY[:'a2'::bytea], true);
SELECT is(code, 1, 'an incident that is none') FROM incident_select(-1, 2, false);
SELECT is(incident_start(-1, 1, 60, NULL, now(), 4), 1, 'nor does it start');

-- Running.
SELECT is(incident_start(:i, 1, 600, NULL, now() + interval '29 minutes', 4), 4, 'three waves of ten minutes need thirty');
SELECT is(incident_start(:i, 1, 600, NULL, now() + interval '30 minutes', 4), 0, 'which is enough');
SELECT is(incident_start(:i, 1, 600, NULL, now() + interval '30 minutes', 4), 2, 'once');
SELECT is(r_asked, 1, 'the first wave is asked') FROM incident_status(:i);
SELECT is(r_last_end_at, now() + interval '30 minutes', 'and when the last one will have been') FROM incident_status(:i);
SELECT is(incident_extend(:i, now() + interval '20 minutes', 't'), 5, 'a deadline does not come nearer');
SELECT throws_ok(format('UPDATE incidents SET deadline_at = now() WHERE id = %s', :i), '23000', NULL, 'by no statement');
SELECT throws_ok(format('UPDATE incidents SET wave_size = 2 WHERE id = %s', :i), '23000', NULL, 'nor do waves change');
SELECT throws_ok(format('UPDATE incidents SET status = 3, ended_at = now() WHERE id = %s', :i), '23000', NULL,
	'nor does it end before all was done');
SELECT is(r_revoked, 0, 'before the deadline nothing is revoked') FROM incident_keep(100, 100);

-- What was renewed. serial numbers of one second are random: the newer ones here are made to be behind the others.
CREATE FUNCTION later_serial() RETURNS bytea LANGUAGE sql VOLATILE AS $$
	SELECT set_byte(set_byte(new_serial(), 5, 255), 6, (random() * 255)::integer) $$;
SELECT id FROM given_processing(:'a', 'a1.org') \gset
SELECT later_serial() AS s \gset
SELECT taken(:'id'), reserved(:'id', 1, :'s');
SELECT is(sum(r_renewed), 0::bigint, 'reserved is not renewed') FROM incident_keep(100, 100);
SELECT issued(:'id', 1, :'s');
SELECT is(sum(r_renewed), 1::bigint, 'a newer one of the same account and names') FROM incident_keep(100, 100);
SELECT is(sum(r_renewed), 0::bigint, 'counted once') FROM incident_keep(100, 100);
SELECT is(renewed_at, now(), 'it was that one') FROM incident_certificates WHERE incident_id = :i AND serial = :'a1';
SELECT id, authz_ids FROM order_new_replacing(:'b', thumb(:'b'), v7(), '{b1.org,b9.org}', ARRAY[v7(), v7()], ARRAY[sha256('s'), sha256('t')],
	'default', NULL, NULL, now() + interval '1 day', now() + interval '1 day', now() + interval '1 hour',
	rtrim(encode(:'key', 'base64'), '=') || '.' || translate(encode(:'b1', 'base64'), '+/', '-_'), :'key', :'b1') \gset
SELECT validated(:'b', o) FROM order_get(:'b', thumb(:'b'), :'id') o;
SELECT finalized(:'b', :'id', '{b1.org,b9.org}');
SELECT later_serial() AS s \gset
SELECT taken(:'id'), reserved(:'id', 1, :'s'), issued(:'id', 1, :'s');
SELECT is(sum(r_renewed), 1::bigint, 'or one that says so, with other names') FROM incident_keep(100, 100);
SELECT is(r_renewed, 2, 'the status says it') FROM incident_status(:i);

-- Pausing.
SELECT is(incident_pause(:i, false), 2, 'what runs cannot go on');
SELECT is(incident_pause(:i, true), 0, 'pause');
SELECT is(incident_pause(:i, true), 2, 'once');
SELECT is(array_agg(incident_start = now() ORDER BY incident_start), '{t}'::boolean[], 'waves that had not begun do not exist') FROM (
	SELECT (renewal_info(:'key', x.serial)).* FROM incident_certificates x WHERE x.incident_id = :i) y WHERE incident_start IS NOT NULL;
UPDATE incidents SET paused_at = now() - interval '5 minutes' WHERE id = :i;
SELECT is(incident_pause(:i, false), 0, 'go on');
SELECT is(begin_at, now() + interval '5 minutes', 'later by the pause') FROM incidents WHERE id = :i;
SELECT is(max(incident_end), now() + interval '30 minutes', 'but everyone before the deadline') FROM (
	SELECT (renewal_info(:'key', x.serial)).* FROM incident_certificates x WHERE x.incident_id = :i) y;
SELECT is(incident_extend(:i, now() + interval '1 day', 't'), 0, 'unless there is more time');
SELECT is(max(incident_end), now() + interval '35 minutes', 'then it is used') FROM (
	SELECT (renewal_info(:'key', x.serial)).* FROM incident_certificates x WHERE x.incident_id = :i) y;

-- The deadline.
SELECT incident_create('now', NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL) AS j \gset
SELECT is(incident_count_serials(ARRAY[:'a1'::bytea, :'a1'::bytea, :'b2'::bytea, '\x01']), 2, 'a list is counted without doubles and strangers');
SELECT is(added, 1, 'one by one') FROM incident_add(:j, ARRAY[:'a1'::bytea, '\x01'], false);
SELECT is(added, 2, 'never twice') FROM incident_add(:j, ARRAY[:'a1'::bytea, :'b1'::bytea, :'b2'::bytea], true);
SELECT incident_start(:j, 100, 1, now() - interval '1 minute', now(), 4);
SELECT serial AS second FROM incident_certificates WHERE incident_id = :j AND ordinal = 2 \gset
SELECT certificate_revoke(:'second', 1, 'before');
SELECT is(ARRAY[r_revoked, r_more::integer, r_ended::integer], '{1,1,0}'::integer[], 'two in a step, one revoked before')
	FROM incident_keep(100, 2) WHERE r_id = :j;
SELECT is(ARRAY[r_revoked, r_more::integer, r_ended::integer], '{1,0,1}'::integer[], 'then the rest') FROM incident_keep(100, 2) WHERE r_id = :j;
SELECT is(count(*), 0::bigint, 'then it is over') FROM incident_keep(100, 2) WHERE r_id = :j;
SELECT is(reason::integer, 1, 'what was compromised stays so') FROM certificates WHERE serial = :'second';
SELECT is(reason::integer, 4, 'the reason is the incident''s') FROM certificates WHERE serial = :'a1';
SELECT is(r_revoked || ' ' || r_revoked_unrenewed, '3 1', 'all three are revoked, one of them without having been renewed') FROM incident_status(:j);
SELECT is(incident_abort(:j, 't') || ' ' || incident_abort(:i, 't'), '2 0', 'what ended cannot be aborted, what runs can');
SELECT is(count(*), 4::bigint, 'each step is in the audit log') FROM audit_log WHERE action LIKE 'incident.%' AND object = :'j'
	AND xid = pg_current_xact_id();
SELECT * FROM finish();
ROLLBACK;
