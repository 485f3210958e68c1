/* test_store.c — the calls of handlers and validators, both ways, against a real PostgreSQL
 * (tests/sql/server.sh starts it). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <unistd.h>
#include <cmocka.h>

#include "lib/base/clock.h"
#include "lib/base/rnd.h"
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

/* ---- accounts ---- */

static void newaccount_finds_the_account_of_a_known_key(void **state)
{
	struct bytes contact = bytes_str("mailto:a@example.org");
	struct account_new in = {.id = ident_new(),
		.jwk = bytes_str("{\"kty\":\"EC\"}"),
		.contacts = &contact,
		.ncontacts = 1,
		.terms_agreed = true,
		.only_existing = true};
	struct db_call call = {0};
	struct account a = {0};
	struct ident first = in.id;
	bool created = false;

	rnd_bytes(in.thumbprint, sizeof(in.thumbprint));
	account_new_call(&call, &in);
	must(r.account, &call);
	assert_int_equal(account_new_result(&call, &a, &created), STORE_ACCOUNT_UNKNOWN);
	in.only_existing = false;
	account_new_call(&call, &in);
	must(r.account, &call);
	assert_int_equal(account_new_result(&call, &a, &created), STORE_OK);
	assert_true(created && a.terms_agreed && a.ncontacts == 1 &&
		bytes_equal(a.contacts[0], contact));
	assert_true(llabs(a.created_us - clock_wall_us()) < 60 * SECS);
	account_done(&a);
	in.id = ident_new();
	account_new_call(&call, &in);
	must(r.account, &call);
	assert_int_equal(account_new_result(&call, &a, &created), STORE_OK);
	assert_true(!created && ident_equal(&a.id, &first) && bytes_equal(a.jwk, in.jwk));
	account_done(&a);
	db_call_done(&call);
}

static void contacts_are_replaced_kept_or_emptied(void **state)
{
	struct client c = client_new(&r);
	struct bytes contacts[] = {bytes_str("mailto:b@example.org"),
		bytes_str("mailto:c@example.org")};
	struct db_call call = {0};
	struct account a = {0};

	account_update_call(&call, &c.id, c.thumbprint, contacts, 2, true);
	must(r.account, &call);
	assert_int_equal(account_result(&call, &a), STORE_OK);
	assert_int_equal(a.ncontacts, 2);
	account_done(&a);
	account_update_call(&call, &c.id, c.thumbprint, NULL, 0, false);
	must(r.account, &call);
	assert_int_equal(account_result(&call, &a), STORE_OK);
	assert_true(a.ncontacts == 2 && a.terms_agreed);
	account_done(&a);
	account_update_call(&call, &c.id, c.thumbprint, contacts, 0, false);
	must(r.account, &call);
	assert_int_equal(account_result(&call, &a), STORE_OK);
	assert_int_equal(a.ncontacts, 0);
	account_done(&a);
	db_call_done(&call);
}

static void a_request_with_a_replaced_key_is_refused(void **state)
{
	struct client c = client_new(&r);
	struct client d = client_new(&r);
	struct db_call call = {0};
	struct account a = {0};
	struct bytes jwk;
	struct ident other;
	uint8_t fresh[32];
	uint8_t spki[32];

	rnd_bytes(fresh, 32);
	rnd_bytes(spki, 32);
	account_rekey_call(&call, &c.id, c.thumbprint, d.thumbprint, bytes_str("{}"), spki);
	must(r.account, &call);
	assert_int_equal(account_rekey_result(&call, &a, &other), STORE_KEY_IN_USE);
	assert_true(ident_equal(&other, &d.id));
	account_rekey_call(&call, &c.id, c.thumbprint, fresh, bytes_str("{\"new\":1}"), spki);
	must(r.account, &call);
	assert_int_equal(account_rekey_result(&call, &a, &other), STORE_OK);
	account_done(&a);
	account_get_call(&call, &c.id, c.thumbprint);
	must(r.account, &call);
	assert_int_equal(account_result(&call, &a), STORE_ACCOUNT_KEY_CHANGED);
	assert_int_equal(order_place(&r, &c, "a.example.org").code, STORE_ACCOUNT_KEY_CHANGED);
	account_key_call(&call, &c.id);
	must(r.order, &call);
	assert_int_equal(account_key_result(&call, &jwk), STORE_OK);
	assert_true(bytes_is(jwk, "{\"new\":1}"));
	db_call_done(&call);
}

static void deactivation_ends_everything_unfinished(void **state)
{
	struct client c = client_new(&r);
	struct placed pending = order_place(&r, &c, "p.example.org");
	struct placed processing = order_processing(&r, &c, "q.example.org");
	struct issued cert = issued_make();
	int32_t attempt = issuance_take(r.signer, &processing.id, 60);
	struct db_call call = {0};
	struct account a = {0};

	assert_true(issuance_record(r.signer, &processing.id, attempt, &cert));
	account_deactivate_call(&call, &c.id, c.thumbprint);
	must(r.account, &call);
	assert_int_equal(account_result(&call, &a), STORE_OK);
	assert_int_equal(a.status, ACCOUNT_DEACTIVATED);
	account_done(&a);
	account_get_call(&call, &c.id, c.thumbprint);
	must(r.account, &call);
	assert_int_equal(account_result(&call, &a), STORE_ACCOUNT_DEACTIVATED);
	account_deactivate_call(&call, &c.id, c.thumbprint);
	must(r.account, &call);
	assert_int_equal(account_result(&call, &a), STORE_ACCOUNT_DEACTIVATED);
	db_call_done(&call);
	assert_false(issuance_store(r.signer, &processing.id, attempt, &cert));
	assert_true(pending.code == STORE_OK);
	assert_sql("4,4",
		sql("SELECT string_agg(status::text, ',') FROM assay.orders WHERE account_id = "
		    "(SELECT account_id FROM assay.orders ORDER BY id DESC LIMIT 1)"));
	assert_sql("4",
		sql("SELECT reason FROM assay.certificates ORDER BY reserved_at DESC LIMIT 1"));
}

static void the_orders_list_is_newest_first_and_paged(void **state)
{
	struct client c = client_new(&r);
	struct placed o[5];
	struct db_call call = {0};
	size_t count = 0;
	struct ident id;

	for (size_t i = 0; i < 5; i++) {
		o[i] = order_place(&r, &c, "l.example.org");
		usleep(2000); /* ids are ordered by their millisecond */
	}
	account_orders_call(&call, &c.id, c.thumbprint, NULL, 3);
	must(r.account, &call);
	assert_int_equal(account_orders_result(&call, &count), STORE_OK);
	assert_int_equal(count, 3);
	id = account_orders_at(&call, 2);
	assert_true(ident_equal(&id, &o[2].id));
	account_orders_call(&call, &c.id, c.thumbprint, &id, 3);
	must(r.account, &call);
	assert_int_equal(account_orders_result(&call, &count), STORE_OK);
	assert_int_equal(count, 2);
	id = account_orders_at(&call, 1);
	assert_true(ident_equal(&id, &o[0].id));
	db_call_done(&call);
}

/* ---- orders and authorizations ---- */

static void an_order_becomes_ready_with_its_last_authorization(void **state)
{
	struct client c = client_new(&r);
	struct placed o = order_place(&r, &c, "a.example.org b.example.org");
	bool queued = false;
	int32_t attempt;

	assert_int_equal(o.status, ORDER_PENDING);
	assert_int_equal(respond(&r, &c, &o.authzs[0], CHALLENGE_HTTP_01, &queued), STORE_OK);
	assert_true(queued);
	attempt = validation_take(r.validator, &o.authzs[0], 60);
	assert_int_equal(attempt, 1);
	assert_int_equal(validation_end(r.validator, &o.authzs[0], attempt, VALIDATION_VALID), 0);
	assert_int_equal(order_status_of(&r, &c, &o.id), ORDER_PENDING);
	assert_int_equal(order_finish_by(r.order, &c, &o.id, "a.example.org b.example.org"),
		STORE_NOT_READY);
	assert_int_equal(respond(&r, &c, &o.authzs[1], CHALLENGE_TLS_ALPN_01, &queued), STORE_OK);
	attempt = validation_take(r.validator, &o.authzs[1], 60);
	assert_int_equal(validation_end(r.validator, &o.authzs[1], attempt, VALIDATION_VALID), 1);
	assert_int_equal(order_status_of(&r, &c, &o.id), ORDER_READY);
	assert_int_equal(validation_end(r.validator, &o.authzs[1], attempt, VALIDATION_VALID), 0);
}

static void a_failed_authorization_ends_its_order_with_a_subproblem(void **state)
{
	struct client c = client_new(&r);
	struct placed o = order_place(&r, &c, "*.f.example.org g.example.org");
	struct db_call call = {0};
	struct order got = {0};
	bool queued = false;
	char text[1000];

	respond(&r, &c, &o.authzs[0], CHALLENGE_DNS_01, &queued);
	assert_int_equal(validation_end(r.validator, &o.authzs[0],
				 validation_take(r.validator, &o.authzs[0], 60),
				 VALIDATION_INVALID),
		1);
	order_get_call(&call, &c.id, c.thumbprint, &o.id);
	must(r.order, &call);
	assert_int_equal(order_result(&call, &got), STORE_OK);
	assert_int_equal(got.status, ORDER_INVALID);
	assert_true(got.error.len < sizeof(text));
	memcpy(text, got.error.ptr, got.error.len);
	text[got.error.len] = '\0';
	assert_non_null(strstr(text, "subproblems"));
	assert_non_null(strstr(text, "*.f.example.org"));
	assert_non_null(strstr(text, "error:dns"));
	order_done(&got);
	db_call_done(&call);
}

static void responding_twice_queues_once_and_another_type_conflicts(void **state)
{
	struct client c = client_new(&r);
	struct client stranger = client_new(&r);
	struct placed o = order_place(&r, &c, "*.w.example.org x.example.org");
	bool queued = false;

	assert_int_equal(respond(&r, &stranger, &o.authzs[1], CHALLENGE_HTTP_01, &queued),
		STORE_NOT_FOUND);
	assert_int_equal(respond(&r, &c, &o.authzs[0], CHALLENGE_HTTP_01, &queued), STORE_CONFLICT);
	assert_int_equal(respond(&r, &c, &o.authzs[1], CHALLENGE_HTTP_01, &queued), STORE_OK);
	assert_true(queued);
	assert_int_equal(respond(&r, &c, &o.authzs[1], CHALLENGE_HTTP_01, &queued), STORE_OK);
	assert_false(queued);
	assert_int_equal(respond(&r, &c, &o.authzs[1], CHALLENGE_DNS_01, &queued), STORE_CONFLICT);
}

static void valid_authorizations_are_reused_by_the_same_account_only(void **state)
{
	struct client c = client_new(&r);
	struct client d = client_new(&r);
	struct placed o = order_place(&r, &c, "*.u.example.org u.example.org");
	struct placed again;

	order_validate(&r, &c, &o);
	again = order_place(&r, &c, "*.u.example.org u.example.org");
	assert_int_equal(again.status, ORDER_READY);
	assert_true(ident_equal(&again.authzs[0], &o.authzs[0]) &&
		ident_equal(&again.authzs[1], &o.authzs[1]));
	again = order_place(&r, &c, "u.example.org v.example.org");
	assert_int_equal(again.status, ORDER_PENDING);
	assert_true(ident_equal(&again.authzs[0], &o.authzs[1]));
	order_validate(&r, &c, &again);
	assert_int_equal(order_status_of(&r, &c, &again.id), ORDER_READY);
	assert_int_equal(order_place(&r, &d, "u.example.org").status, ORDER_PENDING);
}

static void deactivating_an_authorization_ends_every_order_that_uses_it(void **state)
{
	struct client c = client_new(&r);
	struct placed o = order_place(&r, &c, "d.example.org");
	struct placed reused;
	struct db_call call = {0};
	struct authz a;

	order_validate(&r, &c, &o);
	reused = order_place(&r, &c, "d.example.org");
	assert_int_equal(reused.status, ORDER_READY);
	authz_deactivate_call(&call, &c.id, c.thumbprint, &o.authzs[0]);
	must(r.order, &call);
	assert_int_equal(authz_result(&call, &a, NULL), STORE_OK);
	assert_int_equal(a.status, AUTHZ_DEACTIVATED);
	assert_int_equal(order_status_of(&r, &c, &o.id), ORDER_INVALID);
	assert_int_equal(order_status_of(&r, &c, &reused.id), ORDER_INVALID);
	assert_int_equal(order_place(&r, &c, "d.example.org").status, ORDER_PENDING);
	authz_deactivate_call(&call, &c.id, c.thumbprint, &o.authzs[0]);
	must(r.order, &call);
	assert_int_equal(authz_result(&call, &a, NULL), STORE_CONFLICT);
	db_call_done(&call);
}

static void expiry_is_seen_at_once(void **state)
{
	struct client c = client_new(&r);
	struct bytes name = bytes_str("e.example.org");
	uint8_t secret[32] = {0};
	struct bytes token = bytes_of(secret, 32);
	struct ident authz = ident_new();
	struct order_new in = {.id = ident_new(),
		.names = &name,
		.authz_ids = &authz,
		.tokens = &token,
		.count = 1,
		.profile = bytes_str("default"),
		.not_before_us = clock_wall_us(),
		.not_after_us = clock_wall_us() + DAYS,
		.expires_us = clock_wall_us() - 1,
		.authz_expires_us = clock_wall_us() - 1,
		.min_reuse_us = clock_wall_us()};
	struct db_call call = {0};
	struct order o = {0};
	struct authz a;
	bool queued;

	order_new_call(&call, &c.id, c.thumbprint, &in);
	must(r.order, &call);
	assert_int_equal(order_result(&call, &o), STORE_OK);
	assert_true(o.not_before_us == in.not_before_us && o.not_after_us == in.not_after_us);
	order_done(&o);
	assert_int_equal(order_status_of(&r, &c, &in.id), ORDER_INVALID);
	authz_get_call(&call, &c.id, c.thumbprint, &authz);
	must(r.order, &call);
	assert_int_equal(authz_result(&call, &a, NULL), STORE_OK);
	assert_int_equal(a.status, AUTHZ_EXPIRED);
	assert_true(a.validated_us == INT64_MIN && a.error.ptr == NULL);
	db_call_done(&call);
	assert_int_equal(respond(&r, &c, &authz, CHALLENGE_DNS_01, &queued), STORE_EXPIRED);
	assert_int_equal(order_finish_by(r.order, &c, &in.id, "e.example.org"), STORE_EXPIRED);
}

static void finalize_refuses_and_leaves_the_order_ready(void **state)
{
	struct client c = client_new(&r);
	struct client d = client_new(&r);
	struct placed o = order_place(&r, &c, "h.example.org i.example.org");

	order_validate(&r, &c, &o);
	assert_int_equal(order_finish_by(r.order, &c, &o.id, "h.example.org"), STORE_NAMES_DIFFER);
	assert_int_equal(order_finish_by(r.order, &c, &o.id,
				 "h.example.org i.example.org j.example.org"),
		STORE_NAMES_DIFFER);
	assert_int_equal(order_finish_by(r.order, &d, &o.id, "h.example.org i.example.org"),
		STORE_NOT_FOUND);
	assert_int_equal(order_status_of(&r, &c, &o.id), ORDER_READY);
	assert_int_equal(order_finish_by(r.order, &c, &o.id, "h.example.org i.example.org"),
		STORE_OK);
	assert_int_equal(order_finish_by(r.order, &c, &o.id, "h.example.org i.example.org"),
		STORE_NOT_READY);
}

/* ---- validation ---- */

static void a_lost_lease_loses_its_result(void **state)
{
	struct client c = client_new(&r);
	struct placed o = order_place(&r, &c, "k.example.org");
	bool queued;
	int32_t slow;
	int32_t quick;

	respond(&r, &c, &o.authzs[0], CHALLENGE_DNS_01, &queued);
	slow = validation_take(r.validator, &o.authzs[0], 0);
	quick = validation_take(r.validator, &o.authzs[0], 60);
	assert_true(slow == 1 && quick == 2);
	assert_int_equal(validation_take(r.validator, &o.authzs[0], 60), 0);
	assert_int_equal(validation_end(r.validator, &o.authzs[0], slow, VALIDATION_INVALID), 0);
	assert_int_equal(order_status_of(&r, &c, &o.id), ORDER_PENDING);
	assert_int_equal(validation_end(r.validator, &o.authzs[0], quick, VALIDATION_VALID), 1);
	assert_int_equal(order_status_of(&r, &c, &o.id), ORDER_READY);
}

static void a_renewed_lease_keeps_its_row(void **state)
{
	struct client c = client_new(&r);
	struct placed o = order_place(&r, &c, "renewed.example.org");
	struct ident rows[2] = {o.authzs[0], c.id}; /* the second is no authorization */
	int32_t attempts[2] = {1, 1};
	struct db_call call = {0};
	bool queued;

	respond(&r, &c, &o.authzs[0], CHALLENGE_DNS_01, &queued);
	assert_int_equal(validation_take(r.validator, &o.authzs[0], 0), 1);
	validation_renew_call(&call, rows, attempts, 2, &o.id, attempts, 1, 60);
	must(r.validator, &call);
	assert_int_equal(validation_take(r.validator, &o.authzs[0], 60), 0);
	assert_int_equal(validation_end(r.validator, &o.authzs[0], 1, VALIDATION_VALID), 1);
	db_call_done(&call);
}

static void a_retry_shows_its_problem_and_can_be_claimed_again(void **state)
{
	struct client c = client_new(&r);
	struct placed o = order_place(&r, &c, "m.example.org");
	struct db_call call = {0};
	struct authz a;
	bool queued;

	respond(&r, &c, &o.authzs[0], CHALLENGE_DNS_01, &queued);
	assert_int_equal(validation_end(r.validator, &o.authzs[0],
				 validation_take(r.validator, &o.authzs[0], 60), VALIDATION_RETRY),
		0);
	authz_get_call(&call, &c.id, c.thumbprint, &o.authzs[0]);
	must(r.order, &call);
	assert_int_equal(authz_result(&call, &a, NULL), STORE_OK);
	assert_true(a.status == AUTHZ_PENDING && a.challenge == CHALLENGE_PROCESSING &&
		a.error.ptr != NULL);
	validation_claim_call(&call, o.authzs, 1, 60, NULL, 0);
	must(r.validator, &call);
	assert_int_equal(validation_claim_count(&call), 1);
	struct validation_job job;
	validation_claim_at(&call, 0, &job);
	assert_true(job.tries == 1 && job.attempt == 2 && job.type == CHALLENGE_DNS_01);
	db_call_done(&call);
}

static void a_poisonous_validation_ends_the_order(void **state)
{
	struct client c = client_new(&r);
	struct placed o = order_place(&r, &c, "n.example.org");
	bool queued;

	respond(&r, &c, &o.authzs[0], CHALLENGE_DNS_01, &queued);
	for (int32_t i = 1; i <= 8; i++)
		assert_int_equal(validation_take(r.validator, &o.authzs[0], 0), i);
	assert_int_equal(validation_take(r.validator, &o.authzs[0], 0), 0);
	assert_int_equal(order_status_of(&r, &c, &o.id), ORDER_INVALID);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(newaccount_finds_the_account_of_a_known_key),
		cmocka_unit_test(contacts_are_replaced_kept_or_emptied),
		cmocka_unit_test(a_request_with_a_replaced_key_is_refused),
		cmocka_unit_test(deactivation_ends_everything_unfinished),
		cmocka_unit_test(the_orders_list_is_newest_first_and_paged),
		cmocka_unit_test(an_order_becomes_ready_with_its_last_authorization),
		cmocka_unit_test(a_failed_authorization_ends_its_order_with_a_subproblem),
		cmocka_unit_test(responding_twice_queues_once_and_another_type_conflicts),
		cmocka_unit_test(valid_authorizations_are_reused_by_the_same_account_only),
		cmocka_unit_test(deactivating_an_authorization_ends_every_order_that_uses_it),
		cmocka_unit_test(expiry_is_seen_at_once),
		cmocka_unit_test(finalize_refuses_and_leaves_the_order_ready),
		cmocka_unit_test(a_lost_lease_loses_its_result),
		cmocka_unit_test(a_renewed_lease_keeps_its_row),
		cmocka_unit_test(a_retry_shows_its_problem_and_can_be_claimed_again),
		cmocka_unit_test(a_poisonous_validation_ends_the_order),
	};

	fixture_server(argv);
	return cmocka_run_group_tests(tests, setup, teardown);
}
