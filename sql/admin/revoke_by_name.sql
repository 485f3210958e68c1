-- Revoke all unexpired certificates with a name in them, exactly as it stands there ("*.example.org" is a name):
--   psql -U assay-admin -v name=example.org -v reason=superseded -v why='…' [-v go=yes -v expect=N] -f revoke_by_name.sql
-- Shows what would be revoked, and how many; acts with -v go=yes -v expect=N, when it is N still.
-- May be narrowed with account, from, to, issuer and profile.
\set ON_ERROR_STOP on
SELECT :'name' AS name \gset
\ir revoke_common.psql
