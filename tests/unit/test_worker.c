/* test_worker.c — the worker skeleton with a toy worker: real processes, a real Redis, a database
 * that is only played (linker wraps of its connection calls) and can be switched off. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "lib/base/clock.h"
#include "lib/base/log.h"
#include "tests/unit/private_redis.h"
#include "workers/worker.h"

#define PATIENCE_MS 40000
#define LEASE_SECS 2 /* redelivery after three seconds */

/* Shared with the workers, which are children of the test. */
static struct board {
	atomic_bool database_down;
	atomic_bool hang;  /* batch() never returns */
	atomic_bool leave; /* batch() gives its jobs back to redelivery */
	atomic_bool later; /* batch() leaves the work to a thread of its own */
	atomic_int started, batches, jobs, largest_batch, flushes, drains, reloads, heartbeats,
		opened, in_flight, most_in_flight;
} * board;

static struct private_redis server;
static struct rds *rds;
static char conf_path[128];

/* ---- the database ---- */

int __wrap_db_open(const char *conninfo, const char *role, const char *password,
	const struct db_stmt *const table[], struct db **ret);
int __wrap_db_ensure(struct db *db);
int __wrap_db_run_one(struct db *db, struct db_call *call);
void __wrap_db_close(struct db *db);
const char *__wrap_db_error(const struct db *db);

int __wrap_db_open(const char *conninfo, const char *role, const char *password,
	const struct db_stmt *const table[], struct db **ret)
{
	static int played;

	if (atomic_load(&board->database_down))
		return ERR_DB;
	atomic_fetch_add(&board->opened, 1);
	*ret = (struct db *)&played;
	return OK;
}

int __wrap_db_ensure(struct db *db)
{
	return atomic_load(&board->database_down) ? ERR_DB : OK;
}

int __wrap_db_run_one(struct db *db, struct db_call *call)
{
	atomic_fetch_add(&board->heartbeats, 1);
	return __wrap_db_ensure(db);
}

void __wrap_db_close(struct db *db)
{
}

const char *__wrap_db_error(const struct db *db)
{
	return "switched off by the test";
}

/* ---- the toy ---- */

struct toy { /* work that its own thread finishes */
	pthread_mutex_t lock;
	struct job held[256], done[256];
	size_t nheld, ndone;
	struct worker *w;
};

static void *toy_thread(void *arg)
{
	struct toy *toy = arg;

	for (;;) {
		usleep(3000);
		pthread_mutex_lock(&toy->lock);
		if (toy->nheld > 0) {
			toy->done[toy->ndone++] = toy->held[--toy->nheld];
			worker_wake(toy->w);
		}
		pthread_mutex_unlock(&toy->lock);
	}
	return NULL;
}

static int toy_start(struct worker *w)
{
	static struct toy toy;
	pthread_t thread;

	assert_string_equal(worker_conf(w)->server.base_url, "https://toy.example");
	assert_non_null(worker_db(w));
	pthread_mutex_init(&toy.lock, NULL);
	toy.w = w;
	worker_set_state(w, &toy);
	if (atomic_load(&board->later)) {
		worker_set_in_flight_max(w, 100);
		assert_int_equal(pthread_create(&thread, NULL, toy_thread, &toy), 0);
	}
	atomic_fetch_add(&board->started, 1);
	return OK;
}

static void settled(struct worker *w, const struct job *jobs, size_t count)
{
	worker_done(w, jobs, count);
	atomic_fetch_add(&board->jobs, (int)count);
	atomic_fetch_sub(&board->in_flight, (int)count);
}

static void toy_batch(struct worker *w, const struct job *jobs, size_t count)
{
	struct toy *toy = worker_state(w);
	int now = atomic_fetch_add(&board->in_flight, (int)count) + (int)count;

	atomic_fetch_add(&board->batches, 1);
	if ((int)count > atomic_load(&board->largest_batch))
		atomic_store(&board->largest_batch, (int)count);
	if (now > atomic_load(&board->most_in_flight))
		atomic_store(&board->most_in_flight, now);
	while (atomic_load(&board->hang))
		usleep(1000);
	if (atomic_load(&board->leave)) {
		worker_leave(w, count);
		atomic_fetch_sub(&board->in_flight, (int)count);
	} else if (atomic_load(&board->later)) {
		pthread_mutex_lock(&toy->lock);
		memcpy(toy->held + toy->nheld, jobs, count * sizeof(*jobs));
		toy->nheld += count;
		pthread_mutex_unlock(&toy->lock);
	} else {
		settled(w, jobs, count);
	}
}

static void toy_flush(struct worker *w)
{
	struct toy *toy = worker_state(w);

	atomic_fetch_add(&board->flushes, 1);
	pthread_mutex_lock(&toy->lock);
	if (toy->ndone > 0)
		settled(w, toy->done, toy->ndone);
	toy->ndone = 0;
	pthread_mutex_unlock(&toy->lock);
}

static void toy_drain(struct worker *w)
{
	atomic_fetch_add(&board->drains, 1);
}

static void toy_reload(struct worker *w)
{
	assert_int_equal(worker_conf(w)->workers.batch, 7);
	atomic_fetch_add(&board->reloads, 1);
}

static pid_t spawn(void)
{
	static const struct db_stmt *const no_stmts[] = {NULL};
	static const struct worker_ops ops = {
		.program = "assay-toy",
		.stream = STREAM_VALIDATION,
		.stmts = no_stmts,
		.start = toy_start,
		.batch = toy_batch,
		.flush = toy_flush,
		.drain = toy_drain,
		.reload = toy_reload,
	};
	const char *argv[] = {"assay-toy", "-c", conf_path, NULL};
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (pid > 0)
		return pid;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	_exit(worker_main(3, (char **)argv, &ops));
}

/* ---- the tests ---- */

static void write_conf(int batch, const char *more)
{
	FILE *file = fopen(conf_path, "w");

	assert_non_null(file);
	fprintf(file,
		"[server]\nbase_url = https://toy.example\n[database]\nuri = postgresql:///none\n"
		"[redis]\nsocket = %s\n[workers]\nbatch = %d\nlinger = 5ms\nlease = %ds\n"
		"[validation]\nattempt_timeout = 1s\n"
		"[profile default]\n[issuer main]\ncertificate = none.pem\nkey = none.key\n%s",
		server.socket, batch, LEASE_SECS, more);
	assert_int_equal(fclose(file), 0);
}

static int set_up(void **state)
{
	memset(board, 0, sizeof(*board));
	private_redis_start(&server, NULL);
	rds = private_redis_connect(&server);
	snprintf(conf_path, sizeof(conf_path), "%s/assay.conf", server.dir);
	write_conf(16, "");
	return 0;
}

static int tear_down(void **state)
{
	rds_close(rds);
	private_redis_stop(&server);
	return 0;
}

#define wait_until(condition)                                                                      \
	do {                                                                                       \
		int64_t deadline_ = clock_mono_ms() + PATIENCE_MS;                                 \
		while (!(condition)) {                                                             \
			assert_true(clock_mono_ms() < deadline_);                                  \
			usleep(2000);                                                              \
		}                                                                                  \
	} while (0)

static void add(int count)
{
	for (int i = 0; i < count; i++) {
		struct ident id = ident_new();

		job_append(rds, JOB_VALIDATE, &id);
	}
	for (int i = 0; i < count; i++) {
		CLEANUP(rds_reply_free) struct rds_reply *reply = NULL;

		assert_int_equal(rds_read_ok(rds, &reply), OK);
	}
}

static int ended(pid_t pid)
{
	int64_t deadline = clock_mono_ms() + PATIENCE_MS;
	int status;

	while (waitpid(pid, &status, WNOHANG) == 0) {
		if (clock_mono_ms() > deadline) {
			kill(pid, SIGKILL);
			waitpid(pid, &status, 0);
			fail_msg("the worker did not end");
		}
		usleep(2000);
	}
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

static int terminate(pid_t pid)
{
	kill(pid, SIGTERM);
	return ended(pid);
}

static void all_jobs_are_done_in_batches_and_leave_nothing(void **state)
{
	pid_t pid;

	add(1000);
	pid = spawn();
	wait_until(atomic_load(&board->jobs) == 1000);
	assert_in_range(atomic_load(&board->batches), 1000 / 16, 200);
	assert_int_equal(atomic_load(&board->largest_batch), 16);
	add(3);
	wait_until(atomic_load(&board->jobs) == 1003);
	wait_until(private_redis_int(rds, "XLEN q:val") == 0);
	assert_true(atomic_load(&board->heartbeats) >= 1);
	assert_int_equal(terminate(pid), 0);
	assert_int_equal(atomic_load(&board->drains), 1);
}

static void a_killed_workers_jobs_are_done_by_another(void **state)
{
	pid_t victim, heir;

	atomic_store(&board->hang, true);
	add(40);
	victim = spawn();
	wait_until(atomic_load(&board->batches) == 1);
	kill(victim, SIGKILL);
	assert_int_equal(ended(victim), 128 + SIGKILL);
	atomic_store(&board->hang, false);
	heir = spawn();
	wait_until(atomic_load(&board->jobs) == 40);
	wait_until(private_redis_int(rds, "XLEN q:val") == 0);
	assert_int_equal(terminate(heir), 0);
}

static void jobs_that_were_left_come_back(void **state)
{
	pid_t pid;

	atomic_store(&board->leave, true);
	add(5);
	pid = spawn();
	wait_until(atomic_load(&board->batches) >= 1);
	atomic_store(&board->leave, false);
	wait_until(atomic_load(&board->jobs) == 5);
	assert_int_equal(terminate(pid), 0);
}

static void a_job_that_is_never_finished_ends_as_a_dead_letter(void **state)
{
	pid_t pid;

	atomic_store(&board->leave, true);
	add(1);
	pid = spawn();
	wait_until(private_redis_int(rds, "XLEN q:dead") == 1);
	assert_int_equal(atomic_load(&board->batches), JOB_DELIVERIES_MAX);
	assert_int_equal(private_redis_int(rds, "XLEN q:val"), 0);
	assert_int_equal(terminate(pid), 0);
}

static void asynchronous_results_are_flushed_and_bounded(void **state)
{
	pid_t pid;

	atomic_store(&board->later, true);
	add(300);
	pid = spawn();
	wait_until(atomic_load(&board->jobs) == 300);
	assert_true(atomic_load(&board->flushes) > 3);
	assert_in_range(atomic_load(&board->most_in_flight), 50, 100);
	wait_until(private_redis_int(rds, "XLEN q:val") == 0);
	assert_int_equal(terminate(pid), 0);
}

static void without_the_database_no_job_is_taken(void **state)
{
	pid_t pid;

	atomic_store(&board->database_down, true);
	add(20);
	pid = spawn();
	usleep(300000);
	assert_int_equal(atomic_load(&board->started), 0);
	atomic_store(&board->database_down, false);
	wait_until(atomic_load(&board->jobs) == 20);

	atomic_store(&board->database_down, true);
	usleep(1700000); /* more than the idle loop's tick and the reader's block */
	add(20);
	usleep(700000);
	assert_int_equal(atomic_load(&board->jobs), 20);
	CLEANUP(rds_reply_free)
	struct rds_reply *pending = private_redis_do(rds, "XPENDING q:val w");
	assert_int_equal(rds_int(rds_at(pending, 0)), 0);
	atomic_store(&board->database_down, false);
	wait_until(atomic_load(&board->jobs) == 40);
	assert_int_equal(terminate(pid), 0);
}

static void a_worker_waits_for_redis_and_survives_its_restart(void **state)
{
	pid_t pid;

	private_redis_kill(&server, SIGKILL);
	pid = spawn();
	usleep(300000);
	assert_int_equal(atomic_load(&board->started), 0);
	private_redis_again(&server);
	rds_close(rds);
	rds = private_redis_connect(&server);
	add(10);
	wait_until(atomic_load(&board->jobs) == 10);
	/* Once more, now while it runs; the data set (and with it the group) is lost. */
	private_redis_kill(&server, SIGKILL);
	private_redis_again(&server);
	rds_close(rds);
	rds = private_redis_connect(&server);
	add(10);
	wait_until(atomic_load(&board->jobs) == 20);
	assert_int_equal(waitpid(pid, NULL, WNOHANG), 0);
	assert_int_equal(terminate(pid), 0);
}

static void sigterm_finishes_what_was_taken(void **state)
{
	pid_t pid;

	atomic_store(&board->hang, true);
	add(16);
	pid = spawn();
	wait_until(atomic_load(&board->batches) >= 1);
	kill(pid, SIGTERM);
	usleep(50000);
	atomic_store(&board->hang, false);
	assert_int_equal(ended(pid), 0);
	assert_int_equal(atomic_load(&board->jobs), 16);
	assert_int_equal(private_redis_int(rds, "XLEN q:val"), 0);
}

static void sigterm_ends_a_worker_that_waits_for_its_servers(void **state)
{
	pid_t pid;

	atomic_store(&board->database_down, true);
	pid = spawn();
	usleep(100000);
	assert_int_equal(terminate(pid), 0);
	assert_int_equal(atomic_load(&board->started), 0);
}

static void sighup_takes_a_good_configuration_and_keeps_the_old_one_else(void **state)
{
	pid_t pid = spawn();

	wait_until(atomic_load(&board->started) == 1);
	write_conf(9, "[nonsense]\n");
	kill(pid, SIGHUP);
	usleep(100000);
	add(16);
	wait_until(atomic_load(&board->jobs) == 16);
	assert_int_equal(atomic_load(&board->reloads), 0);
	write_conf(7, "");
	kill(pid, SIGHUP);
	wait_until(atomic_load(&board->reloads) == 1);
	atomic_store(&board->largest_batch, 0);
	add(64);
	wait_until(atomic_load(&board->jobs) == 80);
	assert_int_equal(atomic_load(&board->largest_batch), 7);
	assert_int_equal(terminate(pid), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(all_jobs_are_done_in_batches_and_leave_nothing,
			set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_killed_workers_jobs_are_done_by_another, set_up,
			tear_down),
		cmocka_unit_test_setup_teardown(jobs_that_were_left_come_back, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_job_that_is_never_finished_ends_as_a_dead_letter,
			set_up, tear_down),
		cmocka_unit_test_setup_teardown(asynchronous_results_are_flushed_and_bounded,
			set_up, tear_down),
		cmocka_unit_test_setup_teardown(without_the_database_no_job_is_taken, set_up,
			tear_down),
		cmocka_unit_test_setup_teardown(a_worker_waits_for_redis_and_survives_its_restart,
			set_up, tear_down),
		cmocka_unit_test_setup_teardown(sigterm_finishes_what_was_taken, set_up, tear_down),
		cmocka_unit_test_setup_teardown(sigterm_ends_a_worker_that_waits_for_its_servers,
			set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			sighup_takes_a_good_configuration_and_keeps_the_old_one_else, set_up,
			tear_down),
	};

	private_redis_require();
	board = mmap(NULL, sizeof(*board), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1,
		0);
	if (board == MAP_FAILED)
		return 1;
	return cmocka_run_group_tests_name("worker", tests, NULL, NULL);
}
