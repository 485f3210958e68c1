#!/bin/sh
# keep-edited.sh [--remove] FROM TO FILE… — installs configuration files that operators edit: one in TO that is neither as it
# was installed last (FROM/last) nor as it is now was edited, and stays; the new one is put beside it as FILE.new. With
# --remove what nobody edited goes.
set -eu
remove=
if [ "$1" = --remove ]; then
	remove=yes
	shift
fi
from=$1 to=$2
shift 2
if [ -n "$remove" ]; then
	for file; do
		! cmp -s "$to/$file" "$from/last/$file" || rm -f "$to/$file"
		rm -f "$to/$file.new" "$from/last/$file"
	done
	[ ! -d "$from/last" ] || rmdir "$from/last"
	exit 0
fi
mkdir -p "$to" "$from/last"
for file; do
	if [ ! -e "$to/$file" ] || cmp -s "$to/$file" "$from/last/$file" || cmp -s "$to/$file" "$from/$file"; then
		install -m 644 "$from/$file" "$to/$file"
		rm -f "$to/$file.new"
	else
		install -m 644 "$from/$file" "$to/$file.new"
		echo "$to/$file was edited and stays as it is; the new one is $file.new" >&2
	fi
	install -m 644 "$from/$file" "$from/last/$file"
done
