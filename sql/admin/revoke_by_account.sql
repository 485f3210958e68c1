-- Revoke all unexpired certificates of an account (after account_revoke.sql, when it was taken over):
--   psql -U assay-admin -v account=UUID -v reason=superseded -v why='…' [-v go=yes -v expect=N] -f revoke_by_account.sql
-- Shows what would be revoked, and how many; acts with -v go=yes -v expect=N, when it is N still.
-- May be narrowed with from, to, issuer and profile (revoke_by_window.sql).
\set ON_ERROR_STOP on
SELECT :'account'::uuid AS account \gset
\ir revoke_common.psql
