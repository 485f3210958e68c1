# shellcheck shell=bash
# test.sh — ./dev test: installs, builds and runs everything that CI demands. With names, only those parts.
#
#   unit         release build by gcc, make check (unit, layers, fuzz corpora, SQL)
#   integration  the whole stack with real clients, and a short chaos run
#   sanitizer    the same again, built by clang without warnings, with AddressSanitizer and UndefinedBehaviorSanitizer
#   lint         clang-format, clang-tidy, cppcheck, shellcheck, mandoc
#   dist         make distcheck; what "unit" has run is not run again there
#   clang        a release build by clang without warnings (not among those that run by default)

parts=("$@")
[ ${#parts[@]} -gt 0 ] || parts=(unit integration sanitizer lint dist)
SANITIZER_ENV=(--program-env ASAN_OPTIONS=detect_leaks=1:abort_on_error=0:exitcode=99
	--program-env UBSAN_OPTIONS=print_stacktrace=1:halt_on_error=1)
TEST_DIR=$(mktemp -d /var/tmp/assay-test.XXXXXX)
chmod 755 "$TEST_DIR" # the stack below it belongs to another user when root
STACK_DIR=''

cleanup() {
	local status=$?
	trap - EXIT INT TERM
	[ -z "$STACK_DIR" ] || stack_down "$STACK_DIR" >/dev/null 2>&1 || true
	if [ $status -eq 0 ]; then
		rm -rf "$TEST_DIR"
	else
		echo "kept for a look: $TEST_DIR" >&2
	fi
	exit $status
}
trap cleanup EXIT
trap 'exit 130' INT TERM

# Tests wait more than they compute: two for each core.
make_check() {
	local log=$TOP/build/$1/check.log
	info "make check (log: build/$1/check.log)"
	if ! make -C "$TOP/build/$1" check -j"$((2 * $(nproc)))" >"$log" 2>&1; then
		grep -E '^(FAIL|ERROR|XPASS)' "$log" >&2 || tail -30 "$log" >&2
		[ -f "$TOP/build/$1/test-suite.log" ] && tail -60 "$TOP/build/$1/test-suite.log" >&2
		fail "make check failed in build/$1"
	fi
	grep -E '^# (TOTAL|PASS|SKIP|FAIL)' "$log" | tr '\n' ' '
	echo
}

# on_a_stack BUILD SUITE OPTION… — a fresh stack of that build, every test of tests/SUITE on it, then its logs are searched.
on_a_stack() {
	local built=$1 suite=$2
	shift 2
	STACK_DIR=$TEST_DIR/$built-$suite
	info "tests/$suite"
	stack_up "$STACK_DIR" "$built" --conf validation.retry_pause=1s "$@"
	(cd "$TOP/tests/$suite" && ASSAY_ENV=$STACK_DIR/env ASSAY_LOG=$STACK_DIR/log ASSAY_BUILD=$TOP/build/$built \
		PATH="$PATH:/usr/sbin:/sbin" /usr/bin/python3 -m pytest -q -p no:cacheprovider .) ||
		fail "tests/$suite failed on build/$built; logs: $STACK_DIR/log"
	stack_down "$STACK_DIR"
	if grep -lE 'ERROR: (Address|Leak|Thread)Sanitizer|runtime error:' "$STACK_DIR"/log/*.log; then
		fail "a sanitizer spoke: see the logs named above"
	fi
	STACK_DIR=''
}

# Scenes of slow targets are short with a short attempt; chaos shall not take a busy machine for one.
integration() {
	local built=$1
	shift
	on_a_stack "$built" integration --conf validation.attempt_timeout=5s "$@"
	on_a_stack "$built" chaos "$@"
}

for part in "${parts[@]}"; do
	case $part in
	unit)
		step "unit: release build, make check"
		packages "${BUILD_PACKAGES[@]}" "${STACK_PACKAGES[@]}" "${TEST_PACKAGES[@]}"
		build release --enable-werror
		make_check release
		;;
	integration)
		step "integration: the whole stack, real clients"
		packages "${BUILD_PACKAGES[@]}" "${STACK_PACKAGES[@]}" "${TEST_PACKAGES[@]}" "${CLIENT_PACKAGES[@]}"
		build release --enable-werror
		integration release
		;;
	sanitizer)
		step "sanitizer: everything again under ASan and UBSan"
		packages "${BUILD_PACKAGES[@]}" "${STACK_PACKAGES[@]}" "${TEST_PACKAGES[@]}" "${CLIENT_PACKAGES[@]}" \
			clang libclang-rt-14-dev llvm
		CC=clang build sanitizer --enable-werror --with-sanitizer=address,undefined
		make_check sanitizer
		integration sanitizer "${SANITIZER_ENV[@]}"
		;;
	clang)
		step "clang: a build without warnings"
		packages "${BUILD_PACKAGES[@]}" clang
		CC=clang build clang --enable-werror
		;;
	lint)
		step "lint"
		packages "${BUILD_PACKAGES[@]}" "${LINT_PACKAGES[@]}"
		build release --enable-werror
		"$TOP/tests/lint" "$TOP/build/release" || fail "lint found something"
		;;
	dist)
		step "dist: make distcheck"
		packages "${BUILD_PACKAGES[@]}" "${TEST_PACKAGES[@]}"
		build release --enable-werror
		logged "$TOP/build/release/distcheck.log" make -C "$TOP/build/release" distcheck \
			check_PROGRAMS=tests/unit/test_conf TESTS="tests/unit/test_conf tests/layers/includes.sh"
		;;
	*) fail "test: unknown part '$part'; there are: unit integration sanitizer clang lint dist" ;;
	esac
done
step "all passed: ${parts[*]}"
