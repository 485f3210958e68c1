-- A certificate key is known to others: revoke all unexpired certificates with it (keyCompromise) and refuse it from now on:
--   psql -U assay-admin -v spki_sha256=HEX -v why='…' [-v commit=1] -f revoke_by_key.sql
-- Shows what would be revoked; acts only with commit=1.
\set ON_ERROR_STOP on
\set reason 1
SELECT '' AS serials, '' AS account, '' AS name, decode(:'spki_sha256', 'hex') AS spki \gset
\ir revoke_common.psql
\if :act
	SELECT assay.admin_block_key(:'spki'::bytea, :'why') AS key_blocked_now;
\endif
