-- The last twenty acts that revoked many certificates, and how far they are:  psql -U assay-admin -f revocations.sql
\set ON_ERROR_STOP on
SELECT * FROM assay.admin_acts() \gx
