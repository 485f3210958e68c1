\ir given.psql
SELECT plan(22);
SELECT given_account() AS a, given_account() AS b \gset

SELECT is(code, 0, 'a known key finds its account') FROM account_new(v7(), thumb(:'a'), '{}', '\x00', '{}', true, false);
SELECT is(id, :'a', 'and its id') FROM account_new(v7(), thumb(:'a'), '{}', '\x00', '{}', true, true);
SELECT is(code, 1, 'onlyReturnExisting makes none') FROM account_new(v7(), sha256('x'), '{}', '\x00', '{}', true, true);
INSERT INTO blocked_keys (spki_sha256, reason) VALUES (sha256('bad'), 'test');
SELECT is(code, 8, 'a blocked key makes no account')
	FROM account_new(v7(), sha256('bad key'), '{}', sha256('bad'), '{}', true, false);
SELECT is(code, 8, 'nor becomes one''s key')
	FROM account_rekey(:'a', thumb(:'a'), sha256('n'), '{}', sha256('bad'));
SELECT is(account_code(:'a', thumb(:'a')), 0, 'account and key fit');
SELECT is(account_code(:'a', thumb(:'b')), 3, 'another key does not');
SELECT is(account_code(v7(), thumb(:'b')), 1, 'an unknown account');
SELECT is(code, 14, 'keyChange to a key in use') FROM account_rekey(:'a', thumb(:'a'), thumb(:'b'), '{}', '\x00');
SELECT is(id, :'b', 'names whose it is') FROM account_rekey(:'a', thumb(:'a'), thumb(:'b'), '{}', '\x00');
SELECT is(code, 0, 'keyChange') FROM account_rekey(:'a', thumb(:'a'), sha256('new'), '{"n":1}', '\x00');
SELECT is(jwk, '{"n":1}', 'the new key is looked up') FROM account_key(:'a');
SELECT is(code, 3, 'the old one no longer counts') FROM account_get(:'a', thumb(:'a'));
SELECT is(code, 0, 'the new one does') FROM account_get(:'a', sha256('new'));

SELECT is(code, 0, 'deactivate') FROM account_deactivate(:'b', thumb(:'b'));
SELECT is(code, 2, 'a deactivated account is refused') FROM account_get(:'b', thumb(:'b'));
SELECT is(code, 2, 'and not made again by its key') FROM account_new(v7(), thumb(:'b'), '{}', '\x00', '{}', true, false);
SELECT is(code, 2, 'nor looked up') FROM account_key(:'b');
SELECT throws_ok(format('UPDATE accounts SET status = 0, closed_at = NULL WHERE id = %L', :'b'), '23000', NULL,
	'nothing brings it back');
SELECT throws_ok(format('DELETE FROM accounts WHERE id = %L', :'b'), '23000', NULL, 'no account is deleted');
SELECT throws_ok(format('UPDATE accounts SET id = %L WHERE id = %L', v7(), :'a'), '23000', NULL, 'nor renamed');
SELECT is(count(*), 5::bigint, 'every act left its audit row') FROM audit_log WHERE xid = pg_current_xact_id()
	AND action IN ('account.new', 'account.rekey', 'account.deactivate', 'issuer.register');
SELECT * FROM finish();
ROLLBACK;
