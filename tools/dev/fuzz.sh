# shellcheck shell=bash
# fuzz.sh — ./dev fuzz [--seconds N] [TARGET…]: libFuzzer on each target, new finds kept in build/fuzz/found.

seconds=60 targets=()
while [ $# -gt 0 ]; do
	case $1 in
	--seconds)
		[ $# -ge 2 ] || fail "--seconds wants a number"
		seconds=$2
		shift
		;;
	-*) fail "fuzz: unknown option '$1'" ;;
	*) targets+=("$1") ;;
	esac
	shift
done

step "packages"
packages "${BUILD_PACKAGES[@]}" clang libclang-rt-14-dev llvm
step "build"
CC=clang build fuzz --enable-werror --enable-fuzzing --with-sanitizer=address,undefined
if [ ${#targets[@]} -eq 0 ]; then
	for program in "$TOP"/build/fuzz/tests/fuzz/fuzz_*; do
		[ -f "$program" ] && [ -x "$program" ] && targets+=("$(basename "$program" | sed 's/^fuzz_//')")
	done
fi
broken=()
for target in "${targets[@]}"; do
	program=$TOP/build/fuzz/tests/fuzz/fuzz_$target
	[ -x "$program" ] || fail "no fuzz target '$target'; there are: ${program%/*}/fuzz_*"
	step "fuzz $target: $seconds s"
	found=$TOP/build/fuzz/found/$target
	mkdir -p "$found"
	if ! "$program" -max_total_time="$seconds" -timeout=10 -rss_limit_mb=2048 -print_final_stats=1 \
		-artifact_prefix="$found/" "$found" "$TOP/tests/fuzz/corpus/$target" >"$found.log" 2>&1; then
		tail -30 "$found.log" >&2
		broken+=("$target")
	fi
	grep -E 'stat::(number_of_executed_units|average_exec_per_sec)' "$found.log" | sed 's/^stat::/  /'
done
[ ${#broken[@]} -eq 0 ] || fail "crashes, hangs or leaks in: ${broken[*]} (logs and inputs in build/fuzz/found)"
