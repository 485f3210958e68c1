\ir given.psql
SELECT plan(41);
SELECT v7() AS file, v7() AS o1, v7() AS a1, new_serial() AS s1, new_serial() AS s2, new_serial() AS s3, new_serial() AS s4,
	'\x4000000001' || substr(new_serial(), 6) AS ancient \gset

-- As the signer's journal tells it.
CREATE FUNCTION retold(s bytea, issuer text DEFAULT 'issuer', settled integer DEFAULT 1, not_after timestamptz DEFAULT now() + interval '90 days',
	kind integer DEFAULT 0) RETURNS SETOF integer LANGUAGE sql AS $$
	SELECT r_outcome FROM journal_restore('00000000-0000-7000-8000-000000000001', '{99}', ARRAY[kind], ARRAY[settled], ARRAY[s],
		ARRAY[v7()], ARRAY[v7()], ARRAY[sha256(issuer::bytea)], '{0}', ARRAY[sha256('key')], ARRAY[now() - interval '1 day'],
		ARRAY[not_after], '{"*.x.org x.org"}', ARRAY[tbs_of(s)]) $$;

SELECT is(journal_position(:'file'), 0::bigint, 'a file that nobody has heard of');
SELECT journal_reached(:'file', 'assay-signer', 'here', 500);
SELECT journal_reached(:'file', 'assay-signer', 'here', 300);
SELECT is(journal_position(:'file'), 500::bigint, 'a position never goes back');

SELECT is(ARRAY(SELECT journal_unknown(ARRAY[:'s1'::bytea, :'s2'::bytea])), ARRAY[:'s1'::bytea, :'s2'::bytea], 'nothing is known');
SELECT is(retold(:'s1'), 0, 'a forgotten certificate is restored');
SELECT is(retold(:'s1'), 4, 'once');
SELECT is(ARRAY(SELECT journal_unknown(ARRAY[:'s1'::bytea, :'s2'::bytea])), ARRAY[:'s2'::bytea], 'now it is known');
SELECT ok(names = '{*.x.org,x.org}' AND tbs = tbs_of(serial) AND der IS NULL AND revoked_at IS NULL, 'with names and TBS, and not revoked')
	FROM certificates WHERE serial = :'s1';
SELECT is(count(*), 1::bigint, 'listed for the operator') FROM admin_forgotten() WHERE serial = :'s1' AND seen_at IS NULL;
SELECT is(count(*), 1::bigint, 'and in the audit log') FROM audit_log WHERE action = 'certificate.restore' AND object = encode(:'s1', 'hex');
SELECT ok(certificate_revoke(:'s1', 4, 'test'), 'it may be revoked');
SELECT is(r_forgotten, 1::bigint, 'until it is seen') FROM admin_journal();
SELECT is(admin_forgotten_seen(), 1, 'seen');
SELECT is(r_forgotten, 0::bigint, 'no alarm any more') FROM admin_journal();

SELECT is(retold(:'s2', settled => 0), 1, 'what was perhaps never signed');
SELECT ok(c.reason = 4 AND s.burnt_at IS NOT NULL, 'counts as superseded') FROM certificates c JOIN serials s USING (serial) WHERE serial = :'s2';
SELECT is(count(*), 0::bigint, 'without an alarm') FROM forgotten_certificates WHERE serial = :'s2';
SELECT is(retold(:'s3', not_after => now() - interval '2 days'), 2, 'what has expired is left out');
SELECT is(retold(:'ancient'), 2, 'also when its partition is long gone');
SELECT is(retold(:'s3', issuer => 'stranger'), 3, 'an issuer must be registered');
SELECT is(count(*), 0::bigint, 'or nothing is taken') FROM serials WHERE serial = :'s3';
SELECT is(retold(:'s3', kind => 1), 5, 'a responder''s number');
SELECT is(count(*), 1::bigint, 'is taken') FROM serials WHERE serial = :'s3';
SELECT is(count(*), 0::bigint, 'and no more') FROM certificates WHERE serial = :'s3';

-- An order of the backup that is finished again does not burn what its first certificate took.
SELECT given_account() AS a \gset
SELECT id AS o FROM given_processing(:'a', 'x.org') \gset
SELECT new_serial() AS t1, new_serial() AS t2 \gset
SELECT is(r_outcome, 0, 'restored, of an order that is known') FROM journal_restore(:'file', '{1}', '{0}', '{1}', ARRAY[:'t1'::bytea],
	ARRAY[:'o'::uuid], ARRAY[:'a'::uuid], ARRAY[sha256('issuer')], '{0}', ARRAY[sha256('key')], ARRAY[now()],
	ARRAY[now() + interval '9 days'], '{x.org}', ARRAY[tbs_of(:'t1')]);
SELECT is(taken(:'o', 0), 1, 'the order goes on');
SELECT is(taken(:'o', 0), 2, 'and on');
SELECT is(reserved(:'o', 2, :'t2'), :'o', 'with another number');
SELECT ok(revoked_at IS NULL, 'the first one is still good') FROM certificates WHERE serial = :'t1';

-- Revocations, as the keeper's journal tells them.
SELECT is(count(*), 1::bigint, 'what is missing is told') FROM journal_revoke(ARRAY[:'t1'::bytea], ARRAY[now() - interval '1 hour'], '{5}', false);
SELECT ok(revoked_at IS NULL, 'and nothing done, if not asked') FROM certificates WHERE serial = :'t1';
SELECT is(count(*), 2::bigint, 'done, and then known better') FROM journal_revoke(ARRAY[:'t1'::bytea, :'t1'],
	ARRAY[now() - interval '1 hour', now()], '{5,1}', true) WHERE r_known;
SELECT ok(reason = 1 AND revoked_at = now() - interval '1 hour', 'with the time and the reason of then') FROM certificates WHERE serial = :'t1';
SELECT is(count(*), 0::bigint, 'once') FROM journal_revoke(ARRAY[:'t1'::bytea], ARRAY[now()], '{1}', true);
SELECT is(count(*), 0::bigint, 'nothing becomes better') FROM journal_revoke(ARRAY[:'t1'::bytea], ARRAY[now()], '{4}', true);
SELECT ok(revocation_journalled(:'t1'), 'and it is not written again');
SELECT is(r_known, false, 'of an unknown certificate') FROM journal_revoke(ARRAY[:'s4'::bytea], ARRAY[now() - interval '2 hours'], '{1}', true);
SELECT retold(:'s4');
SELECT ok(reason = 1 AND revoked_at = now() - interval '2 hours', 'it waits for the certificate') FROM certificates WHERE serial = :'s4';

-- Keys.
SELECT is(count(*), 1::bigint, 'a key') FROM journal_block(ARRAY[sha256('bad')], ARRAY[now()], '{why}', true);
SELECT ok(journalled, 'is blocked again') FROM blocked_keys WHERE spki_sha256 = sha256('bad');

-- The outbox.
SELECT certificate_revoke(:'t2', 4, 'test');
SELECT is(revocation_journalled(:'t2'), false, 'a revocation waits');
SELECT journal_outbox_done(ARRAY(SELECT r_id::text FROM journal_outbox(100)), '{}');
SELECT ok(revocation_journalled(:'t2'), 'until it was written');
SELECT * FROM finish();
ROLLBACK;
