-- The audit log's hash chain. Writers never wait: rows get their place when their transaction is known to have ended.

-- One row's digest. Lengths are counted in, so that no two rows read the same. Not callable by programs.
CREATE OR REPLACE FUNCTION audit_digest(a audit_log) RETURNS bytea
LANGUAGE sql STABLE AS $$
	SELECT sha256(convert_to(json_build_array(a.xid::text, a.id, extract(epoch FROM a.at), a.actor, a.action, a.object,
		a.detail)::text, 'UTF8'))
$$;

-- The hash of a seal: the one before it, its range, then every row of the range in order. Not callable by programs.
CREATE OR REPLACE FUNCTION audit_hash(p_previous bytea, p_from xid8, p_to xid8, OUT entries integer, OUT hash bytea)
LANGUAGE plpgsql STABLE AS $$
BEGIN
	SELECT count(*), sha256(p_previous || convert_to(p_from::text || '-' || p_to::text, 'UTF8')
			|| coalesce(string_agg(audit_digest(a), ''::bytea ORDER BY a.xid, a.id), ''))
		INTO entries, hash FROM audit_log a WHERE a.xid >= p_from AND a.xid < p_to;
END $$;

-- Every transaction below the horizon has ended, so the rows of a range below it can no longer change. About p_limit
-- rows: a transaction is never split. Returns how many.
CREATE OR REPLACE FUNCTION audit_seal(p_limit integer) RETURNS integer
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, assay, pg_temp AS $$
DECLARE
	v_last audit_seals;
	v_from xid8;
	v_to xid8 := pg_snapshot_xmin(pg_current_snapshot());
	v_cut xid8;
	v_new record;
BEGIN
	IF NOT pg_try_advisory_xact_lock(hashtext('assay.audit_seal')) THEN
		RETURN 0;
	END IF;
	SELECT * INTO v_last FROM audit_seals s ORDER BY s.seal DESC LIMIT 1;
	v_from := coalesce(v_last.to_xid, '0'::xid8);
	IF v_to < v_from THEN
		RAISE EXCEPTION 'assay: transaction ids run behind the audit chain'
			USING HINT = 'After a logical restore, advance them beyond the last seal with pg_resetwal -e -x.';
	END IF;
	SELECT a.xid INTO v_cut FROM audit_log a WHERE a.xid >= v_from AND a.xid < v_to
		ORDER BY a.xid, a.id OFFSET greatest(p_limit, 1) LIMIT 1;
	IF FOUND THEN -- the transaction of the first row too many is left out, unless it is all there is
		IF EXISTS (SELECT FROM audit_log a WHERE a.xid >= v_from AND a.xid < v_cut) THEN
			v_to := v_cut;
		ELSE
			SELECT a.xid INTO v_cut FROM audit_log a WHERE a.xid > v_cut AND a.xid < v_to
				ORDER BY a.xid LIMIT 1;
			v_to := coalesce(v_cut, v_to);
		END IF;
	END IF;
	IF NOT EXISTS (SELECT FROM audit_log a WHERE a.xid >= v_from AND a.xid < v_to) THEN
		RETURN 0;
	END IF;
	SELECT * INTO v_new FROM audit_hash(coalesce(v_last.hash, sha256('')), v_from, v_to);
	INSERT INTO audit_seals (seal, from_xid, to_xid, entries, hash)
		VALUES (coalesce(v_last.seal, 0) + 1, v_from, v_to, v_new.entries, v_new.hash);
	RETURN v_new.entries;
END $$;

-- The first seal that does not fit its rows, or its predecessor; NULL when the chain is whole. Seals whose rows went
-- with a dropped partition are skipped by starting after them.
CREATE OR REPLACE FUNCTION audit_verify(p_after bigint DEFAULT 0) RETURNS bigint
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, assay, pg_temp AS $$
DECLARE
	s audit_seals;
	v_hash bytea;
	v_to xid8;
	v_seal bigint := p_after;
	v_new record;
BEGIN
	SELECT x.hash, x.to_xid INTO v_hash, v_to FROM audit_seals x WHERE x.seal = p_after;
	v_hash := coalesce(v_hash, sha256(''));
	v_to := coalesce(v_to, '0'::xid8);
	FOR s IN SELECT * FROM audit_seals x WHERE x.seal > p_after ORDER BY x.seal LOOP
		v_seal := v_seal + 1;
		SELECT * INTO v_new FROM audit_hash(v_hash, s.from_xid, s.to_xid);
		IF s.seal <> v_seal OR s.from_xid <> v_to OR s.entries <> v_new.entries OR s.hash <> v_new.hash THEN
			RETURN s.seal;
		END IF;
		v_hash := s.hash;
		v_to := s.to_xid;
	END LOOP;
	RETURN NULL;
END $$;
