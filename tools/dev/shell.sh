# shellcheck shell=bash
# shell.sh — ./dev shell [--dir FOLDER]: a shell with a running stack's variables.

dir=''
if [ "${1:-}" = --dir ] && [ $# -ge 2 ]; then
	dir=$(readlink -m "$2")
	shift 2
fi
[ $# -eq 0 ] || fail "shell: unknown option '$1'; ./dev help lists them"
[ -n "$dir" ] || dir=$(cat "$DEMO_RECORD" 2>/dev/null) || fail "no demo is known: name its folder with --dir"
[ -f "$dir/env" ] || fail "$dir: no stack runs here"
set -a
# shellcheck source=/dev/null
. "$dir/env"
set +a
info "ACME_DIRECTORY=$ACME_DIRECTORY; psql \"\$DATABASE_URL\"; redis-cli -s \"\$REDIS_SOCKET\"; exit leaves"
exec "${SHELL:-/bin/bash}" -i
