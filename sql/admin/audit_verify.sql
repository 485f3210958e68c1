-- Check the audit log's hash chain:  psql -U assay-admin [-v after=SEAL] -f audit_verify.sql
-- Prints the first seal that does not fit its rows or its predecessor, or nothing when the chain is whole. Where old
-- partitions were dropped, start after the last seal whose rows are gone.
\set ON_ERROR_STOP on
\if :{?after}
\else
	\set after 0
\endif
SELECT assay.audit_verify(:after) AS first_broken_seal;
