#!/bin/sh
# Connects as each role and tries what is forbidden (rights.psql). Speaks TAP; needs PGHOST and PGDATABASE of a server made by
# server.sh. The lists are those of DESIGN rule 5, written a second time on purpose: grants.sql is what they check.
set -u
here=$(cd "$(dirname "$0")" && pwd)
number=0

may() {
	role=$1
	shift
	number=$((number + 1))
	if out=$(psql -X -U "$role" -v allowed="$*" -f "$here/rights.psql" 2>&1); then
		echo "ok $number - $role: ${out##*NOTICE: }"
	else
		echo "not ok $number - $role"
		echo "$out" | sed 's/^/# /'
	fi
}

echo 1..10
may assay-directory heartbeat account_key renewal_info workers_alive
may assay-account heartbeat account_key account_new account_get account_update account_deactivate account_rekey account_orders
may assay-order heartbeat account_key order_new order_new_replacing order_get order_finalize order_certificate certificate_get authz_get authz_deactivate \
	challenge_respond revoke revocation_journalled
may assay-validator heartbeat validation_claim validation_renew validation_finish caa_claim caa_finish
may assay-signer heartbeat issuer_register issuer_record issuance_claim issuance_record issuance_reserve issuance_issue \
	issuance_refuse issuance_defer_caa issuance_wait \
	crl_register crl_claim crl_renew crl_entries crl_part_store crl_publish crl_fail \
	responder_claim responder_reserve responder_issue responder_refuse \
	journal_position journal_reached journal_unknown journal_restore
may assay-ocsp heartbeat ocsp_issuers ocsp_get
may assay-ocsp-signer heartbeat ocsp_issuers ocsp_status ocsp_due_changed ocsp_due_new ocsp_due_again ocsp_leave ocsp_store responder_register \
	responder_get
may assay-keeper heartbeat closing_sweep incident_keep sweep_due sweep_dead partitions audit_seal revocation_sweep certificates_tidy \
	crl_schedule crl_due crl_files crl_part crl_overtaken issuer_files \
	journal_position journal_reached journal_revoke journal_block journal_outbox journal_outbox_keys journal_outbox_done journal_tidy
may assay-admin incident_count incident_count_serials incident_create incident_select incident_add incident_start \
	incident_pause incident_abort incident_extend incident_status \
	admin_reason admin_serials admin_selected admin_sample admin_revoke admin_revoke_step admin_acts \
	admin_block_key admin_unblock_key admin_blocked_key admin_account_revoke admin_account admin_stuck admin_status \
	admin_overview admin_issuers admin_crls admin_crl_import admin_responders admin_issuance_stop admin_issuance_start \
	admin_issuance_drain admin_issuance_status audit_verify \
	admin_forgotten admin_forgotten_seen admin_journal admin_doctor admin_migrations journal_position journal_reached \
	journal_unknown journal_restore journal_revoke journal_block revocation_journalled
# Nobody logs in as the owner, and a role that is none of ours gets nowhere.
psql -X -q -c 'CREATE ROLE stranger LOGIN' >/dev/null
if psql -X -U assay-owner -c 'SELECT 1' >/dev/null 2>&1 || psql -X -U stranger -c 'SELECT 1' >/dev/null 2>&1; then
	echo "not ok 10 - the owner and strangers stay out"
else
	echo "ok 10 - the owner and strangers stay out"
fi
psql -X -q -c 'DROP ROLE stranger' >/dev/null
