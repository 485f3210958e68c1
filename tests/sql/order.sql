\ir given.psql
SELECT plan(42);
SELECT given_account() AS a, given_account() AS b \gset
SELECT id, status, authz_ids[1] AS z1, authz_ids[2] AS z2 FROM given_order(:'a', '*.x.org', 'x.org') \gset

SELECT is(:status, 0, 'a new order is pending');
SELECT is(name || ' ' || wildcard, 'x.org true', 'a wildcard''s authorization is for the name below it')
	FROM authorizations WHERE id = :'z1';
SELECT is(code, 4, 'another account''s order is not found') FROM order_get(:'b', thumb(:'b'), :'id');
SELECT is(code, 4, 'nor its authorization') FROM authz_get(:'b', thumb(:'b'), :'z1');
SELECT is(finalized(:'a', :'id', '{*.x.org,x.org}'), 6, 'pending: not ready');

-- Reuse.
SELECT validated(:'a', o) FROM order_get(:'a', thumb(:'a'), :'id') o;
SELECT is(status_of(:'id'), 1, 'ready when all are valid');
SELECT is(status, 1, 'an order of valid authorizations is born ready') FROM given_order(:'a', '*.x.org', 'x.org');
SELECT is(authz_ids, ARRAY[:'z2'::uuid], 'it uses them') FROM given_order(:'a', 'x.org');
SELECT is(status, 0, 'another account does not') FROM given_order(:'b', 'x.org');
SELECT is(expires_at, now() + interval '7 days', 'and ends when it was told') FROM given_order(:'a', 'x.org');
SELECT is(authz_ids = ARRAY[:'z2'::uuid], false, 'what ends too soon is not reused')
	FROM order_new(:'a', thumb(:'a'), v7(), '{x.org}', ARRAY[v7()], ARRAY[sha256('s')], 'default', NULL, NULL,
		now() + interval '7 days', now() + interval '7 days', now() + interval '31 days');
SELECT id AS http_order, authz_ids[1] AS http FROM given_order(:'a', 'h.org') \gset
SELECT responded(:'a', :'http', 1), finished(:'http', claimed(:'http'), 0);
SELECT is(status, 0, 'a name proved by http-01 says nothing about its wildcard') FROM given_order(:'a', '*.h.org');
SELECT throws_ok(format('UPDATE authorizations SET wildcard = true WHERE id = %L', :'http'), '23000', NULL,
	'an authorization cannot become one for a wildcard');

-- finalize.
SELECT is(finalized(:'a', :'id', '{x.org}'), 7, 'fewer names');
SELECT is(finalized(:'a', :'id', '{*.x.org,x.org,y.org}'), 7, 'more names');
SELECT is(finalized(:'a', :'id', '{x.org,*.x.org}'), 7, 'names in another order are not canonical');
INSERT INTO blocked_keys (spki_sha256, reason) VALUES (sha256('bad'), 'test');
SELECT is(finalized(:'a', :'id', '{*.x.org,x.org}', 'bad'), 8, 'a blocked key');
SELECT is(code, 9, 'an account key, even another''s') FROM order_finalize(:'a', thumb(:'a'), :'id', '{*.x.org,x.org}', 'csr',
	sha256('k'), thumb(:'b'));
SELECT is(code, 15, 'a kind of key that its profile does not take') FROM order_finalize(:'a', thumb(:'a'), :'id', '{*.x.org,x.org}',
	'csr', sha256('k'), sha256('kt'), '{other,another}');
SELECT is(code, 15, 'or none does') FROM order_finalize(:'a', thumb(:'a'), :'id', '{*.x.org,x.org}', 'csr', sha256('k'), sha256('kt'), '{}');
SELECT is(finalized(:'b', :'id', '{*.x.org,x.org}'), 4, 'another''s order');
SELECT is(status_of(:'id'), 1, 'all of that left it ready');
SELECT is(finalized(:'a', :'id', '{*.x.org,x.org}'), 0, 'finalize');
SELECT is(finalized(:'a', :'id', '{*.x.org,x.org}'), 6, 'once');
SELECT is(due_at IS NOT NULL, true, 'it is due, so no lost message can lose it') FROM orders WHERE id = :'id';
SELECT is(code, 4, 'no certificate yet') FROM certificate_get(:'a', thumb(:'a'), :'id', 0);

-- Expiry.
SELECT id AS old, authz_ids[1] AS oldz FROM order_new(:'a', thumb(:'a'), v7(), '{o.org}', ARRAY[v7()], ARRAY[sha256('s')], 'default',
	NULL, NULL, now() - interval '1 s', now() - interval '1 s', now()) \gset
SELECT is(status, 4, 'an expired order reads as invalid') FROM order_get(:'a', thumb(:'a'), :'old');
SELECT ok(error LIKE '%expired%', 'and says why') FROM order_get(:'a', thumb(:'a'), :'old');
SELECT is(finalized(:'a', :'old', '{o.org}'), 10, 'it cannot be finalized');
SELECT is(status, 4, 'its authorization reads as expired') FROM authz_get(:'a', thumb(:'a'), :'oldz');
SELECT is(responded(:'a', :'oldz'), 10, 'and takes no response');
SELECT is(cardinality(ids), 0, 'the list leaves it out')
	FROM account_orders(:'a', thumb(:'a'), (SELECT min(id::text)::uuid FROM orders WHERE account_id = :'a'), 10);

-- What no statement may do, whoever runs it.
SELECT id AS p FROM given_order(:'a', 'p.org') \gset
SELECT throws_ok(format('UPDATE orders SET status = %s, outstanding = 0, due_at = now(), csr = %L, spki_sha256 = %L, '
	'key_thumbprint = %L WHERE id = %L', 2, '\x00', '\x00', '\x00', :'p'), '23000', NULL, 'pending → processing');
SELECT throws_ok(format('UPDATE orders SET status = 3 WHERE id = %L', :'p'), '23000', NULL, 'pending → valid');
SELECT throws_ok(format('UPDATE orders SET status = 1 WHERE id = %L', :'p'), '23000', NULL, 'ready with authorizations missing');
SELECT throws_ok(format('UPDATE orders SET status = 1, due_at = NULL WHERE id = %L', :'id'), '23000', NULL,
	'processing → ready');
SELECT throws_ok(format('UPDATE orders SET names = %L WHERE id = %L', '{q.org}', :'p'), '23000', NULL, 'other names');
SELECT throws_ok(format('UPDATE orders SET authz_ids = %L WHERE id = %L', ARRAY[:'http'], :'p'), '23000', NULL,
	'other authorizations');
SELECT throws_ok(format('UPDATE orders SET csr = %L WHERE id = %L', '\x01', :'id'), '23000', NULL, 'another CSR');
SELECT throws_ok(format('DELETE FROM orders WHERE id = %L', :'p'), '23000', NULL, 'no order');
SELECT throws_ok('TRUNCATE orders', '23000', NULL, 'no orders at all');
SELECT throws_ok(format('INSERT INTO orders (id, account_id, expires_at, status, outstanding, profile, names, authz_ids, csr, '
	'spki_sha256, key_thumbprint, due_at) VALUES (%L, %L, now(), 2, 0, %L, %L, %L, %L, %L, %L, now())', v7(), :'a', 'd', '{z}',
	ARRAY[v7()], '\x', '\x', '\x'), '23000', NULL, 'born in processing');
SELECT * FROM finish();
ROLLBACK;
