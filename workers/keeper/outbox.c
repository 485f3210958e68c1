/* outbox.c — see outbox.h. Read, write, sync, mark: a keeper that dies in between, or two that
 * meet, write some of it twice, which says nothing else than once. */
#include "workers/keeper/outbox.h"

#include "lib/base/clock.h"
#include "lib/base/log.h"
#include "lib/base/stop.h"
#include "lib/queue/jobs.h"
#include "lib/store/journalled.h"

#define AT_ONCE 1000
#define LOOK_MS 2000 /* a wake-up that was lost costs this */
#define TIDY_MS 600000

int outbox_open(struct outbox *o, const struct process *p)
{
	return record_open(&o->record, p->conf, p->program, p->host,
		"revocations are not journalled: the journal is not usable");
}

void outbox_close(struct outbox *o)
{
	record_close(&o->record);
}

static void add_revocations(struct outbox *o, const struct db_call *call, int64_t *ids,
	struct ident *done)
{
	for (size_t i = 0; i < journal_outbox_count(call); i++) {
		CLEANUP_BUF struct buf payload = {0};
		struct entry_revoke e;

		journal_outbox_at(call, i, &ids[i], &e);
		done[i] = revocation_ident(e.serial);
		entry_revoke_append(&payload, &e);
		record_add(&o->record, ENTRY_REVOKE, buf_bytes(&payload));
	}
}

static void add_keys(struct outbox *o, const struct db_call *call, struct bytes *keys)
{
	for (size_t i = 0; i < journal_outbox_keys_count(call); i++) {
		CLEANUP_BUF struct buf payload = {0};
		struct entry_block e;

		journal_outbox_keys_at(call, i, &e);
		keys[i] = e.spki_sha256;
		entry_block_append(&payload, &e);
		record_add(&o->record, ENTRY_BLOCK, buf_bytes(&payload));
	}
}

/* In one transaction: the rows are marked, and the file's position stands behind them. */
static int mark(struct outbox *o, struct process *p, const int64_t *ids, size_t nids,
	const struct bytes *keys, size_t nkeys)
{
	struct db_call done = {0}, reached = {0};
	struct db_call *calls[] = {&done, &reached};
	struct ident file;
	int err;

	journal_outbox_done_call(&done, ids, nids, keys, nkeys);
	(void)journal_file(o->record.journal, &file);
	journal_reached_call(&reached, &file, o->record.program, o->record.host,
		journal_size(o->record.journal));
	err = db_run(p->db, calls, ARRAY_LEN(calls));
	db_call_done(&done);
	db_call_done(&reached);
	return err;
}

static bool tell_failure(const struct process *p, int err)
{
	if (err != OK)
		log_event(LOG_LEVEL_WARNING, "the outbox stays as it is",
			F_STR("error", err_name(err)), F_STR("database", db_error(p->db)));
	return err == OK;
}

/* What the two calls found. */
static int write_found(struct outbox *o, struct process *p, const struct db_call *revocations,
	const struct db_call *blocked)
{
	size_t nids = journal_outbox_count(revocations);
	size_t nkeys = journal_outbox_keys_count(blocked);
	CLEANUP(free) int64_t *ids = xcalloc(nids + 1, sizeof(*ids));
	CLEANUP(free) struct ident *done = xcalloc(nids + 1, sizeof(*done));
	CLEANUP(free) struct bytes *keys = xcalloc(nkeys + 1, sizeof(*keys));
	int err;

	if (nids + nkeys == 0)
		return OK;
	add_revocations(o, revocations, ids, done);
	add_keys(o, blocked, keys);
	err = record_begin(&o->record);
	if (err == OK)
		err = record_end(&o->record);
	if (err == OK)
		err = mark(o, p, ids, nids, keys, nkeys);
	/* Only a hint: who waits looks for himself at last. */
	if (err == OK && jobs_publish(p->rds, done, nids) != OK)
		log_event(LOG_LEVEL_WARNING, "others cannot be told",
			F_STR("redis", rds_error(p->rds)));
	return err;
}

/* True when there may be more. */
static bool write_some(struct outbox *o, struct process *p)
{
	struct db_call revocations = {0}, blocked = {0};
	struct db_call *calls[] = {&revocations, &blocked};
	bool more = false;
	int err;

	if (!record_ready(&o->record, p->db))
		return false;
	journal_outbox_call(&revocations, AT_ONCE);
	journal_outbox_keys_call(&blocked, AT_ONCE);
	err = db_run(p->db, calls, ARRAY_LEN(calls));
	if (err == OK)
		err = write_found(o, p, &revocations, &blocked);
	if (tell_failure(p, err))
		more = journal_outbox_count(&revocations) == AT_ONCE ||
			journal_outbox_keys_count(&blocked) == AT_ONCE;
	db_call_done(&revocations);
	db_call_done(&blocked);
	return more;
}

static void tidy(struct outbox *o, struct process *p)
{
	struct db_call call = {0};

	if (clock_mono_ms() < o->tidy_ms)
		return;
	o->tidy_ms = clock_mono_ms() + TIDY_MS;
	journal_tidy_call(&call);
	(void)tell_failure(p, db_run_one(p->db, &call));
	db_call_done(&call);
}

void outbox_empty(struct outbox *o, struct process *p)
{
	bool woken = db_notified(p->db);

	if (o->record.journal == NULL || (!woken && clock_mono_ms() < o->look_ms))
		return;
	o->look_ms = clock_mono_ms() + LOOK_MS;
	while (write_some(o, p) && !stop_requested())
		continue;
	tidy(o, p);
}
