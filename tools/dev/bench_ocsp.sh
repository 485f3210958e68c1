# shellcheck shell=bash
# bench_ocsp.sh — ./dev bench ocsp [--seconds N] [--connections N] [--certificates N] [--json FILE]: OCSP responses a second and
# what each costs the servers, beside a static file of the same size from the same nginx.

options=()
while [ $# -gt 0 ]; do
	[ $# -ge 2 ] || fail "bench ocsp: $1 wants a value (--seconds, --connections, --certificates, --json)"
	case $1 in
	--seconds | --connections | --certificates) options+=("$1" "$2") ;;
	--json) options+=("$1" "$(readlink -m "$2")") ;;
	*) fail "bench ocsp: unknown option '$1'" ;;
	esac
	shift 2
done

step "packages"
packages "${BUILD_PACKAGES[@]}" "${STACK_PACKAGES[@]}" "${OCSP_BENCH_PACKAGES[@]}"
step "build"
build release
step "stack"
dir=$(mktemp -d /var/tmp/assay-bench.XXXXXX)
trap 'rm -rf "$dir"' EXIT
trap 'exit 130' INT TERM
chmod 755 "$dir"
mkdir "$dir/static"
static=14990
cat >"$dir/static.conf" <<EOF
server {
	listen 127.0.0.1:$static backlog=4096;
	root $dir/static;
	default_type application/ocsp-response;
	keepalive_requests 10000;
	server_tokens off;
}
EOF
stack_up "$dir/stack" release --parent $$ --nginx-include "$dir/static.conf" --conf ocsp.live_rate=1000000
trap 'stack_down "$dir/stack" >/dev/null; rm -rf "$dir"' EXIT
step "measuring"
/usr/bin/python3 "$TOP/bench/ocsp.py" --env "$dir/stack/env" --static $static --root "$dir/static" "${options[@]}" ||
	fail "requests were refused; the stack's logs were in $dir/stack/log (run ./dev demo to look closer)"
