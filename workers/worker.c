/* worker.c — see worker.h: the main thread's loop. */
#include "workers/worker.h"

#include <errno.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "lib/base/log.h"
#include "lib/base/notify.h"
#include "lib/base/stop.h"
#include "workers/process.h"
#include "workers/reader.h"

#define TICK_MS 1000  /* the connections are looked at this often when nothing happens */
#define DONE_MAX 1024 /* acknowledged at once */

struct worker {
	struct process process;
	const struct worker_ops *ops;
	struct reader *reader;
	size_t in_flight_max;
	int wake_fd; /* jobs wait, or worker_wake */
	atomic_bool woken;
	uint64_t connection;       /* to the database, that flush has seen */
	struct job done[DONE_MAX]; /* not acknowledged yet */
	size_t ndone;
	void *state;
};

const struct conf *worker_conf(const struct worker *w)
{
	return w->process.conf;
}

const char *worker_host(const struct worker *w)
{
	return w->process.host;
}

struct db *worker_db(struct worker *w)
{
	return w->process.db;
}

struct rds *worker_rds(struct worker *w)
{
	return w->process.rds;
}

struct db *worker_new_db(const struct worker *w, const struct db_stmt *const stmts[])
{
	return process_new_db(&w->process, stmts);
}

void *worker_state(const struct worker *w)
{
	return w->state;
}

void worker_set_state(struct worker *w, void *state)
{
	w->state = state;
}

void worker_set_in_flight_max(struct worker *w, size_t max)
{
	w->in_flight_max = max;
}

static void acknowledge(struct worker *w)
{
	/* Not acknowledged means delivered once more, to a worker that finds nothing to do in the
	 * row. */
	if (jobs_ack(w->process.rds, w->ops->stream, w->done, w->ndone) != OK)
		log_event(LOG_LEVEL_WARNING, "finished jobs not acknowledged",
			F_INT("jobs", (int64_t)w->ndone),
			F_STR("cause", rds_error(w->process.rds)));
	w->ndone = 0;
}

void worker_done(struct worker *w, const struct job *jobs, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		if (w->ndone == DONE_MAX)
			acknowledge(w);
		w->done[w->ndone++] = jobs[i];
	}
	reader_settle(w->reader, count);
}

void worker_leave(struct worker *w, size_t count)
{
	reader_settle(w->reader, count);
}

void worker_wake(struct worker *w)
{
	uint64_t one = 1;

	/* The counter cannot fill up: it is written once for each time the main thread took it. */
	if (!atomic_exchange(&w->woken, true) && write(w->wake_fd, &one, sizeof(one)) < 0)
		log_event(LOG_LEVEL_ERROR, "wake-up not written", F_STR("cause", strerror(errno)));
}

/* The database is there. Opens and closes the reader's gate, has flush called over a new
 * connection. */
static bool ready(struct worker *w)
{
	bool now = process_db_ready(&w->process);

	if (now)
		process_heartbeat(&w->process);
	if (now && w->connection != db_connections(w->process.db)) {
		w->connection = db_connections(w->process.db);
		worker_wake(w);
	}
	reader_open_gate(w->reader, now);
	return now;
}

static void reload(struct worker *w)
{
	if (process_reload(&w->process) && w->ops->reload != NULL)
		w->ops->reload(w);
}

static size_t batch_size(const struct worker *w)
{
	return (size_t)w->process.conf->workers.batch;
}

/* One batch, if one is ripe. Returns how long to wait for the next. */
static int64_t work(struct worker *w, int64_t linger_ms)
{
	size_t size = batch_size(w), count;
	struct job *jobs = xcalloc(size, sizeof(*jobs));
	int64_t wait_ms = 0;

	if (w->ops->flush != NULL && atomic_exchange(&w->woken, false))
		w->ops->flush(w);
	count = reader_take(w->reader, jobs, size, linger_ms, &wait_ms);
	if (count > 0)
		w->ops->batch(w, jobs, count);
	acknowledge(w);
	free(jobs);
	return count > 0 ? 0 : wait_ms;
}

static void wait_for_work(struct worker *w, int64_t wait_ms)
{
	uint64_t events;

	process_wait(&w->process, w->wake_fd, wait_ms < TICK_MS ? wait_ms : TICK_MS);
	/* Drained before the queue and the flag are looked at: nothing gets lost in between. */
	if (read(w->wake_fd, &events, sizeof(events)) < 0 && errno != EAGAIN && errno != EINTR)
		die("eventfd: %s", strerror(errno));
}

static void serve(struct worker *w)
{
	while (!stop_requested()) {
		int64_t wait_ms = TICK_MS;

		reload(w);
		(void)process_rds_ready(&w->process);
		if (ready(w))
			wait_ms = work(w, w->process.conf->workers.linger_ms);
		if (wait_ms > 0)
			wait_for_work(w, wait_ms);
	}
}

/* What the reader has taken already is worked on, when that is possible; the rest comes back by
 * redelivery. */
static void finish(struct worker *w)
{
	notify_stopping();
	reader_stop(w->reader);
	while (ready(w) && work(w, 0) == 0)
		continue;
	if (w->ops->drain != NULL)
		w->ops->drain(w);
	acknowledge(w);
}

static int run(struct worker *w)
{
	while (!process_both_ready(&w->process)) {
		process_wait(&w->process, -1, TICK_MS);
		if (stop_requested())
			return EXIT_SUCCESS;
	}
	if (w->ops->start(w) != OK)
		return EXIT_FAILURE;
	w->reader = reader_start(&w->process, w->ops->stream, w->in_flight_max, w->wake_fd);
	log_event(LOG_LEVEL_INFO, "started", F_INT("in_flight_max", (int64_t)w->in_flight_max));
	serve(w);
	finish(w);
	reader_free(w->reader);
	log_event(LOG_LEVEL_INFO, "stopped");
	return EXIT_SUCCESS;
}

int worker_main(int argc, char **argv, const struct worker_ops *ops)
{
	static struct worker worker;
	struct worker *w = &worker;
	int status;

	process_init(&w->process, argc, argv, ops->program,
		"One of the worker programs of assay, an ACME certificate authority.", ops->stmts);
	w->ops = ops;
	w->in_flight_max = ops->in_flight_max > 0 ? ops->in_flight_max : batch_size(w);
	w->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (w->wake_fd < 0)
		die("eventfd: %s", strerror(errno));
	status = run(w);
	close(w->wake_fd);
	process_done(&w->process);
	return status;
}
