/* reader.h — the thread that takes jobs from a stream ahead of the main thread, within a bound of
 * unfinished ones.
 *
 * It has a Redis connection of its own, so that waiting for jobs never holds up an acknowledgement.
 * Its gate is open while the main thread could work; a closed gate leaves jobs in the stream for
 * other workers. */
#pragma once

#include "lib/queue/jobs.h"
#include "workers/process.h"

struct reader;

/* wake_fd: an eventfd that is written when jobs wait. Redelivery of entries idle longer than the
 * configured lease. */
struct reader *reader_start(const struct process *p, enum job_stream stream, size_t in_flight_max,
	int wake_fd);
/* Takes no more jobs; those that wait can still be had with reader_take. */
void reader_stop(struct reader *r);
void reader_free(struct reader *r);
/* To be called each time the main thread goes round, which also shows that it does not hang. */
void reader_open_gate(struct reader *r, bool open);
/* Up to max jobs, when max of them wait or the first of them has waited for linger_ms; while jobs
 * come less often than that, the first is not made to wait. 0: *ret_wait_ms says how long it may
 * pay to wait for wake_fd. */
size_t reader_take(struct reader *r, struct job *jobs, size_t max, int64_t linger_ms,
	int64_t *ret_wait_ms);
/* So many of the jobs that were taken are no longer in flight. */
void reader_settle(struct reader *r, size_t count);
