-- Close an account as revoked by the server (RFC 8555 section 7.1.2), and end all that it has under way:
--   psql -U assay-admin -v account=UUID -v why='…' [-v go=yes] -f account_revoke.sql
-- Its certificates stay as they are: see revoke_by_account.sql. Acts only with go=yes.
\set ON_ERROR_STOP on
SELECT * FROM assay.admin_account(:'account');
\if :{?go}
\else
	\set go no
\endif
\if :go
	SELECT assay.admin_account_revoke(:'account', :'why') AS closed_now;
\else
	\echo 'Dry run: nothing was changed. To act, add: -v go=yes'
\endif
