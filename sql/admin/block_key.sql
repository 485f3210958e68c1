-- Refuse a key from now on, for certificates and accounts alike; certificates with it stay: see revoke_by_key.sql.
--   psql -U assay-admin -v spki_sha256=HEX -v why='…' [-v commit=1] -f block_key.sql
-- Shows the certificates that have it; acts only with commit=1.
\set ON_ERROR_STOP on
SELECT encode(c.serial, 'hex') AS serial, c.account_id, c.names, c.not_after, c.revoked_at, c.reason
	FROM assay.admin_certificates(NULL, NULL, NULL, decode(:'spki_sha256', 'hex')) c;
\if :{?commit}
	\set act :commit
\else
	\set act 0
\endif
\if :act
	SELECT assay.admin_block_key(decode(:'spki_sha256', 'hex'), :'why') AS key_blocked_now;
\else
	\echo 'Dry run: nothing was changed. Add -v commit=1 to act.'
\endif
