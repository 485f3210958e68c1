-- Refuse a key from now on, for certificates and for accounts (newAccount, keyChange); certificates that have it stay: see
-- revoke_by_key.sql.
--   psql -U assay-admin -v spki_sha256=HEX -v why='…' [-v go=yes] -f block_key.sql
-- Shows whether it is blocked already, and the certificates that have it.
\set ON_ERROR_STOP on
\if :{?go}
\else
	\set go no
\endif
SELECT * FROM assay.admin_blocked_key(decode(:'spki_sha256', 'hex'));
SELECT encode(s.serial, 'hex') AS serial, s.account_id, s.names, s.not_after, s.revoked_at, s.reason
	FROM assay.admin_sample(NULL, NULL, NULL, decode(:'spki_sha256', 'hex'), NULL, NULL, NULL, NULL, 10) s;
\if :go
	SELECT assay.admin_block_key(decode(:'spki_sha256', 'hex'), :'why') AS key_blocked_now;
\else
	\echo 'Dry run: nothing was changed. To act, add: -v go=yes'
\endif
