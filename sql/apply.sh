#!/bin/sh
# Brings a database to this version: roles, migrations that it has not seen, functions, grants. May be repeated, and
# two at once wait for each other. The connection comes from libpq's environment (PGHOST, PGDATABASE …) or one
# conninfo argument; it must be a superuser's. See README.md for the order, if you do it by other means.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
db=${1:-}

run() {
	psql -X -q -v ON_ERROR_STOP=1 ${db:+-d "$db"} "$@"
}

{
	cat <<-EOF
	SET client_min_messages = warning;
	SELECT pg_advisory_lock(hashtext('assay.migrate')) \g /dev/null
	BEGIN;
	\i '$here/roles.sql'
	COMMIT;
	EOF
	for file in "$here"/schema/[0-9][0-9][0-9][0-9]_*.sql; do
		name=$(basename "$file" .sql)
		sum=$(sha256sum "$file" | cut -d' ' -f1)
		cat <<-EOF
		SELECT count(*) = 0 AS missing, count(*) > 0 AND NOT coalesce(bool_or(sha256 = '\\x$sum'), false) AS changed
			FROM assay.migrations WHERE name = '$name' \gset
		\if :changed
			\warn 'apply: $name was changed after it had been applied'
			SELECT 1 / 0;
		\endif
		\if :missing
			BEGIN;
			SET LOCAL ROLE "assay-owner";
			SET LOCAL search_path = assay, pg_catalog;
			\i '$file'
			INSERT INTO migrations (name, sha256) VALUES ('$name', '\\x$sum');
			COMMIT;
		\endif
		EOF
	done
	functions=$(for file in "$here"/api/*.sql; do echo "\\i '$file'"; done)
	cat <<-EOF
	BEGIN;
	CREATE SCHEMA assay_next AUTHORIZATION "assay-owner";
	SET LOCAL ROLE "assay-owner";
	SET LOCAL check_function_bodies = off;
	SET LOCAL search_path = assay_next, assay, pg_catalog;
	$functions
	SET LOCAL search_path = assay, pg_catalog;
	\i '$here/outdated.sql'
	$functions
	\i '$here/grants.sql'
	-- Each installation and update leaves with partitions to write to.
	SELECT partitions(14, NULL);
	RESET ROLE;
	DROP SCHEMA assay_next;
	COMMIT;
	EOF
} | run -o /dev/null -f -
