/* test_store_races.c — many at once: one winner each, nothing lost, no deadlock
 * (tests/sql/server.sh starts the server). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <pthread.h>
#include <stdio.h>
#include <cmocka.h>

#include "lib/base/clock.h"
#include "lib/base/rnd.h"
#include "tests/unit/store_fixture.h"

#define PARALLEL 50
#define BATCH 64

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

/* Every thread gets its connection, waits for the others, then acts. Threads must not call cmocka
 * asserts. */
struct runner {
	pthread_t thread;
	pthread_barrier_t *barrier;
	void (*act)(struct runner *me);
	struct db *db;
	size_t number;
	void *shared;
	int err;
	long count; /* what it achieved */
};

static void *runner_main(void *arg)
{
	struct runner *me = arg;

	pthread_barrier_wait(me->barrier);
	me->act(me);
	return NULL;
}

/* Sum of what the runners achieved. */
static long race(const char *role, size_t n, void (*act)(struct runner *), void *shared)
{
	struct runner *runners = xcalloc(n, sizeof(*runners));
	pthread_barrier_t barrier;
	long sum = 0;

	pthread_barrier_init(&barrier, NULL, (unsigned)n);
	for (size_t i = 0; i < n; i++)
		runners[i] = (struct runner){.barrier = &barrier,
			.act = act,
			.db = role_open(role),
			.number = i,
			.shared = shared};
	for (size_t i = 0; i < n; i++)
		assert_int_equal(pthread_create(&runners[i].thread, NULL, runner_main, &runners[i]),
			0);
	for (size_t i = 0; i < n; i++) {
		pthread_join(runners[i].thread, NULL);
		if (runners[i].err != OK)
			fail_msg("runner %zu: %s", i, db_error(runners[i].db));
		sum += runners[i].count;
		db_close(runners[i].db);
	}
	pthread_barrier_destroy(&barrier);
	free(runners);
	return sum;
}

struct one_order {
	struct client client;
	struct placed order;
	const char *names;
};

static void act_finalize(struct runner *me)
{
	const struct one_order *x = me->shared;
	struct bytes name = bytes_str(x->names);
	struct order_finalize in = {.id = x->order.id,
		.names = &name,
		.count = 1,
		.csr = bytes_str("csr")};
	struct db_call call = {0};
	struct order o = {0};

	rnd_bytes(in.spki_sha256, 32);
	rnd_bytes(in.key_thumbprint, 32);
	order_finalize_call(&call, &x->client.id, x->client.thumbprint, &in);
	me->err = db_run_one(me->db, &call);
	if (me->err == OK) {
		enum store_code code = order_result(&call, &o);

		me->count = code == STORE_OK;
		me->err = code == STORE_OK || code == STORE_NOT_READY ? OK : ERR_INTERNAL;
	}
	order_done(&o);
	db_call_done(&call);
}

static void fifty_finalizes_have_one_winner(void **state)
{
	struct one_order x = {.client = client_new(&r), .names = "fin.example.org"};

	for (int i = 0; i < 5; i++) {
		x.order = order_place(&r, &x.client, x.names);
		order_validate(&r, &x.client, &x.order);
		assert_int_equal(race("assay-order", PARALLEL, act_finalize, &x), 1);
	}
}

static void act_respond(struct runner *me)
{
	const struct one_order *x = me->shared;
	struct db_call call = {0};
	struct authz a;
	bool queued = false;

	challenge_respond_call(&call, &x->client.id, x->client.thumbprint, &x->order.authzs[0],
		me->number % 2 == 0 ? CHALLENGE_HTTP_01 : CHALLENGE_DNS_01);
	me->err = db_run_one(me->db, &call);
	me->count = me->err == OK && authz_result(&call, &a, &queued) == STORE_OK && queued;
	db_call_done(&call);
}

static void parallel_responses_queue_one_challenge(void **state)
{
	struct one_order x = {.client = client_new(&r)};

	x.order = order_place(&r, &x.client, "resp.example.org");
	assert_int_equal(race("assay-order", PARALLEL, act_respond, &x), 1);
}

#define CROSSING_ORDERS 8

struct entangled {
	struct client clients[2];
	struct placed orders[CROSSING_ORDERS]; /* of the first, each of eight names */
	uint8_t keys[8][32];
};

/* One batch, in this order or in the opposite one, as strangers may choose it. */
static void run_crossing(struct runner *me, struct db_call *calls, size_t count)
{
	struct db_call *list[BATCH + 32] = {NULL};

	for (size_t i = 0; i < count; i++)
		list[i] = &calls[me->number % 2 == 0 ? i : count - 1 - i];
	me->err = db_run(me->db, list, count);
	for (size_t i = 0; i < count; i++)
		db_call_done(&calls[i]);
}

static void act_crossing_accounts(struct runner *me)
{
	const struct entangled *x = me->shared;
	struct db_call calls[BATCH + 32] = {0};
	size_t count = 0;

	for (size_t i = 0; i < ARRAY_LEN(x->keys); i++) {
		struct account_new in = {.id = ident_new(), .jwk = bytes_str("{}")};

		memcpy(in.thumbprint, x->keys[i], sizeof(in.thumbprint));
		account_new_call(&calls[count++], &in);
	}
	for (size_t i = 0; i < ARRAY_LEN(x->clients); i++)
		account_update_call(&calls[count++], &x->clients[i].id, x->clients[i].thumbprint,
			NULL, 0, true);
	account_rekey_call(&calls[count++], &x->clients[0].id, x->clients[0].thumbprint, x->keys[3],
		bytes_str("{}"), x->keys[3]);
	run_crossing(me, calls, count);
}

static void act_crossing_authzs(struct runner *me)
{
	const struct entangled *x = me->shared;
	const struct client *c = &x->clients[0];
	struct db_call calls[BATCH + 32] = {0};
	size_t count = 0;

	authz_deactivate_call(&calls[count++], &c->id, c->thumbprint, &x->orders[3].authzs[3]);
	for (size_t i = 0; i < CROSSING_ORDERS; i++) {
		for (size_t j = 0; j < x->orders[i].count; j++)
			challenge_respond_call(&calls[count++], &c->id, c->thumbprint,
				&x->orders[i].authzs[j], CHALLENGE_DNS_01);
	}
	run_crossing(me, calls, count);
}

/* the_server_saw_no_deadlock looks at what came of it. */
static void crossing_batches_of_handlers_wait_for_each_other_in_one_direction(void **state)
{
	for (int round = 0; round < 5; round++) {
		struct entangled x = {.clients = {client_new(&r), client_new(&r)}};

		for (size_t i = 0; i < CROSSING_ORDERS; i++)
			x.orders[i] = order_place(&r, &x.clients[0],
				"a.org b.org c.org d.org e.org f.org g.org h.org");
		rnd_bytes(x.keys, sizeof(x.keys));
		race("assay-order", 6, act_crossing_authzs, &x);
		race("assay-account", 6, act_crossing_accounts, &x);
	}
}

static void act_new_account(struct runner *me)
{
	struct account_new in = {.id = ident_new(), .jwk = bytes_str("{}"), .terms_agreed = true};
	struct db_call call = {0};
	struct account a = {0};
	bool created = false;

	memcpy(in.thumbprint, me->shared, 32);
	account_new_call(&call, &in);
	me->err = db_run_one(me->db, &call);
	if (me->err == OK && account_new_result(&call, &a, &created) != STORE_OK)
		me->err = ERR_INTERNAL;
	me->count = created;
	account_done(&a);
	db_call_done(&call);
}

static void parallel_newaccounts_make_one_account(void **state)
{
	uint8_t thumbprint[32];

	rnd_bytes(thumbprint, 32);
	assert_int_equal(race("assay-account", 20, act_new_account, thumbprint), 1);
}

/* ---- batches that cross ---- */

struct crossing {
	struct ident ids[BATCH];
	int32_t attempts[BATCH];
	struct placed orders[BATCH];
};

/* Half of the runners go through the ids backwards. */
static void order_ids(const struct runner *me, struct ident out[BATCH])
{
	const struct crossing *x = me->shared;

	for (size_t i = 0; i < BATCH; i++)
		out[i] = x->ids[me->number % 2 == 0 ? i : BATCH - 1 - i];
}

static void act_claim(struct runner *me)
{
	struct ident ids[BATCH];
	struct db_call call = {0};

	order_ids(me, ids);
	validation_claim_call(&call, ids, BATCH, 60, NULL, 0);
	me->err = db_run_one(me->db, &call);
	if (me->err == OK)
		me->count = (long)validation_claim_count(&call);
	db_call_done(&call);
}

/* Each runner ends half of the authorizations of every order, so that all meet at the same ones. */
static void act_finish(struct runner *me)
{
	struct crossing *x = me->shared;
	struct validation_result results[BATCH];
	struct db_call call = {0};
	size_t n = 0;

	for (size_t i = 0; i < BATCH; i++) {
		size_t at = me->number % 2 == 0 ? i : BATCH - 1 - i;

		if (at % 2 != me->number % 2)
			continue;
		results[n++] = (struct validation_result){.authz = x->ids[at],
			.attempt = x->attempts[at],
			.outcome = VALIDATION_VALID,
			.caa_us = clock_wall_us(),
			.evidence = bytes_str("{}")};
	}
	validation_finish_call(&call, results, n, clock_wall_us() + DAYS);
	me->err = db_run_one(me->db, &call);
	if (me->err == OK)
		me->count = (long)validation_finish_count(&call);
	db_call_done(&call);
}

static void crossing_batches_claim_and_finish_each_once(void **state)
{
	struct client c = client_new(&r);
	struct crossing x;
	bool queued;

	for (int round = 0; round < 10; round++) {
		for (size_t i = 0; i < BATCH / 2; i++) {
			char names[100];

			snprintf(names, sizeof(names), "a%d-%zu.example.org b%d-%zu.example.org",
				round, i, round, i);
			x.orders[i] = order_place(&r, &c, names);
			assert_int_equal(x.orders[i].status, ORDER_PENDING);
			for (size_t j = 0; j < 2; j++) {
				x.ids[2 * i + j] = x.orders[i].authzs[j];
				x.attempts[2 * i + j] = 1;
				respond(&r, &c, &x.orders[i].authzs[j], CHALLENGE_DNS_01, &queued);
			}
		}
		assert_int_equal(race("assay-validator", 8, act_claim, &x), BATCH);
		assert_int_equal(race("assay-validator", 2, act_finish, &x), BATCH / 2);
		for (size_t i = 0; i < BATCH / 2; i++) {
			assert_int_equal(order_status_of(&r, &c, &x.orders[i].id), ORDER_READY);
		}
	}
}

/* ---- signers ---- */

static void act_sign(struct runner *me)
{
	struct ident ids[BATCH];
	struct db_call call = {0};
	struct issued cert;
	size_t n;

	order_ids(me, ids);
	issuance_claim_call(&call, ids, BATCH / 4, 60);
	me->err = db_run_one(me->db, &call);
	n = me->err == OK ? issuance_claim_count(&call) : 0;
	for (size_t i = 0; i < n; i++) {
		struct issuance_job job;

		issuance_claim_at(&call, i, &job);
		cert = issued_make();
		if (!issuance_record(me->db, &job.order, job.attempt, &cert) ||
			!issuance_store(me->db, &job.order, job.attempt, &cert))
			me->err = ERR_INTERNAL;
		me->count++;
		issuance_job_done(&job);
	}
	db_call_done(&call);
}

static void many_signers_issue_each_order_once(void **state)
{
	struct client c = client_new(&r);
	struct crossing x;
	char *count;

	for (size_t i = 0; i < BATCH; i++) {
		x.orders[i] = order_processing(&r, &c, "sign.example.org");
		x.ids[i] = x.orders[i].id;
	}
	race("assay-signer", 8, act_sign, &x);
	race("assay-signer", 8, act_sign, &x);
	count = sql("SELECT count(*), count(DISTINCT order_id) FROM assay.certificates WHERE names "
		    "= '{sign.example.org}'");
	assert_string_equal(count, "32|32");
	free(count);
}

/* Reserves one and the same order with one and the same attempt: a signer's twin. */
static void act_reserve(struct runner *me)
{
	const struct one_order *x = me->shared;
	struct issued cert = issued_make();

	me->count = issuance_record(me->db, &x->order.id, 1, &cert);
}

static void one_of_two_reservations_of_an_order_counts(void **state)
{
	struct one_order x = {.client = client_new(&r)};

	x.order = order_processing(&r, &x.client, "twice.example.org");
	assert_int_equal(issuance_take(r.signer, &x.order.id, 60), 1);
	assert_int_equal(race("assay-signer", 16, act_reserve, &x), 1);
}

static void act_deactivate_or_finalize(struct runner *me)
{
	const struct one_order *x = me->shared;
	struct db *account = NULL;
	struct db_call call = {0};
	struct account a = {0};

	if (me->number > 0) {
		act_finalize(me);
		me->err = me->err == ERR_INTERNAL ? OK : me->err;
		me->count = 0;
		return;
	}
	account = role_open("assay-account");
	account_deactivate_call(&call, &x->client.id, x->client.thumbprint);
	me->err = db_run_one(account, &call);
	me->count = me->err == OK && account_result(&call, &a) == STORE_OK;
	account_done(&a);
	db_call_done(&call);
	db_close(account);
}

static void a_deactivated_account_has_no_order_in_processing(void **state)
{
	for (int i = 0; i < 10; i++) {
		struct one_order x = {.client = client_new(&r), .names = "race.example.org"};
		char *left;

		x.order = order_place(&r, &x.client, x.names);
		order_validate(&r, &x.client, &x.order);
		assert_int_equal(race("assay-order", 8, act_deactivate_or_finalize, &x), 1);
		left = sql("SELECT count(*) FROM assay.orders o JOIN assay.accounts a ON a.id = "
			   "o.account_id WHERE a.status <> 0 "
			   "AND o.status IN (0, 1, 2)");
		assert_string_equal(left, "0");
		free(left);
	}
}

struct one_certificate {
	struct client client;
	struct issued issued;
	struct bytes key_id;
};

/* Counts the orders that were let through. */
static void act_replace(struct runner *me)
{
	const struct one_certificate *x = me->shared;
	struct bytes name = bytes_str("again.example.org");
	struct ident authz = ident_new();
	uint8_t secret[32];
	struct bytes token = bytes_of(secret, sizeof(secret));
	int64_t now = clock_wall_us();
	struct order_new in = {.id = ident_new(),
		.names = &name,
		.authz_ids = &authz,
		.tokens = &token,
		.count = 1,
		.profile = bytes_str("default"),
		.not_before_us = INT64_MIN,
		.not_after_us = INT64_MIN,
		.expires_us = now + 7 * DAYS,
		.authz_expires_us = now + 7 * DAYS,
		.min_reuse_us = now,
		.replaces = bytes_str("the id"),
		.replaces_key_id = x->key_id,
		.replaces_serial = bytes_of(x->issued.serial, 18)};
	struct db_call call = {0};
	struct order o = {0};

	rnd_bytes(secret, sizeof(secret));
	order_new_call(&call, &x->client.id, x->client.thumbprint, &in);
	me->err = db_run_one(me->db, &call);
	if (me->err == OK) {
		enum store_code code = order_result(&call, &o);

		me->count = code == STORE_OK && bytes_is(o.replaces, "the id");
		me->err = code == STORE_OK || code == STORE_REPLACED ? OK : ERR_INTERNAL;
	}
	order_done(&o);
	db_call_done(&call);
}

/* RFC 9773 section 5: one order at a time replaces a certificate, and one that fails lets it go. */
static void fifty_orders_replace_a_certificate_once(void **state)
{
	static const uint8_t key_id[] = {1, 2, 3};
	struct one_certificate x = {.client = client_new(&r), .key_id = bytes_of(key_id, 3)};
	struct placed order;

	free(sql("UPDATE assay.issuers SET certificate = '\\x0603551d0e04050403010203'"));
	x.issued = order_issue(&r, &x.client, "again.example.org", &order);
	for (int i = 0; i < 5; i++) {
		assert_int_equal(race("assay-order", PARALLEL, act_replace, &x), 1);
		assert_int_equal(race("assay-order", PARALLEL, act_replace, &x), 0);
		assert_sql("1",
			sql("SELECT count(*) FROM assay.orders WHERE replaces IS NOT NULL "
			    "AND status < 4"));
		free(sql("UPDATE assay.orders SET status = 4, error = '{}' WHERE replaces IS NOT "
			 "NULL AND status < 4"));
	}
}

static void the_server_saw_no_deadlock(void **state)
{
	FILE *log = fopen(getenv("SERVER_LOG"), "r");
	char line[4096];

	assert_non_null(log);
	while (fgets(line, sizeof(line), log) != NULL)
		assert_null(strstr(line, "deadlock detected"));
	fclose(log);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(fifty_finalizes_have_one_winner),
		cmocka_unit_test(parallel_responses_queue_one_challenge),
		cmocka_unit_test(crossing_batches_of_handlers_wait_for_each_other_in_one_direction),
		cmocka_unit_test(parallel_newaccounts_make_one_account),
		cmocka_unit_test(crossing_batches_claim_and_finish_each_once),
		cmocka_unit_test(many_signers_issue_each_order_once),
		cmocka_unit_test(one_of_two_reservations_of_an_order_counts),
		cmocka_unit_test(a_deactivated_account_has_no_order_in_processing),
		cmocka_unit_test(fifty_orders_replace_a_certificate_once),
		cmocka_unit_test(the_server_saw_no_deadlock),
	};

	fixture_server(argv);
	return cmocka_run_group_tests(tests, setup, teardown);
}
