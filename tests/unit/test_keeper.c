/* test_keeper.c — the keeper itself, with a real PostgreSQL and a real Redis: what is due gets
 * queued whatever Redis forgot, dead letters end orders, and two keepers do not get in each other's
 * way. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <signal.h>
#include <stdio.h>
#include <unistd.h>

#include "lib/base/clock.h"
#include "lib/queue/jobs.h"
#include "tests/unit/child.h"
#include "tests/unit/private_redis.h"
#include "tests/unit/store_fixture.h"

#define PROGRAM "workers/keeper/assay-keeper"
#define PATIENCE_MS 30000
#define MAX 64

static struct private_redis server;
static struct rds *rds;
static struct roles roles;
static struct client client;
static char conf_path[128];

/* Everything of this test that can be due is due now. */
static void make_due(void)
{
	free(sql("UPDATE assay.authorizations SET due_at = now() WHERE due_at < now() + interval "
		 "'1 minute'"));
	free(sql("UPDATE assay.orders SET due_at = now() WHERE due_at < now() + interval '1 "
		 "minute'"));
}

/* What earlier tests left behind is out of the way. */
static void postpone_everything(void)
{
	free(sql("UPDATE assay.authorizations SET due_at = now() + interval '1 hour' WHERE due_at "
		 "IS NOT NULL"));
	free(sql("UPDATE assay.orders SET due_at = now() + interval '1 hour' WHERE due_at IS NOT "
		 "NULL"));
}

static int set_up(void **state)
{
	FILE *file;

	private_redis_start(&server, NULL);
	rds = private_redis_connect(&server);
	snprintf(conf_path, sizeof(conf_path), "%s/assay.conf", server.dir);
	file = fopen(conf_path, "w");
	assert_non_null(file);
	fprintf(file,
		"[server]\nbase_url = https://keeper.example\n"
		"[database]\nuri = postgresql:///assay?host=%s\n"
		"[redis]\nsocket = %s\n[workers]\nsweep = 1s\n[profile default]\n"
		"[issuer main]\ncertificate = none.pem\nkey = none.key\n",
		getenv("PGHOST"), server.socket);
	assert_int_equal(fclose(file), 0);
	roles_open(&roles);
	client = client_new(&roles);
	postpone_everything();
	return 0;
}

static int tear_down(void **state)
{
	roles_close(&roles);
	rds_close(rds);
	private_redis_stop(&server);
	return 0;
}

/* Waits for so many jobs in the stream and takes them. */
static void take(enum job_stream stream, struct job *jobs, size_t want)
{
	int64_t deadline = clock_mono_ms() + PATIENCE_MS;
	size_t have = 0, count = 0;

	while (have < want) {
		assert_true(clock_mono_ms() < deadline);
		assert_int_equal(jobs_read(rds, stream, "test", 200, jobs + have, MAX - have,
					 &count),
			OK);
		have += count;
	}
	assert_int_equal(have, want);
	assert_int_equal(jobs_read(rds, stream, "test", 0, jobs, MAX, &count), OK);
	assert_int_equal(count, 0);
}

static void empty_redis(void)
{
	rds_reply_free(private_redis_do(rds, "FLUSHALL"));
	assert_int_equal(jobs_ensure_group(rds, STREAM_VALIDATION), OK);
	assert_int_equal(jobs_ensure_group(rds, STREAM_ISSUANCE), OK);
}

static void what_is_due_is_queued_once_by_two_keepers(void **state)
{
	struct placed pending = order_place(&roles, &client, "due.example");
	struct placed processing = order_processing(&roles, &client, "sign.example");
	struct job jobs[MAX];
	pid_t one, two;
	bool queued = false;

	respond(&roles, &client, &pending.authzs[0], CHALLENGE_HTTP_01, &queued);
	assert_true(queued);
	empty_redis();
	make_due();
	one = child_start(PROGRAM, conf_path);
	two = child_start(PROGRAM, conf_path);
	take(STREAM_VALIDATION, jobs, 1);
	assert_int_equal(jobs[0].kind, JOB_VALIDATE);
	assert_true(ident_equal(&jobs[0].id, &pending.authzs[0]));
	take(STREAM_ISSUANCE, jobs, 1);
	assert_int_equal(jobs[0].kind, JOB_SIGN);
	assert_true(ident_equal(&jobs[0].id, &processing.id));

	/* Redis forgets everything, in the middle: once due again, both come again. */
	empty_redis();
	make_due();
	take(STREAM_VALIDATION, jobs, 1);
	take(STREAM_ISSUANCE, jobs, 1);
	child_stop(one);
	child_stop(two);
}

static void a_dead_letter_ends_its_order(void **state)
{
	struct placed o = order_processing(&roles, &client, "dead.example");
	struct job jobs[MAX], dead[MAX];
	size_t count, ndead = 0;
	int64_t deadline = clock_mono_ms() + PATIENCE_MS;
	pid_t pid;

	empty_redis();
	assert_int_equal(jobs_enqueue(rds, JOB_SIGN, &o.id, 1), OK);
	take(STREAM_ISSUANCE, jobs, 1);
	while (ndead == 0)
		assert_int_equal(jobs_reclaim(rds, STREAM_ISSUANCE, "test", 0, jobs, MAX, &count,
					 dead, MAX, &ndead),
			OK);
	rds_reply_free(private_redis_do(rds, "XADD q:dead * junk 1 from 0-1 why test"));
	pid = child_start(PROGRAM, conf_path);
	while (private_redis_int(rds, "XLEN q:dead") > 0) {
		assert_true(clock_mono_ms() < deadline);
		usleep(20000);
	}
	assert_int_equal(order_status_of(&roles, &client, &o.id), ORDER_INVALID);
	child_stop(pid);
}

static void without_redis_it_seals_and_queues_once_redis_is_back(void **state)
{
	struct placed o = order_processing(&roles, &client, "late.example");
	struct job jobs[MAX];
	int64_t deadline = clock_mono_ms() + PATIENCE_MS;
	pid_t pid;

	private_redis_kill(&server, SIGKILL);
	make_due();
	pid = child_start(PROGRAM, conf_path);
	for (bool sealed = false; !sealed;) {
		CLEANUP_STR char *open =
			sql("SELECT count(*) FROM assay.audit_log WHERE xid >= "
			    "(SELECT coalesce(max(to_xid), '0') FROM assay.audit_seals)");

		sealed = strcmp(open, "0") == 0;
		assert_true(clock_mono_ms() < deadline);
		usleep(50000);
	}
	private_redis_again(&server);
	rds_close(rds);
	rds = private_redis_connect(&server);
	empty_redis();
	take(STREAM_ISSUANCE, jobs, 1);
	assert_true(ident_equal(&jobs[0].id, &o.id));
	child_stop(pid);
}

static void it_reports_heartbeats_and_keeps_partitions_ahead(void **state)
{
	int64_t deadline = clock_mono_ms() + PATIENCE_MS;
	pid_t pid = child_start(PROGRAM, conf_path);

	for (bool alive = false; !alive;) {
		CLEANUP_STR char *at = sql("SELECT count(*) FROM assay.heartbeats WHERE program = "
					   "'assay-keeper' AND pid = %d",
			pid);

		alive = strcmp(at, "1") == 0;
		assert_true(clock_mono_ms() < deadline);
		usleep(20000);
	}
	child_stop(pid);
	/* It has made what is needed, so nothing is left to make. */
	struct db_call call = {0};
	partitions_call(&call, 7, 400LL * 86400);
	assert_int_equal(db_run_one(roles.keeper, &call), OK);
	assert_int_equal(db_int(call.result, 0, 0), 0);
	db_call_done(&call);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(it_reports_heartbeats_and_keeps_partitions_ahead,
			set_up, tear_down),
		cmocka_unit_test_setup_teardown(what_is_due_is_queued_once_by_two_keepers, set_up,
			tear_down),
		cmocka_unit_test_setup_teardown(a_dead_letter_ends_its_order, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			without_redis_it_seals_and_queues_once_redis_is_back, set_up, tear_down),
	};

	private_redis_require();
	fixture_server(argv);
	return cmocka_run_group_tests_name("keeper", tests, NULL, NULL);
}
