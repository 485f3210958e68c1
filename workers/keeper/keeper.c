/* keeper.c — assay-keeper: what must happen now and then, whoever else is up.
 *
 * Every sweep it queues rows that are due and that nobody works on (so a lost Redis costs delay,
 * never an order), turns dead letters into refused orders, revokes what is marked to be, seals the
 * audit rows, and publishes revocation lists; now and then it makes partitions and forgets
 * consumers that died. Each act is one idempotent call, so that any number of keepers may run side
 * by side, and missing one sweep is no harm. */
#include <stdio.h>

#include "lib/base/clock.h"
#include "lib/base/log.h"
#include "lib/base/notify.h"
#include "lib/base/stop.h"
#include "lib/queue/jobs.h"
#include "lib/store/crl.h"
#include "lib/store/incident.h"
#include "lib/store/replay.h"
#include "lib/store/sweep.h"
#include "workers/keeper/outbox.h"
#include "workers/keeper/publish.h"
#include "workers/process.h"

#define SWEEP_LIMIT 1000      /* rows of each kind in one call */
#define ROUNDS 20             /* calls of one kind in one sweep: the rest waits for the next */
#define SWEEP_BACKOFF_SECS 15 /* a row that was queued is not queued again before */
#define CHANGES_LIMIT 20000   /* revocations that are collected in one call */
#define DEAD_LIMIT 64
#define SEAL_LIMIT 5000 /* about so many audit rows in one call */
#define CLOSING_LIMIT 500
#define INCIDENT_WATCH 2000 /* new certificates that are looked at in one call */
#define INCIDENT_REVOKE 500 /* certificates that are revoked in one */
#define PARTITION_DAYS 7
#define PARTITION_MS 3600000
#define PRUNE_MS 600000
#define CONSUMER_IDLE_MS 3600000
#define TIDY_MS 30000
#define REVOKE_MS 1000 /* at a stretch, before everything else has its turn */

struct keeper {
	struct process process;
	int64_t sweep_ms, partition_ms, prune_ms, tidy_ms; /* when next */
	bool revoking;                                     /* more is left than was done */
	struct publisher publisher;
	struct outbox outbox;
};

static const enum job_kind job_of_sweep[] = {[SWEEP_VALIDATE] = JOB_VALIDATE,
	[SWEEP_CAA] = JOB_CAA,
	[SWEEP_SIGN] = JOB_SIGN,
	[SWEEP_RESPONDER] = JOB_RESPONDER};
static const enum sweep_kind sweep_of_job[] = {[JOB_VALIDATE] = SWEEP_VALIDATE,
	[JOB_CAA] = SWEEP_CAA,
	[JOB_SIGN] = SWEEP_SIGN,
	[JOB_RESPONDER] = SWEEP_RESPONDER};

/* Runs one call; a failure is logged, and the next sweep tries again. */
static bool run(struct keeper *k, struct db_call *call, const char *what)
{
	notify_alive(); /* a turn may be many statements */
	if (db_run_one(k->process.db, call) == OK)
		return true;
	log_event(LOG_LEVEL_WARNING, what, F_STR("cause", db_error(k->process.db)));
	return false;
}

/* All rows of one call into their streams. False when Redis failed: they are due again later. */
static bool enqueue(struct keeper *k, const struct db_call *call, size_t count)
{
	struct ident *ids = xcalloc(count + 1, sizeof(*ids));
	int err = OK;

	for (size_t kind = 0; kind < ARRAY_LEN(job_of_sweep) && err == OK; kind++) {
		size_t n = 0;

		for (size_t i = 0; i < count; i++) {
			enum sweep_kind found;

			sweep_due_at(call, i, &found, &ids[n]);
			n += found == kind;
		}
		err = jobs_enqueue(k->process.rds, job_of_sweep[kind], ids, n);
	}
	free(ids);
	if (err != OK)
		log_event(LOG_LEVEL_WARNING, "due jobs not queued",
			F_STR("cause", rds_error(k->process.rds)));
	return err == OK;
}

static void sweep_due(struct keeper *k)
{
	size_t count = SWEEP_LIMIT;
	int64_t total = 0;

	for (int round = 0; round < ROUNDS && count >= SWEEP_LIMIT && !stop_requested(); round++) {
		struct db_call call = {0};
		bool ok;

		sweep_due_call(&call, SWEEP_LIMIT, SWEEP_BACKOFF_SECS);
		ok = run(k, &call, "sweep failed");
		count = ok ? sweep_due_count(&call) : 0;
		if (!enqueue(k, &call, count))
			count = 0;
		total += (int64_t)count;
		db_call_done(&call);
	}
	if (total > 0)
		log_event(LOG_LEVEL_INFO, "queued what was due", F_INT("jobs", total));
}

/* What was revoked since becomes due shards, crl.delay behind the first of each. */
static void collect_revocations(struct keeper *k)
{
	bool more = true;

	for (int round = 0; round < ROUNDS && more && !stop_requested(); round++) {
		struct db_call call = {0};

		crl_schedule_call(&call, CHANGES_LIMIT, (int)k->process.conf->crl.delay_secs);
		more = run(k, &call, "revocations not collected") &&
			db_int(call.result, 0, 0) == CHANGES_LIMIT;
		db_call_done(&call);
	}
}

static void queue_crls(struct keeper *k)
{
	CLEANUP(free) struct ident *ids = NULL;
	struct db_call call = {0};
	size_t count = 0;

	crl_due_call(&call, SWEEP_LIMIT, SWEEP_BACKOFF_SECS);
	if (run(k, &call, "revocation lists not queued"))
		count = crl_due_count(&call);
	ids = xcalloc(count + 1, sizeof(*ids));
	for (size_t i = 0; i < count; i++)
		ids[i] = crl_due_at(&call, i);
	db_call_done(&call);
	if (jobs_enqueue(k->process.rds, JOB_CRL, ids, count) != OK)
		log_event(LOG_LEVEL_WARNING, "revocation lists not queued",
			F_STR("cause", rds_error(k->process.rds)));
}

static void log_dead(const struct job *job, const char *message)
{
	char id[IDENT_TEXT_LEN + 1];

	ident_format(&job->id, id);
	log_event(LOG_LEVEL_ERROR, message, F_STR("id", id), F_STR("entry", job->entry));
}

/* One dead letter: its order is refused, and only then the letter is thrown away. */
static bool bury(struct keeper *k, const struct job *job)
{
	struct db_call call = {0};
	bool ok;

	/* The shard stays due. */
	if (job->kind == JOB_CRL) {
		log_dead(job, "revocation list failed too often");
		return true;
	}
	sweep_dead_call(&call, sweep_of_job[job->kind], &job->id);
	ok = run(k, &call, "dead letter not settled");
	db_call_done(&call);
	if (ok)
		log_dead(job, "order refused: its job failed too often");
	return ok;
}

static void sweep_dead(struct keeper *k)
{
	struct job jobs[DEAD_LIMIT], junk[DEAD_LIMIT];
	size_t njobs = 0, njunk = 0, settled = 0;
	struct rds *rds = k->process.rds;

	if (jobs_dead_read(rds, jobs, &njobs, junk, &njunk, DEAD_LIMIT) != OK) {
		log_event(LOG_LEVEL_WARNING, "dead letters not read",
			F_STR("cause", rds_error(rds)));
		return;
	}
	while (settled < njobs && bury(k, &jobs[settled]))
		settled++;
	for (size_t i = 0; i < njunk; i++)
		log_event(LOG_LEVEL_ERROR, "somebody put junk into a job stream",
			F_STR("entry", junk[i].entry));
	if (jobs_dead_remove(rds, jobs, settled) != OK || jobs_dead_remove(rds, junk, njunk) != OK)
		log_event(LOG_LEVEL_WARNING, "dead letters not removed",
			F_STR("cause", rds_error(rds)));
}

static void seal_audit(struct keeper *k)
{
	bool more = true;

	for (int round = 0; round < ROUNDS && more && !stop_requested(); round++) {
		struct db_call call = {0};

		audit_seal_call(&call, SEAL_LIMIT);
		more = run(k, &call, "audit rows not sealed") &&
			db_int(call.result, 0, 0) >= SEAL_LIMIT / 2;
		db_call_done(&call);
	}
}

static void make_partitions(struct keeper *k)
{
	struct db_call call = {0};

	partitions_call(&call, PARTITION_DAYS, k->process.conf->workers.retention_secs);
	if (run(k, &call, "partitions not made") && db_int(call.result, 0, 0) > 0)
		log_event(LOG_LEVEL_INFO, "partitions made or dropped",
			F_INT("count", db_int(call.result, 0, 0)));
	db_call_done(&call);
}

/* Batches of acts and of compromised keys, each a short transaction of its own. */
static void revoke_marked(struct keeper *k)
{
	int64_t until = clock_mono_ms() + REVOKE_MS, total = 0;

	k->revoking = true;
	while (k->revoking && clock_mono_ms() < until && !stop_requested()) {
		struct db_call call = {0};
		bool ok;

		revocation_sweep_call(&call);
		ok = run(k, &call, "revocations not made");
		k->revoking = ok && db_int(call.result, 0, 0) > 0;
		if (k->revoking)
			total += db_int(call.result, 0, 0);
		db_call_done(&call);
	}
	if (total > 0)
		log_event(LOG_LEVEL_INFO, "worked on revocations", F_INT("steps", total));
}

/* Closed accounts with more orders than a request may end. */
static void end_closings(struct keeper *k)
{
	bool more = true;

	for (int round = 0; round < ROUNDS && more && !stop_requested(); round++) {
		struct db_call call = {0};

		closing_sweep_call(&call, CLOSING_LIMIT);
		more = run(k, &call, "orders of a closed account not ended") &&
			db_int(call.result, 0, 0) > 0;
		db_call_done(&call);
	}
}

static void log_incident(const struct incident_kept *kept)
{
	if (kept->renewed > 0 || kept->revoked > 0)
		log_event(LOG_LEVEL_INFO, "worked on an incident", F_INT("incident", kept->id),
			F_INT("renewed", kept->renewed), F_INT("revoked", kept->revoked));
	if (kept->ended)
		log_event(LOG_LEVEL_INFO, "incident ended", F_INT("incident", kept->id));
}

/* What clients renewed, and what is to be revoked at a deadline: a short transaction a round. */
static void keep_incidents(struct keeper *k)
{
	bool more = true;

	for (int round = 0; round < ROUNDS && more && !stop_requested(); round++) {
		struct db_call call = {0};

		more = false;
		incident_keep_call(&call, INCIDENT_WATCH, INCIDENT_REVOKE);
		if (run(k, &call, "incidents not worked on")) {
			for (size_t i = 0; i < incident_keep_count(&call); i++) {
				struct incident_kept kept;

				incident_keep_at(&call, i, &kept);
				log_incident(&kept);
				more = more || kept.more;
			}
		}
		db_call_done(&call);
	}
}

static void tidy(struct keeper *k)
{
	struct db_call call = {0};

	certificates_tidy_call(&call);
	(void)run(k, &call, "certificates not tidied");
	db_call_done(&call);
}

static void prune_consumers(struct keeper *k)
{
	static const enum job_stream streams[] = {STREAM_VALIDATION, STREAM_ISSUANCE};

	for (size_t i = 0; i < ARRAY_LEN(streams); i++) {
		size_t count = 0;

		if (jobs_prune_consumers(k->process.rds, streams[i], CONSUMER_IDLE_MS, &count) !=
			OK)
			log_event(LOG_LEVEL_WARNING, "dead consumers not deleted",
				F_STR("cause", rds_error(k->process.rds)));
		else if (count > 0)
			log_event(LOG_LEVEL_INFO, "forgot consumers that are gone",
				F_INT("count", (int64_t)count));
	}
}

/* True when it was due; it is due again in period_ms from now. */
static bool take_turn(int64_t *next_ms, int64_t period_ms)
{
	int64_t now = clock_mono_ms();

	if (now < *next_ms)
		return false;
	*next_ms = now + period_ms;
	return true;
}

/* What each server allows is done, also while the other one is away. */
static void keep(struct keeper *k)
{
	bool db = process_db_ready(&k->process), rds = process_rds_ready(&k->process);

	if (db) {
		process_heartbeat(&k->process);
		outbox_empty(&k->outbox, &k->process);
	}
	if (db && take_turn(&k->partition_ms, PARTITION_MS))
		make_partitions(k);
	if (rds && take_turn(&k->prune_ms, PRUNE_MS))
		prune_consumers(k);
	if (db && take_turn(&k->tidy_ms, TIDY_MS))
		tidy(k);
	if (db)
		revoke_marked(k);
	if (!db || !take_turn(&k->sweep_ms, k->process.conf->workers.sweep_secs * 1000))
		return;
	seal_audit(k);
	keep_incidents(k);
	collect_revocations(k);
	end_closings(k);
	/* A row is not pushed back as queued when there is no queue. */
	if (rds) {
		sweep_dead(k);
		sweep_due(k);
		queue_crls(k);
	}
	publish_run(&k->publisher, &k->process);
}

int main(int argc, char **argv)
{
	static const struct db_stmt *const stmts[] = {&sweep_due_stmt, &sweep_dead_stmt,
		&closing_sweep_stmt, &partitions_stmt, &audit_seal_stmt, &revocation_sweep_stmt,
		&certificates_tidy_stmt, &incident_keep_stmt, &crl_schedule_stmt, &crl_due_stmt,
		&crl_files_stmt, &crl_part_stmt, &crl_overtaken_stmt, &issuer_files_stmt,
		REPLAY_REVOKE_STMTS, &journal_outbox_stmt, &journal_outbox_keys_stmt,
		&journal_outbox_done_stmt, &journal_tidy_stmt, NULL};
	static struct keeper keeper;

	process_init(&keeper.process, argc, argv, "assay-keeper",
		"The keeper of assay, an ACME certificate authority: queues what is due, "
		"publishes, seals, tidies.",
		stmts);
	if (keeper.process.conf->journal.folder != NULL)
		keeper.process.listen_sql = OUTBOX_LISTEN;
	if (outbox_open(&keeper.outbox, &keeper.process) != OK)
		return EXIT_FAILURE;
	log_event(LOG_LEVEL_INFO, "started");
	while (!stop_requested()) {
		int64_t left;

		(void)process_reload(&keeper.process);
		keep(&keeper);
		left = keeper.sweep_ms - clock_mono_ms();
		if (keeper.revoking)
			left = 0;
		else if (left <= 0)
			left = 1000;
		process_wait(&keeper.process, process_db_fd(&keeper.process), left);
	}
	notify_stopping();
	outbox_close(&keeper.outbox);
	log_event(LOG_LEVEL_INFO, "stopped");
	process_done(&keeper.process);
	return EXIT_SUCCESS;
}
