-- Revoke all unexpired certificates of an account:
--   psql -U assay-admin -v account=UUID -v reason=4 -v why='…' [-v commit=1] -f revoke_by_account.sql
-- Shows what would be revoked; acts only with commit=1. Reasons: RFC 5280 section 5.3.1.
\set ON_ERROR_STOP on
SELECT '' AS serials, :'account'::uuid AS account, '' AS name, '' AS spki \gset
\ir revoke_common.psql
