-- Close an account as revoked by the server (RFC 8555 section 7.1.2), and end all that it has under way:
--   psql -U assay-admin -v account=UUID -v why='…' [-v commit=1] -f account_revoke.sql
-- Its certificates stay as they are: see revoke_by_account.sql. Acts only with commit=1.
\set ON_ERROR_STOP on
SELECT * FROM assay.admin_account(:'account');
\if :{?commit}
	\set act :commit
\else
	\set act 0
\endif
\if :act
	SELECT assay.admin_account_revoke(:'account', :'why') AS closed_now;
\else
	\echo 'Dry run: nothing was changed. Add -v commit=1 to act.'
\endif
