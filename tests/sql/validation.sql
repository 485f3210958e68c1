\ir given.psql
SELECT plan(54);
SELECT given_account() AS a, given_account() AS b \gset
SELECT id, authz_ids[1] AS z1, authz_ids[2] AS z2 FROM given_order(:'a', '*.x.org', 'y.org') \gset

SELECT is(claimed(:'z1'), NULL, 'nothing to claim before a response');
SELECT is(responded(:'a', :'z1', 1), 5, 'a wildcard takes dns-01 only');
SELECT is(responded(:'a', :'z1', 2), 0, 'respond');
SELECT is(responded(:'b', :'z2', 2), 4, 'another''s authorization');
SELECT is(responded(:'a', :'z2', 4), 5, 'an unknown type');
SELECT is(queued, false, 'again: not queued again') FROM challenge_respond(:'a', thumb(:'a'), :'z1', 2);
SELECT is(responded(:'a', :'z1', 3), 5, 'another challenge of the same authorization');
SELECT is(key_thumbprint, thumb(:'a'), 'the key of that moment is kept') FROM authorizations WHERE id = :'z1';

SELECT is(claimed(:'z1'), 1, 'claim');
SELECT is(claimed(:'z1'), NULL, 'lent to one only');
SELECT is(count(*), 0::bigint, 'a wrong attempt''s result is dropped') FROM finished(:'z1', 2, 0);
SELECT is((SELECT status FROM authorizations WHERE id = :'z1')::integer, 0, 'it changed nothing');
SELECT is(count(*), 0::bigint, 'and left no evidence') FROM validations WHERE authz_id = :'z1';
SELECT is(count(*), 0::bigint, 'valid: the order still waits for the other') FROM finished(:'z1', 1, 0);
SELECT is(outstanding::integer, 1, 'one is left') FROM orders WHERE id = :'id';
SELECT is(count(*), 0::bigint, 'a result counts once') FROM finished(:'z1', 1, 1);
SELECT is(outstanding::integer, 1, 'still one') FROM orders WHERE id = :'id';
SELECT is(outcome::integer, 0, 'its evidence is kept') FROM validations WHERE authz_id = :'z1';
SELECT is(expires_at, now() + interval '30 days', 'valid for as long as was said') FROM authorizations WHERE id = :'z1';

SELECT responded(:'a', :'z2');
SELECT is(count(*), 0::bigint, 'try again') FROM finished(:'z2', claimed(:'z2'), 2);
SELECT ok(status = 0 AND challenge = 1 AND error IS NOT NULL AND due_at IS NOT NULL, 'still processing, with the problem shown')
	FROM authorizations WHERE id = :'z2';
SELECT finished(:'z2', 1, 2);
SELECT is(tries::integer, 1, 'said again, it counts once') FROM authorizations WHERE id = :'z2';
SELECT is(r_tries, 1, 'the next claim knows') FROM validation_claim(ARRAY[:'z2'::uuid], 60);
SELECT is(finished(:'z2', 2, 1), :'id', 'invalid: the order is named');
SELECT is(status_of(:'id'), 4, 'and invalid');
SELECT is(error::jsonb -> 'subproblems' -> 0 -> 'identifier' ->> 'value', 'y.org', 'with the name in its problem')
	FROM orders WHERE id = :'id';
SELECT is(error::jsonb ->> 'type', 'urn:ietf:params:acme:error:unauthorized', 'and a type') FROM orders WHERE id = :'id';
SELECT is(count(*), 2::bigint, 'both attempts left evidence') FROM validations WHERE authz_id = :'z2';

SELECT is(subproblem('no json', 'n.org') ->> 'type', 'urn:ietf:params:acme:error:serverInternal',
	'a problem that is no JSON does not keep an order from ending');

-- Whole batches: one order fails and succeeds at once, another becomes ready.
SELECT id AS p, authz_ids AS ps FROM given_order(:'a', 'p1.org', 'p2.org') \gset
SELECT id AS q, authz_ids AS qs FROM given_order(:'a', 'q1.org') \gset
SELECT responded(:'a', x) FROM unnest(:'ps'::uuid[] || :'qs'::uuid[]) x;
SELECT is(count(*), 3::bigint, 'a batch is claimed') FROM validation_claim(:'qs'::uuid[] || :'ps'::uuid[] || v7(), 60);
SELECT set_eq(format('SELECT validation_finish(%L, %L, %L, %L, %L, %L, %L, now())', :'ps'::uuid[] || :'qs'::uuid[], '{1,1,1}', '{0,1,0}',
	ARRAY[NULL, '{"type":"t"}', NULL], '{NULL,NULL,NULL}', ARRAY[now(), NULL, now()], '{e,e,e}'),
	ARRAY[:'p'::uuid, :'q'::uuid], 'a batch is finished');
SELECT is(status_of(:'p'), 4, 'one bad authorization outweighs a good one');
SELECT is(status_of(:'q'), 1, 'the neighbour is ready');

-- What may be poisonous is claimed by one a batch, the least tried first, whatever else is in the batch.
SELECT authz_ids AS us FROM given_order(:'a', 'u1.org', 'u2.org', 'u3.org', 'u4.org') \gset
SELECT responded(:'a', x) FROM unnest(:'us'::uuid[]) x;
UPDATE authorizations SET attempt = CASE name WHEN 'u2.org' THEN 3 ELSE 4 END WHERE id = ANY (:'us'::uuid[]) AND name IN ('u2.org', 'u3.org');
UPDATE authorizations SET attempt = 7 WHERE id = ANY (:'us'::uuid[]) AND name = 'u1.org';
CREATE FUNCTION batch(ids uuid[]) RETURNS text LANGUAGE sql AS
	$$ SELECT string_agg(r_name, ' ' ORDER BY r_name) FROM validation_claim(ids, 60) $$;
SELECT is(batch(:'us'), 'u2.org u4.org', 'one suspect beside the others');
SELECT is(batch(:'us'), 'u3.org', 'then the next');
SELECT is(batch(:'us'), 'u1.org', 'the most tried one at last');
UPDATE authorizations SET held_until = NULL WHERE id = ANY (:'us'::uuid[]);
SELECT is(batch(:'us'), 'u2.org u4.org', 'what was tried eight times is hopeless');
SELECT is(string_agg(name, ' ' ORDER BY name), 'u1.org', 'and ends') FROM authorizations WHERE id = ANY (:'us'::uuid[]) AND status = 2;

-- A lease is renewed by the attempt that holds it.
SELECT id AS l, authz_ids[1] AS lz FROM given_order(:'a', 'l.org') \gset
SELECT responded(:'a', :'lz');
CREATE FUNCTION held(authz uuid) RETURNS interval LANGUAGE sql AS 'SELECT held_until - now() FROM authorizations WHERE id = authz';
SELECT validation_renew(ARRAY[:'lz'::uuid], '{1}', '{}', '{}', 60);
SELECT is(held(:'lz'), NULL, 'what nobody has claimed is not lent');
SELECT is(claimed(:'lz', 0), 1, 'a lease that is over at once');
SELECT is(claimed(:'lz', 8), 2, 'is another''s soon');
SELECT validation_renew(ARRAY[:'lz'::uuid], '{1}', '{}', '{}', 60);
SELECT is(held(:'lz'), '8 s'::interval, 'the first cannot renew it');
SELECT validation_renew(ARRAY[:'z1'::uuid, :'lz'::uuid], '{1,2}', '{}', '{}', 60);
SELECT is(held(:'lz'), '60 s'::interval, 'the second can');
SELECT is(claimed(:'lz'), NULL, 'and keeps it');
SELECT is(held(:'z1'), NULL, 'what is finished stays so');
SELECT finished(:'lz', 2, 0);
SELECT validation_renew(ARRAY[:'lz'::uuid], '{2}', '{}', '{}', 60);
SELECT is(held(:'lz'), NULL, 'and is nobody''s');
SELECT is(status_of(:'l'), 1, 'the order is ready');

-- What expires while it is being validated ends.
SELECT id AS e, authz_ids[1] AS ez FROM given_order(:'a', 'e.org') \gset
SELECT responded(:'a', :'ez');
UPDATE authorizations SET expires_at = now() - interval '1 s' WHERE id = :'ez';
SELECT is(claimed(:'ez'), NULL, 'an expired authorization is not claimed');
SELECT is((SELECT status FROM authorizations WHERE id = :'ez')::integer, 4, 'but expired for good');
SELECT is(status_of(:'e'), 4, 'and its order with it');

-- What no statement may do.
SELECT authz_ids[1] AS n FROM given_order(:'a', 'n.org') \gset
SELECT throws_ok(format('UPDATE authorizations SET status = 1 WHERE id = %L', :'n'), '23000', NULL, 'valid without a valid challenge');
SELECT throws_ok(format('UPDATE authorizations SET status = 0 WHERE id = %L', :'z2'), '23000', NULL, 'invalid → pending');
SELECT throws_ok(format('UPDATE authorizations SET key_thumbprint = %L WHERE id = %L', '\x00', :'z1'), '23000', NULL,
	'another key under a response');
SELECT throws_ok('UPDATE validations SET outcome = 0', '23000', NULL, 'other evidence');
SELECT * FROM finish();
ROLLBACK;
