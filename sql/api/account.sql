-- The account resource, for assay-account; account_key for assay-order, too. lib/store/account.h is the contract.

-- First in every call for a client: is this still the account's key? 0, 1 unknown, 2 deactivated, 3 key changed.
-- Not callable by programs.
CREATE OR REPLACE FUNCTION account_code(p_account uuid, p_thumbprint bytea) RETURNS integer
LANGUAGE plpgsql STABLE AS $$
BEGIN
	RETURN coalesce((SELECT CASE WHEN a.status <> 0 THEN 2 WHEN a.thumbprint <> p_thumbprint THEN 3 ELSE 0 END
		FROM accounts a WHERE a.id = p_account), 1);
END $$;

CREATE OR REPLACE FUNCTION account_row(p_id uuid, p_created boolean) RETURNS account_answer
LANGUAGE plpgsql STABLE AS $$
DECLARE
	r account_answer;
BEGIN
	SELECT 0, a.id, a.status, a.terms_agreed, a.created_at, a.jwk, a.contacts, p_created INTO r
		FROM accounts a WHERE a.id = p_id;
	RETURN r;
END $$;

CREATE OR REPLACE FUNCTION account_key(p_id uuid, OUT code integer, OUT jwk text)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, assay, pg_temp AS $$
BEGIN
	SELECT CASE a.status WHEN 0 THEN 0 ELSE 2 END, a.jwk INTO code, jwk FROM accounts a WHERE a.id = p_id;
	code := coalesce(code, 1);
END $$;

-- The thumbprint's UNIQUE decides the race of two newAccounts: the loser finds the winner's row.
CREATE OR REPLACE FUNCTION account_new(p_id uuid, p_thumbprint bytea, p_jwk text, p_spki_sha256 bytea, p_contacts text[],
	p_terms_agreed boolean, p_only_existing boolean) RETURNS account_answer
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, assay, pg_temp AS $$
DECLARE
	r account_answer;
	v_id uuid;
BEGIN
	SELECT a.id INTO v_id FROM accounts a WHERE a.thumbprint = p_thumbprint;
	IF NOT FOUND THEN
		IF p_only_existing THEN
			r.code := 1;
			RETURN r;
		END IF;
		IF EXISTS (SELECT FROM blocked_keys b WHERE b.spki_sha256 = p_spki_sha256) THEN
			r.code := 8;
			RETURN r;
		END IF;
		INSERT INTO accounts (id, terms_agreed, thumbprint, jwk, contacts)
			VALUES (p_id, p_terms_agreed, p_thumbprint, p_jwk, coalesce(p_contacts, '{}'))
			ON CONFLICT (thumbprint) DO NOTHING;
		IF FOUND THEN
			INSERT INTO audit_log (action, object, detail)
				VALUES ('account.new', p_id::text, encode(p_thumbprint, 'hex'));
			RETURN account_row(p_id, true);
		END IF;
		SELECT a.id INTO v_id FROM accounts a WHERE a.thumbprint = p_thumbprint;
	END IF;
	r := account_row(v_id, false);
	IF r.status <> 0 THEN
		r.code := 2;
	END IF;
	RETURN r;
END $$;

CREATE OR REPLACE FUNCTION account_get(p_id uuid, p_thumbprint bytea) RETURNS account_answer
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, assay, pg_temp AS $$
DECLARE
	r account_answer;
BEGIN
	r.code := account_code(p_id, p_thumbprint);
	IF r.code <> 0 THEN
		RETURN r;
	END IF;
	RETURN account_row(p_id, false);
END $$;

-- Contacts NULL: left as they are. Terms once agreed stay agreed.
CREATE OR REPLACE FUNCTION account_update(p_id uuid, p_thumbprint bytea, p_contacts text[], p_terms_agreed boolean)
RETURNS account_answer
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, assay, pg_temp AS $$
DECLARE
	r account_answer;
BEGIN
	r.code := account_code(p_id, p_thumbprint);
	IF r.code <> 0 THEN
		RETURN r;
	END IF;
	UPDATE accounts a SET contacts = coalesce(p_contacts, a.contacts), terms_agreed = a.terms_agreed OR p_terms_agreed
		WHERE a.id = p_id AND a.status = 0;
	INSERT INTO audit_log (action, object, detail)
		VALUES ('account.update', p_id::text, array_to_string(p_contacts, ' '));
	RETURN account_row(p_id, false);
END $$;

-- Closes a valid account and everything unfinished that it has (RFC 8555 section 7.3.6), at once or, of very much, bit by
-- bit: no order lives for more than 90 days before it is finished. What it might have reused is never asked for again,
-- and goes with the sweep of what has expired. Not callable by programs; false when somebody else was first.
CREATE OR REPLACE FUNCTION account_close(p_id uuid, p_status smallint, p_action text) RETURNS boolean
LANGUAGE plpgsql AS $$
BEGIN
	UPDATE accounts a SET status = p_status, closed_at = now() WHERE a.id = p_id AND a.status = 0;
	IF NOT FOUND THEN
		RETURN false;
	END IF;
	PERFORM closing_begin(p_id, NULL, partition_bound('uuid', now() - interval '91 days')::uuid,
		problem('unauthorized', 403, 'The account was deactivated.'));
	INSERT INTO audit_log (action, object) VALUES (p_action, p_id::text);
	RETURN true;
END $$;

CREATE OR REPLACE FUNCTION account_deactivate(p_id uuid, p_thumbprint bytea) RETURNS account_answer
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, assay, pg_temp AS $$
DECLARE
	r account_answer;
BEGIN
	r.code := account_code(p_id, p_thumbprint);
	IF r.code <> 0 THEN
		RETURN r;
	END IF;
	IF NOT account_close(p_id, 1::smallint, 'account.deactivate') THEN
		r.code := 2;
		RETURN r;
	END IF;
	RETURN account_row(p_id, false);
END $$;

-- keyChange (RFC 8555 section 7.3.5): UNIQUE (thumbprint) decides a race; the loser is told whose key it is (id).
CREATE OR REPLACE FUNCTION account_rekey(p_id uuid, p_thumbprint bytea, p_new_thumbprint bytea, p_new_jwk text,
	p_new_spki_sha256 bytea) RETURNS account_answer
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, assay, pg_temp AS $$
DECLARE
	r account_answer;
BEGIN
	r.code := account_code(p_id, p_thumbprint);
	IF r.code <> 0 THEN
		RETURN r;
	END IF;
	IF EXISTS (SELECT FROM blocked_keys b WHERE b.spki_sha256 = p_new_spki_sha256) THEN
		r.code := 8;
		RETURN r;
	END IF;
	SELECT a.id INTO r.id FROM accounts a WHERE a.thumbprint = p_new_thumbprint;
	IF FOUND THEN
		r.code := 14;
		RETURN r;
	END IF;
	BEGIN
		UPDATE accounts a SET thumbprint = p_new_thumbprint, jwk = p_new_jwk
			WHERE a.id = p_id AND a.status = 0 AND a.thumbprint = p_thumbprint;
	EXCEPTION WHEN unique_violation THEN
		SELECT a.id INTO r.id FROM accounts a WHERE a.thumbprint = p_new_thumbprint;
		r.code := CASE WHEN FOUND THEN 14 ELSE 5 END; -- the winner may have gone on to yet another key
		RETURN r;
	END;
	IF NOT FOUND THEN -- another keyChange or a deactivation came first
		r.code := account_code(p_id, p_thumbprint);
		RETURN r;
	END IF;
	INSERT INTO audit_log (action, object, detail)
		VALUES ('account.rekey', p_id::text, encode(p_new_thumbprint, 'hex'));
	RETURN account_row(p_id, false);
END $$;

-- A page of the orders list, newest first, and where the next one begins (NULL: there is none). What the list leaves out
-- may be much: at most a thousand orders are looked at, so that a page may hold fewer than p_limit, or none, and yet not
-- be the last.
CREATE OR REPLACE FUNCTION account_orders(p_id uuid, p_thumbprint bytea, p_before uuid, p_limit integer,
	OUT code integer, OUT ids uuid[], OUT next_before uuid)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, assay, pg_temp AS $$
DECLARE
	v_seen uuid[];
BEGIN
	code := account_code(p_id, p_thumbprint);
	IF code <> 0 THEN
		RETURN;
	END IF;
	SELECT array_agg(w.id ORDER BY w.id DESC), array_agg(w.id ORDER BY w.id DESC) FILTER (WHERE w.shown)
		INTO v_seen, ids
		FROM (SELECT o.id, o.status <> 4 AND (o.status IN (2, 3) OR o.expires_at > now()) AS shown FROM orders o
			WHERE o.account_id = p_id AND o.id < coalesce(p_before, 'ffffffff-ffff-ffff-ffff-ffffffffffff')
			ORDER BY o.id DESC LIMIT 1000) w;
	IF cardinality(ids) > p_limit THEN
		ids := ids[1:p_limit];
		next_before := ids[p_limit];
	ELSE
		next_before := v_seen[1000];
	END IF;
	ids := coalesce(ids, '{}');
END $$;
