\ir given.psql
SELECT plan(67);
SELECT given_account() AS a \gset
SELECT id AS i FROM issuers WHERE sha256 = sha256('issuer') \gset
-- An issued certificate, in this transaction's now().
CREATE FUNCTION given_certificate(account uuid, name text, s bytea) RETURNS bytea LANGUAGE plpgsql AS $$
DECLARE
	o order_answer := given_processing(account, name);
	v_attempt integer := taken(o.id);
BEGIN
	PERFORM reserved(o.id, v_attempt, s);
	PERFORM issued(o.id, v_attempt, s);
	RETURN (SELECT serial FROM certificates WHERE serial = s AND der IS NOT NULL);
END $$;
CREATE FUNCTION stored(s bytea, response text, revoked timestamptz DEFAULT NULL, reason integer DEFAULT NULL,
	refresh timestamptz DEFAULT now() + interval '1 day', this timestamptz DEFAULT now()) RETURNS integer LANGUAGE sql AS $$
	SELECT ocsp_store(ARRAY[s], ARRAY[this], ARRAY[this + interval '2 days'], ARRAY[refresh], ARRAY[revoked], ARRAY[reason],
		ARRAY[response::bytea]) $$;
CREATE FUNCTION changed(worker uuid) RETURNS SETOF bytea LANGUAGE sql AS $$
	SELECT r_serial FROM ocsp_due_changed(worker, ARRAY(SELECT id FROM issuers), 10, 30, 0) $$;
CREATE FUNCTION new(worker uuid, n integer DEFAULT 10) RETURNS SETOF bytea LANGUAGE sql AS $$
	SELECT r_serial FROM ocsp_due_new(worker, ARRAY(SELECT id FROM issuers), n, 30, 0) $$;
CREATE FUNCTION again(worker uuid) RETURNS SETOF bytea LANGUAGE sql AS $$
	SELECT r_serial FROM ocsp_due_again(worker, ARRAY(SELECT id FROM issuers), 10, 30, 0) $$;
SELECT v7() AS w1, v7() AS w2, v7() AS r1, v7() AS r2, new_serial() AS s0, new_serial() AS s1, new_serial() AS s2,
	new_serial() AS s3, new_serial() AS s4, new_serial() AS s9 \gset

-- The responder's life.
SELECT is(responder_register(:'r1', sha256('none'), 'spki1', 'h'), 1, 'an issuer that nobody knows');
SELECT is(responder_register(:'r1', sha256('issuer'), 'spki1', 'h'), 0, 'a key is registered');
SELECT is(responder_register(:'r1', sha256('issuer'), 'spki1', 'h'), 0, 'and again');
SELECT is(responder_register(:'r2', sha256('issuer'), 'spki1', 'h'), 2, 'not under another id');
SELECT is(responder_register(:'r1', sha256('issuer'), 'spki2', 'h'), 2, 'nor another key under its id');
SELECT keys_block(ARRAY[sha256('bad')], 'test', false) \g /dev/null
SELECT is(responder_register(:'r2', sha256('issuer'), 'bad', 'h'), 3, 'nor a blocked key');
SELECT is((SELECT array_agg(r_answers) FROM ocsp_issuers() WHERE r_id = :i), '{f}', 'it answers nothing yet');
SELECT set_eq('SELECT r_id FROM sweep_due(10, 60) WHERE r_kind = 3', ARRAY[:'r1'::uuid], 'the keeper queues it');
SELECT is(count(*), 0::bigint, 'once') FROM sweep_due(10, 60) WHERE r_kind = 3;
SELECT is((SELECT (r_attempt, r_issuer, r_spki) FROM responder_claim(ARRAY[:'r1'::uuid], 60)), ROW(1, sha256('issuer'), 'spki1'::bytea),
	'the signer claims it');
SELECT is(count(*), 0::bigint, 'alone') FROM responder_claim(ARRAY[:'r1'::uuid], 60);
SELECT is(responder_reserve(ARRAY[:'r1'::uuid], '{1}', ARRAY[:'s0'::bytea], ARRAY[tbs_of(:'s0')], ARRAY[now()], ARRAY[now() + interval '30 d']),
	:'r1', 'and records what it will sign');
SELECT is(count(*), 0::bigint, 'once an attempt') FROM responder_reserve(ARRAY[:'r1'::uuid], '{1}', ARRAY[:'s1'::bytea],
	ARRAY[tbs_of(:'s1')], ARRAY[now()], ARRAY[now() + interval '30 d']);
SELECT is(burnt_at, NULL, 'its serial is taken') FROM serials WHERE serial = :'s0';
UPDATE responders SET held_until = now();
SELECT is((SELECT r_attempt FROM responder_claim(ARRAY[:'r1'::uuid], 60)), 2, 'when the signer died it is claimed again');
SELECT isnt(burnt_at, NULL, 'and that serial is burnt') FROM serials WHERE serial = :'s0';
SELECT is(count(*), 0::bigint, 'what the dead one signed comes too late')
	FROM responder_issue(ARRAY[:'r1'::uuid], '{1}', ARRAY[:'s0'::bytea], ARRAY[der_of(:'s0')]);
SELECT responder_reserve(ARRAY[:'r1'::uuid], '{2}', ARRAY[:'s9'::bytea], ARRAY[tbs_of(:'s9')], ARRAY[now()], ARRAY[now() + interval '30 d']) \g /dev/null
SELECT throws_ok(format('SELECT responder_issue(ARRAY[%L::uuid], ARRAY[2], ARRAY[%L::bytea], ARRAY[%L::bytea])', :'r1', :'s9', der_of(:'s1')),
	'23000', NULL, 'what was signed must be what was recorded');
UPDATE ocsp_duties SET mark = '\x41' WHERE duty = 1;
SELECT is(responder_issue(ARRAY[:'r1'::uuid], '{2}', ARRAY[:'s9'::bytea], ARRAY[der_of(:'s9')]), :'r1', 'issued');
SELECT is(mark, ''::bytea, 'with the first responder every certificate is new') FROM ocsp_duties WHERE duty = 1;
SELECT is(r_der, der_of(:'s9'), 'the worker finds its certificate') FROM responder_get(ARRAY[v7(), :'r1'::uuid]);
SELECT is((SELECT array_agg(r_answers) FROM ocsp_issuers() WHERE r_id = :i), '{t}', 'the issuer answers');
SELECT throws_ok(format('UPDATE responders SET not_after = now() WHERE id = %L', :'r1'), '23000', NULL, 'what is issued stays');
SELECT set_eq(format('SELECT action FROM audit_log WHERE object IN (%L, %L, %L)', :'r1', encode(:'s9', 'hex'), encode(:'s0', 'hex')),
	'{responder.register,responder.reserve,serial.burn,responder.issue}'::text[], 'all of it is in the audit log');
SELECT responder_register(v7(), sha256('issuer'), n::text::bytea, 'h') FROM generate_series(1, 31) n \g /dev/null
SELECT is(responder_register(v7(), sha256('issuer'), 'more', 'h'), 4, 'an issuer has only so many');
SELECT id AS r3 FROM responders WHERE spki = '1' \gset
SELECT responder_refuse(ARRAY[:'r3'::uuid], '{0}', '{no}') \g /dev/null
SELECT is(error, 'no', 'one is refused') FROM responders WHERE id = :'r3';
SELECT is(count(*), 0::bigint, 'for good') FROM responder_claim(ARRAY[:'r3'::uuid], 60);
SELECT is(responder_register(v7(), sha256('issuer'), 'more', 'h'), 0, 'and makes room');
UPDATE responders SET attempt = 8, due_at = now() WHERE spki = '2';
SELECT count(*) FROM sweep_due(100, 60) \g /dev/null
SELECT ok(error LIKE '%too often%' AND due_at IS NULL, 'what never works ends') FROM responders WHERE spki = '2';
SELECT sweep_dead(3, id) FROM responders WHERE spki = '3' \g /dev/null
SELECT ok(error LIKE '%too often%', 'so does a dead letter') FROM responders WHERE spki = '3';
SELECT is(count(*), 30::bigint, 'assayctl sees those that count') FROM admin_responders() WHERE r_error IS NULL;

-- New ones.
SELECT is(given_certificate(:'a', 'one.org', :'s1'), :'s1', 'a certificate');
SELECT is(given_certificate(:'a', 'two.org', :'s2'), :'s2', 'another');
SELECT id AS o3 FROM given_processing(:'a', 'three.org') \gset
SELECT reserved(:'o3', taken(:'o3'), :'s3') \g /dev/null
SELECT set_eq(format('SELECT new(%L)', :'w1'), ARRAY[:'s1'::bytea, :'s2'], 'new ones are found; what is not issued yet is not');
SELECT is(count(*), 0::bigint, 'by one worker only') FROM new(:'w2');
SELECT is(count(*), 1::bigint, 'so many as asked for') FROM new(:'w1', 1);
SELECT is(array_agg(r_status), '{0,2,2,2}', 'reserved, never issued, another issuer''s: never good') FROM
	ocsp_status(ARRAY[:i, :i, :i, :i + 1], ARRAY[:'s1', :'s3', '\x01', :'s1']::bytea[], 0);
SELECT is(array_agg(r_not_after IS NULL), '{f,f,t,f}', 'only what nobody ever reserved can be called so') FROM
	ocsp_status(ARRAY[:i, :i, :i, :i + 1], ARRAY[:'s1', :'s3', '\x01', :'s1']::bytea[], 0);
SELECT is(code, 1, 'known, not signed yet') FROM ocsp_get(:i, :'s1', 0);
SELECT is(code, 2, 'reserved only: unknown') FROM ocsp_get(:i, :'s3', 0);
SELECT is(code, 2, 'never issued: unknown') FROM ocsp_get(:i, :'s4', 0);
SELECT is(code, 2, 'another issuer''s: unknown') FROM ocsp_get(:i + 1, :'s1', 0);
SELECT is(stored(:'s1', 'good1'), 1, 'signed');
SELECT is((SELECT (code, response, this_update, next_update) FROM ocsp_get(:i, :'s1', 0)),
	ROW(0, 'good1'::bytea, now(), now() + interval '2 d'), 'and found');
SELECT is(stored(:'s1', 'older', this => now() - interval '1 s'), 0, 'an earlier signature does not replace it');
SELECT is(stored('\x01', 'nobody'), 0, 'nothing is stored for what does not exist');
SELECT set_eq(format('SELECT new(%L)', :'w1'), ARRAY[:'s2'::bytea], 'what is signed is no longer new');
SELECT is(mark, least(:'s2'::bytea, partition_bound('serial', now())::bytea), 'the mark stops before the first without') FROM ocsp_duties WHERE duty = 1;
SELECT stored(:'s2', 'good2') \g /dev/null

-- Revocation.
SELECT certificate_revoke(:'s1', 1, 'test') \g /dev/null
SELECT is(code, 1, 'a revocation shows at once') FROM ocsp_get(:i, :'s1', 0);
SELECT set_eq(format('SELECT changed(%L)', :'w1'), ARRAY[:'s1'::bytea], 'and is due');
SELECT set_eq(format('SELECT changed(%L)', :'w1'), ARRAY[:'s1'::bytea], 'until it is told');
SELECT stored(:'s1', 'revoked1', now(), 4) \g /dev/null
SELECT is(code, 1, 'with another reason it is not told') FROM ocsp_get(:i, :'s1', 0);
SELECT stored(:'s1', 'revoked1', now(), 1) \g /dev/null
SELECT is(code, 0, 'told') FROM ocsp_get(:i, :'s1', 0);
SELECT is(count(*), 0::bigint, 'nothing has changed') FROM changed(:'w1');
SELECT is(count(*), 0::bigint, 'and the entry is gone') FROM ocsp_changes;
UPDATE ocsp_duties SET held_until = now() WHERE duty = 0;
SELECT certificate_revoke(:'s2', 4, 'test') \g /dev/null
SELECT set_eq(format('SELECT changed(%L)', :'w2'), ARRAY[:'s2'::bytea], 'a silent worker loses its duty');
SELECT is(count(*), 0::bigint, 'to the other one') FROM changed(:'w1');
SELECT ocsp_leave(:'w2') \g /dev/null
SELECT set_eq(format('SELECT changed(%L)', :'w1'), ARRAY[:'s2'::bytea], 'one that ends leaves them at once');
SELECT ocsp_leave(:'w2') \g /dev/null
SELECT is(count(*), 0::bigint, 'but only its own') FROM changed(:'w2');
SELECT ocsp_leave(:'w1') \g /dev/null
-- The signer dies after it had reserved: the serial may have been signed.
UPDATE orders SET held_until = now() WHERE id = :'o3';
SELECT taken(:'o3') \g /dev/null
SELECT is((SELECT (r_status, r_reason) FROM ocsp_status(ARRAY[:i], ARRAY[:'s3'::bytea], 0)), ROW(1, 4), 'a burnt serial is superseded');
SELECT ok(:'s3' IN (SELECT changed(:'w2')), 'and told so');

-- Again.
SELECT is(count(*), 0::bigint, 'nothing is due') FROM again(:'w1');
UPDATE ocsp_responses SET refresh_at = now() WHERE serial = :'s2';
SELECT set_eq(format('SELECT again(%L)', :'w1'), ARRAY[:'s2'::bytea], 'one is');
ALTER TABLE certificates DISABLE TRIGGER certificates_fixed;
UPDATE certificates SET not_after = now() WHERE serial = :'s2';
SELECT is(count(*), 0::bigint, 'an expired one is not') FROM again(:'w1');
SELECT is(refresh_at, NULL, 'ever') FROM ocsp_responses WHERE serial = :'s2';
SELECT is(code, 2, 'nor is it answered') FROM ocsp_get(:i, :'s2', 0);
SELECT is(code, 1, 'unless there is an archive') FROM ocsp_get(:i, :'s2', 60);
SELECT * FROM finish();
ROLLBACK;
