-- Revoke what was issued in a time, by one issuer or of one profile, as you like:
--   psql -U assay-admin -v from='2026-11-20 14:00Z' -v to='2026-11-20 15:30Z' [-v issuer=NAME] [-v profile=NAME]
--       -v reason=superseded -v why='…' [-v go=yes -v expect=N] -f revoke_by_window.sql
-- Shows what would be revoked, and how many; acts with -v go=yes -v expect=N, when it is N still.
-- from is in the window, to is not. The time is that of the record before signing.
\set ON_ERROR_STOP on
SELECT :'from'::timestamptz AS "from", :'to'::timestamptz AS "to" \gset
\ir revoke_common.psql
