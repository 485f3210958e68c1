#!/bin/sh
# The FastCGI programs over their sockets, on a private PostgreSQL and Redis. 77 (skipped) without what that needs.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
top_builddir=$(cd "${top_builddir:-.}" && pwd)
export top_builddir PYTHONDONTWRITEBYTECODE=1
export TSAN_OPTIONS="suppressions=$here/tsan.supp ${TSAN_OPTIONS:-}"
command -v redis-server >/dev/null && command -v redis-cli >/dev/null || { echo "redis-server is not installed" >&2; exit 77; }
for python in /usr/bin/python3 python3; do
	"$python" -c 'import pytest, cryptography, psycopg2' 2>/dev/null && break
	python=""
done
[ -n "$python" ] || { echo "python3 with pytest, cryptography and psycopg2 is not installed" >&2; exit 77; }
exec sh "$here/../sql/server.sh" "$python" -m pytest -q -p no:cacheprovider "$@" "$here"
