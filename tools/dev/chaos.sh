# shellcheck shell=bash
# chaos.sh — ./dev chaos: kills, outages and losses on a stack of its own while orders run; tests/chaos says what must hold.

minutes='' dir='' options=()
while [ $# -gt 0 ]; do
	[ $# -ge 2 ] || fail "chaos: $1 wants a value (--minutes, --experiment, --orders, --rate, --threads, --seed,
		--slowest, --json, --dir)"
	case $1 in
	--minutes) minutes=$2 ;;
	--dir) dir=$(readlink -m "$2") ;;
	--json) options+=("$1" "$(readlink -m "$2")") ;;
	--experiment | --orders | --rate | --threads | --seed | --slowest) options+=("$1" "$2") ;;
	*) fail "chaos: unknown option '$1'" ;;
	esac
	shift 2
done
[ -z "$minutes" ] || options+=(--minutes "$minutes")

step "packages"
packages "${BUILD_PACKAGES[@]}" "${STACK_PACKAGES[@]}" "${TEST_PACKAGES[@]}"
step "build"
build release
step "stack"
[ -n "$dir" ] || dir=$(mktemp -d /var/tmp/assay-chaos.XXXXXX)
stack_up "$dir" release --parent $$ --conf validation.retry_pause=1s
trap 'stack_down "$dir" >/dev/null' EXIT
trap 'exit 130' INT TERM
step "chaos"
/usr/bin/python3 "$TOP/tests/chaos/run.py" --env "$dir/env" "${options[@]}" ||
	fail "a rule was broken; the programs' logs: $dir/log"
stack_down "$dir" >/dev/null
trap - EXIT
rm -rf "$dir"
