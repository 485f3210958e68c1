#!/bin/sh
# The signer and assayctl on a private PostgreSQL, which wants passwords, and a private Redis with the ACL file of assayctl init.
# 77 (skipped) without what that needs.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
top_builddir=$(cd "${top_builddir:-.}" && pwd)
export top_builddir PYTHONDONTWRITEBYTECODE=1
command -v redis-server >/dev/null && command -v redis-cli >/dev/null || { echo "redis-server is not installed" >&2; exit 77; }
for python in /usr/bin/python3 python3; do
	"$python" -c 'import pytest, cryptography, psycopg2' 2>/dev/null && break
	python=""
done
[ -n "$python" ] || { echo "python3 with pytest, cryptography and psycopg2 is not installed" >&2; exit 77; }
hba=$(mktemp "${TMPDIR:-/tmp}/assay-hba.XXXXXX")
trap 'rm -f "$hba"' EXIT
printf 'local all postgres trust\nlocal all all scram-sha-256\n' >"$hba"
chmod 644 "$hba"
status=0
SERVER_OPTIONS="-c hba_file=$hba" sh "$here/../sql/server.sh" "$python" -m pytest -q -p no:cacheprovider "$@" "$here" || status=$?
exit $status
