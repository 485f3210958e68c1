\ir given.psql
SELECT plan(54);

-- Where files are.
SELECT is(file_path('http://pki.org/a/1.crl'), 'a/1.crl', 'the path of a URL');
SELECT is(array_agg(file_path(u)), array_fill(NULL::text, '{10}'), 'what is no plain path has none') FROM unnest('{https://a/b,http://a,
	http://a/,http://a//b,http://a/../b,http://a/.b,http://a/b/,http://a/b?c,http://a/b%2fc,ftp://a/b}'::text[]) u;

-- Registering.
SELECT is(crl_register(sha256('issuer'), now() + interval '1 year', 'http://p.org/m', 3, 'http://p.org/m.cer'), 0, 'register');
SELECT is(array_agg(url ORDER BY shard), '{http://p.org/m/1.crl,http://p.org/m/2.crl,http://p.org/m/3.crl}', 'a row each shard')
	FROM crl_shards;
SELECT ok(bool_and(due_at <= now()), 'each due at once') FROM crl_shards;
SELECT is(crl_register(sha256('issuer'), now() + interval '1 year', 'http://p.org/m', 2, 'http://p.org/m.cer'), 0, 'fewer shards later');
SELECT is(count(*), 3::bigint, 'keep those that there are') FROM crl_shards;
SELECT is(crl_register(sha256('issuer'), now() + interval '1 year', 'http://p.org/m', 5, 'http://p.org/n.cer'), 0, 'more later');
SELECT is(count(*), 5::bigint, 'are made') FROM crl_shards;
SELECT is(crl_register(sha256('issuer'), now() + interval '1 year', 'http://p.org/other', 3, NULL), 7, 'another URL is refused');
SELECT is(crl_register(sha256('issuer'), now() + interval '1 year', NULL, 3, NULL), 0, 'none is taken');
SELECT is(crl_url, 'http://p.org/m', 'and the known one stays') FROM issuer_locations;
SELECT issuer_register(sha256('issuer2'), 'issuer2', 'chain', 'second');
SELECT is(crl_register(sha256('issuer2'), now() + interval '1 year', 'http://q.org/m', 3, NULL), 7, 'no other issuer takes the same paths');
SELECT is(crl_register(sha256('issuer2'), now() + interval '1 year', 'http://q.org/x', 1025, NULL), 7, 'nor too many shards');
SELECT is(crl_register(sha256('issuer2'), now() + interval '1 year', 'http://q.org/x', 3, 'http://q.org/x/1.crl'), 7, 'nor a certificate for a list');
SELECT is(crl_register(sha256('unknown'), now() + interval '1 year', 'http://q.org/y', 3, NULL), 7, 'nor somebody unknown');
SELECT is(count(*), 5::bigint, 'nothing of it stayed') FROM crl_shards;

-- Revocations become due shards.
CREATE FUNCTION given_certificate(shard integer, life interval DEFAULT '10 days') RETURNS bytea LANGUAGE sql VOLATILE AS $$
	INSERT INTO certificates (serial, order_id, account_id, not_before, not_after, issuer, crl_shard, spki_sha256, names, tbs)
		VALUES (new_serial(), v7(), v7(), now() - interval '20 days', now() + life, (SELECT id FROM issuers WHERE name = 'test issuer'),
			shard, '\x', '{x}', '\x') RETURNING serial $$;
SELECT id AS one FROM crl_shards WHERE shard = 1 \gset
UPDATE crl_shards SET due_at = now() + interval '1 day';
SELECT given_certificate(1) AS a, given_certificate(1) AS b, given_certificate(2) AS c, given_certificate(0) AS none \gset
UPDATE certificates SET names = names WHERE false;
SELECT is(count(*), 0::bigint, 'nothing has changed yet') FROM crl_changes;
SELECT certificates_revoke(ARRAY[:'a', :'b', :'c', :'none']::bytea[], 4, 'test');
SELECT is(array_agg(shard ORDER BY shard), '{1,1,2}', 'each revocation is noted with its shard') FROM crl_changes;
SELECT is(crl_schedule(2, 60) + crl_schedule(100, 60) + crl_schedule(100, 60), 3, 'collected once each');
SELECT is(array_agg(shard ORDER BY shard), '{1,2}', 'their shards are due after the delay') FROM crl_shards
	WHERE due_at = now() + interval '60 seconds';
SELECT is(changes, 2::bigint, 'and count them') FROM crl_shards WHERE id = :'one';
SELECT certificates_revoke(ARRAY[:'a']::bytea[], 1, 'test');
SELECT is(crl_schedule(100, 600), 1, 'another reason is a change, too');
SELECT is(due_at, now() + interval '60 seconds', 'the sooner moment counts') FROM crl_shards WHERE id = :'one';

-- Due, claimed, published.
SELECT is(count(*), 0::bigint, 'nothing is due now') FROM crl_due(10, 15);
UPDATE crl_shards SET due_at = now() - make_interval(secs => 4 - shard) WHERE shard IN (1, 3);
SELECT is(crl_due(1, 15), :'one', 'due') FROM crl_shards WHERE id = :'one';
SELECT is(count(*), 1::bigint, 'not again at once') FROM crl_due(10, 15);
SELECT is(count(*), 0::bigint, 'claimed by who has the key') FROM crl_claim(:'one', ARRAY[sha256('issuer2')], 30);
SELECT r_number AS number, r_this_update AS this, r_changes AS changes FROM crl_claim(:'one', ARRAY[sha256('issuer2'), sha256('issuer')], 30) \gset
SELECT cmp_ok(abs(:number - extract(epoch FROM clock_timestamp()) * 1000), '<', 5000::numeric, 'its number is of this moment');
SELECT is(:'this'::timestamptz, date_trunc('second', :'this'::timestamptz), 'in whole seconds');
SELECT is(count(*), 0::bigint, 'by one alone') FROM crl_claim(:'one', ARRAY[sha256('issuer')], 30);
SELECT is(array_agg(r_reason ORDER BY r_serial), (SELECT array_agg(reason::integer ORDER BY serial) FROM certificates WHERE serial IN (:'a', :'b')),
	'its entries, in order') FROM crl_entries(:'one', '', :'this', 10);
SELECT is(count(*), 1::bigint, 'page by page') FROM crl_entries(:'one', least(:'a'::bytea, :'b'::bytea), :'this', 10);
SELECT crl_part_store(:'one', :number, 0, 'abc'), crl_part_store(:'one', :number, 1, 'de');
SELECT crl_part_store(:'one', :number + 1, 0, 'x'), crl_part_store(:'one', 0, 0, 'x');
SELECT is(count(*), 2::bigint, 'parts of a number that nobody has are not kept') FROM crl_parts;
CREATE FUNCTION published(shard uuid, number bigint, this timestamptz, size bigint, changes bigint) RETURNS boolean LANGUAGE sql AS $$
	SELECT crl_publish(shard, number, this, this + interval '7 days', 2, size, sha256('abcde'), changes, 3600, 60) $$;
SELECT ok(crl_renew(:'one', :number, 30), 'renewed');
SELECT ok(NOT crl_renew(:'one', :number - 1, 30), 'by its holder');
SELECT ok(published(:'one', :number, :'this', 5, :changes), 'published');
SELECT is(due_at, now() + interval '1 hour', 'due again for a refresh') FROM crl_shards WHERE id = :'one';
SELECT is(count(*), 1::bigint, 'in the audit log') FROM audit_log WHERE action = 'crl.publish' AND object = 'm/1.crl';
SELECT ok(NOT published(:'one', :number, :'this', 5, :changes), 'once');
SELECT is(count(*), 2::bigint, 'which leaves its parts alone') FROM crl_parts;

-- The next one; a part is missing; another comes before it.
UPDATE crl_shards SET due_at = now() WHERE id = :'one';
SELECT r_number AS second, r_this_update AS this2 FROM crl_claim(:'one', ARRAY[sha256('issuer')], 0) \gset
SELECT cmp_ok(:second, '>', :number, 'numbers rise');
SELECT crl_part_store(:'one', :second, 1, 'abcde');
SELECT ok(NOT published(:'one', :second, :'this2', 5, :changes), 'a list with a hole is not published');
UPDATE crl_shards SET due_at = now(), held_until = NULL WHERE id = :'one';
SELECT r_number AS third, r_this_update AS this3 FROM crl_claim(:'one', ARRAY[sha256('issuer')], 30) \gset
SELECT crl_part_store(:'one', :second, 0, 'abcde'), crl_part_store(:'one', :third, 0, 'abcde');
SELECT ok(published(:'one', :third, :'this3', 5, :changes), 'the newer one is');
SELECT ok(NOT published(:'one', :second, :'this2', 5, :changes), 'the older comes too late');
SELECT is(array_agg(p.number), ARRAY[:third]::bigint[], 'only the newest has parts') FROM crl_parts p;
SELECT is(crl_part(:'one', :third, 0), 'abcde'::bytea, 'part by part') ;

-- A database of yesterday.
SELECT crl_overtaken(:'one', :third + 1000);
SELECT is(numbered, (:third + 1000)::bigint, 'what a file shows is believed') FROM crl_shards WHERE id = :'one';
SELECT crl_overtaken(:'one', 9e18::bigint);
SELECT is(numbered, (:third + 1000)::bigint, 'but no far future') FROM crl_shards WHERE id = :'one';

-- Of an issuer that has ended nothing is due.
UPDATE crl_shards SET due_at = now() - interval '1 second', held_until = NULL;
UPDATE issuer_locations SET not_after = now() - interval '1 second';
SELECT is(count(*), 0::bigint, 'an issuer that has ended needs no lists') FROM crl_due(10, 15);

-- What no statement may do.
SELECT throws_ok(format('UPDATE crl_shards SET number = number - 1 WHERE id = %L', :'one'), '23000', NULL, 'numbers do not go back');
SELECT throws_ok(format('UPDATE crl_shards SET url = %L WHERE id = %L', 'http://p.org/z.crl', :'one'), '23000', NULL, 'a list does not move');
SELECT throws_ok(format('UPDATE crl_shards SET sha256 = sha256(%L) WHERE id = %L', 'x', :'one'), '23000', NULL, 'nor change under its number');
SELECT throws_ok('DELETE FROM crl_shards', '23000', NULL, 'nor vanish');
SELECT * FROM finish();
ROLLBACK;
