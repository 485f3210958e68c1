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

echo 1..23
given=$({
	cat "$here/given.psql"
	cat <<-'EOF'
	SELECT given_account() AS a, new_serial() AS s \gset
	SELECT id FROM given_processing(:'a', 'admin.example.org') \gset
	SELECT taken(:'id') > 0, reserved(:'id', 1, :'s'), issued(:'id', 1, :'s') \g /dev/null
	SELECT id AS w FROM given_processing(:'a', 'stuck.example.org') \gset
	SET search_path = assay, pg_catalog;
	SELECT 'GIVEN', :'a', substr(:'s', 3), encode(sha256('key'), 'hex');
	DROP SCHEMA tap CASCADE;
	COMMIT;
	EOF
} | psql -X | sed -n 's/^GIVEN|//p')
IFS='|' read -r account serial spki <<EOF
$given
EOF

expect "a dry run finds the serial" '^1|1$' revoke_by_serial.sql -v serial="$serial" -v reason=4 -v why=test
expect "and says that it is one" 'Dry run' revoke_by_serial.sql -v serial="$serial" -v reason=4 -v why=test
expect "by account" '^1|1$' revoke_by_account.sql -v account="$account" -v reason=4 -v why=test
expect "by name" '^1|1$' revoke_by_name.sql -v name=admin.example.org -v reason=4 -v why=test
expect "not by part of a name" '^0|0$' revoke_by_name.sql -v name=example.org -v reason=4 -v why=test
expect "commit=1 acts" '^1$' revoke_by_name.sql -v name=admin.example.org -v reason=4 -v why=test -v commit=1
expect "once" '^0$' revoke_by_serial.sql -v serial="$serial" -v reason=4 -v why=test -v commit=1
expect "commit=0 does not" 'Dry run' revoke_by_account.sql -v account="$account" -v reason=4 -v why=test -v commit=0
expect "a key's dry run" 'Dry run' block_key.sql -v spki_sha256="$spki" -v why=test
expect "a compromised key" '^1$' revoke_by_key.sql -v spki_sha256="$spki" -v why=test -v commit=1
expect "is blocked already" '^f$' block_key.sql -v spki_sha256="$spki" -v why=test -v commit=1
expect "what is under way" 'stuck.example.org' stuck.sql -v older=0
expect "nothing is for long" '^$' stuck.sql
expect "an account's dry run" 'Dry run' account_revoke.sql -v account="$account" -v why=test
expect "closes" '^t$' account_revoke.sql -v account="$account" -v why=test -v commit=1
expect "status" 'partitions ahead' status.sql
expect "the audit log" '^$' audit_verify.sql
expect "issuance goes on" '^||' issuance_start.sql
expect "it is stopped" '^t$' issuance_stop.sql -v why='a drill'
expect "once, and with nothing in the making" '^0$' issuance_stop.sql -v why='a drill'
expect "the state has the reason" '|assay-admin|a drill|' issuance_start.sql
expect "it is started" '^t$' issuance_start.sql -v why='the drill is over'
expect "once" '^f$' issuance_start.sql -v why='the drill is over'
