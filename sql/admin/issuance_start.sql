-- Go on with issuance after issuance_stop.sql; orders that waited are signed within a few seconds.
--   psql -U assay-admin -v why='…' -f issuance_start.sql
-- Without why: shows the state and changes nothing.
\set ON_ERROR_STOP on
SELECT * FROM assay.admin_issuance_status();
\if :{?why}
	SELECT assay.admin_issuance_start(:'why') AS started_now;
\else
	\echo 'Nothing was changed. Add -v why=... to start.'
\endif
