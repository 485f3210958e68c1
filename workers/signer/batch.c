/* batch.c — see batch.h. */
#include "workers/signer/batch.h"

#include "lib/base/clock.h"
#include "lib/base/log.h"
#include "lib/store/entry.h"
#include "workers/failpoint.h"
#include "workers/signer/keys.h"

#define ISSUE_TRIES 3
/* How soon an order comes back whose issuers cannot be reached. */
#define WAIT_SECS 30

/* Orders (and what goes with each) that take part in one call. */
struct column {
	struct item **items;
	struct ident *orders;
	int32_t *attempts;
	size_t count;
};

static void column_done(struct column *c)
{
	free(c->items);
	free(c->orders);
	free(c->attempts);
}

#define CLEANUP_COLUMN __attribute__((cleanup(column_done)))

static bool is_refused(const struct item *item)
{
	return item->verdict.action == VERDICT_REFUSE;
}

static bool is_postponed(const struct item *item)
{
	return item->verdict.action == VERDICT_CAA;
}

static bool is_waiting(const struct item *item)
{
	return item->verdict.action == VERDICT_WAIT;
}

static bool is_drafted(const struct item *item)
{
	return item->verdict.action == VERDICT_ISSUE;
}

static bool is_signed(const struct item *item)
{
	return item->certificate.len > 0;
}

static struct column column_of(struct batch *b, bool (*belongs)(const struct item *item))
{
	struct column c = {
		.items = xcalloc(b->count + 1, sizeof(*c.items)),
		.orders = xcalloc(b->count + 1, sizeof(*c.orders)),
		.attempts = xcalloc(b->count + 1, sizeof(*c.attempts)),
	};

	for (size_t i = 0; i < b->count; i++) {
		struct item *item = &b->items[i];

		if (!belongs(item))
			continue;
		c.items[c.count] = item;
		c.orders[c.count] = item->job.order;
		c.attempts[c.count] = item->job.attempt;
		c.count++;
	}
	return c;
}

static struct item *find_item(struct batch *b, const struct ident *order)
{
	for (size_t i = 0; i < b->count; i++)
		if (ident_equal(&b->items[i].job.order, order))
			return &b->items[i];
	return NULL;
}

static void log_item(enum log_level level, const char *message, const struct item *item,
	const char *name, const char *value)
{
	char order[IDENT_TEXT_LEN + 1];

	ident_format(&item->job.order, order);
	log_event(level, message, F_STR("order", order), F_STR(name, value));
}

int batch_claim(struct batch *b, const struct job *jobs, size_t count)
{
	CLEANUP(free) struct ident *ids = xcalloc(count, sizeof(*ids));
	int err;

	for (size_t i = 0; i < count; i++)
		ids[i] = jobs[i].id;
	b->claimed_mono_us = clock_mono_us();
	issuance_claim_call(&b->claim, ids, count, (int)b->conf->workers.lease_secs);
	err = db_run_one(b->db, &b->claim);
	if (err != OK)
		return err;
	b->count = issuance_claim_count(&b->claim);
	b->items = xcalloc(b->count + 1, sizeof(*b->items));
	for (size_t i = 0; i < b->count; i++)
		issuance_claim_at(&b->claim, i, &b->items[i].job);
	FAILPOINT("claimed");
	return OK;
}

/* A proof that fails is a fault of ours: the client is told so, the log says which rule. */
static void draft_item(struct item *item)
{
	CLEANUP_BUF struct buf findings = {0};
	int err = draft_make(&item->job, &item->verdict, &item->draft, &findings);

	if (err == OK)
		return;
	log_item(LOG_LEVEL_ERROR, "certificate did not pass its proof", item, "findings",
		findings.len > 0 ? buf_str(&findings) : err_name(err));
	(void)problem_set(&item->problem, PROBLEM_SERVER_INTERNAL,
		"the certificate did not pass its checks");
	item->verdict.action = VERDICT_REFUSE;
}

void batch_decide(struct batch *b)
{
	for (size_t i = 0; i < b->count; i++) {
		struct item *item = &b->items[i];

		decide(b->conf, b->issuers, &item->job, &item->problem, &item->verdict);
		if (item->verdict.action == VERDICT_ISSUE)
			draft_item(item);
		if (item->verdict.action == VERDICT_REFUSE)
			problem_render(&item->problem, &item->problem_json);
	}
	FAILPOINT("decided");
}

static void refuse_call(struct db_call *call, const struct column *c)
{
	CLEANUP(free) struct bytes *problems = xcalloc(c->count + 1, sizeof(*problems));

	for (size_t i = 0; i < c->count; i++)
		problems[i] = buf_bytes(&c->items[i]->problem_json);
	issuance_refuse_call(call, c->orders, c->attempts, problems, c->count);
}

static void reserve_call(struct db_call *call, const struct column *c)
{
	CLEANUP(free) struct issuance_reservation *rows = xcalloc(c->count + 1, sizeof(*rows));

	for (size_t i = 0; i < c->count; i++) {
		const struct item *item = c->items[i];

		rows[i] = (struct issuance_reservation){
			.order = item->job.order,
			.attempt = item->job.attempt,
			.serial = bytes_of(item->draft.serial, SERIAL_LEN),
			.tbs = buf_bytes(&item->draft.tbs),
			.spki_sha256 = bytes_of(item->verdict.csr->spki_sha256, 32),
			.issuer = bytes_of(item->verdict.issuer->sha256, 32),
			.crl_shard = item->draft.crl_shard,
			.not_before_us = item->verdict.not_before_us,
			.not_after_us = item->verdict.not_after_us,
		};
	}
	issuance_reserve_call(call, rows, c->count);
}

static void join_names(const struct issuance_job *job, struct buf *out)
{
	for (size_t i = 0; i < job->nnames; i++) {
		if (i > 0)
			buf_add_byte(out, ' ');
		buf_add(out, job->names[i].ptr, job->names[i].len);
	}
}

static void journal_item(struct batch *b, const struct item *item)
{
	CLEANUP_BUF struct buf names = {0};
	CLEANUP_BUF struct buf payload = {0};

	join_names(&item->job, &names);
	entry_issue_append(&payload,
		&(struct entry_issue){
			.kind = ENTRY_CERTIFICATE,
			.order = item->job.order,
			.account = item->job.account,
			.serial = bytes_of(item->draft.serial, SERIAL_LEN),
			.issuer = bytes_of(item->verdict.issuer->sha256, 32),
			.crl_shard = item->draft.crl_shard,
			.not_before_us = item->verdict.not_before_us,
			.not_after_us = item->verdict.not_after_us,
			.spki_sha256 = bytes_of(item->verdict.csr->spki_sha256, 32),
			.names = buf_bytes(&names),
			.tbs = buf_bytes(&item->draft.tbs),
		});
	record_add(b->record, ENTRY_ISSUE, buf_bytes(&payload));
}

/* On its way to the disk; journal_wait waits for it. */
static int journal_drafts(struct batch *b, const struct column *drafted)
{
	for (size_t i = 0; i < drafted->count; i++)
		journal_item(b, drafted->items[i]);
	return record_begin(b->record);
}

/* Behind this, the database knows every one of them, or it will never be signed. */
static void journal_settled(struct batch *b, const struct column *drafted)
{
	CLEANUP(free) struct bytes *not_signed = xcalloc(drafted->count, sizeof(*not_signed));
	CLEANUP_BUF struct buf payload = {0};
	size_t count = 0;

	for (size_t i = 0; i < drafted->count; i++)
		if (!drafted->items[i]->reserved)
			not_signed[count++] = bytes_of(drafted->items[i]->draft.serial, SERIAL_LEN);
	entry_settled_append(&payload, not_signed, count);
	record_add(b->record, ENTRY_SETTLED, buf_bytes(&payload));
	record_note(b->record);
}

static void note_refused(const struct column *c)
{
	for (size_t i = 0; i < c->count; i++) {
		c->items[i]->final = true;
		log_item(LOG_LEVEL_INFO, "order refused", c->items[i], "problem",
			buf_str(&c->items[i]->problem_json));
	}
}

static void note_postponed(const struct column *c)
{
	for (size_t i = 0; i < c->count; i++) {
		c->items[i]->postponed = true;
		log_item(LOG_LEVEL_DEBUG, "order waits for CAA", c->items[i], NULL, NULL);
	}
}

static void note_waiting(const struct column *c)
{
	for (size_t i = 0; i < c->count; i++)
		log_item(LOG_LEVEL_WARNING, "order waits for an issuing key", c->items[i], NULL,
			NULL);
}

static void note_reserved(struct batch *b, const struct db_call *call)
{
	for (size_t i = 0; i < issuance_reserve_count(call); i++) {
		struct ident order = issuance_reserve_order(call, i);
		struct item *item = find_item(b, &order);

		if (item != NULL && is_drafted(item))
			item->reserved = true;
	}
}

/* What one transaction is made of. */
struct recording {
	struct column refused, postponed, waiting, drafted;
	struct db_call refuse, postpone, wait, reserve;
	struct db_call *calls[4];
	size_t ncalls;
};

static void recording_done(struct recording *r)
{
	column_done(&r->refused);
	column_done(&r->postponed);
	column_done(&r->waiting);
	column_done(&r->drafted);
	db_call_done(&r->refuse);
	db_call_done(&r->postpone);
	db_call_done(&r->wait);
	db_call_done(&r->reserve);
}

static void make_calls(struct recording *r, bool may_reserve)
{
	if (r->refused.count > 0) {
		refuse_call(&r->refuse, &r->refused);
		r->calls[r->ncalls++] = &r->refuse;
	}
	if (r->postponed.count > 0) {
		issuance_defer_caa_call(&r->postpone, r->postponed.orders, r->postponed.attempts,
			r->postponed.count);
		r->calls[r->ncalls++] = &r->postpone;
	}
	if (r->waiting.count > 0) {
		issuance_wait_call(&r->wait, r->waiting.orders, r->waiting.attempts,
			r->waiting.count, WAIT_SECS);
		r->calls[r->ncalls++] = &r->wait;
	}
	if (may_reserve && r->drafted.count > 0) {
		reserve_call(&r->reserve, &r->drafted);
		r->calls[r->ncalls++] = &r->reserve;
	}
}

/* The disk and the database work at the same time; the key waits for both. */
static int run_calls(struct batch *b, struct recording *r, int *ret_journal_err)
{
	bool drafts = r->drafted.count > 0;
	int journal_err = drafts ? journal_drafts(b, &r->drafted) : OK;
	bool journalling = drafts && journal_err == OK;
	int err;

	FAILPOINT("journalled");
	make_calls(r, journalling);
	err = r->ncalls > 0 ? db_run(b->db, r->calls, r->ncalls) : OK;
	if (journalling)
		journal_err = record_end(b->record);
	*ret_journal_err = journal_err;
	return err;
}

int batch_record(struct batch *b)
{
	struct recording r = {
		.refused = column_of(b, is_refused),
		.postponed = column_of(b, is_postponed),
		.waiting = column_of(b, is_waiting),
		.drafted = column_of(b, is_drafted),
	};
	int journal_err, err = run_calls(b, &r, &journal_err);

	if (r.refused.count > 0 && r.refuse.err == OK)
		note_refused(&r.refused);
	if (r.postponed.count > 0 && r.postpone.err == OK)
		note_postponed(&r.postponed);
	if (r.waiting.count > 0 && r.wait.err == OK)
		note_waiting(&r.waiting);
	FAILPOINT("reserved");
	if (r.drafted.count > 0 && journal_err == OK) {
		if (r.reserve.err == OK)
			note_reserved(b, &r.reserve);
		journal_settled(b, &r.drafted);
	}
	recording_done(&r);
	FAILPOINT("recorded");
	return err != OK ? err : journal_err;
}

static bool lease_is_usable(const struct batch *b)
{
	int64_t used_us = clock_mono_us() - b->claimed_mono_us;

	return used_us < b->conf->workers.lease_secs * USEC_PER_SEC / 100 * LEASE_USABLE_PERCENT;
}

void batch_sign(struct batch *b)
{
	for (size_t i = 0; i < b->count; i++) {
		struct item *item = &b->items[i];

		if (!item->reserved)
			continue;
		if (!lease_is_usable(b)) {
			log_item(LOG_LEVEL_WARNING, "too late to sign: its serial stays unused",
				item, NULL, NULL);
			continue;
		}
		if (key_sign_tbs_checked(item->verdict.issuer->key, buf_bytes(&item->draft.tbs),
			    &item->certificate) != OK)
			log_item(LOG_LEVEL_ERROR, "signing failed: its serial stays unused", item,
				"issuer", item->verdict.issuer->name);
		FAILPOINT("signed");
	}
}

static void issue_call(struct db_call *call, const struct column *c)
{
	CLEANUP(free) struct bytes *serials = xcalloc(c->count + 1, sizeof(*serials));
	CLEANUP(free) struct bytes *ders = xcalloc(c->count + 1, sizeof(*ders));

	for (size_t i = 0; i < c->count; i++) {
		serials[i] = bytes_of(c->items[i]->draft.serial, SERIAL_LEN);
		ders[i] = buf_bytes(&c->items[i]->certificate);
	}
	issuance_issue_call(call, c->orders, c->attempts, serials, ders, c->count);
}

static void log_issued(const struct item *item)
{
	char order[IDENT_TEXT_LEN + 1], serial[2 * SERIAL_LEN + 1],
		not_after[CLOCK_RFC3339_LEN + 1];

	ident_format(&item->job.order, order);
	serial_format(bytes_of(item->draft.serial, SERIAL_LEN), serial);
	clock_rfc3339_format(item->verdict.not_after_us, not_after);
	log_event(LOG_LEVEL_INFO, "certificate issued", F_STR("order", order),
		F_STR("serial", serial), F_INT("names", (int64_t)item->job.nnames),
		F_STR("profile", item->verdict.profile->name),
		F_STR("issuer", item->verdict.issuer->name), F_STR("not_after", not_after));
}

static void note_issued(struct batch *b, const struct db_call *call)
{
	for (size_t i = 0; i < issuance_issue_count(call); i++) {
		struct ident order = issuance_issue_order(call, i);
		struct item *item = find_item(b, &order);

		if (item == NULL || !is_signed(item))
			continue;
		item->final = true;
		log_issued(item);
	}
}

int batch_issue(struct batch *b)
{
	CLEANUP_COLUMN struct column signed_ = column_of(b, is_signed);
	struct db_call call = {0};
	int err = OK;

	/* The same signed bytes may be offered again: the function takes them once. They are not
	 * signed again. */
	for (int tries = 0; signed_.count > 0 && tries < ISSUE_TRIES; tries++) {
		issue_call(&call, &signed_);
		err = db_run_one(b->db, &call);
		FAILPOINT("issued");
		if (err == OK) {
			note_issued(b, &call);
			break;
		}
		log_event(LOG_LEVEL_WARNING, "certificates could not be stored",
			F_STR("error", err_name(err)), F_STR("database", db_error(b->db)),
			F_INT("certificates", (int64_t)signed_.count));
		if (db_ensure(b->db) != OK)
			break;
	}
	db_call_done(&call);
	return err;
}

void batch_done(struct batch *b)
{
	for (size_t i = 0; i < b->count; i++) {
		struct item *item = &b->items[i];

		issuance_job_done(&item->job);
		verdict_done(&item->verdict);
		problem_done(&item->problem);
		buf_done(&item->problem_json);
		draft_done(&item->draft);
		buf_done(&item->certificate);
	}
	free(b->items);
	db_call_done(&b->claim);
	*b = (struct batch){0};
}
