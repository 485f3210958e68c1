\ir given.psql
SELECT plan(21);

SELECT is(partition_bound('uuid', '2026-11-21 00:00Z'), '01a1fb67-1800-0000-0000-000000000000', 'a UUIDv7 bound');
SELECT is(partition_bound('serial', '2026-11-21 00:00Z'), '\x406b00df00', 'a serial bound');
SELECT is(partition_bound('time', '2026-11-21 00:00Z'), '2026-11-21 00:00:00+00', 'a time bound');
SELECT ok(abs(extract(epoch FROM uuid_at(v7()) - clock_timestamp())) < 1, 'a UUIDv7 tells its time');

SELECT is(count(*), 0::bigint, 'there is no DEFAULT partition') FROM pg_partitioned_table WHERE partdefid <> 0;
SELECT cmp_ok(min(reach), '>=', now() + interval '14 days', 'every table reaches two weeks ahead')
	FROM (SELECT max(upper_at) AS reach FROM partition_ranges GROUP BY parent) x;
SELECT is(count(*), 0::bigint, 'ranges have no gaps') FROM (SELECT lower_at, lag(upper_at) OVER (PARTITION BY parent ORDER BY lower_at)
	AS before FROM partition_ranges) x WHERE before <> lower_at;
SELECT throws_ok(format('INSERT INTO orders (id, account_id, expires_at, status, outstanding, profile, names, authz_ids) '
	'VALUES (%L, %L, now(), 0, 1, %L, %L, %L)', '00000000-0000-7000-8000-000000000000', v7(), 'd', '{x}', ARRAY[v7()]),
	'23514', NULL, 'a row outside is an error');

INSERT INTO reusable_authorizations VALUES (v7(), 'gone.org', v7(), now() - interval '1 s'), (v7(), 'here.org', v7(), now() + interval '1 s');
SELECT cmp_ok(partitions(90, NULL), '>', 0, 'more are made ahead');
SELECT is(array_agg(name), '{here.org}', 'hints that have run out are forgotten') FROM reusable_authorizations;
SELECT is(partitions(90, NULL), 0, 'once');

-- A partition of long ago, with a finished order in it.
SET LOCAL ROLE "assay-owner";
SELECT assay.partition_create(p, '2020-01-01Z', '2020-01-29Z') FROM unnest('{orders,authorizations,validations,certificates,ocsp_responses,audit_log}'::text[]) p;
RESET ROLE;
INSERT INTO orders (id, account_id, expires_at, status, outstanding, profile, names, authz_ids)
	VALUES ('016f6000-0000-7000-8000-000000000000', v7(), now() - interval '1 day', 0, 1, 'd', '{x}', ARRAY[v7()]);
INSERT INTO serials VALUES ('\x405e0f0000' || substr(sha256('x'), 1, 13), v7());
INSERT INTO certificates (serial, order_id, account_id, not_before, not_after, issuer, spki_sha256, names, tbs)
	VALUES ('\x405e0f0000' || substr(sha256('x'), 1, 13), v7(), v7(), '2020-01-02Z', now() + interval '1 h', 1, '\x', '{x}', '\x');
SELECT is(partitions(1, 400 * 86400), 0, 'nothing goes while a certificate of then is unexpired');
ALTER TABLE certificates DISABLE TRIGGER certificates_fixed;
UPDATE certificates SET not_after = now() - interval '10 days' WHERE serial < '\x4060';
SELECT is(partitions(1, 400 * 86400), 0, 'nor while a revocation list may not have shown it expired');
UPDATE certificates SET not_after = now() - interval '12 days' WHERE serial < '\x4060';
ALTER TABLE certificates ENABLE TRIGGER certificates_fixed;
ALTER TABLE orders DISABLE TRIGGER orders_fixed;
UPDATE orders SET expires_at = now() + interval '1 h' WHERE id < '01700000-0000-0000-0000-000000000000';
SELECT is(partitions(1, 400 * 86400), 5, 'all that are over go');
SELECT is(to_regclass('assay.orders_20200101') IS NULL, false, 'but not one with an unfinished order');
SELECT is(to_regclass('assay.certificates_20200101'), NULL, 'the certificates are gone');
SELECT is(count(*), 0::bigint, 'with their serials') FROM serials WHERE serial < '\x4060';
UPDATE orders SET expires_at = now() - interval '1 h' WHERE id < '01700000-0000-0000-0000-000000000000';
SELECT is(partitions(1, 400 * 86400), 1, 'it goes when it has ended');
SELECT is(count(*), 0::bigint, 'and is forgotten') FROM partition_ranges WHERE lower_at < '2021-01-01Z';
SELECT is(count(*), 6::bigint, 'each is in the audit log') FROM audit_log WHERE action = 'partition.drop';
SELECT is(partitions(1, 1), 0, 'with any retention, what is now stays');
SELECT * FROM finish();
ROLLBACK;
