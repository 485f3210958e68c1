/* worker.h — the process skeleton of the workers: a service is a few functions handed to
 * worker_main.
 *
 * A reader thread takes jobs from the stream (new ones, and entries that a dead worker left
 * behind); the main thread hands them to batch() as they come, at most workers.batch at once after
 * workers.linger_ms. batch() and flush() run in the main thread and own its database and Redis
 * connections. When the database or Redis is away they simply return: the skeleton reconnects with
 * a bounded pause, and the jobs come back by XAUTOCLAIM or the keeper's sweep, because the row is
 * the truth. While the database is known to be away neither of them is called and no job is taken,
 * so that an outage never makes a job look poisonous. Without Redis work goes on: jobs that could
 * not be acknowledged come back and find nothing to do. */
#pragma once

#include "lib/base/conf.h"
#include "lib/queue/jobs.h"
#include "lib/store/db.h"

struct worker;

struct worker_ops {
	const char *program; /* "assay-signer": also database role and Redis user */
	enum job_stream stream;
	const struct db_stmt *const *stmts;
	int (*start)(struct worker *w); /* once, connections are up; non-zero ends the program (the
					   cause was logged) */
	void (*batch)(struct worker *w, const struct job *jobs, size_t count);
	void (*flush)(struct worker *w); /* NULL, or: called after worker_wake (asynchronous
					    results) and over each new connection to the
					    database */
	void (*drain)(struct worker *w); /* NULL, or: SIGTERM came; finish or give back what is in
					    flight, bounded time */
	/* NULL, or: worker_conf is a new one; the old one stays readable */
	void (*reload)(struct worker *w);
	size_t in_flight_max; /* the reader pauses above so many unfinished jobs; 0 = batch size */
};

int worker_main(int argc, char **argv, const struct worker_ops *ops);

const struct conf *worker_conf(const struct worker *w);
const char *worker_host(const struct worker *w);
struct db *worker_db(struct worker *w);
struct rds *worker_rds(struct worker *w);
/* One more connection to the database, for a thread of the program's own; not connected yet. */
struct db *worker_new_db(const struct worker *w, const struct db_stmt *const stmts[]);
void *worker_state(const struct worker *w);
void worker_set_state(struct worker *w, void *state);
/* In start(): instead of in_flight_max, when it comes from the configuration. */
void worker_set_in_flight_max(struct worker *w, size_t max);
/* The jobs are finished for good (or hopeless): they no longer count as in flight, and XACK + XDEL
 * go out in one pipeline for all that were given before the main loop goes on: giving them one by
 * one costs nothing. */
void worker_done(struct worker *w, const struct job *jobs, size_t count);
/* The jobs are not finished here, and are left to redelivery: only the in-flight count drops. */
void worker_leave(struct worker *w, size_t count);
/* Any thread: have flush() called soon. */
void worker_wake(struct worker *w);
