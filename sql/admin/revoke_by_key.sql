-- A certificate's key is known to others: revoke all unexpired certificates with it as keyCompromise, whoever has them,
-- and refuse it from now on:
--   psql -U assay-admin -v spki_sha256=HEX -v why='…' [-v go=yes -v expect=N] -f revoke_by_key.sql
-- Shows what would be revoked, and how many; acts with -v go=yes -v expect=N, when it is N still.
-- The key is refused from that moment, also when N is 0, and what is being issued with it then is revoked by the keeper.
-- SHA-256 of a key: openssl x509 -in CERT -noout -pubkey | openssl pkey -pubin -outform DER | openssl dgst -sha256
\set ON_ERROR_STOP on
SELECT :'spki_sha256' AS spki_sha256 \gset
\set reason keyCompromise
\ir revoke_common.psql
