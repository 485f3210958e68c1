\ir given.psql
SELECT plan(19);
SELECT given_account() AS a, given_account() AS b, given_account() AS c \gset
-- Many orders at once: as newOrder would leave them. Every tenth is pending, of an authorization of its own; the others have
-- ended.
CREATE FUNCTION given_many(account uuid, n integer) RETURNS void LANGUAGE sql AS $$
	WITH made AS (
		-- One each millisecond, so that they have an order.
		SELECT (lpad(to_hex((extract(epoch FROM now()) * 1000)::bigint - n + i), 12, '0')
			|| substr(replace(v7()::text, '-', ''), 13))::uuid AS id, v7() AS authz, i FROM generate_series(1, n) i
	), authz AS (
		INSERT INTO authorizations (id, account_id, order_id, expires_at, wildcard, name, secret)
			SELECT m.authz, account, m.id, now() + interval '1 day', false, 'n' || m.i || '.org', sha256('s') FROM made m
			WHERE m.i % 10 = 0
	)
	INSERT INTO orders (id, account_id, expires_at, status, outstanding, profile, names, authz_ids)
		SELECT m.id, account, now() + interval '1 day' - interval '2 days' * sign(m.i % 10), 0, 1, 'default',
			ARRAY['n' || m.i || '.org'], ARRAY[m.authz] FROM made m $$;
CREATE FUNCTION unfinished(account uuid) RETURNS bigint LANGUAGE sql AS $$
	SELECT count(*) FROM orders o WHERE o.account_id = account AND o.status < 3 $$;
SELECT given_many(:'a', 2350);
SELECT given_many(:'b', 150);

-- The list looks at a thousand orders, and goes on where it ended.
SELECT cardinality(ids) AS n, ids[50] AS last, next_before AS next FROM account_orders(:'a', thumb(:'a'), NULL, 50) \gset
SELECT is(:n, 50, 'a full page');
SELECT is(:'next'::uuid, :'last'::uuid, 'the next one begins behind its last');
SELECT cardinality(ids) AS n, next_before AS next FROM account_orders(:'a', thumb(:'a'), NULL, 200) \gset
SELECT is(:n, 100, 'what is left out is looked at within bounds');
CREATE FUNCTION pages(account uuid, page integer) RETURNS TABLE (page_ids uuid[]) LANGUAGE plpgsql AS $$
DECLARE
	v_ids uuid[];
	v_next uuid;
BEGIN
	LOOP
		SELECT ids, next_before INTO v_ids, v_next FROM account_orders(account, thumb(account), v_next, page);
		RETURN QUERY SELECT v_ids;
		EXIT WHEN v_next IS NULL;
	END LOOP;
END $$;
SELECT is(count(DISTINCT i), 235::bigint, 'all pages together are the whole list') FROM pages(:'a', 200) p, unnest(p.page_ids) i;
SELECT is(count(*), 235::bigint, 'each order once') FROM pages(:'a', 7) p, unnest(p.page_ids) i;
SELECT is(next_before, NULL, 'the end is known') FROM account_orders(:'b', thumb(:'b'), NULL, 50);
SELECT is(ids, '{}', 'no orders') FROM account_orders(:'c', thumb(:'c'), NULL, 50);

-- Closing: what one short step can end is ended at once, the rest by the keeper.
SELECT code FROM account_deactivate(:'b', thumb(:'b')) \g /dev/null
SELECT is(unfinished(:'b'), 0::bigint, 'a small account is closed at once');
SELECT is(count(*), 0::bigint, 'and leaves nothing to do') FROM closings;
SELECT code FROM account_deactivate(:'a', thumb(:'a')) \g /dev/null
SELECT is(unfinished(:'a'), 2150::bigint, 'a large one is begun');
SELECT is(closing_sweep(500), 500, 'the keeper goes on');
SELECT is(unfinished(:'a'), 1650::bigint, 'a step at a time');
SELECT closing_sweep(500) FROM generate_series(1, 4) \g /dev/null
SELECT is(unfinished(:'a'), 0::bigint, 'to the end');
SELECT is(count(*), 0::bigint, 'authorizations, too') FROM authorizations WHERE account_id = :'a' AND status = 0;
SELECT is(closing_sweep(500), 0, 'then there is nothing to do');
SELECT is(array_agg(DISTINCT error::jsonb ->> 'detail'), '{The account was deactivated.}', 'every order says why')
	FROM orders WHERE account_id = :'a';

-- An authorization that later orders use.
SELECT id AS o, authz_ids[1] AS z FROM given_order(:'c', 'r.org') \gset
SELECT validated(:'c', o) FROM given_order(:'c', 's.org') o \g /dev/null
SELECT authz_ids[1] AS sz FROM given_order(:'c', 's.org') \gset
INSERT INTO orders (id, account_id, expires_at, status, outstanding, profile, names, authz_ids)
	SELECT v7(), :'c', now() + interval '1 day', 1, 0, 'default', '{s.org}', ARRAY[:'sz'::uuid] FROM generate_series(1, 450);
SELECT code FROM authz_deactivate(:'c', thumb(:'c'), :'sz') \g /dev/null
SELECT is(unfinished(:'c') BETWEEN 200 AND 300, true, 'its newest orders end at once');
SELECT closing_sweep(500) \g /dev/null
SELECT is(unfinished(:'c'), 1::bigint, 'then all of them');
SELECT is(status_of(:'o'), 0, 'but not the neighbour''s');
SELECT * FROM finish();
ROLLBACK;
