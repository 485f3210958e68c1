#!/bin/sh
# All tests of the database on one throw-away server. Skipped without PostgreSQL or pgTAP.
set -u
here=$(cd "$(dirname "$0")" && pwd)
if [ -z "${SERVER_LOG:-}" ]; then
	command -v pg_prove >/dev/null || { echo "pg_prove is not installed" >&2; exit 77; }
	exec "$here/server.sh" "$here/run.sh"
fi
status=0
pg_prove --quiet "$here"/*.sql || status=1
prove --quiet "$here/rights.sh" "$here/scripts.sh" "$here/upgrade.sh" || status=1
exit $status
