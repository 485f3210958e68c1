/* test_nonce.c — nonces: accepted exactly once, and never again after any loss in Redis. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <unistd.h>

#include "lib/base/clock.h"
#include "lib/queue/nonce.h"
#include "tests/unit/private_redis.h"

#define RACERS 64

static struct private_redis server;

static int start_server(void **state)
{
	static const char *const durable[] = {"--appendonly", "yes", "--appendfsync", "always",
		NULL};

	private_redis_start(&server, durable);
	return 0;
}

static int stop_server(void **state)
{
	private_redis_stop(&server);
	return 0;
}

/* A handler: a pool with its connection. */
struct handler {
	struct nonce_pool *pool;
	struct rds *rds;
};

static struct handler handler_open(void)
{
	struct handler h = {.pool = nonce_pool_new(), .rds = private_redis_connect(&server)};

	assert_int_equal(nonce_pool_connect(h.pool, h.rds), OK);
	return h;
}

static void handler_close(struct handler *h)
{
	nonce_pool_free(h->pool);
	rds_close(h->rds);
}

static bool consume(struct handler *h, const struct nonce *nonce)
{
	CLEANUP(rds_reply_free) struct rds_reply *reply = NULL;

	nonce_append(h->rds, nonce);
	assert_int_equal(rds_read(h->rds, &reply), OK);
	return nonce_accepted(h->pool, nonce, reply);
}

static bool use(struct handler *h, const char *text)
{
	struct nonce nonce;

	return nonce_open(h->pool, bytes_str(text), &nonce) == OK && consume(h, &nonce);
}

static int64_t keys_without_expiry(struct rds *rds)
{
	CLEANUP(rds_reply_free) struct rds_reply *keys = private_redis_do(rds, "KEYS nonce:*");
	int64_t n = 0;

	for (size_t i = 0; i < rds_count(keys); i++) {
		char command[128];
		struct bytes key = rds_str(rds_at(keys, i));

		snprintf(command, sizeof(command), "TTL %.*s", (int)key.len, (const char *)key.ptr);
		n += private_redis_int(rds, command) < 0;
	}
	return n;
}

static void a_nonce_is_accepted_once(void **state)
{
	struct handler h = handler_open();
	char a[NONCE_TEXT_LEN + 1], b[NONCE_TEXT_LEN + 1];

	nonce_issue(h.pool, a);
	nonce_issue(h.pool, b);
	assert_int_equal(strlen(a), NONCE_TEXT_LEN);
	assert_string_not_equal(a, b);
	assert_true(use(&h, b));
	assert_true(use(&h, a));
	assert_false(use(&h, a));
	assert_false(use(&h, b));
	assert_int_equal(keys_without_expiry(h.rds), 0);
	handler_close(&h);
}

static void any_handler_accepts_the_nonces_of_all(void **state)
{
	struct handler a = handler_open(), b = handler_open();
	char text[NONCE_TEXT_LEN + 1];

	nonce_issue(a.pool, text);
	assert_true(use(&b, text));
	assert_false(use(&a, text));
	handler_close(&a);
	handler_close(&b);
}

static void foreign_text_is_refused_for_what_it_is(void **state)
{
	struct handler h = handler_open();
	struct nonce nonce;
	char text[NONCE_TEXT_LEN + 1];
	static const struct {
		const char *text;
		int err;
	} cases[] = {
		{"", ERR_SYNTAX},
		{"=", ERR_SYNTAX},
		{"AAAAAAAAAAAAAAAAAAAAA=", ERR_SYNTAX},
		{"AAAAAAAAAAAAAAAAAAAAA+", ERR_SYNTAX},
		{"AAAAAAAAAAAAAAAAAAAAAB", ERR_SYNTAX}, /* bits behind the last byte */
		{"A", ERR_SYNTAX},
		{"AA", ERR_NOENT},
		{"AAAAAAAAAAAAAAAAAAAAAA", ERR_NOENT},
		{"AAAAAAAAAAAAAAAAAAAAAAAA", ERR_NOENT},
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++)
		assert_int_equal(nonce_open(h.pool, bytes_str(cases[i].text), &nonce),
			cases[i].err);
	nonce_issue(h.pool, text);
	for (int i = 0; i < NONCE_TEXT_LEN - 1; i++) {
		char changed[NONCE_TEXT_LEN + 1];

		memcpy(changed, text, sizeof(changed));
		changed[i] = changed[i] == 'A' ? 'B' : 'A';
		assert_int_equal(nonce_open(h.pool, bytes_str(changed), &nonce), ERR_NOENT);
	}
	assert_int_equal(nonce_open(h.pool, bytes_of(text, NONCE_TEXT_LEN), &nonce), OK);
	handler_close(&h);
}

static void without_redis_nonces_are_well_formed_and_bad(void **state)
{
	CLEANUP(nonce_pool_free) struct nonce_pool *pool = nonce_pool_new();
	char text[NONCE_TEXT_LEN + 1];
	struct nonce nonce;

	nonce_issue(pool, text);
	assert_int_equal(nonce_open(pool, bytes_str(text), &nonce), ERR_NOENT);
	assert_true(nonce_pool_low(pool));
}

struct racer {
	struct nonce nonce;
	struct handler handler;
	pthread_barrier_t *start;
	atomic_int *accepted;
};

static void *race(void *arg)
{
	struct racer *r = arg;

	pthread_barrier_wait(r->start);
	if (consume(&r->handler, &r->nonce))
		atomic_fetch_add(r->accepted, 1);
	return NULL;
}

static void of_64_racing_connections_one_is_accepted(void **state)
{
	static struct racer racers[RACERS];
	pthread_t threads[RACERS];
	pthread_barrier_t start;
	atomic_int accepted = 0;
	char text[NONCE_TEXT_LEN + 1];

	pthread_barrier_init(&start, NULL, RACERS);
	for (int i = 0; i < RACERS; i++) {
		racers[i] = (struct racer){.handler = handler_open(),
			.start = &start,
			.accepted = &accepted};
		if (i == 0)
			nonce_issue(racers[0].handler.pool, text);
		assert_int_equal(nonce_open(racers[i].handler.pool, bytes_str(text),
					 &racers[i].nonce),
			OK);
	}
	for (int i = 0; i < RACERS; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, race, &racers[i]), 0);
	for (int i = 0; i < RACERS; i++)
		pthread_join(threads[i], NULL);
	assert_int_equal(atomic_load(&accepted), 1);
	for (int i = 0; i < RACERS; i++)
		handler_close(&racers[i].handler);
	pthread_barrier_destroy(&start);
}

static void *connect_at_once(void *arg)
{
	struct racer *r = arg;

	pthread_barrier_wait(r->start);
	return nonce_pool_connect(r->handler.pool, r->handler.rds) == OK ? r : NULL;
}

static void handlers_that_start_at_once_agree_on_the_key(void **state)
{
	static struct racer racers[RACERS];
	pthread_t threads[RACERS];
	pthread_barrier_t start;
	CLEANUP(rds_close) struct rds *rds = private_redis_connect(&server);

	rds_reply_free(private_redis_do(rds, "FLUSHALL"));
	pthread_barrier_init(&start, NULL, RACERS);
	for (int i = 0; i < RACERS; i++) {
		racers[i].handler.pool = nonce_pool_new();
		racers[i].handler.rds = private_redis_connect(&server);
		racers[i].start = &start;
		assert_int_equal(pthread_create(&threads[i], NULL, connect_at_once, &racers[i]), 0);
	}
	for (int i = 0; i < RACERS; i++) {
		void *ok;

		pthread_join(threads[i], &ok);
		assert_non_null(ok);
	}
	for (int i = 0; i < RACERS; i++) {
		char text[NONCE_TEXT_LEN + 1];

		nonce_issue(racers[i].handler.pool, text);
		assert_true(use(&racers[(i + 1) % RACERS].handler, text));
	}
	for (int i = 0; i < RACERS; i++)
		handler_close(&racers[i].handler);
	pthread_barrier_destroy(&start);
}

static void flushall_makes_nonces_bad_and_nothing_is_accepted_twice(void **state)
{
	struct handler h = handler_open();
	char used[NONCE_TEXT_LEN + 1], issued[NONCE_TEXT_LEN + 1], fresh[NONCE_TEXT_LEN + 1];

	nonce_issue(h.pool, used);
	nonce_issue(h.pool, issued);
	assert_true(use(&h, used));
	rds_reply_free(private_redis_do(h.rds, "FLUSHALL"));
	assert_false(use(&h, used));
	assert_false(use(&h, issued));

	/* The refusal itself says that a look is due, and after it the very next nonce is good. */
	assert_true(nonce_pool_low(h.pool));
	assert_int_equal(nonce_pool_refill(h.pool, h.rds), OK);
	assert_false(nonce_pool_low(h.pool));
	nonce_issue(h.pool, fresh);
	assert_true(use(&h, fresh));
	assert_false(use(&h, used));
	assert_false(use(&h, issued));
	assert_false(use(&h, fresh));
	/* Refused nonces leave no key behind for ever. */
	assert_int_equal(nonce_pool_refill(h.pool, h.rds), OK);
	assert_int_equal(keys_without_expiry(h.rds), 0);
	handler_close(&h);
}

static void an_idle_handler_notices_flushall_by_itself(void **state)
{
	struct handler idle = handler_open();
	char text[NONCE_TEXT_LEN + 1];

	rds_reply_free(private_redis_do(idle.rds, "FLUSHALL"));
	/* Another handler comes up and makes a new key. */
	struct handler other = handler_open();
	nonce_issue(idle.pool, text);
	assert_false(use(&other, text));
	usleep(NONCE_CHECK_SECS * 1000000 + 50000);
	assert_true(nonce_pool_low(idle.pool));
	assert_int_equal(nonce_pool_refill(idle.pool, idle.rds), OK);
	nonce_issue(idle.pool, text);
	assert_true(use(&other, text));
	nonce_issue(other.pool, text);
	assert_true(use(&idle, text));
	handler_close(&idle);
	handler_close(&other);
}

static void a_restart_makes_every_old_nonce_unreadable(void **state)
{
	struct handler h = handler_open();
	char used[NONCE_TEXT_LEN + 1], issued[NONCE_TEXT_LEN + 1], fresh[NONCE_TEXT_LEN + 1];
	struct nonce opened, again;
	bool is_new = false;

	nonce_issue(h.pool, used);
	nonce_issue(h.pool, issued);
	assert_true(use(&h, used));
	assert_int_equal(nonce_open(h.pool, bytes_str(issued), &opened), OK);
	private_redis_kill(&server, SIGKILL);
	private_redis_again(&server);
	rds_close(private_redis_connect(&server));
	assert_int_equal(rds_ensure(h.rds, &is_new), OK);
	assert_true(is_new);

	/* Its bitmap came back from the AOF, but a nonce that was opened under the old run is
	 * refused all the same. */
	assert_false(consume(&h, &opened));
	assert_int_equal(nonce_pool_connect(h.pool, h.rds), OK);
	assert_int_equal(nonce_open(h.pool, bytes_str(used), &again), ERR_NOENT);
	assert_int_equal(nonce_open(h.pool, bytes_str(issued), &again), ERR_NOENT);
	nonce_issue(h.pool, fresh);
	assert_true(use(&h, fresh));
	handler_close(&h);
}

static void chunks_follow_each_other_without_a_gap(void **state)
{
	struct handler h = handler_open();
	CLEANUP(rds_reply_free) struct rds_reply *before = private_redis_do(h.rds, "KEYS nonce:*");

	for (int i = 0; i < 3 * NONCE_CHUNK; i++) {
		char text[NONCE_TEXT_LEN + 1];
		struct nonce nonce;

		nonce_issue(h.pool, text);
		assert_int_equal(nonce_open(h.pool, bytes_str(text), &nonce), OK);
		if (i % 997 == 0 || nonce.index == 0 || nonce.index == NONCE_CHUNK - 1) {
			assert_true(consume(&h, &nonce));
			assert_false(consume(&h, &nonce));
		}
		if (nonce_pool_low(h.pool))
			assert_int_equal(nonce_pool_refill(h.pool, h.rds), OK);
	}
	CLEANUP(rds_reply_free) struct rds_reply *after = private_redis_do(h.rds, "KEYS nonce:*");
	assert_in_range(rds_count(after) - rds_count(before), 2, 4);
	assert_int_equal(keys_without_expiry(h.rds), 0);
	handler_close(&h);
}

static void a_used_up_pool_issues_bad_nonces_until_it_is_refilled(void **state)
{
	struct handler h = handler_open();
	char text[NONCE_TEXT_LEN + 1];
	struct nonce nonce;

	for (int i = 0; i < NONCE_CHUNK; i++)
		nonce_issue(h.pool, text);
	assert_int_equal(nonce_open(h.pool, bytes_str(text), &nonce), OK);
	nonce_issue(h.pool, text);
	assert_int_equal(nonce_open(h.pool, bytes_str(text), &nonce), ERR_NOENT);
	assert_true(nonce_pool_low(h.pool));
	assert_int_equal(nonce_pool_refill(h.pool, h.rds), OK);
	nonce_issue(h.pool, text);
	assert_true(use(&h, text));
	handler_close(&h);
}

struct issuer {
	struct nonce_pool *pool;
	char (*texts)[NONCE_TEXT_LEN + 1];
	int count;
};

static void *issue_many(void *arg)
{
	struct issuer *issuer = arg;

	for (int i = 0; i < issuer->count; i++)
		nonce_issue(issuer->pool, issuer->texts[i]);
	return NULL;
}

static void threads_never_issue_the_same_nonce(void **state)
{
	enum { THREADS = 4, EACH = 4000 };
	struct handler h = handler_open();
	static char texts[THREADS][EACH][NONCE_TEXT_LEN + 1];
	struct issuer issuers[THREADS];
	pthread_t threads[THREADS];

	for (int t = 0; t < THREADS; t++) {
		issuers[t] = (struct issuer){.pool = h.pool, .texts = texts[t], .count = EACH};
		assert_int_equal(pthread_create(&threads[t], NULL, issue_many, &issuers[t]), 0);
	}
	for (int t = 0; t < THREADS; t++)
		pthread_join(threads[t], NULL);
	/* Each is accepted once: then all are different. */
	for (int t = 0; t < THREADS; t++)
		for (int i = 0; i < EACH; i++)
			assert_true(use(&h, texts[t][i]));
	handler_close(&h);
}

/* Time moves by a linker wrap of the two clocks. */
static int64_t clock_offset_secs;
int64_t __real_clock_mono_ms(void);
int64_t __real_clock_wall_us(void);
int64_t __wrap_clock_mono_ms(void);
int64_t __wrap_clock_wall_us(void);

int64_t __wrap_clock_mono_ms(void)
{
	return __real_clock_mono_ms() + clock_offset_secs * 1000;
}

int64_t __wrap_clock_wall_us(void)
{
	return __real_clock_wall_us() + clock_offset_secs * USEC_PER_SEC;
}

static void nonces_live_for_an_hour_and_then_leave_redis_alone(void **state)
{
	struct handler h = handler_open();
	char first[NONCE_TEXT_LEN + 1], last[NONCE_TEXT_LEN + 1], late[NONCE_TEXT_LEN + 1];
	struct nonce nonce, next;

	nonce_issue(h.pool, first);
	nonce_issue(h.pool, last);
	assert_int_equal(nonce_open(h.pool, bytes_str(first), &nonce), OK);
	clock_offset_secs = NONCE_CHUNK_SECS - 5;
	assert_int_equal(nonce_pool_refill(h.pool, h.rds), OK);
	clock_offset_secs = NONCE_CHUNK_SECS + 5;
	nonce_issue(h.pool, late);
	assert_int_equal(nonce_open(h.pool, bytes_str(late), &next), OK);
	assert_int_not_equal(next.chunk, nonce.chunk);

	clock_offset_secs = NONCE_CHUNK_SECS + NONCE_LIFE_SECS;
	assert_true(use(&h, first));
	assert_true(use(&h, late));
	clock_offset_secs = NONCE_CHUNK_SECS + 2 * NONCE_LIFE_SECS;
	assert_int_equal(nonce_open(h.pool, bytes_str(last), &nonce), ERR_NOENT);
	clock_offset_secs = 0;
	handler_close(&h);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_nonce_is_accepted_once),
		cmocka_unit_test(any_handler_accepts_the_nonces_of_all),
		cmocka_unit_test(foreign_text_is_refused_for_what_it_is),
		cmocka_unit_test(without_redis_nonces_are_well_formed_and_bad),
		cmocka_unit_test(of_64_racing_connections_one_is_accepted),
		cmocka_unit_test(handlers_that_start_at_once_agree_on_the_key),
		cmocka_unit_test(flushall_makes_nonces_bad_and_nothing_is_accepted_twice),
		cmocka_unit_test(an_idle_handler_notices_flushall_by_itself),
		cmocka_unit_test(a_restart_makes_every_old_nonce_unreadable),
		cmocka_unit_test(chunks_follow_each_other_without_a_gap),
		cmocka_unit_test(a_used_up_pool_issues_bad_nonces_until_it_is_refilled),
		cmocka_unit_test(threads_never_issue_the_same_nonce),
		cmocka_unit_test(nonces_live_for_an_hour_and_then_leave_redis_alone),
	};

	private_redis_require();
	return cmocka_run_group_tests_name("nonce", tests, start_server, stop_server);
}
