-- Revoke all unexpired certificates with a name in them, exactly as it stands there ("*.example.org" is a name):
--   psql -U assay-admin -v name=example.org -v reason=4 -v why='…' [-v commit=1] -f revoke_by_name.sql
-- Shows what would be revoked; acts only with commit=1. Reasons: RFC 5280 section 5.3.1.
\set ON_ERROR_STOP on
SELECT '' AS serials, '' AS account, :'name' AS name, '' AS spki \gset
\ir revoke_common.psql
