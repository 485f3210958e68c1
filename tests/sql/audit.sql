\ir given.psql
SELECT plan(13);
-- One transaction cannot see its own rows as final, so the rows of earlier ones are made here.
SELECT audit_seal(1000000);
INSERT INTO audit_log (action, object) VALUES ('test', 'mine');
SELECT is(audit_seal(100), 0, 'what is not final is not sealed');
SELECT is(audit_verify(), NULL, 'the chain is whole');

-- From here on in a chain of our own, below every row there is.
ALTER TABLE audit_seals DISABLE TRIGGER USER;
ALTER TABLE audit_log DISABLE TRIGGER USER;
DELETE FROM audit_seals;
DELETE FROM audit_log;
INSERT INTO audit_log (xid, action, object, detail) SELECT (100 + i / 2)::text::xid8, 'test', i::text, NULL FROM generate_series(0, 9) i;
ALTER TABLE audit_log ENABLE TRIGGER USER;
ALTER TABLE audit_seals ENABLE TRIGGER USER;
SELECT is(audit_seal(3), 2, 'a transaction is never split');
SELECT is(audit_seal(1), 2, 'not even one larger than the limit');
SELECT is(audit_seal(100), 6, 'the rest');
SELECT is(audit_seal(100), 0, 'all is sealed');
SELECT is(array_agg(entries ORDER BY seal), '{2,2,6}', 'three seals') FROM audit_seals;
SELECT is(audit_verify(), NULL, 'the chain is whole');
SELECT throws_ok('UPDATE audit_log SET detail = ''x''', '23000', NULL, 'no row is changed');
SELECT throws_ok('DELETE FROM audit_seals', '23000', NULL, 'no seal is deleted');
SAVEPOINT s;
ALTER TABLE audit_log DISABLE TRIGGER USER;
UPDATE audit_log SET detail = 'forged' WHERE object = '5';
SELECT is(audit_verify(), 3::bigint, 'whoever does it all the same is found out');
ROLLBACK TO s;
ALTER TABLE audit_log DISABLE TRIGGER USER;
INSERT INTO audit_log (xid, action, object) VALUES ('101', 'test', 'forged');
SELECT is(audit_verify(), 2::bigint, 'an added row, too');
ROLLBACK TO s;
ALTER TABLE audit_seals DISABLE TRIGGER USER;
DELETE FROM audit_seals WHERE seal = 2;
SELECT is(audit_verify(), 3::bigint, 'a missing seal, too');
SELECT * FROM finish();
ROLLBACK;
