#!/bin/sh
# A throw-away PostgreSQL: server.sh COMMAND [ARGUMENT ...] runs the command with PGHOST, PGUSER (a superuser) and PGDATABASE
# set, a database to which sql/apply.sh was applied twice, and takes everything away again. 77 without PostgreSQL.
set -eu
top=$(cd "$(dirname "$0")/../.." && pwd)
bin=$(for d in /usr/lib/postgresql/*/bin "$(pg_config --bindir 2>/dev/null || true)"; do
	[ -x "$d/initdb" ] && echo "$d"; done | sort -V | tail -n 1)
if [ -z "$bin" ] || ! command -v psql >/dev/null; then
	echo "PostgreSQL is not installed" >&2
	exit 77
fi

# PostgreSQL refuses to run as root.
as=""
[ "$(id -u)" -ne 0 ] || as="runuser -u nobody --"
dir=$(mktemp -d "${TMPDIR:-/tmp}/assay-sql.XXXXXX")
[ -z "$as" ] || chown nobody "$dir"
chmod 755 "$dir"
# shellcheck disable=SC2317 # called by the trap
stop() {
	(cd / && $as "$bin/pg_ctl" -D "$dir/data" -m immediate -w stop >/dev/null 2>&1) || true
	rm -rf "$dir"
}
trap stop EXIT
trap 'exit 1' HUP INT TERM

(cd / && $as "$bin/initdb" -D "$dir/data" -U postgres -A trust -E UTF8 --locale=C --no-sync >"$dir/initdb.log") ||
	{ cat "$dir/initdb.log" >&2; exit 1; }
(cd / && $as "$bin/pg_ctl" -D "$dir/data" -w -l "$dir/log" -o "-k $dir -c listen_addresses='' -c max_connections=200 \
	-c deadlock_timeout=200ms -c log_lock_waits=on ${SERVER_OPTIONS:-}" start >/dev/null) || { cat "$dir/log" >&2; exit 1; }

export PGHOST="$dir" PGUSER=postgres PGDATABASE=assay SERVER_LOG="$dir/log"
psql -X -q -d postgres -c 'CREATE DATABASE assay'
"$top/sql/apply.sh"
"$top/sql/apply.sh"
status=0
"$@" || status=$?
exit $status
