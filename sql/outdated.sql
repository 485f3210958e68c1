-- Drops the functions that this version does not define like that any more: CREATE OR REPLACE would leave the old
-- overload callable beside the new one, and refuses other parameter names or results. Run as assay-owner in the
-- transaction of the functions, which were created in schema assay_next first: what is there is what this version has.
-- A function that stays as it is keeps its oid, so that sessions which have prepared it go on. Guards belong to the
-- migrations: what a trigger needs stays.
DO $$
DECLARE
	v_function regprocedure;
BEGIN
	FOR v_function IN
		SELECT p.oid FROM pg_proc p WHERE p.pronamespace = 'assay'::regnamespace
			AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_proc'::regclass AND d.objid = p.oid
				AND d.deptype = 'e')
			AND CASE WHEN EXISTS (SELECT FROM pg_proc n WHERE n.pronamespace = 'assay_next'::regnamespace
					AND n.proname = p.proname AND n.proargtypes = p.proargtypes)
				THEN NOT EXISTS (SELECT FROM pg_proc n WHERE n.pronamespace = 'assay_next'::regnamespace
					AND n.proname = p.proname AND n.proargtypes = p.proargtypes AND n.prokind = p.prokind
					AND n.prorettype = p.prorettype AND n.proretset = p.proretset
					AND n.proallargtypes IS NOT DISTINCT FROM p.proallargtypes
					AND n.proargmodes IS NOT DISTINCT FROM p.proargmodes
					AND n.proargnames IS NOT DISTINCT FROM p.proargnames AND n.pronargdefaults >= p.pronargdefaults)
				ELSE NOT EXISTS (SELECT FROM pg_depend d WHERE d.refclassid = 'pg_proc'::regclass
					AND d.refobjid = p.oid) END
	LOOP
		EXECUTE format('DROP ROUTINE %s', v_function);
	END LOOP;
	FOR v_function IN SELECT p.oid FROM pg_proc p WHERE p.pronamespace = 'assay_next'::regnamespace
	LOOP
		EXECUTE format('DROP ROUTINE %s', v_function);
	END LOOP;
END $$;
