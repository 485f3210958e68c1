# shellcheck shell=bash
# bench.sh — ./dev bench: our stack, and Pebble and Caddy where they install, under one load generator in one run.
# ./dev bench ocsp: OCSP responses against a static file from the same nginx.

if [ "${1:-}" = ocsp ]; then
	shift
	# shellcheck source=tools/dev/bench_ocsp.sh
	. "$TOP/tools/dev/bench_ocsp.sh"
	return
fi

seconds=10 connections=8,32 more=64,256 peers=pebble,caddy json=''
while [ $# -gt 0 ]; do
	[ $# -ge 2 ] || fail "bench: $1 wants a value (--seconds, --connections, --more, --peers, --json)"
	case $1 in
	--seconds) seconds=$2 ;;
	--connections) connections=$2 ;;
	--more) more=$2 ;;
	--peers) peers=$2 ;;
	--json) json=$(readlink -m "$2") ;;
	*) fail "bench: unknown option '$1'" ;;
	esac
	shift 2
done

step "packages"
packages "${BUILD_PACKAGES[@]}" "${STACK_PACKAGES[@]}" iproute2 util-linux
[ -z "$peers" ] || packages "${BENCH_PACKAGES[@]}"
step "build"
build release
step "stack"
dir=$(mktemp -d /var/tmp/assay-bench.XXXXXX)
# The load generator answers DNS and http-01 itself.
# Two processes of each handler; one validator and one signer make the larger batches on few cores.
stack_up "$dir" release --parent $$ --workers 1 --resolver 127.0.0.1:5390 --http01-port 5391
trap 'stack_down "$dir" >/dev/null; rm -rf "$dir"' EXIT
trap 'exit 130' INT TERM
step "measuring: $seconds s each"
status=0
/usr/bin/python3 "$TOP/bench/compare.py" --bench "$TOP/build/release/bench/assay-bench" --env "$dir/env" --with "$peers" \
	--connections "$connections" --assay-connections "$more" --seconds "$seconds" ${json:+--json "$json"} || status=$?
[ $status -eq 0 ] || fail "orders failed; the stack's logs were in $dir/log (run ./dev demo to look closer)"
