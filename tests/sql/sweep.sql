\ir given.psql
SELECT plan(25);
SELECT given_account() AS a \gset
SELECT id AS o1, authz_ids[1] AS z1 FROM given_order(:'a', 'x.org') \gset
SELECT responded(:'a', :'z1');
SELECT id AS o2 FROM given_processing(:'a', 'y.org') \gset

SELECT is(count(*), 0::bigint, 'what was just queued is not due') FROM sweep_due(100, 60) WHERE r_id IN (:'z1', :'o2');
UPDATE authorizations SET due_at = now() WHERE id = :'z1';
UPDATE orders SET due_at = now() WHERE id = :'o2';
SELECT set_eq('SELECT * FROM sweep_due(100, 60)', format('VALUES (0, %L::uuid), (2, %L::uuid)', :'z1', :'o2'), 'due');
SELECT is(count(*), 0::bigint, 'and pushed forward') FROM sweep_due(100, 60);
UPDATE authorizations SET due_at = now() WHERE id = :'z1';
UPDATE orders SET due_at = now(), caa_due = true WHERE id = :'o2';
SELECT is(claimed(:'z1'), 1, 'held by a validator');
SELECT set_eq('SELECT * FROM sweep_due(100, 60)', format('VALUES (1, %L::uuid)', :'o2'), 'held is not due; caa is told apart');
UPDATE authorizations SET due_at = now(), held_until = now() WHERE id = :'z1';
SELECT is(count(*), 1::bigint, 'the limit counts') FROM sweep_due(1, 0) WHERE r_kind = 0;

UPDATE orders SET held_until = now() + interval '60 s' WHERE id = :'o2';
SELECT sweep_dead(2, :'o2');
SELECT is(status_of(:'o2'), 2, 'what a worker holds is not dead');
UPDATE orders SET held_until = NULL WHERE id = :'o2';
SELECT sweep_dead(2, :'o2');
SELECT is(status_of(:'o2'), 4, 'a dead job ends its order');
SELECT ok(error LIKE '%serverInternal%', 'with a problem') FROM orders WHERE id = :'o2';
SELECT sweep_dead(0, :'z1');
SELECT is(status_of(:'o1'), 4, 'a dead validation, too');
SELECT is((SELECT status FROM authorizations WHERE id = :'z1')::integer, 2, 'and its authorization');
SELECT lives_ok(format('SELECT sweep_dead(0, %L)', v7()), 'unknown ids are ignored');
SELECT id AS o3 FROM given_order(:'a', 'z.org') \gset
SELECT sweep_dead(2, :'o3');
SELECT is(status_of(:'o3'), 0, 'a dead job of an order that is not processing changes nothing');

SELECT heartbeat('assay-x', 'h', 1), heartbeat('assay-x', 'h', 1);
SELECT is(count(*), 1::bigint, 'one row for each process') FROM heartbeats WHERE program = 'assay-x';
UPDATE heartbeats SET at = now() - interval '2 days' WHERE program = 'assay-x';
SELECT heartbeat('assay-x', 'h', 2);
SELECT is(array_agg(pid), '{2}', 'the long silent are forgotten') FROM heartbeats WHERE program = 'assay-x';

UPDATE heartbeats SET at = now() - interval '1 hour';
SELECT heartbeat('assay-validator', 'h', 1), heartbeat('assay-signer', 'h', 1);
SELECT is((validator, signer, keeper)::text, '(t,t,f)', 'who is alive') FROM workers_alive(30);
UPDATE heartbeats SET at = now() - interval '31 s' WHERE program = 'assay-signer';
SELECT heartbeat('assay-keeper', 'h', 1);
SELECT is((validator, signer, keeper)::text, '(t,f,t)', 'and who was, half a minute ago') FROM workers_alive(30);

-- CAA.
SELECT id AS c, authz_ids[1] AS cz FROM given_processing(:'a', 'c.org') \gset
SELECT issuance_defer_caa(ARRAY[:'c'::uuid], ARRAY[taken(:'c')]);
SELECT is(taken(:'c'), NULL, 'the signer waits for CAA');
SELECT is(r_authz, :'cz', 'the validator gets its authorization') FROM caa_claim(ARRAY[:'c'::uuid], 60);
SELECT validation_renew('{}', '{}', ARRAY[:'c'::uuid], '{1}', 90);
SELECT is(held_until, now() + interval '60 s', 'a stale attempt cannot renew') FROM orders WHERE id = :'c';
SELECT validation_renew('{}', '{}', ARRAY[:'c'::uuid], '{2}', 90);
SELECT is(held_until, now() + interval '90 s', 'a claim is renewed') FROM orders WHERE id = :'c';
SELECT caa_finish(ARRAY[:'c'::uuid], '{1}', '{NULL}', '{seen}', now() + interval '1 s');
SELECT is(taken(:'c'), NULL, 'a stale attempt''s word does not count');
SELECT caa_finish(ARRAY[:'c'::uuid], '{2}', '{NULL}', '{seen}', now() + interval '1 s');
SELECT is(array_agg(detail), '{seen}', 'what was seen is on record, once') FROM audit_log WHERE action = 'order.caa' AND object = :'c';
SELECT is(caa_at, now() + interval '1 s', 'the new time is kept') FROM authorizations WHERE id = :'cz';
SELECT is(taken(:'c'), 3, 'and the signer goes on');
SELECT * FROM finish();
ROLLBACK;
