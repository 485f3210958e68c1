-- Who may call what: everything is taken away first, so this file is the whole truth. Run last, in the transaction of
-- the functions, as assay-owner.
REVOKE ALL ON ALL TABLES IN SCHEMA assay FROM PUBLIC, "assay-directory", "assay-account", "assay-order",
	"assay-ocsp", "assay-validator", "assay-signer", "assay-ocsp-signer", "assay-keeper", "assay-admin";
REVOKE ALL ON ALL SEQUENCES IN SCHEMA assay FROM PUBLIC, "assay-directory", "assay-account", "assay-order",
	"assay-ocsp", "assay-validator", "assay-signer", "assay-ocsp-signer", "assay-keeper", "assay-admin";
REVOKE ALL ON ALL FUNCTIONS IN SCHEMA assay FROM PUBLIC, "assay-directory", "assay-account", "assay-order",
	"assay-ocsp", "assay-validator", "assay-signer", "assay-ocsp-signer", "assay-keeper", "assay-admin";

GRANT EXECUTE ON FUNCTION heartbeat TO "assay-directory", "assay-account", "assay-order", "assay-ocsp",
	"assay-validator", "assay-signer", "assay-ocsp-signer", "assay-keeper";
GRANT EXECUTE ON FUNCTION workers_alive TO "assay-directory";
GRANT EXECUTE ON FUNCTION account_key TO "assay-directory", "assay-account", "assay-order";
GRANT EXECUTE ON FUNCTION account_new, account_get, account_update, account_deactivate, account_rekey, account_orders
	TO "assay-account";
GRANT EXECUTE ON FUNCTION order_new, order_get, order_finalize, order_certificate, certificate_get, authz_get,
	authz_deactivate, challenge_respond, revoke TO "assay-order";
GRANT EXECUTE ON FUNCTION validation_claim, validation_renew, validation_finish, caa_claim, caa_finish TO "assay-validator";
GRANT EXECUTE ON FUNCTION issuer_register, issuer_record, issuance_claim, issuance_record, issuance_reserve, issuance_issue,
	issuance_refuse, issuance_defer_caa, issuance_wait TO "assay-signer";
GRANT EXECUTE ON FUNCTION crl_register, crl_claim, crl_renew, crl_entries, crl_part_store, crl_publish, crl_fail
	TO "assay-signer";
GRANT EXECUTE ON FUNCTION crl_schedule, crl_due, crl_files, crl_part, crl_overtaken, issuer_files TO "assay-keeper";
GRANT EXECUTE ON FUNCTION admin_crls, admin_crl_import TO "assay-admin";
GRANT EXECUTE ON FUNCTION responder_claim, responder_reserve, responder_issue, responder_refuse TO "assay-signer";
GRANT EXECUTE ON FUNCTION ocsp_issuers, ocsp_get TO "assay-ocsp";
GRANT EXECUTE ON FUNCTION ocsp_issuers, ocsp_status, ocsp_due_changed, ocsp_due_new, ocsp_due_again, ocsp_leave, ocsp_store,
	responder_register, responder_get TO "assay-ocsp-signer";
GRANT EXECUTE ON FUNCTION renewal_info TO "assay-directory";
GRANT EXECUTE ON FUNCTION order_new_replacing TO "assay-order";
GRANT EXECUTE ON FUNCTION incident_keep TO "assay-keeper";
GRANT EXECUTE ON FUNCTION incident_count, incident_count_serials, incident_create, incident_select, incident_add,
	incident_start, incident_pause, incident_abort, incident_extend, incident_status TO "assay-admin";
GRANT EXECUTE ON FUNCTION closing_sweep TO "assay-keeper";
GRANT EXECUTE ON FUNCTION sweep_due, sweep_dead, partitions, audit_seal TO "assay-keeper";
GRANT EXECUTE ON FUNCTION journal_position, journal_reached TO "assay-signer", "assay-keeper", "assay-admin";
GRANT EXECUTE ON FUNCTION journal_unknown, journal_restore TO "assay-signer", "assay-admin";
GRANT EXECUTE ON FUNCTION journal_revoke, journal_block TO "assay-keeper", "assay-admin";
GRANT EXECUTE ON FUNCTION journal_outbox, journal_outbox_keys, journal_outbox_done, journal_tidy TO "assay-keeper";
GRANT EXECUTE ON FUNCTION revocation_journalled TO "assay-order", "assay-admin";
GRANT EXECUTE ON FUNCTION admin_forgotten, admin_forgotten_seen, admin_journal, admin_doctor, admin_migrations TO "assay-admin";
GRANT EXECUTE ON FUNCTION revocation_sweep, certificates_tidy TO "assay-keeper";
GRANT EXECUTE ON FUNCTION admin_reason, admin_serials, admin_selected, admin_sample, admin_revoke, admin_revoke_step,
	admin_acts, admin_block_key, admin_unblock_key, admin_blocked_key TO "assay-admin";
GRANT EXECUTE ON FUNCTION admin_account_revoke, admin_account, admin_stuck, admin_status, admin_overview, admin_issuers,
	admin_responders, admin_issuance_stop, admin_issuance_start, admin_issuance_drain, admin_issuance_status, audit_verify
	TO "assay-admin";
