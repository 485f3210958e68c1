-- What is under way, who is alive, how far partitions reach:  psql -U assay-admin -f status.sql
\set ON_ERROR_STOP on
SELECT * FROM assay.admin_status();
