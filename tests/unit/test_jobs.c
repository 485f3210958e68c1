/* test_jobs.c — the job streams: nothing is lost by a crash, nothing malformed reaches a worker. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <stdio.h>
#include <unistd.h>

#include "lib/base/clock.h"
#include "lib/queue/jobs.h"
#include "tests/unit/private_redis.h"

#define MAX 64

static struct private_redis server;
static struct rds *rds;

static int start_server(void **state)
{
	private_redis_start(&server, NULL);
	rds = private_redis_connect(&server);
	return 0;
}

static int stop_server(void **state)
{
	rds_close(rds);
	private_redis_stop(&server);
	return 0;
}

static int empty_streams(void **state)
{
	rds_reply_free(private_redis_do(rds, "FLUSHALL"));
	assert_int_equal(jobs_ensure_group(rds, STREAM_VALIDATION), OK);
	assert_int_equal(jobs_ensure_group(rds, STREAM_ISSUANCE), OK);
	return 0;
}

static struct ident add(enum job_kind kind)
{
	CLEANUP(rds_reply_free) struct rds_reply *reply = NULL;
	struct ident id = ident_new();

	job_append(rds, kind, &id);
	assert_int_equal(rds_read_ok(rds, &reply), OK);
	return id;
}

static size_t take(enum job_stream stream, const char *consumer, struct job jobs[MAX])
{
	size_t count = 99;

	assert_int_equal(jobs_read(rds, stream, consumer, 0, jobs, MAX, &count), OK);
	return count;
}

static void jobs_go_to_their_stream_in_order(void **state)
{
	struct job jobs[MAX];
	struct ident a = add(JOB_VALIDATE), b = add(JOB_CAA), c = add(JOB_SIGN);

	assert_int_equal(take(STREAM_VALIDATION, "one", jobs), 2);
	assert_int_equal(jobs[0].kind, JOB_VALIDATE);
	assert_true(ident_equal(&jobs[0].id, &a));
	assert_int_equal(jobs[1].kind, JOB_CAA);
	assert_true(ident_equal(&jobs[1].id, &b));
	assert_int_equal(take(STREAM_ISSUANCE, "one", jobs), 1);
	assert_int_equal(jobs[0].kind, JOB_SIGN);
	assert_true(ident_equal(&jobs[0].id, &c));
	assert_int_equal(take(STREAM_VALIDATION, "two", jobs), 0);
}

static void waiting_ends_after_block_ms_or_with_a_job(void **state)
{
	struct job jobs[MAX];
	size_t count = 99;
	int64_t started = clock_mono_ms();

	assert_int_equal(jobs_read(rds, STREAM_VALIDATION, "one", 100, jobs, MAX, &count), OK);
	assert_int_equal(count, 0);
	assert_in_range(clock_mono_ms() - started, 90, 1500);
	add(JOB_VALIDATE);
	assert_int_equal(jobs_read(rds, STREAM_VALIDATION, "one", 1500, jobs, MAX, &count), OK);
	assert_int_equal(count, 1);
	assert_int_equal(rds_timeout(rds), RDS_TIMEOUT_MS);
}

static void acknowledged_jobs_leave_nothing_behind(void **state)
{
	static struct job jobs[1500];
	size_t count;
	static struct ident ids[1500];

	for (size_t i = 0; i < ARRAY_LEN(ids); i++)
		ids[i] = ident_new();
	assert_int_equal(jobs_enqueue(rds, JOB_SIGN, ids, ARRAY_LEN(ids)), OK);
	assert_int_equal(jobs_read(rds, STREAM_ISSUANCE, "one", 0, jobs, 1500, &count), OK);
	assert_int_equal(count, 1500);
	assert_int_equal(jobs_ack(rds, STREAM_ISSUANCE, jobs, count), OK);
	assert_int_equal(jobs_ack(rds, STREAM_ISSUANCE, jobs, 0), OK);
	assert_int_equal(private_redis_int(rds, "XLEN q:sign"), 0);
	CLEANUP(rds_reply_free)
	struct rds_reply *pending = private_redis_do(rds, "XPENDING q:sign w");
	assert_int_equal(rds_int(rds_at(pending, 0)), 0);
}

static void a_lost_group_is_made_again(void **state)
{
	struct job jobs[MAX], dead[MAX];
	size_t count = 99, ndead = 99;

	rds_reply_free(private_redis_do(rds, "FLUSHALL"));
	assert_int_equal(take(STREAM_VALIDATION, "one", jobs), 0);
	add(JOB_VALIDATE);
	assert_int_equal(take(STREAM_VALIDATION, "one", jobs), 1);
	rds_reply_free(private_redis_do(rds, "FLUSHALL"));
	assert_int_equal(jobs_ack(rds, STREAM_VALIDATION, jobs, 1), OK);
	assert_int_equal(jobs_reclaim(rds, STREAM_VALIDATION, "one", 0, jobs, MAX, &count, dead,
				 MAX, &ndead),
		OK);
	assert_int_equal(count + ndead, 0);
	assert_int_equal(jobs_ensure_group(rds, STREAM_VALIDATION), OK);
}

static void junk_goes_to_the_dead_letters(void **state)
{
	struct job jobs[MAX], junk[MAX];
	size_t njobs, njunk;
	struct ident good;
	static const char *const entries[] = {
		"XADD q:val * v",
		"XADD q:val * v tooshort",
		"XADD q:val * v AAAAAAAAAAAAAAAAAAAAAAA",
		"XADD q:val * v AAAAAAAAAAAAAAAAAAAAA=",
		"XADD q:val * x AAAAAAAAAAAAAAAAAAAAAA",
		"XADD q:val * vv AAAAAAAAAAAAAAAAAAAAAA",
		"XADD q:val * s AAAAAAAAAAAAAAAAAAAAAA", /* the other stream's kind */
		"XADD q:val * v AAAAAAAAAAAAAAAAAAAAAA v AAAAAAAAAAAAAAAAAAAAAA",
	};
	static char large[1 << 20];

	for (size_t i = 0; i < ARRAY_LEN(entries); i++)
		rds_reply_free(private_redis_do(rds, entries[i]));
	memset(large, 'v', sizeof(large));
	for (int i = 0; i < 8; i++) {
		CLEANUP(rds_reply_free) struct rds_reply *reply = NULL;
		struct bytes value = bytes_of(large, sizeof(large));

		assert_int_equal(rds_command(rds, 5,
					 (struct bytes[]){bytes_str("XADD"), bytes_str("q:val"),
						 bytes_str("*"), value, value},
					 &reply),
			OK);
	}
	good = add(JOB_VALIDATE);
	/* The first entry is no valid command: seven are left of the list. */
	assert_int_equal(take(STREAM_VALIDATION, "one", jobs), 1);
	assert_true(ident_equal(&jobs[0].id, &good));
	assert_int_equal(private_redis_int(rds, "XLEN q:val"), 1);
	assert_int_equal(jobs_dead_read(rds, jobs, &njobs, junk, &njunk, MAX), OK);
	assert_int_equal(njobs, 0);
	assert_int_equal(njunk, 7 + 8);
	assert_int_equal(jobs_dead_remove(rds, junk, njunk), OK);
	assert_int_equal(private_redis_int(rds, "XLEN q:dead"), 0);
	assert_true(private_redis_int(rds, "MEMORY USAGE q:dead") < 100000);
}

static void a_dead_workers_jobs_are_claimed_by_another(void **state)
{
	struct job jobs[MAX], dead[MAX];
	size_t count, ndead;
	struct ident id = add(JOB_VALIDATE);

	assert_int_equal(take(STREAM_VALIDATION, "dying", jobs), 1);
	assert_int_equal(jobs_reclaim(rds, STREAM_VALIDATION, "heir", 60000, jobs, MAX, &count,
				 dead, MAX, &ndead),
		OK);
	assert_int_equal(count + ndead, 0);
	usleep(20000);
	assert_int_equal(jobs_reclaim(rds, STREAM_VALIDATION, "heir", 10, jobs, MAX, &count, dead,
				 MAX, &ndead),
		OK);
	assert_int_equal(count, 1);
	assert_int_equal(ndead, 0);
	assert_true(ident_equal(&jobs[0].id, &id));
}

static void claiming_reaches_every_idle_entry(void **state)
{
	static struct job jobs[2000], dead[2000], claimed[2000];
	size_t count, ndead;

	for (int i = 0; i < 1200; i++)
		add(JOB_VALIDATE);
	assert_int_equal(jobs_read(rds, STREAM_VALIDATION, "dying", 0, jobs, 1200, &count), OK);
	assert_int_equal(count, 1200);
	assert_int_equal(jobs_reclaim(rds, STREAM_VALIDATION, "heir", 0, claimed, 2000, &count,
				 dead, 2000, &ndead),
		OK);
	assert_int_equal(count, 1200);
	for (size_t i = 0; i < count; i++)
		assert_true(ident_equal(&claimed[i].id, &jobs[i].id));
}

static void a_job_that_kills_its_workers_ends_as_a_dead_letter(void **state)
{
	struct job jobs[MAX], dead[MAX], junk[MAX];
	size_t count, ndead, njobs, njunk;
	struct ident id = add(JOB_SIGN);

	assert_int_equal(take(STREAM_ISSUANCE, "w0", jobs), 1);
	for (int delivery = 2; delivery <= JOB_DELIVERIES_MAX; delivery++) {
		assert_int_equal(jobs_reclaim(rds, STREAM_ISSUANCE, "w", 0, jobs, MAX, &count, dead,
					 MAX, &ndead),
			OK);
		assert_int_equal(count, 1);
		assert_int_equal(ndead, 0);
	}
	assert_int_equal(jobs_reclaim(rds, STREAM_ISSUANCE, "w", 0, jobs, MAX, &count, dead, MAX,
				 &ndead),
		OK);
	assert_int_equal(count, 0);
	assert_int_equal(ndead, 1);
	assert_true(ident_equal(&dead[0].id, &id));
	assert_int_equal(private_redis_int(rds, "XLEN q:sign"), 0);

	assert_int_equal(jobs_dead_read(rds, jobs, &njobs, junk, &njunk, MAX), OK);
	assert_int_equal(njobs, 1);
	assert_int_equal(njunk, 0);
	assert_int_equal(jobs[0].kind, JOB_SIGN);
	assert_true(ident_equal(&jobs[0].id, &id));
	assert_int_equal(jobs_dead_remove(rds, jobs, njobs), OK);
	assert_int_equal(jobs_dead_read(rds, jobs, &njobs, junk, &njunk, MAX), OK);
	assert_int_equal(njobs, 0);
}

static void entries_deleted_meanwhile_are_not_claimed(void **state)
{
	struct job jobs[MAX], dead[MAX];
	size_t count, ndead;

	add(JOB_VALIDATE);
	assert_int_equal(take(STREAM_VALIDATION, "one", jobs), 1);
	rds_reply_free(private_redis_do(rds, "XTRIM q:val MAXLEN 0"));
	assert_int_equal(jobs_reclaim(rds, STREAM_VALIDATION, "two", 0, jobs, MAX, &count, dead,
				 MAX, &ndead),
		OK);
	assert_int_equal(count + ndead, 0);
}

static void only_idle_consumers_without_jobs_are_deleted(void **state)
{
	struct job jobs[MAX];
	size_t count;

	add(JOB_VALIDATE);
	assert_int_equal(take(STREAM_VALIDATION, "gone", jobs), 1);
	assert_int_equal(jobs_ack(rds, STREAM_VALIDATION, jobs, 1), OK);
	add(JOB_VALIDATE);
	assert_int_equal(take(STREAM_VALIDATION, "busy", jobs), 1);
	assert_int_equal(jobs_prune_consumers(rds, STREAM_VALIDATION, 60000, &count), OK);
	assert_int_equal(count, 0);
	usleep(20000);
	assert_int_equal(jobs_prune_consumers(rds, STREAM_VALIDATION, 10, &count), OK);
	assert_int_equal(count, 1);
	rds_reply_free(private_redis_do(rds, "FLUSHALL"));
	assert_int_equal(jobs_prune_consumers(rds, STREAM_VALIDATION, 10, &count), OK);
	assert_int_equal(count, 0);
}

struct heard {
	struct ident ids[1100];
	size_t count;
};

static void hear(void *arg, const struct ident *id)
{
	struct heard *heard = arg;

	heard->ids[heard->count++] = *id;
}

static void finished_ids_reach_every_listener(void **state)
{
	CLEANUP(rds_close) struct rds *listener = private_redis_connect(&server);
	static struct heard heard;
	static struct ident ids[1000];

	assert_int_equal(jobs_subscribe(listener), OK);
	assert_int_equal(jobs_listen(listener, 10, hear, &heard), OK);
	assert_int_equal(heard.count, 0);
	for (size_t i = 0; i < ARRAY_LEN(ids); i++)
		ids[i] = ident_new();
	assert_int_equal(jobs_publish(rds, ids, ARRAY_LEN(ids)), OK);
	while (heard.count < ARRAY_LEN(ids))
		assert_int_equal(jobs_listen(listener, 1000, hear, &heard), OK);
	for (size_t i = 0; i < ARRAY_LEN(ids); i++)
		assert_true(ident_equal(&ids[i], &heard.ids[i]));
	/* A message that is not made of ids is heard without effect; a waiting one does not make
	 * the connection bad. */
	heard.count = 0;
	rds_reply_free(private_redis_do(rds, "PUBLISH done junk"));
	rds_reply_free(private_redis_do(rds, "PUBLISH done AAAAAAAAAAAAAAAAAAAAA="));
	assert_int_equal(rds_ensure(listener, NULL), OK);
	assert_int_equal(jobs_listen(listener, 1000, hear, &heard), OK);
	assert_int_equal(jobs_listen(listener, 1000, hear, &heard), OK);
	assert_int_equal(heard.count, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(jobs_go_to_their_stream_in_order, empty_streams),
		cmocka_unit_test_setup(waiting_ends_after_block_ms_or_with_a_job, empty_streams),
		cmocka_unit_test_setup(acknowledged_jobs_leave_nothing_behind, empty_streams),
		cmocka_unit_test_setup(a_lost_group_is_made_again, empty_streams),
		cmocka_unit_test_setup(junk_goes_to_the_dead_letters, empty_streams),
		cmocka_unit_test_setup(a_dead_workers_jobs_are_claimed_by_another, empty_streams),
		cmocka_unit_test_setup(claiming_reaches_every_idle_entry, empty_streams),
		cmocka_unit_test_setup(a_job_that_kills_its_workers_ends_as_a_dead_letter,
			empty_streams),
		cmocka_unit_test_setup(entries_deleted_meanwhile_are_not_claimed, empty_streams),
		cmocka_unit_test_setup(only_idle_consumers_without_jobs_are_deleted, empty_streams),
		cmocka_unit_test_setup(finished_ids_reach_every_listener, empty_streams),
	};

	private_redis_require();
	return cmocka_run_group_tests_name("jobs", tests, start_server, stop_server);
}
