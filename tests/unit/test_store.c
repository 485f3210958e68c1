/* test_store.c — every call of lib/store against a real PostgreSQL (tests/sql/store.sh starts one and sets PGHOST …). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "lib/base/clock.h"
#include "lib/base/rnd.h"
#include "lib/store/issuance.h"
#include "lib/store/order.h"
#include "lib/store/sweep.h"
#include "lib/store/validation.h"

static const struct db_stmt *const account_table[] = {&account_key_stmt, &account_new_stmt, &account_get_stmt,
	&account_update_stmt, &account_deactivate_stmt, &account_rekey_stmt, &account_orders_stmt, &heartbeat_stmt, NULL};
static const struct db_stmt *const order_table[] = {&account_key_stmt, &order_new_stmt, &order_get_stmt, &order_finalize_stmt,
	&order_certificate_stmt, &revoke_stmt, &authz_get_stmt, &authz_deactivate_stmt, &challenge_respond_stmt, &heartbeat_stmt,
	NULL};
static const struct db_stmt *const validator_table[] = {&validation_claim_stmt, &validation_finish_stmt, &caa_claim_stmt,
	&caa_finish_stmt, &heartbeat_stmt, NULL};
static const struct db_stmt *const signer_table[] = {&issuance_claim_stmt, &issuance_reserve_stmt, &issuance_issue_stmt,
	&issuance_refuse_stmt, &issuance_defer_caa_stmt, &issuer_register_stmt, &heartbeat_stmt, NULL};
static const struct db_stmt *const keeper_table[] = {&sweep_due_stmt, &sweep_dead_stmt, &partitions_stmt, &audit_seal_stmt,
	&heartbeat_stmt, NULL};

static struct db *open_as(const char *role, const struct db_stmt *const table[])
{
	struct db *db = NULL;

	assert_int_equal(db_open("", role, NULL, table, &db), OK);
	return db;
}

static void every_role_prepares_its_statements(void **state)
{
	db_close(open_as("assay-account", account_table));
	db_close(open_as("assay-order", order_table));
	db_close(open_as("assay-validator", validator_table));
	db_close(open_as("assay-signer", signer_table));
	db_close(open_as("assay-keeper", keeper_table));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_role_prepares_its_statements),
	};

	if (getenv("PGHOST") == NULL)
		return 77;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
