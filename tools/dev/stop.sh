# shellcheck shell=bash
# stop.sh — ./dev stop [--dir FOLDER]: ends a detached demo; without a folder the newest one.

dir=''
while [ $# -gt 0 ]; do
	case $1 in
	--dir)
		[ $# -ge 2 ] || fail "--dir wants a folder"
		dir=$(readlink -m "$2")
		shift
		;;
	*) fail "stop: unknown option '$1'; ./dev help lists them" ;;
	esac
	shift
done
[ -n "$dir" ] || dir=$(cat "$DEMO_RECORD" 2>/dev/null) || fail "no demo is known: name its folder with --dir"
[ -f "$dir/tools/dev/stack.py" ] || fail "$dir: no stack here"
stack_down "$dir"
