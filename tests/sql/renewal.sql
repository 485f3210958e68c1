\ir given.psql
SELECT plan(46);
\set key '\\x0102030405060708090a0b0c0d0e0f1011121314'
UPDATE issuers SET certificate = '\x3000'::bytea || '\x0603551d0e04160414' || :'key'::bytea || '\x00' WHERE name = 'test issuer';
SELECT issuer_register(sha256('other'::bytea), 'other', 'chain', 'other issuer');
UPDATE issuers SET certificate = '\x0603551d0e041604142222222222222222222222222222222222222222' WHERE name = 'other issuer';
SELECT given_account() AS a, given_account() AS b \gset
CREATE FUNCTION given_issued(account uuid, VARIADIC names text[]) RETURNS bytea LANGUAGE plpgsql AS $$
DECLARE
	o order_answer := given_processing(account, VARIADIC names);
	s bytea := new_serial();
BEGIN
	PERFORM taken(o.id);
	PERFORM reserved(o.id, 1, s);
	PERFORM issued(o.id, 1, s);
	RETURN s;
END $$;
CREATE FUNCTION replacing(account uuid, key bytea, serial bytea, VARIADIC names text[]) RETURNS order_answer LANGUAGE sql VOLATILE AS $$
	SELECT order_new_replacing(account, thumb(account), v7(), names, ARRAY(SELECT v7() FROM unnest(names)),
		ARRAY(SELECT sha256(gen_random_uuid()::text::bytea) FROM unnest(names)), 'default', NULL, NULL,
		now() + interval '7 days', now() + interval '7 days', now() + interval '1 hour', 'the id', key, serial) $$;
SELECT given_issued(:'a', 'x.org', 'y.org') AS s, given_issued(:'a', 'z.org') AS s2 \gset

-- renewalInfo.
SELECT is(code, 0, 'known') FROM renewal_info(:'key', :'s');
SELECT is(profile, 'default', 'the profile is that of its order') FROM renewal_info(:'key', :'s');
SELECT is(not_after - not_before, interval '90 days', 'its dates') FROM renewal_info(:'key', :'s');
SELECT ok(revoked_at IS NULL AND incident_start IS NULL AND explanation_url IS NULL, 'nothing out of the ordinary')
	FROM renewal_info(:'key', :'s');
SELECT is(code, 4, 'another key identifier') FROM renewal_info('\x00000000000000000000000000000000000000ff', :'s');
SELECT is(code, 4, 'a part of it') FROM renewal_info(substring(:'key'::bytea FOR 19), :'s');
SELECT is(code, 4, 'no key identifier') FROM renewal_info('\x', :'s');
SELECT is(code, 4, 'that of an issuer that is not the certificate''s')
	FROM renewal_info('\x2222222222222222222222222222222222222222', :'s');
SELECT is(code, 4, 'a serial number outside all partitions') FROM renewal_info(:'key', '\x01');
SELECT is(code, 4, 'a serial number of ours that is none') FROM renewal_info(:'key', new_serial());
SELECT id AS burning FROM given_processing(:'a', 'burnt.org') \gset
SELECT new_serial() AS reserved_only \gset
SELECT taken(:'burning'), reserved(:'burning', 1, :'reserved_only');
SELECT is(code, 4, 'reserved is not issued') FROM renewal_info(:'key', :'reserved_only');
SELECT certificate_revoke(:'s2', 4, 'test');
SELECT is(revoked_at, now(), 'revoked') FROM renewal_info(:'key', :'s2');

-- replaces.
SELECT is(code, 20, 'replaces an unknown certificate') FROM replacing(:'a', :'key', new_serial(), 'x.org');
SELECT is(code, 20, 'or another issuer''s') FROM replacing(:'a', '\x2222222222222222222222222222222222222222', :'s', 'x.org');
SELECT is(code, 21, 'another account''s') FROM replacing(:'b', :'key', :'s', 'x.org');
SELECT is(code, 22, 'not one name in common') FROM replacing(:'a', :'key', :'s', 'q.org', 'z.org');
SELECT is(code, 3, 'the account''s key is looked at first') FROM order_new_replacing(:'a', thumb(:'b'), v7(), '{x.org}',
	ARRAY[v7()], ARRAY[sha256('s')], 'default', NULL, NULL, now(), now(), now(), 'i', :'key', :'s');
SELECT is(count(*), 0::bigint, 'no refusal leaves a replacement') FROM replacements;
SELECT id, code, replaces FROM replacing(:'a', :'key', :'s', 'new.org', 'x.org') \gset
SELECT is(:code, 0, 'one name in common is enough');
SELECT is(:'replaces'::text, 'the id', 'the answer says it');
SELECT is(replaces, 'the id', 'and so does the order') FROM order_get(:'a', thumb(:'a'), :'id');
SELECT is(o.replaces, NULL, 'no other does') FROM given_order(:'a', 'x.org') n, order_get(:'a', thumb(:'a'), n.id) o;
SELECT is(code, 23, 'a second order may not') FROM replacing(:'a', :'key', :'s', 'x.org');
SELECT validated(:'a', o) FROM order_get(:'a', thumb(:'a'), :'id') o;
SELECT is(code, 23, 'nor while it is ready') FROM replacing(:'a', :'key', :'s', 'x.org');
SELECT is(replaces, 'the id', 'finalize says it, too') FROM order_finalize(:'a', thumb(:'a'), :'id', '{new.org,x.org}', 'csr',
	sha256('key'), sha256('keyt'));
SELECT is(code, 23, 'nor while it is processing') FROM replacing(:'a', :'key', :'s', 'x.org');
SELECT orders_fail(ARRAY[:'id'::uuid], problem('serverInternal', 500, 'test'));
SELECT id, code FROM replacing(:'a', :'key', :'s', 'x.org') \gset
SELECT is(:code, 0, 'an order that failed lets it go');
SELECT is(order_id, :'id'::uuid, 'to the next one') FROM replacements WHERE serial = :'s';
SELECT is(count(*), 1::bigint, 'one row a certificate') FROM replacements;
SELECT validated(:'a', o) FROM order_get(:'a', thumb(:'a'), :'id') o;
SELECT is(finalized(:'a', :'id', '{x.org}'), 0, 'finalized');
SELECT new_serial() AS s3 \gset
SELECT taken(:'id'), reserved(:'id', 1, :'s3'), issued(:'id', 1, :'s3');
SELECT is(code, 23, 'replaced for good') FROM replacing(:'a', :'key', :'s', 'x.org');
SELECT is(code, 0, 'the new one can be replaced in its turn') FROM replacing(:'a', :'key', :'s3', 'x.org');
SELECT is(code, 0, 'a revoked one, too') FROM replacing(:'a', :'key', :'s2', 'z.org');
SELECT given_issued(:'a', 'late.org') AS s4 \gset
SELECT id AS late FROM order_new_replacing(:'a', thumb(:'a'), v7(), '{late.org,unproved.org}', ARRAY[v7(), v7()],
	ARRAY[sha256('s'), sha256('t')], 'default', NULL, NULL, now() - interval '1 s', now() - interval '1 s', now() + interval '1 hour',
	'i', :'key', :'s4') \gset
SELECT is(code, 0, 'an order that has expired lets it go, whatever its row says') FROM replacing(:'a', :'key', :'s4', 'late.org');
SELECT throws_ok(format('UPDATE orders SET replaces = %L WHERE id = %L', 'else', :'id'), '23000', NULL, 'what was ordered stays');
SELECT throws_ok('TRUNCATE replacements', '23000', NULL, 'nobody empties the table');
SELECT throws_ok(format('UPDATE replacements SET serial = %L', :'s4'), '23000', NULL, 'nor moves a row');

-- Incidents' windows.
SELECT incident_create('test', 'https://ca.test/why', NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL) AS i \gset
SELECT is(added, 2, 'two by serial number') FROM incident_add(:i, ARRAY[:'s'::bytea, :'s3'::bytea, :'s2'::bytea], true);
SELECT ok(incident_start IS NULL AND explanation_url IS NULL, 'prepared, it changes nothing') FROM renewal_info(:'key', :'s');
SELECT is(incident_start(:i, 1, 600, now() + interval '1 hour', now() + interval '1 day', 4), 0, 'one in ten minutes');
SELECT is(array_agg(incident_start - now() ORDER BY incident_start), '{01:00:00,01:10:00}'::interval[], 'one wave after the other')
	FROM (SELECT (renewal_info(:'key', x)).* FROM unnest(ARRAY[:'s'::bytea, :'s3'::bytea]) x) y;
SELECT is(incident_end - incident_start, interval '10 minutes', 'each as long as its wave') FROM renewal_info(:'key', :'s');
SELECT is(explanation_url, 'https://ca.test/why', 'and why') FROM renewal_info(:'key', :'s');
SELECT is(explanation_url, NULL, 'others are not told') FROM renewal_info(:'key', :'s4');
SELECT incident_create('second', NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL) AS i2 \gset
SELECT incident_add(:i2, ARRAY[:'s'::bytea, :'s3'::bytea], true), incident_start(:i2, 10, 60, now(), now() + interval '1 day', 4);
SELECT is(incident_start, now(), 'of two incidents the earlier window counts') FROM renewal_info(:'key', :'s3');
SELECT incident_abort(:i2, 'test');
SELECT is(incident_start > now(), true, 'until that one is aborted') FROM renewal_info(:'key', :'s3');
SELECT * FROM finish();
ROLLBACK;
