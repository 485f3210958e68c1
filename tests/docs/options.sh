#!/bin/sh
# options.sh — every long option that a program's --help names stands in its page, and every page has its program.
set -eu
man=$(cd "${srcdir:-.}/man" && pwd)
cd "${top_builddir:-.}"
status=0

# known PAGE HELP-TEXT: complains about options that the page does not have.
known() {
	for option in $(printf '%s\n' "$2" | grep -oE -e '--[a-z][a-z-]+' | sort -u); do
		grep -qE -e "Fl -${option#--}( |\$)" "$man/$1" || {
			echo "$1: $option is missing" >&2
			status=1
		}
	done
}

for program in fcgi/assay-directory fcgi/assay-account fcgi/assay-order fcgi/assay-ocsp \
	workers/validator/assay-validator \
	workers/signer/assay-signer workers/ocsp_signer/assay-ocsp-signer workers/keeper/assay-keeper; do
	known "${program##*/}.8" "$("$program" --help)"
done
help=$(tools/assayctl --help)
known assayctl.8 "$help"
commands=$(printf '%s\n' "$help" | sed '1,/^commands:/d' | awk '{ print $1 }')
[ -n "$commands" ] || status=1
for command in $commands; do
	known assayctl.8 "$(tools/assayctl "$command" --help)"
	grep -q "^\.Ss assayctl $command" "$man/assayctl.8" || {
		echo "assayctl.8: the command $command is missing" >&2
		status=1
	}
done
exit $status
