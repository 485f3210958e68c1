\ir given.psql
SELECT plan(32);
SELECT given_account() AS a, given_account() AS b, given_account() AS c \gset
SELECT new_serial() AS s, new_serial() AS s2 \gset
SELECT id FROM given_processing(:'a', '*.x.org', 'x.org') \gset
SELECT taken(:'id'), reserved(:'id', 1, :'s'), issued(:'id', 1, :'s');
SELECT id AS id2 FROM given_processing(:'a', 'y.org') \gset
SELECT taken(:'id2'), reserved(:'id2', 1, :'s2'), issued(:'id2', 1, :'s2');

SELECT is(revoke(:'a', thumb(:'a'), :'s', der_of(:'s2'), 0), 4, 'the whole certificate is compared');
SELECT is(revoke(:'a', thumb(:'b'), :'s', der_of(:'s'), 0), 3, 'the account''s key counts');
SELECT is(revoke(:'b', thumb(:'b'), :'s', der_of(:'s'), 0), 12, 'a stranger may not');
SELECT validated(:'b', given_order(:'b', 'x.org'));
SELECT is(revoke(:'b', thumb(:'b'), :'s', der_of(:'s'), 0), 12, 'nor who is authorized for one of two names');
SELECT validated(:'b', given_order(:'b', '*.x.org', 'x.org'));
SELECT code FROM authz_deactivate(:'b', thumb(:'b'), (SELECT authz_id FROM reusable_authorizations
	WHERE account_id = :'b' AND name = 'x.org')) \gset
SELECT is(revoke(:'b', thumb(:'b'), :'s', der_of(:'s'), 0), 12, 'nor after one was deactivated');
SELECT validated(:'b', given_order(:'b', '*.x.org', 'x.org'));
SELECT is(revoke(:'b', thumb(:'b'), :'s', der_of(:'s'), 4), 0, 'but who is authorized for all of them');
SELECT is(reason::integer, 5, 'which ends the former holder''s use, whatever the reason given') FROM certificates WHERE serial = :'s';
SELECT is(revoke(:'a', thumb(:'a'), :'s', der_of(:'s'), 1), 11, 'an account cannot revoke twice');
SELECT is(revoke(NULL, NULL, :'s', der_of(:'s'), 4), 0, 'the key itself says that it is compromised, whatever reason it gives');
SELECT is(reason::integer, 1, 'which is then the reason') FROM certificates WHERE serial = :'s';
SELECT is(count(*), 1::bigint, 'and the key is blocked, and its other certificates are to go') FROM blocked_keys
	WHERE spki_sha256 = sha256('key') AND revoking;
SELECT is(revoke(NULL, NULL, :'s', der_of(:'s'), 1), 11, 'once');
SELECT new_serial() AS s4 \gset
SELECT o.id AS id4 FROM given_order(:'a', 'w.org') o, validated(:'a', o) \gset
SELECT finalized(:'a', :'id4', ARRAY['w.org'], 'fourth'), taken(:'id4'), reserved(:'id4', 1, :'s4', 'fourth');
SELECT is(revoke(NULL, NULL, :'s4', der_of(:'s4'), 1), 4, 'what was reserved is no certificate yet');
SELECT issued(:'id4', 1, :'s4');
SELECT is(revoke(:'a', thumb(:'a'), :'s4', der_of(:'s4'), 1), 0, 'an account may say that its key is compromised');
SELECT is(count(*), 0::bigint, 'which blocks nothing: it did not show the key') FROM blocked_keys WHERE spki_sha256 = sha256('fourth');
SELECT is(revoke(NULL, NULL, :'s4', der_of(:'s4'), 1), 11, 'the key that says so afterwards is late');
SELECT is(count(*), 1::bigint, 'but blocked') FROM blocked_keys WHERE spki_sha256 = sha256('fourth') AND revoking;

-- Expired ones: there is no way to make one but the back door.
SELECT new_serial() AS s5 \gset
SET session_replication_role = replica;
INSERT INTO certificates SELECT :'s5', c.order_id, c.account_id, c.not_before, now(), c.reserved_at, c.issued_at, NULL, NULL, c.issuer,
	c.crl_shard, sha256('fifth'), c.names, NULL, der_of(:'s5') FROM certificates c WHERE c.serial = :'s4';
RESET session_replication_role;
SELECT is(revoke(:'a', thumb(:'a'), :'s5', der_of(:'s5'), 0), 10, 'what has expired is not revoked');
SELECT is(revoke(:'c', thumb(:'c'), :'s5', der_of(:'s5'), 0), 12, 'and strangers are not told that it has');
SELECT is(revoke(NULL, NULL, :'s5', der_of(:'s5'), 0), 10, 'not by its key either');
SELECT is(count(*), 1::bigint, 'which is blocked all the same') FROM blocked_keys WHERE spki_sha256 = sha256('fifth');
SELECT is(count(*), 0::bigint, 'nothing was noted') FROM revocations WHERE serial = :'s5';
SELECT throws_ok('UPDATE certificates SET revoked_at = NULL, reason = NULL WHERE revoked_at IS NOT NULL', '23000', NULL, 'no revocation is undone');
SELECT throws_ok('UPDATE certificates SET reason = 0 WHERE reason = 1', '23000', NULL, 'nor belittled');
SELECT is(count(*), 3::bigint, 'each is in the audit log') FROM audit_log
	WHERE action = 'certificate.revoke' AND xid = pg_current_xact_id();

-- The outbox.
SELECT is(array_agg(r.reason::integer ORDER BY r.id), ARRAY[5, 1], 'a revocation and its change stand in the outbox') FROM revocations r
	WHERE r.serial = :'s';
SELECT is(count(*), 2::bigint, 'with the time of the revocation') FROM revocations r JOIN certificates c USING (serial)
	WHERE r.serial = :'s' AND r.at = c.revoked_at AND NOT r.journalled;
SELECT new_serial() AS s3 \gset
SELECT o.id AS id3 FROM given_order(:'a', 'z.org') o, validated(:'a', o) \gset
SELECT finalized(:'a', :'id3', ARRAY['z.org'], 'other');
SELECT taken(:'id3', 0), reserved(:'id3', 1, :'s3', 'other'), serials_burn(ARRAY[:'id3'::uuid]);
SELECT is(array_agg(r.reason::integer), ARRAY[4], 'so does a burnt serial') FROM revocations r WHERE r.serial = :'s3';
SELECT throws_ok('UPDATE revocations SET reason = 0', '23000', NULL, 'which stay as they are');
SELECT throws_ok('DELETE FROM revocations', '23000', NULL, 'and there');
UPDATE revocations SET journalled = true WHERE serial = :'s3';
SELECT throws_ok('UPDATE revocations SET journalled = false WHERE journalled', '23000', NULL, 'what was journalled is');
SELECT throws_ok('DELETE FROM revocations WHERE journalled', '23000', NULL, 'and is kept for a month');
SELECT * FROM finish();
ROLLBACK;
