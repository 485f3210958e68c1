/* test_acl.c — the Redis users: each program's calls work as its own user, and what is forbidden is
 * refused. The server runs with systemd/assay-redis.conf. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <stdio.h>
#include <unistd.h>

#include "lib/base/clock.h"
#include "lib/queue/acl.h"
#include "lib/queue/jobs.h"
#include "lib/queue/nonce.h"
#include "lib/queue/ocsp.h"
#include "tests/unit/private_redis.h"

#define MAX 16

static struct private_redis server;

static const char *const users[] = {"assay-directory", "assay-account", "assay-order",
	"assay-validator", "assay-signer", "assay-keeper", "assay-admin", "assay-ocsp",
	"assay-ocsp-signer"};

/* Our configuration, with an ACL file that has the tests' own user besides. */
static int start_server(void **state)
{
	static char include[4096], acl[] = "/tmp/assay-acl-XXXXXX";
	static const char *extra[] = {"--include", include, "--unixsocketperm", "700", "--aclfile",
		acl, NULL};
	const char *srcdir = getenv("srcdir");
	FILE *file = fdopen(mkstemp(acl), "w");

	assert_non_null(file);
	fprintf(file, "user default off\nuser test on >test ~* &* +@all\n");
	for (size_t i = 0; i < ARRAY_LEN(users); i++)
		fprintf(file, "user %s on >secret %s\n", users[i], acl_rules(users[i]));
	assert_int_equal(fclose(file), 0);
	snprintf(include, sizeof(include), "%s/systemd/assay-redis.conf",
		srcdir != NULL ? srcdir : ".");
	private_redis_start(&server, extra);
	usleep(50000);
	*state = acl;
	return 0;
}

static int stop_server(void **state)
{
	private_redis_stop(&server);
	unlink(*state);
	return 0;
}

static struct rds *login(const char *user)
{
	int64_t deadline = clock_mono_ms() + 10000;
	struct rds *rds = NULL;

	while (rds_open(server.socket, user, strcmp(user, "test") == 0 ? "test" : "secret", &rds) !=
		OK) {
		assert_true(clock_mono_ms() < deadline);
		usleep(2000);
	}
	return rds;
}

static void allowed(struct rds *rds, const char *words)
{
	CLEANUP(rds_reply_free) struct rds_reply *reply = private_redis_do(rds, words);

	if (rds_is_error(reply, NULL))
		fail_msg("%s: %.*s", words, (int)rds_str(reply).len,
			(const char *)rds_str(reply).ptr);
}

static void refused(struct rds *rds, const char *words)
{
	CLEANUP(rds_reply_free) struct rds_reply *reply = private_redis_do(rds, words);

	if (!rds_is_error(reply, "NOPERM"))
		fail_msg("%s was not refused", words);
}

static void the_configuration_is_in_force(void **state)
{
	CLEANUP(rds_close) struct rds *rds = login("test");
	static const struct {
		const char *key;
		const char *value;
	} settings[] = {{"port", "0"}, {"appendonly", "yes"}, {"appendfsync", "everysec"},
		{"save", ""}, {"auto-aof-rewrite-min-size", "4194304"},
		{"maxmemory-policy", "noeviction"}, {"proto-max-bulk-len", "1048576"},
		{"enable-debug-command", "no"}};

	for (size_t i = 0; i < ARRAY_LEN(settings); i++) {
		char command[64];

		snprintf(command, sizeof(command), "CONFIG GET %s", settings[i].key);
		CLEANUP(rds_reply_free) struct rds_reply *reply = private_redis_do(rds, command);
		assert_int_equal(rds_count(reply), 2);
		assert_true(bytes_is(rds_str(rds_at(reply, 1)), settings[i].value));
	}
}

static void strangers_and_wrong_passwords_get_nothing(void **state)
{
	CLEANUP(rds_close) struct rds *stranger = rds_new(server.socket, NULL, NULL);
	CLEANUP(rds_close) struct rds *liar = rds_new(server.socket, "assay-order", "guess");

	assert_int_equal(rds_ensure(stranger, NULL), ERR_QUEUE);
	assert_non_null(strstr(rds_error(stranger), "NOAUTH"));
	assert_int_equal(rds_ensure(liar, NULL), ERR_QUEUE);
	assert_non_null(strstr(rds_error(liar), "WRONGPASS"));
	assert_null(acl_rules("default"));
}

static void handlers_can_use_nonces(void **state)
{
	for (size_t i = 0; i < 3; i++) {
		CLEANUP(rds_close) struct rds *rds = login(users[i]);
		CLEANUP(nonce_pool_free) struct nonce_pool *pool = nonce_pool_new();
		char text[NONCE_TEXT_LEN + 1];
		struct nonce nonce;

		assert_int_equal(nonce_pool_connect(pool, rds), OK);
		nonce_issue(pool, text);
		assert_int_equal(nonce_open(pool, bytes_str(text), &nonce), OK);
		for (int use = 0; use < 2; use++) {
			CLEANUP(rds_reply_free) struct rds_reply *reply = NULL;

			nonce_append(rds, &nonce);
			assert_int_equal(rds_read_ok(rds, &reply), OK);
			assert_int_equal(nonce_accepted(pool, &nonce, reply), use == 0);
		}
		/* A lost bitmap is given its expiry, too. */
		CLEANUP(rds_close) struct rds *test = login("test");
		CLEANUP(rds_reply_free) struct rds_reply *reply = NULL;
		allowed(test, "FLUSHALL");
		nonce_append(rds, &nonce);
		assert_int_equal(rds_read_ok(rds, &reply), OK);
		assert_false(nonce_accepted(pool, &nonce, reply));
		assert_int_equal(nonce_pool_refill(pool, rds), OK);
	}
}

static void count_one(void *arg, const struct ident *id)
{
	++*(int *)arg;
}

static void orders_go_through_all_streams(void **state)
{
	CLEANUP(rds_close) struct rds *order = login("assay-order");
	CLEANUP(rds_close) struct rds *ears = login("assay-order");
	CLEANUP(rds_close) struct rds *validator = login("assay-validator");
	CLEANUP(rds_close) struct rds *signer = login("assay-signer");
	CLEANUP(rds_close) struct rds *keeper = login("assay-keeper");
	struct rds *consumers[] = {[STREAM_VALIDATION] = validator, [STREAM_ISSUANCE] = signer};
	static const enum job_kind kinds[] =
		{[STREAM_VALIDATION] = JOB_VALIDATE, [STREAM_ISSUANCE] = JOB_SIGN};
	struct ident id = ident_new();
	struct job jobs[MAX], dead[MAX];
	size_t count, ndead;
	int heard = 0;

	assert_int_equal(jobs_publish(keeper, &id, 1), OK);
	assert_int_equal(jobs_subscribe(ears), OK);
	for (int s = STREAM_VALIDATION; s <= STREAM_ISSUANCE; s++) {
		struct rds *rds = consumers[s];

		assert_int_equal(jobs_ensure_group(rds, s), OK);
		assert_int_equal(jobs_enqueue(order, kinds[s], &id, 1), OK);
		assert_int_equal(jobs_enqueue(keeper, kinds[s], &id, 1), OK);
		assert_int_equal(jobs_read(rds, s, "one", 0, jobs, MAX, &count), OK);
		assert_int_equal(count, 2);
		assert_int_equal(jobs_ack(rds, s, jobs, 1), OK);
		for (ndead = 0; ndead == 0;)
			assert_int_equal(jobs_reclaim(rds, s, "two", 0, jobs, MAX, &count, dead,
						 MAX, &ndead),
				OK);
		assert_int_equal(jobs_publish(rds, &id, 1), OK);
		assert_int_equal(jobs_listen(ears, 1000, count_one, &heard), OK);
		assert_int_equal(heard, s + 1);
		usleep(10000);
		assert_int_equal(jobs_prune_consumers(keeper, s, 1, &count), OK);
		assert_int_equal(count, 2);
	}
	/* CAA checks go back and forth; retries come again. */
	assert_int_equal(jobs_enqueue(signer, JOB_CAA, &id, 1), OK);
	assert_int_equal(jobs_enqueue(validator, JOB_VALIDATE, &id, 1), OK);
	assert_int_equal(jobs_enqueue(validator, JOB_SIGN, &id, 1), OK);
	assert_int_equal(jobs_dead_read(keeper, jobs, &count, dead, &ndead, MAX), OK);
	assert_int_equal(count, 2);
	assert_int_equal(jobs_dead_remove(keeper, jobs, count), OK);
}

static void count_reply(void *arg, const struct ident *reply, struct bytes response)
{
	++*(int *)arg;
}

static void asks_for_responses_go_to_the_ocsp_signer_and_come_back(void **state)
{
	CLEANUP(rds_close) struct rds *ocsp = login("assay-ocsp");
	CLEANUP(rds_close) struct rds *ears = login("assay-ocsp");
	CLEANUP(rds_close) struct rds *signer = login("assay-ocsp-signer");
	CLEANUP(rds_reply_free) struct rds_reply *reply = NULL;
	struct ocsp_ask asks[MAX],
		ask = {.reply = ident_new(),
			.until_us = INT64_MAX / 10,
			.count = 1,
			.certs = {{.hash = OCSP_ASK_SHA1, .serial = "x", .serial_len = 1}}};
	struct ocsp_reply answer = {.reply = ask.reply, .response = bytes_str("x")};
	size_t count;
	int heard = 0;

	assert_int_equal(ocsp_replies_subscribe(ears), OK);
	assert_int_equal(ocsp_asks_ensure_group(signer), OK);
	ocsp_ask_append(ocsp, &ask);
	assert_int_equal(rds_read_ok(ocsp, &reply), OK);
	assert_int_equal(ocsp_asks_read(signer, 0, asks, MAX, &count), OK);
	assert_int_equal(count, 1);
	assert_int_equal(ocsp_replies_publish(signer, &answer, 1), OK);
	assert_int_equal(ocsp_replies_listen(ears, 1000, count_reply, &heard), OK);
	assert_int_equal(heard, 1);

	static const char *const not_the_handlers[] = {"XREADGROUP GROUP w w STREAMS q:ocsp >",
		"XRANGE q:ocsp - +", "XDEL q:ocsp 0-1", "XTRIM q:ocsp MAXLEN 0", "PUBLISH ocsp x",
		"SUBSCRIBE done", "XADD q:sign * s x", "XADD q:val * v x",
		"BITFIELD nonce:x SET u1 1 0", "GET nonce:key:x"};
	for (size_t i = 0; i < ARRAY_LEN(not_the_handlers); i++)
		refused(ocsp, not_the_handlers[i]);
	static const char *const not_the_signers[] = {"XADD q:ocsp * r x", "SUBSCRIBE ocsp",
		"PUBLISH done x", "XTRIM q:ocsp MAXLEN 0", "XGROUP DESTROY q:ocsp w",
		"XREADGROUP GROUP w w STREAMS q:sign >", "XADD q:sign * s x", "XADD q:dead * s x",
		"GET nonce:key:x"};
	for (size_t i = 0; i < ARRAY_LEN(not_the_signers); i++)
		refused(signer, not_the_signers[i]);
	CLEANUP(rds_close) struct rds *order = login("assay-order");
	refused(order, "XADD q:ocsp * r x");
	CLEANUP(rds_close) struct rds *issuing = login("assay-signer");
	refused(issuing, "PUBLISH ocsp x");
	refused(issuing, "XREADGROUP GROUP w w STREAMS q:ocsp >");
}

static void the_admin_may_look(void **state)
{
	CLEANUP(rds_close) struct rds *rds = login("assay-admin");

	allowed(rds, "XLEN q:val");
	allowed(rds, "XLEN q:ocsp");
	allowed(rds, "XLEN q:dead");
	allowed(rds, "XRANGE q:sign - + COUNT 1");
	refused(rds, "XADD q:val * v x");
	refused(rds, "XDEL q:dead 0-1");
	refused(rds, "GET nonce:key:x");
}

static void nobody_may_administer_script_or_list(void **state)
{
	static const char *const commands[] = {"FLUSHALL", "FLUSHDB", "CONFIG GET *",
		"CONFIG SET maxmemory 1", "KEYS *", "SCAN 0", "RANDOMKEY", "DBSIZE",
		"EVAL return 0", "EVALSHA x 0", "SCRIPT LOAD x", "FUNCTION LIST", "FCALL x 0",
		"RESTORE k 0 x", "DUMP k", "MIGRATE h 1 k 0 1", "SHUTDOWN", "SAVE", "BGSAVE",
		"BGREWRITEAOF", "REPLICAOF NO ONE", "FAILOVER", "ACL LIST", "ACL WHOAMI",
		"ACL SETUSER x on", "CLIENT LIST", "CLIENT KILL TYPE normal", "MONITOR",
		"SLOWLOG GET", "LATENCY DOCTOR", "MODULE LIST", "OBJECT ENCODING k",
		"MEMORY USAGE k", "SELECT 1", "SWAPDB 0 1", "RENAME q:val x", "COPY q:val x",
		"DEL q:val", "UNLINK q:val", "MULTI", "WATCH k", "PSUBSCRIBE *", "WAIT 0 0",
		"PUBLISH other x", "SUBSCRIBE other", "SET k v", "GET k", "SET q:val v",
		"LPUSH l v", "SORT l"};

	for (size_t u = 0; u < ARRAY_LEN(users); u++) {
		CLEANUP(rds_close) struct rds *rds = login(users[u]);

		for (size_t i = 0; i < ARRAY_LEN(commands); i++) {
			CLEANUP(rds_reply_free)
			struct rds_reply *reply = private_redis_do(rds, commands[i]);

			if (!rds_is_error(reply, "NOPERM"))
				fail_msg("%s may %s", users[u], commands[i]);
		}
	}
}

static void handlers_may_only_add_jobs(void **state)
{
	CLEANUP(rds_close) struct rds *order = login("assay-order");
	static const char *const commands[] = {"XREADGROUP GROUP w c STREAMS q:val >",
		"XREAD STREAMS q:val 0", "XRANGE q:val - +", "XLEN q:val", "XACK q:val w 0-1",
		"XDEL q:val 0-1", "XTRIM q:val MAXLEN 0", "XGROUP CREATE q:val x 0",
		"XGROUP DESTROY q:val w", "XGROUP DELCONSUMER q:val w c",
		"XAUTOCLAIM q:val w c 0 0", "XINFO STREAM q:val", "XSETID q:val 0-1",
		"XADD q:dead * s x", "XADD nonce:x * s x", "PUBLISH done x", "DEL nonce:x",
		"GETSET nonce:x y", "EXPIRE q:val 1"};

	for (size_t i = 0; i < ARRAY_LEN(commands); i++)
		refused(order, commands[i]);
	for (size_t u = 0; u < 2; u++) {
		CLEANUP(rds_close) struct rds *rds = login(users[u]);

		refused(rds, "XADD q:val * v x");
		refused(rds, "XADD q:sign * s x");
		refused(rds, "SUBSCRIBE done");
	}
}

static void workers_may_only_read_their_own_stream(void **state)
{
	CLEANUP(rds_close) struct rds *validator = login("assay-validator");
	CLEANUP(rds_close) struct rds *signer = login("assay-signer");
	CLEANUP(rds_close) struct rds *keeper = login("assay-keeper");
	static const char *const on_other[] = {"XREADGROUP GROUP w c STREAMS %s >", "XACK %s w 0-1",
		"XDEL %s 0-1", "XAUTOCLAIM %s w c 0 0", "XPENDING %s w", "XGROUP CREATE %s x 0",
		"XRANGE %s - +", "XTRIM %s MAXLEN 0"};

	for (size_t i = 0; i < ARRAY_LEN(on_other); i++) {
		char on_sign[64], on_val[64], on_dead[64];

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
		snprintf(on_sign, sizeof(on_sign), on_other[i], "q:sign");
		snprintf(on_val, sizeof(on_val), on_other[i], "q:val");
		snprintf(on_dead, sizeof(on_dead), on_other[i], "q:dead");
#pragma GCC diagnostic pop
		refused(validator, on_sign);
		refused(validator, on_dead);
		refused(signer, on_val);
		refused(signer, on_dead);
		refused(keeper, on_val);
		refused(keeper, on_sign);
	}
	refused(signer, "XADD q:sign * s x");
	refused(signer, "SUBSCRIBE done");
	refused(validator, "GET nonce:key:x");
	refused(signer, "BITFIELD nonce:x SET u1 1 0");
	refused(keeper, "EXPIRE nonce:x 1");
	refused(keeper, "PUBLISH other x");
	refused(keeper, "XADD q:dead * s x");
	refused(keeper, "XGROUP DESTROY q:val w");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_configuration_is_in_force),
		cmocka_unit_test(strangers_and_wrong_passwords_get_nothing),
		cmocka_unit_test(handlers_can_use_nonces),
		cmocka_unit_test(orders_go_through_all_streams),
		cmocka_unit_test(asks_for_responses_go_to_the_ocsp_signer_and_come_back),
		cmocka_unit_test(the_admin_may_look),
		cmocka_unit_test(nobody_may_administer_script_or_list),
		cmocka_unit_test(handlers_may_only_add_jobs),
		cmocka_unit_test(workers_may_only_read_their_own_stream),
	};

	private_redis_require();
	return cmocka_run_group_tests_name("acl", tests, start_server, stop_server);
}
