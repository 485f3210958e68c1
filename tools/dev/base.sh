# shellcheck shell=bash
# base.sh — what every command of ./dev shares: messages, packages, builds, the stack's user and folder.
# shellcheck disable=SC2034 # the lists are for the commands

BUILD_PACKAGES=(autoconf automake make gcc libc6-dev pkg-config libssl-dev libpq-dev libjson-c-dev libfcgi-dev
	libhiredis-dev libc-ares-dev libidn2-dev libpsl-dev libp11-kit-dev libcmocka-dev xz-utils)
STACK_PACKAGES=(postgresql redis-server nginx-light openssl python3 python3-dnspython curl
	ca-certificates procps)
CLIENT_PACKAGES=(certbot lego uacme dehydrated acme-tiny caddy)
TEST_PACKAGES=(gnutls-bin python3-pytest python3-cryptography python3-dnspython python3-psycopg2 python3-redis python3-requests
	postgresql-15-pgtap libtap-parser-sourcehandler-pgtap-perl faketime git softhsm2 opensc)
LINT_PACKAGES=(clang clang-format clang-tidy cppcheck shellcheck bear mandoc libclang-rt-14-dev llvm)
BENCH_PACKAGES=(pebble caddy)
OCSP_BENCH_PACKAGES=(wrk)

STARTED=$SECONDS
step() { printf '\n== %s  (%d s)\n' "$*" "$((SECONDS - STARTED))"; }
info() { printf '  %s\n' "$*"; }
fail() {
	printf '\nerror: %s\n' "$*" >&2
	exit 1
}

as_root() {
	if [ "$(id -u)" = 0 ]; then
		"$@"
	elif command -v sudo >/dev/null; then
		sudo "$@"
	else
		fail "this needs root: run as root, or install sudo"
	fi
}

# packages NAME… — installs what is missing, without starting services that the packages bring along.
packages() {
	local missing=() name policy=/usr/sbin/policy-rc.d log=/tmp/assay-packages.$$.log
	command -v dpkg-query >/dev/null || fail "this is no Debian or Ubuntu: install by hand: $*"
	for name in "$@"; do
		[ "$(dpkg-query -W -f '${db:Status-Status}' "$name" 2>/dev/null)" = installed ] || missing+=("$name")
	done
	[ ${#missing[@]} -eq 0 ] && return 0
	info "installing packages: ${missing[*]}"
	as_root apt-get update -qq >"$log" 2>&1 || {
		tail -5 "$log" >&2
		fail "apt-get update failed: is the network up, and is no other apt running?"
	}
	local made_policy=no
	if [ ! -e $policy ]; then
		printf '#!/bin/sh\nexit 101\n' | as_root tee $policy >/dev/null
		as_root chmod 755 $policy
		made_policy=yes
	fi
	local status=0
	as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends \
		-o DPkg::Lock::Timeout=300 "${missing[@]}" >>"$log" 2>&1 || status=$?
	[ $made_policy = yes ] && as_root rm -f $policy
	if [ $status -ne 0 ]; then
		tail -15 "$log" >&2
		fail "apt-get install failed (log: $log); try it by hand: apt-get install ${missing[*]}"
	fi
	rm -f "$log"
}

# logged LOG COMMAND… — runs quietly; on failure shows the end of the log and stops.
logged() {
	local log=$1
	shift
	mkdir -p "$(dirname "$log")"
	if ! "$@" >"$log" 2>&1; then
		tail -40 "$log" >&2
		fail "failed: $* (log: $log)"
	fi
}

# build FOLDER CONFIGURE-ARGUMENT… — configures (when anything about it changed) and makes in build/FOLDER.
build() {
	local folder=$TOP/build/$1 stamp
	shift
	mkdir -p "$folder"
	[ ! -e "$TOP/config.status" ] || fail "the source folder itself is configured: make distclean there first"
	[ "$TOP/configure" -nt "$TOP/configure.ac" ] || logged "$folder/autogen.log" "$TOP/autogen.sh"
	stamp="$* ${CC:-}"
	if [ ! -f "$folder/Makefile" ] || [ "$(cat "$folder/.configured" 2>/dev/null)" != "$stamp" ]; then
		info "configure $*"
		(cd "$folder" && logged "$folder/configure.log" "$TOP/configure" --prefix=/usr --sysconfdir=/etc \
			--localstatedir=/var --runstatedir=/run "$@")
		printf '%s' "$stamp" >"$folder/.configured"
	fi
	info "make (log: build/${folder##*/}/make.log)"
	logged "$folder/make.log" make -C "$folder" -j"$(nproc)"
}

# install_to BUILD-FOLDER DESTINATION — make install with DESTDIR.
install_to() {
	rm -rf "$2"
	mkdir -p "$2"
	logged "$TOP/build/$1/install.log" make -C "$TOP/build/$1" install DESTDIR="$2"
}

# The stack never runs as root: then it is user "nobody".
stack_user() { if [ "$(id -u)" = 0 ]; then echo nobody; else id -un; fi; }

as_stack_user() {
	if [ "$(id -u)" = 0 ]; then
		(cd / && runuser -u nobody -- env HOME=/nonexistent PATH="$PATH:/usr/sbin:/sbin" "$@")
	else
		(cd / && env PATH="$PATH:/usr/sbin:/sbin" "$@")
	fi
}

# stack_folder FOLDER — makes it, ours or nobody's, and checks that the stack's user can get there.
stack_folder() {
	mkdir -p "$1" || fail "cannot make $1: choose another folder with --dir"
	if [ "$(id -u)" = 0 ]; then
		chown nobody "$1"
		chmod 700 "$1"
		as_stack_user test -w "$1" || fail "user nobody cannot reach $1: choose a folder with --dir whose parents are open (755)"
	fi
}

# stack_up FOLDER BUILD-FOLDER OPTION… — installs a build into the folder and starts the stack there.
stack_up() {
	local folder=$1 built=$2
	shift 2
	stack_folder "$folder"
	[ -f "$folder/run/supervisor.pid" ] && [ -d "/proc/$(cat "$folder/run/supervisor.pid")" ] &&
		fail "a stack runs in $folder already: ./dev stop --dir $folder"
	install_to "$built" "$folder/inst"
	mkdir -p "$folder/tools/dev" "$folder/tests/integration"
	cp "$TOP/tools/dev/stack.py" "$folder/tools/dev/"
	cp "$TOP/tests/integration/dnsd.py" "$folder/tests/integration/"
	if [ "$(id -u)" = 0 ]; then chown -R nobody "$folder/inst" "$folder/tools" "$folder/tests"; fi
	as_stack_user /usr/bin/python3 "$folder/tools/dev/stack.py" up --dir "$folder" --programs "$folder/inst/usr" \
		--installed "$folder/inst" "$@"
}

stack_down() { as_stack_user /usr/bin/python3 "$1/tools/dev/stack.py" down --dir "$1"; }

# Where demos are remembered, so that ./dev stop finds the newest one.
DEMO_RECORD=${XDG_RUNTIME_DIR:-/tmp}/assay-demo.$(id -u)
