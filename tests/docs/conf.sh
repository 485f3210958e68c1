#!/bin/sh
# conf.sh — every key of lib/base/conf_table.c stands in man/assay.conf.5 and docs/assay.conf.sample with its default, and
# neither knows a key that is not there.
#
# In the page a key is ".It Ic key No = …" below ".Ss [section]", and a line of its entry says "Required." or "Default: …." In
# the sample it is "key = …", or "#key = DEFAULT". Defaults that are empty or absent may be told in any words.
set -eu
cd "${srcdir:-.}"
scratch=$(mktemp -d "${TMPDIR:-/tmp}/assay-docs.XXXXXX")
trap 'rm -rf "$scratch"' EXIT

# SECTION KEY DEFAULT, a line each; a default is "!" when the key is required and "-" when it is empty or absent.
# Definitions may span lines, so a table is read as one text.
tr '\n\t' '  ' <lib/base/conf_table.c | sed 's/static const struct conf_key /\n&/g' |
	awk -F 'static const struct conf_key ' '
		NF < 2 { next }
		{
			text = $2
			section = text
			sub(/_keys.*/, "", section)
			sub(/};.*/, "", text)
			while (match(text, /(TEXT|PATHS?|SOURCE|TIME|LIST|CHOICE|COUNT|SECS|MSECS|SPAN)\("[a-z0-9_]+", *AT\([a-z0-9_.]+\), *("[^"]*"|NULL|conf_required)/)) {
				part = substr(text, RSTART, RLENGTH)
				text = substr(text, RSTART + RLENGTH)
				key = part
				sub(/^[A-Z]+\("/, "", key)
				sub(/".*/, "", key)
				fallback = part
				sub(/.*AT\([a-z0-9_.]+\), */, "", fallback)
				gsub(/"/, "", fallback)
				if (fallback == "conf_required")
					fallback = "!"
				else if (fallback == "NULL" || fallback == "")
					fallback = "-"
				print section, key, fallback
			}
		}' | sort >"$scratch/table"

awk '
	/^\.Ss \[/ { section = $2; gsub(/[][]/, "", section) }
	/^\.Ss [^[]/ || /^\.Sh / { section = "" }
	section != "" && /^\.It Ic / { key = $3 }
	key == "" { next }
	/^Required\.$/ { print section, key, "!"; key = "" }
	/^Default: .*\.$/ {
		fallback = substr($0, 10, length($0) - 10)
		print section, key, fallback == "none" || fallback == "empty" ? "-" : fallback
		key = ""
	}' man/assay.conf.5 | sort >"$scratch/page"

awk '
	/^\[/ { section = $1; gsub(/[][]/, "", section) }
	match($0, /^#?[a-z0-9_]+ =/) {
		key = $1
		shown = sub(/^#/, "", key)
		value = $0
		sub(/^[^=]*= */, "", value)
		print section, key, shown ? value : "!"
	}' docs/assay.conf.sample | sort >"$scratch/sample"
# What is absent by default is shown by an example, and what is empty may be written out.
while read -r section key fallback; do
	if [ "$fallback" = - ]; then
		sed -i "s|^$section $key .*|$section $key -|;s|^$section $key\$|$section $key -|" "$scratch/sample"
	fi
done <"$scratch/table"
sort -o "$scratch/sample" "$scratch/sample"

status=0
[ "$(wc -l <"$scratch/table")" -ge 50 ] || {
	echo "conf_table.c could not be read: the pattern in this script does not fit it any more" >&2
	status=1
}
for what in page sample; do
	if ! diff "$scratch/table" "$scratch/$what" >"$scratch/diff"; then
		echo "the $what differs ('<': conf_table.c, '>': the $what; section, key, default):" >&2
		cat "$scratch/diff" >&2
		status=1
	fi
done
exit $status
