#!/bin/sh
# The operators' scripts of sql/admin, run as assay-admin on what a real order leaves behind. Speaks TAP.
set -u
here=$(cd "$(dirname "$0")" && pwd)
admin=$here/../../sql/admin
number=0

as_admin() {
	script=$1
	shift
	psql -X -A -t -U assay-admin "$@" -f "$admin/$script"
}

# expect NAME PATTERN SCRIPT ARGUMENT...: the script's output has a line that matches.
expect() {
	name=$1 pattern=$2
	shift 2
	number=$((number + 1))
	out=$(as_admin "$@" 2>&1)
	if echo "$out" | grep -q -e "$pattern"; then
		echo "ok $number - $name"
	else
		echo "not ok $number - $name"
		echo "$out" | sed 's/^/# /'
	fi
}

echo 1..53
given=$({
	cat "$here/given.psql"
	cat <<-'EOF'
	SELECT given_account() AS a, new_serial() AS s, new_serial() AS s2 \gset
	SELECT id FROM given_processing(:'a', 'admin.example.org') \gset
	SELECT taken(:'id') > 0, reserved(:'id', 1, :'s'), issued(:'id', 1, :'s') \g /dev/null
	SELECT id AS id2 FROM given_processing(:'a', 'o''hara.example.org', 'second.example.org') \gset
	SELECT taken(:'id2') > 0, reserved(:'id2', 1, :'s2'), issued(:'id2', 1, :'s2') \g /dev/null
	SELECT id AS w FROM given_processing(:'a', 'stuck.example.org') \gset
	SET search_path = assay, pg_catalog;
	SELECT 'GIVEN', :'a', substr(:'s', 3), substr(:'s2', 3), encode(sha256('key'), 'hex');
	DROP SCHEMA tap CASCADE;
	COMMIT;
	EOF
} | psql -X | sed -n 's/^GIVEN|//p')
IFS='|' read -r account serial second spki <<EOF
$given
EOF
list=$(mktemp "${TMPDIR:-/tmp}/assay-serials.XXXXXX") || exit 1
trap 'rm -f "$list"' EXIT
printf '# two\n%s\n\n%s  # the second\n' "$serial" "$second" >"$list"
none=40$(printf '%034d' 0)

# are NAME EXPECTED: the reasons of both certificates.
are() {
	number=$((number + 1))
	now=$(psql -X -A -t -c "SELECT string_agg(coalesce(reason::text, '-'), ' ' ORDER BY names <> '{admin.example.org}')
		FROM assay.certificates")
	if [ "$now" = "$2" ]; then echo "ok $number - $1"; else echo "not ok $number - $1: $now"; fi
}

# fails NAME SCRIPT ARGUMENT...: and psql's exit status says so.
fails() {
	name=$1
	shift
	number=$((number + 1))
	if as_admin "$@" >/dev/null 2>&1; then echo "not ok $number - $name"; else echo "ok $number - $name"; fi
}

t="-v reason=superseded -v why=test"
# shellcheck disable=SC2086 # words
{
expect "a dry run counts" '^to_change|1$' revoke_by_serial.sql -v serial="$serial" $t
expect "and shows" "^$serial|$account|{admin.example.org}" revoke_by_serial.sql -v serial="$serial" $t
expect "and says that it is one" '^Dry run' revoke_by_serial.sql -v serial="$serial" $t
expect "with expect, too" '^Dry run' revoke_by_serial.sql -v serial="$serial" $t -v expect=1
expect "or with go=no" '^Dry run' revoke_by_serial.sql -v serial="$serial" $t -v expect=1 -v go=no
expect "two serials" '^to_change|2$' revoke_by_serial.sql -v serial="$serial, $second" $t
expect "an unknown one is counted" '^unknown_or_expired|1$' revoke_by_serial.sql -v serial="$serial,$none" $t
expect "by account" '^to_change|2$' revoke_by_account.sql -v account="$account" $t
expect "in a time, too" '^to_change|0$' revoke_by_account.sql -v account="$account" -v to=2026-01-01 $t
expect "by name" '^to_change|1$' revoke_by_name.sql -v name=second.example.org $t
expect "not by part of a name" '^to_change|0$' revoke_by_name.sql -v name=example.org $t
expect "by a name that has a quote in it" '^to_change|1$' revoke_by_name.sql -v name="o'hara.example.org" $t
expect "by key" '^to_change|2$' revoke_by_key.sql -v spki_sha256="$spki" -v why=test
expect "from a file" '^to_change|2$' revoke_by_file.sql -v file="$list" $t
expect "by time" '^to_change|2$' revoke_by_window.sql -v from=yesterday -v to=tomorrow $t
expect "of an issuer" '^to_change|2$' revoke_by_window.sql -v from=yesterday -v to=tomorrow -v issuer='test issuer' $t
expect "of no other" '^to_change|0$' revoke_by_window.sql -v from=yesterday -v to=tomorrow -v issuer=none $t
expect "of a profile" '^to_change|0$' revoke_by_window.sql -v from=yesterday -v to=tomorrow -v profile=none $t
expect "go without expect is refused" 'expected: no number' revoke_by_name.sql -v name=admin.example.org $t -v go=yes
fails "which psql's status says" revoke_by_name.sql -v name=admin.example.org $t -v go=yes
expect "so is another number" 'would change: 1; expected: 2' revoke_by_name.sql -v name=admin.example.org $t -v go=yes -v expect=2
expect "or one unknown serial" "$none is unknown" revoke_by_serial.sql -v serial="$serial,$none" $t -v go=yes -v expect=1
expect "or no words" 'say why' revoke_by_name.sql -v name=admin.example.org -v reason=4 -v why= -v go=yes -v expect=1
expect "or a reason that there is not" 'there is no reason "6"' revoke_by_name.sql -v name=admin.example.org -v reason=6 -v why=x
fails "or none" revoke_by_name.sql -v name=admin.example.org -v why=x
fails "or no name" revoke_by_name.sql $t
fails "or an account that is none" revoke_by_account.sql -v account=1 $t
fails "or a file that is none" revoke_by_file.sql -v file=/nonexistent $t -v go=yes -v expect=1
expect "or that holds something else" 'no serial number' revoke_by_file.sql -v file="$here/scripts.sh" $t
are "all of which changed nothing" '- -'
expect "go=yes and the right number act" '^revoked|1$' revoke_by_name.sql -v name=admin.example.org $t -v go=yes -v expect=1
are "on that one" '4 -'
expect "then there is nothing to change" '^to_change|0$' revoke_by_serial.sql -v serial="$serial" $t
expect "the rest of the file" '^revoked|1$' revoke_by_file.sql -v file="$list" -v reason=5 -v why=test -v go=yes -v expect=1
are "and what was revoked keeps its reason" '4 5'
expect "the acts are listed" '^selection|2 serial numbers$' revocations.sql
expect "a key's dry run" '^Dry run' block_key.sql -v spki_sha256="$spki" -v why=test
expect "a compromised key" '^revoked|2$' revoke_by_key.sql -v spki_sha256="$spki" -v why=test -v go=yes -v expect=2
are "becomes the reason of both" '1 1'
expect "is blocked already" '^f$' block_key.sql -v spki_sha256="$spki" -v why=test -v go=yes
expect "can be let go" '^t$' unblock_key.sql -v spki_sha256="$spki" -v why=mistaken -v go=yes
}
expect "what is under way" 'stuck.example.org' stuck.sql -v older=0
expect "nothing is for long" '^$' stuck.sql
expect "an account's dry run" 'Dry run' account_revoke.sql -v account="$account" -v why=test
expect "closes" '^t$' account_revoke.sql -v account="$account" -v why=test -v go=yes
expect "status" 'partitions ahead' status.sql
expect "the audit log" '^$' audit_verify.sql
expect "issuance goes on" '^||' issuance_start.sql
expect "it is stopped" '^t$' issuance_stop.sql -v why='a drill'
expect "once, and with nothing in the making" '^0$' issuance_stop.sql -v why='a drill'
expect "the state has the reason" '|assay-admin|a drill|' issuance_start.sql
expect "it is started" '^t$' issuance_start.sql -v why='the drill is over'
expect "once" '^f$' issuance_start.sql -v why='the drill is over'
