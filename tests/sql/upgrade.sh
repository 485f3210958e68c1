#!/bin/sh
# An older version's functions are replaced whole: those with another signature, result or parameter names, and those
# that are gone. Speaks TAP; needs PGHOST and PGUSER of a server made by server.sh.
set -u
here=$(cd "$(dirname "$0")" && pwd)
sql=$here/../../sql
number=0
dir=$(mktemp -d "${TMPDIR:-/tmp}/assay-upgrade.XXXXXX") || exit 1
trap 'rm -rf "$dir"' EXIT

report() {
	number=$((number + 1))
	if [ "$1" -eq 0 ]; then echo "ok $number - $2"; else echo "not ok $number - $2"; fi
}

# Everything a program could notice of the functions: how they are called, what they give and who may.
functions() {
	psql -X -A -t -d "$1" -c "SELECT p.proname, pg_get_function_arguments(p.oid), pg_get_function_result(p.oid), p.prosecdef,
			p.proconfig, md5(p.prosrc), array(SELECT a::text FROM unnest(p.proacl) a ORDER BY 1)
		FROM pg_proc p WHERE p.pronamespace = 'assay'::regnamespace ORDER BY p.proname, p.proargtypes::text"
}

oid() {
	psql -X -A -t -d older -c "SELECT p.oid FROM pg_proc p WHERE p.pronamespace = 'assay'::regnamespace AND p.proname = '$1'"
}

older() {
	psql -X -q -v ON_ERROR_STOP=1 -d older "$@"
}

echo 1..7
for db in older fresh; do
	psql -X -q -d postgres -c "CREATE DATABASE $db" || exit 1
	"$sql/apply.sh" "dbname=$db" || exit 1
done
functions fresh >"$dir/fresh"
kept=$(oid account_get)
older <<'SQL'
SET ROLE "assay-owner";
SET search_path = assay, pg_catalog;
-- As if sql/api/account.sql had been that of a version before.
DROP FUNCTION account_key, account_orders, account_update, heartbeat;
CREATE FUNCTION account_key(p_id uuid, p_thumbprint bytea, OUT code integer) LANGUAGE sql AS 'SELECT 0';
CREATE FUNCTION account_orders(p_id uuid, p_thumbprint bytea, p_before uuid, p_limit integer) RETURNS integer
	LANGUAGE sql AS 'SELECT 0';
CREATE FUNCTION account_update(p_account uuid, p_thumbprint bytea, p_contacts text[], p_terms_agreed boolean)
	RETURNS account_answer LANGUAGE sql AS 'SELECT NULL::account_answer';
CREATE FUNCTION heartbeat(p_program text, p_host text, p_pid integer DEFAULT 0) RETURNS void LANGUAGE sql AS '';
CREATE FUNCTION account_forget(p_id uuid) RETURNS void LANGUAGE sql AS '';
CREATE FUNCTION order_get(p_id uuid) RETURNS void LANGUAGE sql AS '';
GRANT EXECUTE ON FUNCTION account_key, account_forget, account_update TO "assay-account";
SQL
"$sql/apply.sh" dbname=older 2>"$dir/log"
report $? "an older version is brought up to date"
sed 's/^/# /' "$dir/log"
functions older >"$dir/older"
diff "$dir/fresh" "$dir/older" >"$dir/diff"
report $? "and then has the functions of a new database, and no others"
sed 's/^/# /' "$dir/diff"
[ "$(oid account_get)" = "$kept" ]
report $? "a function that did not change is the same one, for sessions that prepared it"
[ "$(oid orders_guard)" != "" ]
report $? "guards stay"
[ "$(psql -X -A -t -d older -c "SELECT count(*) FROM pg_namespace WHERE nspname = 'assay_next'")" = 0 ]
report $? "nothing is left behind"

# What fails in the middle leaves the older version whole.
cp -r "$sql" "$dir/broken"
echo 'GRANT EXECUTE ON FUNCTION nothing_like_this TO "assay-admin";' >>"$dir/broken/grants.sql"
older -c 'CREATE OR REPLACE FUNCTION assay.account_forget(p_id uuid) RETURNS void LANGUAGE sql AS $$$$' \
	-c 'ALTER FUNCTION assay.account_forget OWNER TO "assay-owner"'
! "$dir/broken/apply.sh" dbname=older 2>/dev/null && [ "$(oid account_forget)" != "" ]
report $? "a failure leaves what there was"
"$sql/apply.sh" dbname=older && [ "$(oid account_forget)" = "" ]
report $? "and can be repeated"
for db in older fresh; do
	psql -X -q -d postgres -c "DROP DATABASE $db"
done
