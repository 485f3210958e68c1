/* jobs.h — the two job streams and the wake-ups. A job is a type and an id; whoever reads it
 * believes only the row.
 *
 * Streams "q:val" (kinds v = validate authorization, c = CAA recheck of an order) and "q:sign" (s =
 * issue an order, r = issue an OCSP responder's certificate, l = make a revocation list), each with
 * the consumer group "w"; an entry is one field: kind letter → id. Dead letters go to "q:dead".
 * Workers publish the ids they finished on channel "done" (22-character ids, concatenated);
 * handlers with parked requests listen. Streams are bounded: what falls off the end is queued again
 * by the keeper's sweep. */
#pragma once

#include "lib/base/ident.h"
#include "lib/queue/rds.h"

enum job_kind { JOB_VALIDATE, JOB_CAA, JOB_SIGN, JOB_RESPONDER, JOB_CRL };
enum job_stream { STREAM_VALIDATION, STREAM_ISSUANCE };

#define JOB_DELIVERIES_MAX 5

struct job {
	enum job_kind kind;
	struct ident id;
	char entry[40]; /* stream entry id, for jobs_ack */
};

/* Pipelined XADD; its reply is read with rds_read by the caller. */
void job_append(struct rds *rds, enum job_kind kind, const struct ident *id);
/* All of them in one pipeline. Jobs are hints: after an error some may be queued, and the keeper's
 * sweep brings the rest. */
MUST_CHECK int jobs_enqueue(struct rds *rds, enum job_kind kind, const struct ident *ids,
	size_t count);
/* Creates stream and group where missing. */
MUST_CHECK int jobs_ensure_group(struct rds *rds, enum job_stream stream);
/* XREADGROUP up to max new jobs, waiting up to block_ms (0: not at all). Junk entries are moved to
 * the dead-letter stream. NOGROUP (lost data) recreates the group and returns 0 jobs. *ret_count (0
 * before the call) counts what was delivered to us, after an error, too. */
MUST_CHECK int jobs_read(struct rds *rds, enum job_stream stream, const char *consumer,
	int block_ms, struct job *jobs, size_t max, size_t *ret_count);
/* XAUTOCLAIM of entries idle longer than idle_ms; entries delivered more than JOB_DELIVERIES_MAX
 * times go to ret_dead instead, are moved to the dead-letter stream and acknowledged. The counts
 * hold after an error, too. */
MUST_CHECK int jobs_reclaim(struct rds *rds, enum job_stream stream, const char *consumer,
	int64_t idle_ms, struct job *jobs, size_t max, size_t *ret_count, struct job *dead,
	size_t max_dead, size_t *ret_dead);
/* XACK + XDEL of the whole batch in one pipeline. */
MUST_CHECK int jobs_ack(struct rds *rds, enum job_stream stream, const struct job *jobs,
	size_t count);
/* PUBLISH done. */
MUST_CHECK int jobs_publish(struct rds *rds, const struct ident *ids, size_t count);
/* A dedicated connection: SUBSCRIBE done, then each call waits for one message and calls fn for
 * each id. OK when none came in time. After a reconnection subscribe again. */
MUST_CHECK int jobs_subscribe(struct rds *rds);
MUST_CHECK int jobs_listen(struct rds *rds, int timeout_ms,
	void (*fn)(void *arg, const struct ident *id), void *arg);

/* The keeper: */
/* The oldest dead letters, up to max: jobs[] those that name a job, junk[] the rest (only entry is
 * set). */
MUST_CHECK int jobs_dead_read(struct rds *rds, struct job *jobs, size_t *ret_jobs, struct job *junk,
	size_t *ret_junk, size_t max);
MUST_CHECK int jobs_dead_remove(struct rds *rds, const struct job *jobs, size_t count);
/* Deletes consumers that got nothing for idle_ms and have nothing pending. One that lives after all
 * comes back with its next job; a job that it gets in this very moment is still the row's, and the
 * sweep brings it back should the worker die. */
MUST_CHECK int jobs_prune_consumers(struct rds *rds, enum job_stream stream, int64_t idle_ms,
	size_t *ret_count);
