-- Let a key be used again that was blocked by mistake. Certificates that were revoked stay revoked.
--   psql -U assay-admin -v spki_sha256=HEX -v why='…' [-v go=yes] -f unblock_key.sql
-- Shows since when, by whom and why it is blocked. A key that was reported compromised must stay (BR 6.1.1.3).
\set ON_ERROR_STOP on
\if :{?go}
\else
	\set go no
\endif
SELECT * FROM assay.admin_blocked_key(decode(:'spki_sha256', 'hex'));
\if :go
	SELECT assay.admin_unblock_key(decode(:'spki_sha256', 'hex'), :'why') AS key_unblocked_now;
\else
	\echo 'Dry run: nothing was changed. To act, add: -v go=yes'
\endif
