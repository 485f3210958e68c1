#!/bin/sh
# includes.sh — every #include follows the arrows between layers, and each foreign library enters in its one place
# (ARCHITECTURE.md). Prints FILE:LINE and the rule that is broken.
set -eu
cd "${srcdir:-.}"

# FROM: WHAT IT MAY INCLUDE. The longest FROM that a file's path begins with counts.
arrows='
lib/base/          lib/base/
lib/pki/           lib/pki/ lib/base/
lib/store/         lib/store/ lib/base/
lib/queue/         lib/queue/ lib/base/
lib/net/           lib/net/ lib/pki/ lib/base/
lib/acme/          lib/acme/ lib/store/ lib/queue/ lib/pki/ lib/base/
fcgi/              fcgi/ lib/acme/ lib/store/ lib/queue/ lib/pki/ lib/base/
workers/           workers/worker.h workers/process.h workers/reader.h workers/record.h workers/harden.h lib/acme/ lib/store/ lib/queue/ lib/pki/ lib/base/
workers/validator/ workers/validator/ workers/worker.h lib/net/ lib/acme/ lib/store/ lib/queue/ lib/pki/ lib/base/
workers/signer/    workers/signer/ workers/worker.h workers/record.h workers/harden.h workers/failpoint.h lib/acme/ lib/store/ lib/queue/ lib/pki/ lib/base/
workers/ocsp_signer/ workers/ocsp_signer/ workers/process.h workers/harden.h workers/failpoint.h lib/store/ lib/queue/ lib/pki/ lib/base/
workers/keeper/    workers/keeper/ workers/worker.h workers/process.h workers/record.h lib/acme/ lib/store/ lib/queue/ lib/pki/ lib/base/
tools/             tools/ workers/signer/ lib/
bench/             bench/ lib/
'

# FOREIGN HEADER: WHERE IT MAY BE INCLUDED.
foreign='
libpq-fe.h  lib/store/db.c
hiredis/    lib/queue/rds.c
json-c/     lib/base/jx.c
ares        lib/net/dns.c
idn2.h      lib/acme/policy.c
libpsl.h    lib/acme/suffixes.c
p11-kit/    workers/signer/token_session.c
fcgi        fcgi/
openssl/    lib/base/rnd.c lib/base/sha256.c lib/pki/ lib/queue/nonce.c lib/net/ workers/signer/ workers/ocsp_signer/ tools/ bench/
cmocka.h    tests/
'

find lib fcgi workers tools bench -name '*.[ch]' -exec grep -Hn '^[[:space:]]*#[[:space:]]*include' {} + |
	ARROWS="$arrows" FOREIGN="$foreign" awk '
function begins(text, prefix) { return substr(text, 1, length(prefix)) == prefix }
function read_table(text, table, order,    lines, i, n, words, count) {
	n = split(text, lines, "\n")
	for (i = 1; i <= n; i++) {
		if (split(lines[i], words, " ") == 0)
			continue
		order[++count] = words[1]
		sub(/^[^ ]+ +/, "", lines[i])
		table[words[1]] = lines[i]
	}
	return count
}
function longest(path, order, count,    i, best) {
	best = ""
	for (i = 1; i <= count; i++)
		if (begins(path, order[i]) && length(order[i]) > length(best))
			best = order[i]
	return best
}
function allowed(path, list,    words, n, i) {
	n = split(list, words, " ")
	for (i = 1; i <= n; i++)
		if (begins(path, words[i]))
			return 1
	return 0
}
function complain(what) { print where ": " what; bad = 1 }
BEGIN {
	narrows = read_table(ENVIRON["ARROWS"], arrow, arrow_order)
	nforeign = read_table(ENVIRON["FOREIGN"], place, place_order)
}
{
	split($0, part, ":")
	file = part[1]
	where = file ":" part[2]
	seen++
	if (match($0, /"[^"]*"/)) {
		header = substr($0, RSTART + 1, RLENGTH - 2)
		layer = longest(file, arrow_order, narrows)
		if (index(header, "/") == 0 || header ~ /\.\./)
			complain("\"" header "\": include paths are written from the top")
		else if (!allowed(header, arrow[layer]))
			complain(layer " may not include " header "; it may see " arrow[layer])
	} else if (match($0, /<[^>]*>/)) {
		header = substr($0, RSTART + 1, RLENGTH - 2)
		library = longest(header, place_order, nforeign)
		if (library != "" && !allowed(file, place[library]))
			complain("<" header "> belongs in " place[library] " only")
	} else {
		complain("an include that this check cannot read")
	}
}
END {
	if (seen == 0) {
		print "includes.sh: there was nothing to check"
		bad = 1
	}
	exit bad
}'
