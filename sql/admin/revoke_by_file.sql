-- Revoke the certificates whose serial numbers stand in a file, in hexadecimal, one a line ("#" begins a comment):
--   psql -U assay-admin -v file=LIST -v reason=superseded -v why='…' [-v go=yes -v expect=N] -f revoke_by_file.sql
-- Shows what would be revoked, and how many; acts with -v go=yes -v expect=N, when it is N still.
-- When one of them is unknown or has expired, nothing is revoked.
\set ON_ERROR_STOP on
\set serials `cat :'file'`
\ir revoke_common.psql
