\ir given.psql
SELECT plan(87);
-- A certificate of an account with names and a key; the serial.
CREATE FUNCTION given_certificate(account uuid, key text, VARIADIC names text[]) RETURNS bytea LANGUAGE plpgsql AS $$
DECLARE
	o order_answer := given_order(account, VARIADIC names);
	s bytea := new_serial();
BEGIN
	PERFORM validated(account, o);
	PERFORM finalized(account, o.id, names, key), taken(o.id), reserved(o.id, 1, s, key);
	PERFORM issued(o.id, 1, s);
	RETURN s;
END $$;
CREATE FUNCTION reason_of(s bytea) RETURNS integer LANGUAGE sql AS $$ SELECT reason::integer FROM certificates WHERE serial = s $$;
CREATE FUNCTION swept() RETURNS integer LANGUAGE plpgsql AS $$
DECLARE
	n integer := 0;
BEGIN
	WHILE revocation_sweep() > 0 LOOP n := n + 1; END LOOP;
	RETURN n;
END $$;
SELECT given_account() AS a, given_account() AS b \gset
SELECT given_certificate(:'a', 'k1', 'one.org') AS s1 \gset
SELECT given_certificate(:'a', 'k2', '*.one.org', 'two.org') AS s2 \gset
SELECT given_certificate(:'b', 'k1', 'three.org') AS s3 \gset
SELECT given_certificate(:'b', 'k3', 'four.org') AS s4 \gset

-- What is said about reasons and serial numbers.
SELECT is(admin_reason(x), y, 'reason ' || x) FROM (VALUES ('0', 0), ('unspecified', 0), ('keyCompromise', 1), ('3', 3), ('superseded', 4),
	('cessationOfOperation', 5), ('privilegeWithdrawn', 9)) v(x, y);
SELECT throws_ok(format('SELECT admin_reason(%L)', x), '22023', NULL, 'there is no reason ' || x)
	FROM unnest(ARRAY['2', '6', '7', '8', '10', '', 'certificateHold', 'KEYCOMPROMISE', '01']) x;
SELECT throws_ok('SELECT admin_reason(NULL)', '22023', NULL, 'nor none');
SELECT is(admin_serials(E'# a list\n' || upper(encode(:'s1', 'hex')) || E'\t# one\r\n\n, ' || regexp_replace(encode(:'s2', 'hex'), '(..)(?=.)', '\1:', 'g')),
	ARRAY[:'s1', :'s2']::bytea[], 'serial numbers as people write them');
SELECT is(admin_serials(x), '{}', 'none') FROM unnest(ARRAY['', E' \n', '# nothing']) x;
SELECT throws_ok(format('SELECT admin_serials(%L)', x), '22023', NULL, 'no serial number: ' || x)
	FROM unnest(ARRAY['40', repeat('4', 36), '40' || repeat('g', 34), '40' || repeat('0', 35), '0x40' || repeat('0', 34)]) x;

-- Selections.
CREATE FUNCTION selected(serials bytea[] DEFAULT NULL, account uuid DEFAULT NULL, name text DEFAULT NULL, key bytea DEFAULT NULL,
	since timestamptz DEFAULT NULL, until timestamptz DEFAULT NULL, issuer text DEFAULT NULL, profile text DEFAULT NULL) RETURNS bytea[]
	LANGUAGE sql AS $$ SELECT coalesce(array_agg(serial ORDER BY serial), '{}')
		FROM admin_sample(serials, account, name, key, since, until, issuer, profile, 100) $$;
CREATE FUNCTION sorted(VARIADIC s bytea[]) RETURNS bytea[] LANGUAGE sql AS $$ SELECT array_agg(x ORDER BY x) FROM unnest(s) x $$;
SELECT is(selected(serials => ARRAY[:'s1', :'s1', '\x40']::bytea[]), ARRAY[:'s1'::bytea], 'by serial');
SELECT is(selected(serials => '{}'), '{}', 'no serial, no certificate');
SELECT is(selected(account => :'a'), sorted(:'s1', :'s2'), 'by account');
SELECT is(selected(account => v7()), '{}', 'of nobody');
SELECT is(selected(name => '*.one.org'), ARRAY[:'s2'::bytea], 'by name');
SELECT is(selected(name => 'org'), '{}', 'which is whole');
SELECT is(selected(key => sha256('k1')), sorted(:'s1', :'s3'), 'by key');
SELECT is(selected(since => now() - interval '1 minute'), sorted(:'s1', :'s2', :'s3', :'s4'), 'since a time');
SELECT is(selected(since => now(), until => now() + interval '1 second'), sorted(:'s1', :'s2', :'s3', :'s4'), 'the beginning is in it');
SELECT is(selected(since => now() - interval '1 hour', until => now()), '{}', 'the end is not');
SELECT is(selected(since => '-infinity', until => 'infinity'), sorted(:'s1', :'s2', :'s3', :'s4'), 'as long as can be');
SELECT is(selected(since => '1900-01-01', until => '2500-01-01'), sorted(:'s1', :'s2', :'s3', :'s4'), 'beyond what a serial can hold');
SELECT is(selected(account => :'b', issuer => 'test issuer'), sorted(:'s3', :'s4'), 'of an issuer by name');
SELECT is(selected(account => :'b', issuer => encode(sha256('issuer'), 'hex')), sorted(:'s3', :'s4'), 'or hash');
SELECT is(selected(account => :'b', issuer => 'other'), '{}', 'of no other');
SELECT is(selected(account => :'b', profile => 'default'), sorted(:'s3', :'s4'), 'of a profile');
SELECT is(selected(account => :'b', profile => 'other'), '{}', 'of no other');
SELECT is(selected(account => :'b', key => sha256('k1')), ARRAY[:'s3'::bytea], 'what is given narrows together');
SELECT throws_ok('SELECT selected(until => now(), issuer => ''test issuer'', profile => ''default'')', '22023', NULL, 'everything is no selection');
SELECT is(row(found, to_change, revoked_before, unknown_or_expired, accounts, issuers)::text, '(3,3,0,1,2,"test issuer")', 'the count')
	FROM admin_selected(ARRAY[:'s1', :'s2', :'s3', :'s3', '\x4000']::bytea[], NULL, NULL, NULL, NULL, NULL, NULL, NULL, 4);

-- Acts.
CREATE FUNCTION acted(account uuid, reason integer, why text, expected bigint) RETURNS integer LANGUAGE sql AS $$
	SELECT admin_revoke(NULL, account, NULL, NULL, NULL, NULL, NULL, NULL, reason, why, expected) $$;
SELECT throws_ok(format('SELECT acted(%L, 4, ''why'', %s)', :'a', n), '22023', NULL, 'another number than ' || n || ' is refused')
	FROM unnest(ARRAY['1', '3', 'NULL']) n;
SELECT throws_ok(format('SELECT acted(%L, 4, %L, 2)', :'a', w), '22023', NULL, 'without a reason in words') FROM unnest(ARRAY[NULL, '', ' ']) w;
SELECT throws_ok(format('SELECT acted(%L, %s, ''why'', 2)', :'a', n), '22023', NULL, 'or with reason ' || n) FROM unnest(ARRAY['6', '8', 'NULL']) n;
SELECT throws_ok(format('SELECT admin_revoke(ARRAY[%L, %L]::bytea[], NULL, NULL, NULL, NULL, NULL, NULL, NULL, 4, ''why'', 1)', :'s1', '\x40'),
	'22023', NULL, 'or a serial that is not there');
SELECT is(count(*), 0::bigint, 'then nothing begins') FROM revocation_acts;
SELECT acted(:'a', 4, 'taken over', 2) AS act \gset
SELECT is(reason_of(:'s1'), NULL, 'beginning revokes nothing');
SELECT is(row(looked_at, revoked, found)::text, '(2,2,2)', 'a step does') FROM admin_revoke_step(:act);
SELECT is(ARRAY[reason_of(:'s1'), reason_of(:'s2'), reason_of(:'s3')], ARRAY[4, 4, NULL], 'those that were selected');
SELECT is(count(*), 0::bigint, 'then nothing is left') FROM admin_revoke_step(:act);
SELECT is(row(actor, selection, why, reason, found, revoked, batches_left, ended_at IS NOT NULL)::text,
	format('(postgres,"account %s","taken over",4,2,2,0,t)', :'a'), 'the act has ended') FROM admin_acts(:act);
SELECT is(array_agg(action ORDER BY id), ARRAY['revocation.begin', 'revocation.end'], 'which the audit log tells') FROM audit_log WHERE object = :'act'::text;
SELECT is(detail, 'reason 4, act ' || :act || ': taken over', 'with the operator''s words at each') FROM audit_log
	WHERE action = 'certificate.revoke' AND object = encode(:'s1', 'hex');
SELECT is(acted(:'a', 4, 'again', 0), NULL, 'what is revoked is not revoked again');
SELECT is(swept(), 0, 'nor is there anything to sweep');

-- A compromised key.
SELECT admin_revoke(NULL, NULL, NULL, sha256('k1'), NULL, NULL, NULL, NULL, 1, 'leaked', 2) AS act \gset
SELECT is(finalized(:'b', (given_order(:'b', 'four.org')).id, ARRAY['four.org'], 'k1'), 8, 'is refused before its first certificate is revoked');
SELECT ok(swept() > 0, 'a keeper ends an act that nobody else does');
SELECT is(ARRAY[reason_of(:'s1'), reason_of(:'s2'), reason_of(:'s3')], ARRAY[1, 4, 1], 'an earlier reason becomes keyCompromise');
SELECT is(revoked, 2, 'both were counted') FROM admin_acts(:act);
-- This test's transaction has its id since long, so it says nothing about who may be at it.
SELECT is(revoking, true, 'and the search goes on while others may be at it') FROM admin_blocked_key(sha256('k1'));
SELECT is(swept(), 0, 'while it is no work');
UPDATE blocked_keys SET horizon = '3'::xid8 WHERE spki_sha256 = sha256('k1');
SELECT is(swept(), 1, 'until it found nothing');
SELECT is(revoking, false, 'so it ends') FROM admin_blocked_key(sha256('k1'));
SELECT throws_ok('UPDATE blocked_keys SET reason = ''x''', '23000', NULL, 'why it is blocked stays');

-- The certificates of others with the key of a certificate that was revoked with it.
SELECT given_certificate(:'a', 'k4', 'five.org') AS s5 \gset
SELECT given_certificate(:'b', 'k4', 'six.org') AS s6 \gset
SELECT is(revoke(NULL, NULL, :'s5', der_of(:'s5'), 0), 0, 'revoked by its key');
SELECT is(reason_of(:'s6'), NULL, 'another''s with the same key is not at once');
SELECT is(swept(), 1, 'but by the next sweep');
SELECT is(reason_of(:'s6'), 1, 'for the same reason');

-- Unblocking.
SELECT is(admin_block_key(sha256('k3'), 'weak'), true, 'a key is blocked');
SELECT is(admin_block_key(sha256('k3'), 'weak'), false, 'once');
SELECT is(swept(), 0, 'its certificates stay');
SELECT throws_ok('SELECT admin_unblock_key(sha256(''k3''), '' '')', '22023', NULL, 'who lets it go says why');
SELECT is(admin_unblock_key(sha256('k3'), 'was not'), true, 'it is let go');
SELECT is(admin_unblock_key(sha256('k3'), 'was not'), false, 'once');
SELECT is(array_agg(action ORDER BY id), ARRAY['key.block', 'key.unblock', 'key.unblock.why'], 'all of which is known') FROM audit_log
	WHERE object = encode(sha256('k3'), 'hex');
SELECT is(finalized(:'b', (given_order(:'b', 'four.org')).id, ARRAY['four.org'], 'k3'), 0, 'and it may be used again');
SELECT * FROM finish();
ROLLBACK;
