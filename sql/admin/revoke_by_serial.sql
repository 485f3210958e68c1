-- Revoke certificates by serial number (hexadecimal; several separated by commas):
--   psql -U assay-admin -v serial=40… -v reason=superseded -v why='…' [-v go=yes -v expect=1] -f revoke_by_serial.sql
-- Shows what would be revoked, and how many; acts with -v go=yes -v expect=N, when it is N still.
\set ON_ERROR_STOP on
SELECT :'serial' AS serials \gset
\ir revoke_common.psql
