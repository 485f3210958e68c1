-- Ending what a closed account or a deactivated authorization leaves behind, in transactions of bounded length: the first
-- by the request itself, the others by the keeper. Nothing depends on how far it is: a closed account is refused
-- everything, and the signer decides by account and authorizations as they are.

-- One step: of the account's orders from p_oldest to below p_before the newest p_limit. Those that are unfinished, and use
-- the authorization if there is one, end. Returns where the next step begins; NULL: nothing is left. Authorizations before
-- orders: the lock order of all functions. Not callable by programs.
CREATE OR REPLACE FUNCTION closing_step(p_account uuid, p_authz uuid, p_oldest uuid, p_before uuid, p_error text,
	p_limit integer) RETURNS uuid
LANGUAGE plpgsql AS $$
DECLARE
	v_seen uuid[];
	v_orders uuid[];
BEGIN
	SELECT array_agg(w.id ORDER BY w.id DESC),
			array_agg(w.id) FILTER (WHERE CASE WHEN p_authz IS NULL THEN w.status IN (0, 1, 2)
				ELSE w.status IN (0, 1) AND p_authz = ANY (w.authz_ids) END)
		INTO v_seen, v_orders
		FROM (SELECT o.id, o.status, o.authz_ids FROM orders o
			WHERE o.account_id = p_account AND o.id >= p_oldest AND o.id < p_before ORDER BY o.id DESC LIMIT p_limit) w;
	IF p_authz IS NULL THEN
		UPDATE authorizations a SET status = 3, due_at = NULL, held_until = NULL
			FROM (SELECT DISTINCT unnest(o.authz_ids) AS id FROM unnest(v_orders) u(id) JOIN orders o ON o.id = u.id
				ORDER BY 1) x
			WHERE a.id = x.id AND a.status = 0;
	END IF;
	PERFORM orders_fail(v_orders, p_error);
	RETURN CASE WHEN cardinality(v_seen) >= p_limit THEN v_seen[p_limit] END;
END $$;

-- The first step, within the request; what is left is noted. p_oldest: an order from before it cannot be unfinished. Not
-- callable by programs.
CREATE OR REPLACE FUNCTION closing_begin(p_account uuid, p_authz uuid, p_oldest uuid, p_error text) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
	v_next uuid;
BEGIN
	v_next := closing_step(p_account, p_authz, p_oldest, 'ffffffff-ffff-ffff-ffff-ffffffffffff', p_error, 200);
	IF v_next IS NOT NULL THEN
		INSERT INTO closings (account_id, authz_id, oldest, next_before, error)
			VALUES (p_account, p_authz, p_oldest, v_next, p_error);
	END IF;
END $$;

-- The keeper's turn: one step of one closing. Returns how many orders it may have looked at; 0: there is nothing to do.
CREATE OR REPLACE FUNCTION closing_sweep(p_limit integer) RETURNS integer
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, assay, pg_temp AS $$
DECLARE
	v closings;
	v_next uuid;
BEGIN
	SELECT * INTO v FROM closings c ORDER BY c.id LIMIT 1 FOR UPDATE SKIP LOCKED;
	IF NOT FOUND THEN
		RETURN 0;
	END IF;
	v_next := closing_step(v.account_id, v.authz_id, v.oldest, v.next_before, v.error, p_limit);
	IF v_next IS NOT NULL THEN
		UPDATE closings c SET next_before = v_next WHERE c.id = v.id;
	ELSE
		DELETE FROM closings c WHERE c.id = v.id;
	END IF;
	RETURN p_limit;
END $$;
