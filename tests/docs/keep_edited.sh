#!/bin/sh
# keep_edited.sh — an upgrade replaces configuration files, but not those that somebody has edited.
set -eu
srcdir=$(cd "${srcdir:-.}" && pwd)
scratch=$(mktemp -d "${TMPDIR:-/tmp}/assay-keep.XXXXXX")
trap 'rm -rf "$scratch"' EXIT
from=$scratch/share to=$scratch/etc

# release VERSION — what make install does with that version's files.
release() {
	mkdir -p "$from"
	for file in edited plain; do
		echo "$file $1" >"$from/$file"
	done
	"$srcdir/nginx/keep-edited.sh" "$from" "$to" edited plain 2>"$scratch/said"
}

# expect FILE TEXT
expect() {
	[ "$(cat "$to/$1")" = "$2" ] || { echo "$1 is '$(cat "$to/$1")', not '$2'" >&2; exit 1; }
}

release 1
expect edited "edited 1"
expect plain "plain 1"
[ ! -s "$scratch/said" ]
echo mine >"$to/edited"
release 2
expect edited mine
expect edited.new "edited 2"
expect plain "plain 2"
grep -q "edited was edited" "$scratch/said"
[ ! -e "$to/plain.new" ]
# Again, and a version on: still mine.
release 2
expect edited mine
release 3
expect edited mine
expect edited.new "edited 3"
expect plain "plain 3"
# Whoever takes the new one is up to date from then on.
mv "$to/edited.new" "$to/edited"
release 4
expect edited "edited 4"
[ ! -e "$to/edited.new" ]
[ ! -s "$scratch/said" ]

# What was edited survives being removed.
echo mine >"$to/edited"
"$srcdir/nginx/keep-edited.sh" --remove "$from" "$to" edited plain
expect edited mine
[ ! -e "$to/plain" ]
[ ! -e "$from/last" ]
