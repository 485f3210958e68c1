/* test_validator_tasks.c — the validator's network thread and its tasks, against a resolver in the
 * test's own thread. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>

#include "lib/acme/challenge.h"
#include "lib/base/clock.h"
#include "lib/net/dns01.h"
#include "tests/unit/net_world.h"
#include "workers/validator/caa_task.h"
#include "workers/validator/challenge_task.h"
#include "workers/validator/timer_task.h"

#define NAME "www.example.test"
#define NAMES 100

static const uint8_t secret[32] = "thirty-two bytes of no secrecy.";
static const uint8_t thumbprint[32] = "and the thumbprint of a key too";

struct bench {
	struct world world;
	struct network *net;
};

static void wake(void *arg)
{
	loop_wake(arg);
}

static int setup(void **state)
{
	struct bench *b = xcalloc(1, sizeof(*b));
	char *error = NULL;

	world_init(&b->world);
	b->world.conf.validation.attempts = 3;
	b->world.conf.validation.retry_secs = 1;
	assert_int_equal(network_start(&b->world.conf, wake, b->world.loop, &error, &b->net), OK);
	*state = b;
	return 0;
}

static int teardown(void **state)
{
	struct bench *b = *state;

	assert_null(network_stop(b->net));
	world_done(&b->world);
	free(b);
	return 0;
}

static struct task *await_task(struct bench *b)
{
	int64_t end_ms = clock_mono_ms() + 20000;
	struct task *task;

	while ((task = network_collect(b->net)) == NULL) {
		assert_true(clock_mono_ms() < end_ms);
		assert_int_equal(loop_once(b->world.loop, 100), OK);
	}
	assert_null(task->next);
	return task;
}

static struct challenge_task *make_challenge(struct bench *b, enum challenge_type type,
	bool wildcard, int32_t tries)
{
	struct validation_job row = {.attempt = 7,
		.tries = tries,
		.name = bytes_str(NAME),
		.wildcard = wildcard,
		.type = type,
		.secret = bytes_of(secret, 32),
		.key_thumbprint = bytes_of(thumbprint, 32)};
	struct job job = {.kind = JOB_VALIDATE};

	row.authz = row.account = job.id = ident_new();
	return challenge_task_new(&b->world.conf, &job, &row);
}

static struct validation_result run_challenge(struct bench *b, struct challenge_task *t)
{
	struct validation_result result;

	network_submit(b->net, &t->task);
	assert_ptr_equal(await_task(b), &t->task);
	challenge_task_outcome(t, &b->world.conf, 1000, &result);
	assert_true(ident_equal(&result.authz, &t->job.id));
	assert_int_equal(result.attempt, 7);
	return result;
}

static void publish_proof(struct bench *b, const struct challenge_task *t)
{
	CLEANUP_BUF struct buf want = {0};

	dns01_expected(t->key_authorization, &want);
	fake_dns_add_txt(b->world.dns, "_acme-challenge." NAME, buf_str(&want));
}

static void a_proved_challenge_is_valid(void **state)
{
	struct bench *b = *state;
	struct challenge_task *t = make_challenge(b, CHALLENGE_DNS_01, true, 0);
	struct validation_result result;
	char token[CHALLENGE_TOKEN_LEN + 1];

	challenge_token(bytes_of(secret, 32), CHALLENGE_DNS_01, token);
	assert_int_equal(strncmp(t->key_authorization, token, CHALLENGE_TOKEN_LEN), 0);
	assert_int_equal(t->key_authorization[CHALLENGE_TOKEN_LEN], '.');
	publish_proof(b, t);
	result = run_challenge(b, t);
	assert_int_equal(result.outcome, VALIDATION_VALID);
	assert_null(result.problem.ptr);
	assert_true(result.caa_us > 0);
	assert_non_null(strstr((const char *)result.evidence.ptr, "\"method\":\"dns-01\""));
	challenge_task_free(t);
}

static void failures_are_retried_until_the_last_try(void **state)
{
	struct bench *b = *state;

	for (int32_t tries = 0; tries < 3; tries++) {
		struct challenge_task *t = make_challenge(b, CHALLENGE_DNS_01, false, tries);
		struct validation_result result = run_challenge(b, t);

		assert_int_equal(result.outcome, tries < 2 ? VALIDATION_RETRY : VALIDATION_INVALID);
		assert_true(tries == 2 || result.retry_us >= 1000 + (1000000LL << tries));
		assert_non_null(
			strstr((const char *)result.problem.ptr, "urn:ietf:params:acme:error:dns"));
		challenge_task_free(t);
	}
}

static void what_cannot_heal_is_invalid_at_once(void **state)
{
	struct bench *b = *state;
	struct challenge_task *t = make_challenge(b, CHALLENGE_DNS_01, false, 0);

	publish_proof(b, t);
	fake_dns_add_caa(b->world.dns, "example.test", 0, "issue", ";");
	assert_int_equal(run_challenge(b, t).outcome, VALIDATION_INVALID);
	challenge_task_free(t);
}

static void wildcards_are_proved_by_dns_01_alone(void **state)
{
	static const enum challenge_type types[] = {CHALLENGE_HTTP_01, CHALLENGE_TLS_ALPN_01};
	struct bench *b = *state;

	for (size_t i = 0; i < ARRAY_LEN(types); i++) {
		struct challenge_task *t = make_challenge(b, types[i], true, 0);
		struct validation_result result = run_challenge(b, t);

		assert_int_equal(result.outcome, VALIDATION_INVALID);
		assert_non_null(strstr((const char *)result.problem.ptr, "unauthorized"));
		challenge_task_free(t);
	}
}

static void pauses_grow_and_are_bounded(void **state)
{
	int64_t before = 0;

	for (int32_t tries = 0; tries < 100; tries++) {
		int64_t floor_ms = tries < 11 ? 2000LL << tries : 3600000;
		int64_t ms = challenge_retry_ms(2, tries);

		floor_ms = floor_ms > 3600000 ? 3600000 : floor_ms;
		assert_true(ms >= floor_ms && ms <= floor_ms + floor_ms / 4);
		assert_true(ms >= before || tries > 11);
		before = floor_ms;
	}
	assert_true(challenge_retry_ms(0, 0) >= 1000);
	assert_true(challenge_retry_ms(INT64_MAX / 4000, INT32_MAX) <= 4500000);
}

/* An order of n names, name 0 a wildcard. */
static struct caa_task *make_caa(struct bench *b, size_t n, int64_t give_up_secs)
{
	CLEANUP(free) struct caa_job *rows = xcalloc(n, sizeof(*rows));
	char names[NAMES][48];
	struct job job = {.kind = JOB_CAA, .id = ident_new()};

	for (size_t i = 0; i < n; i++) {
		snprintf(names[i], sizeof(names[i]), "n%zu.example.test", i);
		rows[i] = (struct caa_job){.order = job.id,
			.account = job.id,
			.attempt = 3,
			.name = bytes_str(names[i]),
			.wildcard = i == 0,
			.method = i == 0 ? CHALLENGE_DNS_01 : CHALLENGE_HTTP_01};
	}
	return caa_task_new(&b->world.conf, &job, rows, n, give_up_secs);
}

static struct caa_result run_caa(struct bench *b, struct caa_task *t)
{
	struct caa_result result;

	network_submit(b->net, (struct task *)t);
	assert_ptr_equal(await_task(b), t);
	caa_task_result(t, &result);
	assert_true(ident_equal(&result.order, &caa_task_job(t)->id));
	assert_int_equal(result.attempt, 3);
	return result;
}

static void every_name_of_an_order_is_checked_by_itself(void **state)
{
	struct bench *b = *state;
	struct caa_task *t = make_caa(b, NAMES, 10);
	struct caa_result result = run_caa(b, t);

	assert_null(result.problem.ptr);
	assert_true(result.caa_us > 0);
	for (int i = 0; i < NAMES; i++) {
		char name[48];

		snprintf(name, sizeof(name), "n%d.example.test", i);
		assert_int_equal(fake_dns_count(b->world.dns, name, DNS_CAA), 1);
	}
	caa_task_free(t);
}

static void the_evidence_tells_what_was_seen_for_each_name(void **state)
{
	struct bench *b = *state;
	struct caa_task *t = make_caa(b, 2, 10);
	CLEANUP(jx_free) struct jx *evidence = NULL;
	const struct jx *caa;
	struct bytes name;
	bool permitted;

	fake_dns_add_caa(b->world.dns, "n1.example.test", 0, "issue", "other.test");
	assert_int_equal(jx_parse(run_caa(b, t).evidence, &evidence), OK);
	assert_int_equal(jx_count(evidence), 2);
	for (size_t i = 0; i < 2; i++) {
		assert_int_equal(jx_get_str(jx_at(evidence, i), "name", &name), OK);
		assert_true(bytes_is(name, i == 0 ? "n0.example.test" : "n1.example.test"));
		assert_int_equal(jx_get_object(jx_at(evidence, i), "caa", &caa), OK);
		assert_int_equal(jx_get_bool(caa, "permitted", &permitted), OK);
		assert_int_equal(permitted, i == 0);
	}
	caa_task_free(t);
}

static void whichever_name_is_forbidden_is_named(void **state)
{
	struct bench *b = *state;

	for (int k = 0; k < NAMES; k += 9) {
		struct caa_task *t = make_caa(b, NAMES, 10);
		struct caa_result result;
		char name[48];

		fake_dns_clear(b->world.dns);
		snprintf(name, sizeof(name), "n%d.example.test", k);
		fake_dns_add_caa(b->world.dns, name, 0, "issue", "other.test");
		result = run_caa(b, t);
		assert_non_null(result.problem.ptr);
		assert_non_null(
			strstr((const char *)result.problem.ptr, "urn:ietf:params:acme:error:caa"));
		assert_non_null(strstr((const char *)result.problem.ptr, name));
		caa_task_free(t);
	}
}

static void wildcard_and_method_are_each_names_own(void **state)
{
	struct bench *b = *state;
	struct caa_task *t = make_caa(b, 2, 10);

	fake_dns_add_caa(b->world.dns, "n0.example.test", 0, "issuewild",
		"ca.test; validationmethods=dns-01");
	fake_dns_add_caa(b->world.dns, "n0.example.test", 0, "issue", ";");
	fake_dns_add_caa(b->world.dns, "n1.example.test", 0, "issue",
		"ca.test; validationmethods=http-01");
	fake_dns_add_caa(b->world.dns, "n1.example.test", 0, "issuewild", ";");
	assert_null(run_caa(b, t).problem.ptr);
	caa_task_free(t);
}

static void failing_lookups_are_repeated_and_then_refuse(void **state)
{
	struct bench *b = *state;
	struct caa_task *t = make_caa(b, 2, 10);
	struct caa_result result;

	fake_dns_fail(b->world.dns, "n1.example.test", DNS_CAA, DNS_RCODE_SERVFAIL);
	result = run_caa(b, t);
	assert_non_null(strstr((const char *)result.problem.ptr, "urn:ietf:params:acme:error:dns"));
	assert_non_null(strstr((const char *)result.evidence.ptr, "\"try\":3"));
	assert_int_equal(fake_dns_count(b->world.dns, "n0.example.test", DNS_CAA), 1);
	assert_int_equal(fake_dns_count(b->world.dns, "n1.example.test", DNS_CAA), 3);
	caa_task_free(t);
	t = make_caa(b, 2, 0);
	result = run_caa(b, t);
	assert_non_null(result.problem.ptr);
	assert_int_equal(fake_dns_count(b->world.dns, "n1.example.test", DNS_CAA), 4);
	caa_task_free(t);
}

static void a_reload_counts_for_tasks_that_start_later(void **state)
{
	struct bench *b = *state;
	struct conf fresh = b->world.conf;
	struct challenge_task *before = make_challenge(b, CHALLENGE_DNS_01, false, 0), *after;
	char other[] = "other-ca.test", *items[] = {other};

	fresh.server.caa_identities = (struct conf_list){.items = items, .count = 1};
	fake_dns_add_caa(b->world.dns, "example.test", 0, "issue", "ca.test");
	publish_proof(b, before);
	assert_int_equal(run_challenge(b, before).outcome, VALIDATION_VALID);
	network_reload(b->net, &fresh);
	free(await_task(b));
	after = make_challenge(b, CHALLENGE_DNS_01, false, 0);
	assert_int_equal(run_challenge(b, after).outcome, VALIDATION_INVALID);
	challenge_task_free(before);
	challenge_task_free(after);
	assert_null(network_stop(TAKE(b->net)));
}

static void stopping_gives_back_what_was_under_way(void **state)
{
	struct bench *b = *state;
	struct challenge_task *hanging = make_challenge(b, CHALLENGE_DNS_01, false, 0);
	struct caa_task *checking = make_caa(b, 20, 10);
	struct timer_task *waiting = timer_task_new(TASK_REQUEUE, NULL, 60000);
	struct timer_task *soon = timer_task_new(TASK_PAUSE, NULL, 0);
	size_t n = 0;

	fake_dns_set_mode(b->world.dns, "_acme-challenge." NAME, DNS_TXT, FAKE_SILENT);
	fake_dns_set_mode(b->world.dns, "n0.example.test", DNS_CAA, FAKE_SILENT);
	network_submit(b->net, &hanging->task);
	network_submit(b->net, (struct task *)checking);
	network_submit(b->net, &waiting->task);
	network_submit(b->net, &soon->task);
	assert_ptr_equal(await_task(b), &soon->task);
	for (struct task *task = network_stop(TAKE(b->net)); task != NULL; task = task->next)
		n++;
	assert_int_equal(n, 3);
	challenge_task_free(hanging);
	caa_task_free(checking);
	free(waiting);
	free(soon);
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_proved_challenge_is_valid),
		TEST(failures_are_retried_until_the_last_try),
		TEST(what_cannot_heal_is_invalid_at_once),
		TEST(wildcards_are_proved_by_dns_01_alone),
		cmocka_unit_test(pauses_grow_and_are_bounded),
		TEST(every_name_of_an_order_is_checked_by_itself),
		TEST(the_evidence_tells_what_was_seen_for_each_name),
		TEST(whichever_name_is_forbidden_is_named),
		TEST(wildcard_and_method_are_each_names_own),
		TEST(failing_lookups_are_repeated_and_then_refuse),
		TEST(a_reload_counts_for_tasks_that_start_later),
		TEST(stopping_gives_back_what_was_under_way),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
