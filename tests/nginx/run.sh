#!/bin/sh
# The installed nginx configuration by itself: limits by client. 77 (skipped) without what that needs.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
export PYTHONDONTWRITEBYTECODE=1
command -v nginx >/dev/null || { echo "nginx is not installed" >&2; exit 77; }
for python in /usr/bin/python3 python3; do
	"$python" -c 'import pytest' 2>/dev/null && break
	python=""
done
[ -n "$python" ] || { echo "python3 with pytest is not installed" >&2; exit 77; }
exec "$python" -m pytest -q -p no:cacheprovider "$@" "$here"
