\ir given.psql
SELECT plan(47);
SELECT given_account() AS a, given_account() AS b \gset
SELECT id FROM given_processing(:'a', '*.x.org', 'x.org') \gset
SELECT new_serial() AS s1, new_serial() AS s2, new_serial() AS s3 \gset

SELECT is(r_authz_statuses, '{1,1}', 'the claim tells each authorization') FROM issuance_claim(ARRAY[:'id'::uuid], 0);
SELECT is(r_authz_names, '{x.org,x.org}', 'again, at once, since the lease is over') FROM issuance_claim(ARRAY[:'id'::uuid], 60);
SELECT is(taken(:'id'), NULL, 'lent to one only');
SELECT is(count(*), 0::bigint, 'an earlier attempt reserves nothing') FROM reserved(:'id', 1, :'s1');
SELECT is(count(*), 0::bigint, 'nor another key') FROM reserved(:'id', 2, :'s1', 'other');
SELECT is(reserved(:'id', 2, :'s1'), :'id', 'reserve');
SELECT is(count(*), 0::bigint, 'one serial an order') FROM reserved(:'id', 2, :'s2');
SELECT ok(tbs IS NOT NULL AND der IS NULL AND names = '{*.x.org,x.org}', 'recorded before signing')
	FROM certificates WHERE serial = :'s1';
SELECT is(count(*), 1::bigint, 'and in the audit log') FROM audit_log
	WHERE action = 'certificate.reserve' AND object = encode(:'s1', 'hex');

-- The signer dies here; the next one burns the serial.
UPDATE orders SET held_until = now() WHERE id = :'id';
SELECT is(taken(:'id'), 3, 'claimed again');
SELECT ok(burnt_at IS NOT NULL, 'the serial is burnt') FROM serials WHERE serial = :'s1';
SELECT ok(revoked_at IS NOT NULL AND reason = 4, 'and listed as superseded') FROM certificates WHERE serial = :'s1';
SELECT is(count(*), 0::bigint, 'the dead one''s signature comes too late') FROM issued(:'id', 2, :'s1');
SELECT is(count(*), 0::bigint, 'even with the new attempt') FROM issued(:'id', 3, :'s1');
SELECT is(count(*), 0::bigint, 'a burnt serial is not reserved again') FROM reserved(:'id', 3, :'s1');
SELECT is(reserved(:'id', 3, :'s2'), :'id', 'a new one is');
SELECT throws_ok(format('SELECT issuance_issue(ARRAY[%L::uuid], ARRAY[3], ARRAY[%L::bytea], ARRAY[%L::bytea])', :'id', :'s2', der_of(:'s3')),
	'23000', NULL, 'what was signed must be what was recorded');
SELECT is(issued(:'id', 3, :'s2'), :'id', 'issue');
SELECT is(status_of(:'id'), 3, 'valid');
SELECT is(count(*), 0::bigint, 'once') FROM issued(:'id', 3, :'s2');
SELECT is(der, der_of(:'s2'), 'download') FROM certificate_get(:'a', thumb(:'a'), :'id', 0);
SELECT is(code, 4, 'not by others') FROM certificate_get(:'b', thumb(:'b'), :'id', 0);

-- Between the claim and the reservation.
SELECT id AS d, authz_ids[1] AS dz FROM given_processing(:'a', 'd.org') \gset
SELECT is(taken(:'d'), 1, 'claimed, then');
SELECT is(code, 0, 'an authorization is deactivated') FROM authz_deactivate(:'a', thumb(:'a'), :'dz');
SELECT is(count(*), 0::bigint, 'nothing is reserved') FROM reserved(:'d', 1, :'s3');
SELECT issuance_refuse(ARRAY[:'d'::uuid], '{1}', '{"{}"}');
SELECT is(status_of(:'d'), 4, 'refused');
SELECT id AS k FROM given_processing(:'a', 'k.org') \gset
SELECT taken(:'k'), keys_block(ARRAY[sha256('key')], 'test', false);
SELECT is(count(*), 0::bigint, 'nor when its key was blocked') FROM reserved(:'k', 1, :'s3');
SELECT id AS c FROM given_order(:'b', 'c.org') \gset
SELECT validated(:'b', o) FROM order_get(:'b', thumb(:'b'), :'c') o;
SELECT finalized(:'b', :'c', '{c.org}', 'key2'), taken(:'c');
SELECT is(reserved(:'c', 1, :'s3', 'key2'), :'c', 'reserved, then');
SELECT is(code, 0, 'the account is deactivated') FROM account_deactivate(:'b', thumb(:'b'));
SELECT is(count(*), 0::bigint, 'not issued') FROM issued(:'c', 1, :'s3');
SELECT ok(burnt_at IS NOT NULL, 'burnt') FROM serials WHERE serial = :'s3';

-- Poison.
SELECT given_account() AS e \gset
SELECT id AS p FROM given_order(:'e', 'p.org') \gset
SELECT validated(:'e', o) FROM order_get(:'e', thumb(:'e'), :'p') o;
SELECT finalized(:'e', :'p', '{p.org}', 'key3');
SELECT is(array_agg(taken(:'p', 0)), '{1,2,3,4,5,6,7,8,NULL}', 'eight claims, then no more') FROM generate_series(1, 9);
SELECT is(status_of(:'p'), 4, 'the order has ended');

-- No issuing key can be reached: waits cost no attempts.
SELECT given_account() AS f \gset
SELECT id AS w FROM given_order(:'f', 'w.org') \gset
SELECT validated(:'f', o) FROM order_get(:'f', thumb(:'f'), :'w') o;
SELECT finalized(:'f', :'w', '{w.org}', 'key4');
SELECT taken(:'w'), issuance_wait(ARRAY[:'w'::uuid], '{1}', 30);
SELECT is(taken(:'w'), NULL, 'not claimed before the time');
SELECT issuance_wait(ARRAY[:'w'::uuid], '{9}', 0);
SELECT is(taken(:'w'), NULL, 'nor by the word of another attempt');
UPDATE orders SET held_until = now() WHERE id = :'w';
SELECT count(issuance_wait(ARRAY[:'w'::uuid], ARRAY[taken(:'w')], 0)) FROM generate_series(1, 20);
SELECT is(status_of(:'w'), 2, 'after many of them it waits');
SELECT is((attempt - waits)::integer, 0, 'with all its attempts') FROM orders WHERE id = :'w';
SELECT is(array_agg(taken(:'w', 0)), '{22,23,24,25,26,27,28,29,NULL}', 'eight claims') FROM generate_series(1, 9);

-- What no statement may do.
SELECT throws_ok(format('UPDATE certificates SET der = %L WHERE serial = %L', '\x3082', :'s2'), '23000', NULL, 'another certificate');
SELECT throws_ok(format('UPDATE certificates SET not_after = now() WHERE serial = %L', :'s2'), '23000', NULL, 'another life time');
SELECT throws_ok(format('UPDATE serials SET burnt_at = NULL WHERE serial = %L', :'s1'), '23000', NULL, 'unburning');
SELECT throws_ok(format('INSERT INTO serials VALUES (%L, %L)', :'s1', v7()), '23505', NULL, 'a serial twice');
SELECT throws_ok(format('INSERT INTO serials VALUES (%L, %L)', '\x80' || substr(:'s1'::bytea, 2), v7()), '23000', NULL, 'a negative serial');

-- Orders that may be poisonous are claimed by one a batch, the least tried first; for CAA, too.
SELECT given_account() AS s \gset
CREATE FUNCTION given_suspect(account uuid, name text) RETURNS uuid LANGUAGE plpgsql AS $$
DECLARE
	o order_answer := given_order(account, name);
BEGIN
	PERFORM validated(account, o), finalized(account, o.id, ARRAY[name], 'the suspects'' key');
	RETURN o.id;
END $$;
SELECT given_suspect(:'s', 's1.org') AS s1, given_suspect(:'s', 's2.org') AS s2, given_suspect(:'s', 's3.org') AS s3 \gset
UPDATE orders SET attempt = CASE id WHEN :'s1' THEN 6 ELSE 3 END WHERE id IN (:'s1', :'s3');
CREATE FUNCTION batch(VARIADIC ids uuid[]) RETURNS text LANGUAGE sql AS
	$$ SELECT string_agg(o.names[1], ' ' ORDER BY o.names) FROM issuance_claim(ids, 60) c JOIN orders o ON o.id = c.r_order $$;
SELECT is(batch(:'s1', :'s2', :'s3'), 's2.org s3.org', 'one suspect beside the others');
SELECT is(batch(:'s1', :'s2', :'s3'), 's1.org', 'then the next');
UPDATE orders SET caa_due = true, held_until = NULL, attempt = 5 WHERE id IN (:'s1', :'s3');
SELECT is(count(*), 1::bigint, 'CAA of one suspect') FROM caa_claim(ARRAY[:'s1', :'s3']::uuid[], 60);
SELECT is(count(*), 1::bigint, 'and of the other') FROM caa_claim(ARRAY[:'s1', :'s3']::uuid[], 60);
SELECT * FROM finish();
ROLLBACK;
