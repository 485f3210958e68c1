# shellcheck shell=bash
# lint.sh — ./dev lint: what ./dev test's part "lint" runs.

[ $# -eq 0 ] || fail "lint: takes no options"
set -- lint
# shellcheck source=/dev/null
. "$TOP/tools/dev/test.sh"
