-- The roles: one for each program, named like its Unix user; the owner of everything; the operators' one. Run first,
-- as a superuser, in the database; may be repeated. Passwords, where peer authentication is not used, are set by the
-- operator (ALTER ROLE ... PASSWORD).
DO $$
DECLARE
	v_role text;
	v_granted text;
BEGIN
	FOREACH v_role IN ARRAY ARRAY['assay-owner', 'assay-directory', 'assay-account', 'assay-order', 'assay-ocsp',
		'assay-validator', 'assay-signer', 'assay-ocsp-signer', 'assay-keeper', 'assay-admin']
	LOOP
		IF NOT EXISTS (SELECT FROM pg_roles r WHERE r.rolname = v_role) THEN
			EXECUTE format('CREATE ROLE %I', v_role);
		END IF;
		-- NOINHERIT and no memberships: a role is what grants.sql gives it, and nothing else.
		FOR v_granted IN SELECT g.rolname FROM pg_auth_members m JOIN pg_roles g ON g.oid = m.roleid
			JOIN pg_roles r ON r.oid = m.member WHERE r.rolname = v_role
		LOOP
			EXECUTE format('REVOKE %I FROM %I', v_granted, v_role);
		END LOOP;
		EXECUTE format('ALTER ROLE %I NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION NOBYPASSRLS NOINHERIT %s', v_role,
			CASE v_role WHEN 'assay-owner' THEN 'NOLOGIN' ELSE 'LOGIN' END);
		EXECUTE format('ALTER ROLE %I SET search_path = pg_catalog, assay', v_role);
		CONTINUE WHEN v_role = 'assay-owner';

		EXECUTE format('ALTER ROLE %I SET statement_timeout = %L', v_role,
			CASE v_role WHEN 'assay-keeper' THEN '5min' WHEN 'assay-admin' THEN '30min' ELSE '10s' END);
		EXECUTE format('ALTER ROLE %I SET lock_timeout = %L', v_role, '3s');
		EXECUTE format('ALTER ROLE %I SET idle_in_transaction_session_timeout = %L', v_role, '10s');
		EXECUTE format('ALTER ROLE %I SET synchronous_commit = on', v_role);
		-- A newer plan is never better here: every access is by key, and planning costs more than running.
		-- Tables that were empty when a plan was made must not leave a scan of the whole table behind, nor (materialize,
		-- memoize) one of all rows of an account.
		CONTINUE WHEN v_role = 'assay-admin';
		EXECUTE format('ALTER ROLE %I SET plan_cache_mode = force_generic_plan', v_role);
		EXECUTE format('ALTER ROLE %I SET enable_seqscan = off', v_role);
		EXECUTE format('ALTER ROLE %I SET enable_hashjoin = off', v_role);
		EXECUTE format('ALTER ROLE %I SET enable_mergejoin = off', v_role);
		EXECUTE format('ALTER ROLE %I SET enable_material = off', v_role);
		EXECUTE format('ALTER ROLE %I SET enable_memoize = off', v_role);
		EXECUTE format('ALTER ROLE %I SET jit = off', v_role);
	END LOOP;

	-- No temporary tables: nobody can put a table of his own in front of ours.
	EXECUTE format('REVOKE ALL ON DATABASE %I FROM PUBLIC', current_database());
	EXECUTE format('GRANT CONNECT ON DATABASE %I TO "assay-directory", "assay-account", "assay-order", "assay-ocsp", '
		'"assay-validator", "assay-signer", "assay-ocsp-signer", "assay-keeper", "assay-admin"', current_database());
	REVOKE ALL ON SCHEMA public FROM PUBLIC;
	-- Large objects are open to everyone by default, and would be a place to fill the disk from.
	REVOKE EXECUTE ON FUNCTION lo_create(oid), lo_creat(integer), lo_from_bytea(oid, bytea), lo_put(oid, bigint, bytea),
		lowrite(integer, bytea) FROM PUBLIC;
	CREATE SCHEMA IF NOT EXISTS assay AUTHORIZATION "assay-owner";
	REVOKE ALL ON SCHEMA assay FROM PUBLIC;
	GRANT USAGE ON SCHEMA assay TO "assay-directory", "assay-account", "assay-order", "assay-ocsp", "assay-validator",
		"assay-signer", "assay-ocsp-signer", "assay-keeper", "assay-admin";
	ALTER DEFAULT PRIVILEGES FOR ROLE "assay-owner" REVOKE EXECUTE ON FUNCTIONS FROM PUBLIC;
	ALTER DEFAULT PRIVILEGES FOR ROLE "assay-owner" REVOKE USAGE ON TYPES FROM PUBLIC;

	CREATE TABLE IF NOT EXISTS assay.migrations (
		name text PRIMARY KEY,
		applied_at timestamptz NOT NULL DEFAULT now(),
		sha256 bytea NOT NULL
	);
	ALTER TABLE assay.migrations OWNER TO "assay-owner";
END $$;
