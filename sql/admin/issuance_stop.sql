-- Stop all issuance: nothing is ordered, finalized or signed until issuance_start.sql, on every machine.
--   psql -U assay-admin -v why='…' -f issuance_stop.sql
-- stopped_now: f when it had been stopped before. The second statement returns when no certificate is in the making any
-- more; still_in_the_making above 0 after 60 seconds: run the script again.
\set ON_ERROR_STOP on
SELECT assay.admin_issuance_stop(:'why') AS stopped_now;
SELECT assay.admin_issuance_drain(60) AS still_in_the_making;
