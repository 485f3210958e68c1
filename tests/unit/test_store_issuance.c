/* test_store_issuance.c — the signer's and the keeper's calls, both ways, against a real PostgreSQL
 * (tests/sql/server.sh starts it). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "lib/base/clock.h"
#include "tests/unit/store_fixture.h"

static struct roles r;

static int setup(void **state)
{
	roles_open(&r);
	return 0;
}

static int teardown(void **state)
{
	roles_close(&r);
	return 0;
}

/* ---- issuance ---- */

static void a_certificate_is_issued_downloaded_and_revoked(void **state)
{
	struct client c = client_new(&r);
	struct client stranger = client_new(&r);
	struct client other = client_new(&r);
	struct placed o;
	struct placed theirs;
	struct issued cert = order_issue(&r, &c, "*.o.example.org o.example.org", &o);
	struct db_call call = {0};
	struct certificate_answer found;
	struct bytes serial = bytes_of(cert.serial, 18);
	struct bytes whole = bytes_of(cert.der, sizeof(cert.der));

	assert_int_equal(order_status_of(&r, &c, &o.id), ORDER_VALID);
	certificate_get_call(&call, &c.id, c.thumbprint, &o.id, 0);
	must(r.order, &call);
	assert_int_equal(certificate_get_result(&call, &found), STORE_OK);
	assert_true(bytes_equal(found.der, whole) && bytes_is(found.chain_pem, "chain"));
	assert_int_equal(found.chains, 2);
	certificate_get_call(&call, &c.id, c.thumbprint, &o.id, 1);
	must(r.order, &call);
	assert_int_equal(certificate_get_result(&call, &found), STORE_OK);
	assert_true(bytes_equal(found.der, whole) && bytes_is(found.chain_pem, "other chain"));
	certificate_get_call(&call, &c.id, c.thumbprint, &o.id, 2);
	must(r.order, &call);
	assert_int_equal(certificate_get_result(&call, &found), STORE_NOT_FOUND);
	certificate_get_call(&call, &stranger.id, stranger.thumbprint, &o.id, 0);
	must(r.order, &call);
	assert_int_equal(certificate_get_result(&call, &found), STORE_NOT_FOUND);

	revoke_call(&call, &stranger.id, stranger.thumbprint, serial, whole, 0);
	must(r.order, &call);
	assert_int_equal(revoke_result(&call), STORE_UNAUTHORIZED);
	revoke_call(&call, &c.id, c.thumbprint, serial, bytes_of(cert.der, sizeof(cert.der) - 1),
		0);
	must(r.order, &call);
	assert_int_equal(revoke_result(&call), STORE_NOT_FOUND);
	theirs = order_place(&r, &other, "*.o.example.org o.example.org");
	order_validate(&r, &other, &theirs);
	revoke_call(&call, &other.id, other.thumbprint, serial, whole, 4);
	must(r.order, &call);
	assert_int_equal(revoke_result(&call), STORE_OK);
	revoke_call(&call, &c.id, c.thumbprint, serial, whole, 1);
	must(r.order, &call);
	assert_int_equal(revoke_result(&call), STORE_ALREADY_REVOKED);
	db_call_done(&call);
}

static void a_crash_after_reserving_burns_the_serial(void **state)
{
	struct client c = client_new(&r);
	struct placed o = order_processing(&r, &c, "r.example.org");
	struct issued lost = issued_make();
	struct issued cert = issued_make();
	int32_t first = issuance_take(r.signer, &o.id, 0);
	int32_t second;

	assert_true(issuance_record(r.signer, &o.id, first, &lost));
	assert_false(issuance_record(r.signer, &o.id, first, &cert));
	second = issuance_take(r.signer, &o.id, 60);
	assert_int_equal(second, 2);
	assert_sql("t|4|1",
		sql("SELECT c.der IS NULL, c.reason, count(s.burnt_at) FROM assay.certificates c "
		    "JOIN assay.serials s "
		    "USING (serial) GROUP BY c.serial, c.reserved_at ORDER BY c.reserved_at DESC "
		    "LIMIT 1"));
	assert_false(issuance_store(r.signer, &o.id, first, &lost));
	assert_false(issuance_store(r.signer, &o.id, second, &lost));
	assert_false(issuance_record(r.signer, &o.id, second, &lost));
	assert_true(issuance_record(r.signer, &o.id, second, &cert));
	assert_true(issuance_store(r.signer, &o.id, second, &cert));
	assert_int_equal(order_status_of(&r, &c, &o.id), ORDER_VALID);
}

static void a_certificate_other_than_the_reserved_one_is_impossible(void **state)
{
	struct client c = client_new(&r);
	struct placed o = order_processing(&r, &c, "s.example.org");
	struct issued cert = issued_make();
	int32_t attempt = issuance_take(r.signer, &o.id, 60);
	struct bytes serial = bytes_of(cert.serial, 18);
	struct bytes der = bytes_of(cert.der, sizeof(cert.der));
	struct db_call call = {0};

	assert_true(issuance_record(r.signer, &o.id, attempt, &cert));
	cert.der[100] ^= 1;
	issuance_issue_call(&call, &o.id, &attempt, &serial, &der, 1);
	assert_int_equal(db_run_one(r.signer, &call), ERR_DB);
	db_call_done(&call);
	assert_int_equal(order_status_of(&r, &c, &o.id), ORDER_PROCESSING);
	assert_int_equal(db_ensure(r.signer), OK);
	cert.der[100] ^= 1;
	assert_true(issuance_store(r.signer, &o.id, attempt, &cert));
}

static void nothing_is_reserved_without_good_authorizations(void **state)
{
	struct client c = client_new(&r);
	struct placed o = order_processing(&r, &c, "t.example.org");
	int32_t attempt = issuance_take(r.signer, &o.id, 60);
	struct issued cert = issued_make();
	struct db_call call = {0};
	struct bytes problem = bytes_str("{\"type\":\"x\"}");

	authz_deactivate_call(&call, &c.id, c.thumbprint, &o.authzs[0]);
	must(r.order, &call);
	assert_false(issuance_record(r.signer, &o.id, attempt, &cert));
	issuance_refuse_call(&call, &o.id, &attempt, &problem, 1);
	must(r.signer, &call);
	assert_int_equal(order_status_of(&r, &c, &o.id), ORDER_INVALID);
	db_call_done(&call);
}

static void old_caa_results_send_the_order_round_again(void **state)
{
	struct client c = client_new(&r);
	struct placed o = order_processing(&r, &c, "*.ca.example.org ca.example.org");
	int32_t attempt = issuance_take(r.signer, &o.id, 60);
	struct bytes none = bytes_of(NULL, 0);
	struct bytes seen = bytes_str("[]");
	struct db_call call = {0};
	struct caa_job job;

	issuance_defer_caa_call(&call, &o.id, &attempt, 1);
	must(r.signer, &call);
	assert_int_equal(issuance_take(r.signer, &o.id, 60), 0);
	caa_claim_call(&call, &o.id, 1, 60);
	must(r.validator, &call);
	assert_int_equal(caa_claim_count(&call), 2);
	caa_claim_at(&call, 0, &job);
	assert_true(job.wildcard && job.method == CHALLENGE_DNS_01 && job.attempt == attempt + 1);
	assert_true(ident_equal(&job.authz, &o.authzs[0]));
	caa_finish_call(&call, &o.id, &job.attempt, &none, &seen, 1, clock_wall_us());
	must(r.validator, &call);
	assert_int_equal(issuance_take(r.signer, &o.id, 60), attempt + 2);
	attempt += 2;
	issuance_defer_caa_call(&call, &o.id, &attempt, 1);
	must(r.signer, &call);
	caa_claim_call(&call, &o.id, 1, 60);
	must(r.validator, &call);
	attempt++;
	none = bytes_str("{\"type\":\"urn:ietf:params:acme:error:caa\"}");
	caa_finish_call(&call, &o.id, &attempt, &none, &seen, 1, clock_wall_us());
	must(r.validator, &call);
	assert_int_equal(order_status_of(&r, &c, &o.id), ORDER_INVALID);
	db_call_done(&call);
}

/* ---- keeper ---- */

static bool sweep_finds(const struct ident *id, enum sweep_kind kind)
{
	struct db_call call = {0};
	bool found = false;

	sweep_due_call(&call, 10000, 60);
	must(r.keeper, &call);
	for (size_t i = 0; i < sweep_due_count(&call); i++) {
		enum sweep_kind k;
		struct ident got;

		sweep_due_at(&call, i, &k, &got);
		found |= ident_equal(&got, id) && k == kind;
	}
	db_call_done(&call);
	return found;
}

static void make_everything_due(void)
{
	free(sql("UPDATE assay.authorizations SET due_at = now() - interval '1 s' WHERE due_at IS "
		 "NOT NULL; "
		 "UPDATE assay.orders SET due_at = now() - interval '1 s' WHERE due_at IS NOT "
		 "NULL"));
}

static void the_sweep_finds_what_is_due_and_not_held(void **state)
{
	struct client c = client_new(&r);
	struct placed o = order_place(&r, &c, "y.example.org");
	struct placed p = order_processing(&r, &c, "z.example.org");
	bool queued;
	int32_t attempt;

	respond(&r, &c, &o.authzs[0], CHALLENGE_DNS_01, &queued);
	assert_false(sweep_finds(&o.authzs[0], SWEEP_VALIDATE));
	make_everything_due();
	assert_true(sweep_finds(&o.authzs[0], SWEEP_VALIDATE));
	assert_false(sweep_finds(&p.id, SWEEP_SIGN));
	make_everything_due();
	assert_true(sweep_finds(&p.id, SWEEP_SIGN));
	make_everything_due();
	attempt = validation_take(r.validator, &o.authzs[0], 60);
	assert_false(sweep_finds(&o.authzs[0], SWEEP_VALIDATE));
	validation_end(r.validator, &o.authzs[0], attempt, VALIDATION_VALID);
	assert_int_equal(order_status_of(&r, &c, &o.id), ORDER_READY);
}

static void dead_letters_end_their_order(void **state)
{
	struct client c = client_new(&r);
	struct placed o = order_place(&r, &c, "dead1.example.org");
	struct placed p = order_processing(&r, &c, "dead2.example.org");
	struct ident unknown = ident_new();
	struct db_call call = {0};
	bool queued;

	respond(&r, &c, &o.authzs[0], CHALLENGE_DNS_01, &queued);
	sweep_dead_call(&call, SWEEP_VALIDATE, &o.authzs[0]);
	must(r.keeper, &call);
	sweep_dead_call(&call, SWEEP_SIGN, &p.id);
	must(r.keeper, &call);
	sweep_dead_call(&call, SWEEP_CAA, &unknown);
	must(r.keeper, &call);
	assert_int_equal(order_status_of(&r, &c, &o.id), ORDER_INVALID);
	assert_int_equal(order_status_of(&r, &c, &p.id), ORDER_INVALID);
	db_call_done(&call);
}

static void housekeeping_runs(void **state)
{
	struct db_call call = {0};

	heartbeat_call(&call, "assay-signer", "host", 1);
	must(r.signer, &call);
	must(r.signer, (heartbeat_call(&call, "assay-signer", "host", 1), &call));
	assert_sql("1", sql("SELECT count(*) FROM assay.heartbeats"));
	partitions_call(&call, 60, 400 * 86400);
	must(r.keeper, &call);
	assert_true(db_int(call.result, 0, 0) > 0);
	partitions_call(&call, 60, 400 * 86400);
	must(r.keeper, &call);
	assert_int_equal(db_int(call.result, 0, 0), 0);
	audit_seal_call(&call, 1000000);
	must(r.keeper, &call);
	assert_true(db_int(call.result, 0, 0) > 0);
	assert_sql("", sql("SELECT assay.audit_verify()"));
	db_call_done(&call);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_certificate_is_issued_downloaded_and_revoked),
		cmocka_unit_test(a_crash_after_reserving_burns_the_serial),
		cmocka_unit_test(a_certificate_other_than_the_reserved_one_is_impossible),
		cmocka_unit_test(nothing_is_reserved_without_good_authorizations),
		cmocka_unit_test(old_caa_results_send_the_order_round_again),
		cmocka_unit_test(the_sweep_finds_what_is_due_and_not_held),
		cmocka_unit_test(dead_letters_end_their_order),
		cmocka_unit_test(housekeeping_runs),
	};

	fixture_server(argv);
	return cmocka_run_group_tests(tests, setup, teardown);
}
