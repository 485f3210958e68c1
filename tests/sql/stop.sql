\ir given.psql
SELECT plan(36);
SELECT given_account() AS a \gset
SELECT id AS run, authz_ids[1] AS runz FROM given_processing(:'a', 'run.org') \gset
SELECT id AS made FROM given_processing(:'a', 'made.org') \gset
SELECT id AS ready FROM given_order(:'a', 'ready.org') \gset
SELECT validated(:'a', o) FROM order_get(:'a', thumb(:'a'), :'ready') o;
SELECT id AS pending, authz_ids[1] AS pz FROM given_order(:'a', 'pending.org') \gset
SELECT new_serial() AS s1, new_serial() AS s2 \gset
SELECT taken(:'run', 0);
SELECT taken(:'made');
SELECT reserved(:'made', 1, :'s1');

SELECT ok(stopped_at IS NULL AND in_flight = 1, 'going on, one in the making') FROM admin_issuance_status();
SELECT throws_ok('SELECT admin_issuance_drain(0)', '55000', NULL, 'nothing to drain while it goes on');
SELECT throws_ok('SELECT admin_issuance_stop('''')', '23514', NULL, 'a stop has a reason');
SELECT throws_ok('SELECT admin_issuance_stop(NULL)', '23502', NULL, 'it does');
SELECT is(admin_issuance_stop('broken profile'), true, 'stop');
SELECT is(admin_issuance_stop('again'), false, 'once');
SELECT is(count(*), 1::bigint, 'audited') FROM audit_log WHERE action = 'issuance.stop' AND detail = 'broken profile';
SELECT ok(stopped_at IS NOT NULL AND reason = 'broken profile' AND waiting = 2, 'told') FROM admin_issuance_status();
SELECT throws_ok('UPDATE issuance_stop SET reason = ''x''', '23000', NULL, 'the reason stays');

-- What is refused.
SELECT is(code, 16, 'no new order') FROM given_order(:'a', 'new.org');
SELECT is(code, 3, 'its key is looked at first')
	FROM order_new(:'a', sha256('x'), v7(), '{x.org}', ARRAY[v7()], ARRAY[sha256('x')], 'default', NULL, NULL, now(), now(), now());
SELECT is(count(*), 0::bigint, 'and nothing is left of it') FROM authorizations WHERE name = 'new.org';
SELECT is(finalized(:'a', :'ready', '{ready.org}'), 16, 'no finalize');
SELECT is(status_of(:'ready'), 1, 'the order stays ready');
SELECT is(finalized(:'a', :'ready', '{other.org}'), 7, 'what is wrong otherwise is told');
SELECT is(finalized(:'a', :'pending', '{pending.org}'), 6, 'so is its state');
SELECT is(taken(:'run'), NULL, 'no claim');
SELECT is(attempt::integer, 1, 'and no attempt is lost') FROM orders WHERE id = :'run';
SELECT is(count(*), 0::bigint, 'no reservation, although it was claimed before') FROM reserved(:'run', 1, :'s2');

-- What goes on.
SELECT is(responded(:'a', :'pz'), 0, 'challenges');
SELECT is(count(*), 1::bigint, 'validation') FROM finished(:'pz', claimed(:'pz'), 0);
SELECT is(status_of(:'pending'), 1, 'of orders');
SELECT is(code, 0, 'reading') FROM order_get(:'a', thumb(:'a'), :'run');
SELECT is(admin_issuance_drain(0), 1::bigint, 'one was reserved before: it may be signed');
SELECT is(issued(:'made', 1, :'s1'), :'made', 'and is kept');
SELECT is(admin_issuance_drain(0), 0::bigint, 'then there is none');
SELECT is(der, der_of(:'s1'), 'download') FROM certificate_get(:'a', thumb(:'a'), :'made', 0);
SELECT is(code, 0, 'revocation') FROM revoke(:'a', thumb(:'a'), :'s1', der_of(:'s1'), 0);
UPDATE orders SET due_at = now() WHERE id = :'run';
SELECT is(count(*), 0::bigint, 'what waits for a signer is not queued') FROM sweep_due(100, 60) WHERE r_id = :'run';
UPDATE orders SET caa_due = true WHERE id = :'run';
SELECT is(r_kind, 1, 'CAA is') FROM sweep_due(100, 0) WHERE r_id = :'run';
UPDATE orders SET caa_due = false, due_at = now() WHERE id = :'run';

SELECT throws_ok('SELECT admin_issuance_start('''')', '23514', NULL, 'a start has a reason');
SELECT is(admin_issuance_start('repaired'), true, 'start');
SELECT is(admin_issuance_start('repaired'), false, 'once');
SELECT is(r_kind, 2, 'what waited is queued') FROM sweep_due(100, 60) WHERE r_id = :'run';
SELECT is(reserved(:'run', taken(:'run'), :'s2'), :'run', 'and signed');
SELECT is(code, 0, 'orders again') FROM given_order(:'a', 'new.org');
SELECT * FROM finish();
ROLLBACK;
