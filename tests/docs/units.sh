#!/bin/sh
# units.sh — systemd's own tools accept the units, users and folders that are installed. 77 (skipped) without those tools.
set -eu
srcdir=$(cd "${srcdir:-.}" && pwd)
cd "${top_builddir:-.}"
for tool in systemd-analyze systemd-sysusers; do
	command -v $tool >/dev/null || { echo "$tool is not installed" >&2; exit 77; }
done
scratch=$(mktemp -d "${TMPDIR:-/tmp}/assay-units.XXXXXX")
trap 'rm -rf "$scratch"' EXIT
status=0

# The programs are not installed yet: something that is stands in for them.
for unit in systemd/assay-*.socket systemd/assay-*@.service "$srcdir/systemd/assay.target"; do
	sed 's|^ExecStart=[^ ]*|ExecStart=/bin/true|' "$unit" >"$scratch/$(basename "$unit")"
done
units=$scratch/assay.target
for unit in "$scratch"/assay-*@.service; do
	cp "$unit" "${unit%.service}1.service"
	units="$units ${unit%.service}1.service"
done
# shellcheck disable=SC2086 # a list of paths without white space
if ! systemd-analyze verify --man=no $units "$scratch"/*.socket >"$scratch/said" 2>&1 || [ -s "$scratch/said" ]; then
	cat "$scratch/said" >&2
	status=1
fi

# A line that sysusers does not like is skipped, and its user is missing.
for user in $(grep -h "^User=" "$scratch"/assay-*@.service | cut -d= -f2 | sort -u); do
	grep -q "^u $user " "$srcdir/systemd/assay.sysusers" || {
		echo "assay.sysusers: $user is missing" >&2
		status=1
	}
done
mkdir -p "$scratch/root/etc"
if ! systemd-sysusers --root="$scratch/root" "$srcdir/systemd/assay.sysusers" >"$scratch/said" 2>&1; then
	cat "$scratch/said" >&2
	# Without root it may not lock the files; what it says of the lines still counts.
	[ "$(id -u)" -ne 0 ] || status=1
fi
if grep 'not a valid' "$scratch/said" >&2; then
	status=1
fi
exit $status
