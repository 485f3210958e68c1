-- Orders and authorizations that have been under way for longer than they should be:
--   psql -U assay-admin [-v older='10 minutes'] -f stuck.sql
\set ON_ERROR_STOP on
\if :{?older}
\else
	\set older '10 minutes'
\endif
SELECT * FROM assay.admin_stuck(:'older');
