/* responder.c — see responder.h. They are rare, so one is done after the other, each step a
 * transaction. */
#include "workers/signer/responder.h"

#include "lib/base/clock.h"
#include "lib/base/log.h"
#include "lib/store/entry.h"
#include "lib/store/responder.h"
#include "workers/failpoint.h"
#include "workers/signer/keys.h"
#include "workers/signer/responder_tbs.h"

/* As in batch.h: the rest of the lease is for others. */
#define LEASE_USABLE_PERCENT 50

static void log_one(enum log_level level, const char *message, const struct responder_job *job,
	const char *name, const char *value)
{
	char id[IDENT_TEXT_LEN + 1];

	ident_format(&job->id, id);
	log_event(level, message, F_STR("responder", id), F_STR(name, value));
}

static const struct issuer *find_issuer(const struct issuer_set *issuers, struct bytes sha256)
{
	for (size_t i = 0; i < issuers->count; i++)
		if (bytes_equal(bytes_of(issuers->items[i]->sha256, 32), sha256))
			return issuers->items[i];
	return NULL;
}

static int refuse(struct db *db, const struct responder_job *job, const char *why)
{
	struct db_call call = {0};
	int err;

	responder_refuse_call(&call, &job->id, job->attempt, why);
	err = db_run_one(db, &call);
	db_call_done(&call);
	if (err == OK)
		log_one(LOG_LEVEL_WARNING, "responder refused", job, "cause", why);
	return err;
}

/* On its way to the disk. */
static int journal_draft(const struct responder_shop *shop, const struct responder_job *job,
	const struct responder_draft *draft)
{
	CLEANUP_BUF struct buf payload = {0};
	uint8_t spki_sha256[32];

	if (!record_ready(shop->record, shop->db))
		return ERR_INTERNAL;
	ossl_sha256_of(job->spki, spki_sha256);
	entry_issue_append(&payload,
		&(struct entry_issue){
			.kind = ENTRY_RESPONDER,
			.order = job->id,
			.serial = bytes_of(draft->serial, sizeof(draft->serial)),
			.issuer = job->issuer,
			.not_before_us = draft->not_before_us,
			.not_after_us = draft->not_after_us,
			.spki_sha256 = bytes_of(spki_sha256, sizeof(spki_sha256)),
			.tbs = buf_bytes(&draft->tbs),
		});
	record_add(shop->record, ENTRY_ISSUE, buf_bytes(&payload));
	return record_begin(shop->record);
}

static void journal_settled(const struct responder_shop *shop, const struct responder_draft *draft,
	bool accepted)
{
	CLEANUP_BUF struct buf payload = {0};
	struct bytes serial = bytes_of(draft->serial, sizeof(draft->serial));

	entry_settled_append(&payload, &serial, !accepted);
	record_add(shop->record, ENTRY_SETTLED, buf_bytes(&payload));
	record_note(shop->record);
}

/* *ret_accepted: recorded here and there, and so to be signed. */
static int reserve(const struct responder_shop *shop, const struct responder_job *job,
	const struct responder_draft *draft, bool *ret_accepted)
{
	struct db_call call = {0};
	int err = journal_draft(shop, job, draft), journal_err;

	if (err != OK)
		return err;
	responder_reserve_call(&call, &job->id, job->attempt,
		bytes_of(draft->serial, sizeof(draft->serial)), buf_bytes(&draft->tbs),
		draft->not_before_us, draft->not_after_us);
	err = db_run_one(shop->db, &call);
	journal_err = record_end(shop->record);
	if (journal_err == OK) {
		*ret_accepted = err == OK && responder_accepted(&call);
		journal_settled(shop, draft, *ret_accepted);
	}
	db_call_done(&call);
	FAILPOINT("responder_reserved");
	return err != OK ? err : journal_err;
}

static int issue(struct db *db, const struct responder_job *job,
	const struct responder_draft *draft, const struct buf *certificate)
{
	char serial[2 * SERIAL_LEN + 1];
	struct db_call call = {0};
	int err;

	responder_issue_call(&call, &job->id, job->attempt,
		bytes_of(draft->serial, sizeof(draft->serial)), buf_bytes(certificate));
	err = db_run_one(db, &call);
	if (err == OK && responder_accepted(&call)) {
		serial_format(bytes_of(draft->serial, sizeof(draft->serial)), serial);
		log_one(LOG_LEVEL_INFO, "responder's certificate issued", job, "serial", serial);
	}
	db_call_done(&call);
	FAILPOINT("responder_issued");
	return err;
}

static int sign_and_issue(const struct responder_shop *shop, const struct responder_job *job,
	const struct issuer *issuer, const struct responder_draft *draft, int64_t until_mono_us)
{
	CLEANUP_BUF struct buf certificate = {0};
	bool accepted = false;
	int err = reserve(shop, job, draft, &accepted);

	if (err != OK || !accepted)
		return err;
	if (clock_mono_us() > until_mono_us) {
		log_one(LOG_LEVEL_WARNING, "too late to sign: its serial stays unused", job,
			"issuer", issuer->name);
		return OK;
	}
	if (key_sign_tbs_checked(issuer->key, buf_bytes(&draft->tbs), &certificate) != OK) {
		log_one(LOG_LEVEL_ERROR, "signing failed: its serial stays unused", job, "issuer",
			issuer->name);
		return OK;
	}
	FAILPOINT("responder_signed");
	return issue(shop->db, job, draft, &certificate);
}

static int certify(const struct responder_shop *shop, const struct responder_job *job,
	int64_t until_mono_us)
{
	const struct issuer *issuer = find_issuer(shop->issuers, job->issuer);
	CLEANUP_BUF struct buf findings = {0};
	struct responder_draft draft = {0};
	const char *why = NULL;
	int err;

	if (issuer == NULL)
		return refuse(shop->db, job, "its issuer is not configured here");
	err = responder_draft_make(issuer, job->spki, job->now_us, shop->conf->ocsp.responder_secs,
		&draft, &why, &findings);
	if (err == ERR_LIMIT)
		return refuse(shop->db, job, why);
	if (err != OK) {
		log_one(LOG_LEVEL_ERROR, "responder's certificate did not pass its proof", job,
			"findings", findings.len > 0 ? buf_str(&findings) : err_name(err));
		return refuse(shop->db, job, "the certificate did not pass its checks");
	}
	err = sign_and_issue(shop, job, issuer, &draft, until_mono_us);
	responder_draft_done(&draft);
	return err;
}

int responders_certify(const struct responder_shop *shop, const struct job *jobs, size_t count)
{
	CLEANUP(free) struct ident *ids = xcalloc(count + 1, sizeof(*ids));
	int64_t until_mono_us = clock_mono_us() +
		shop->conf->workers.lease_secs * USEC_PER_SEC / 100 * LEASE_USABLE_PERCENT;
	struct db_call claim = {0};
	size_t n = 0;
	int err;

	for (size_t i = 0; i < count; i++)
		if (jobs[i].kind == JOB_RESPONDER)
			ids[n++] = jobs[i].id;
	if (n == 0)
		return OK;
	responder_claim_call(&claim, ids, n, (int)shop->conf->workers.lease_secs);
	err = db_run_one(shop->db, &claim);
	FAILPOINT("responder_claimed");
	for (size_t i = 0; err == OK && i < responder_claim_count(&claim); i++) {
		struct responder_job job;

		responder_claim_at(&claim, i, &job);
		err = certify(shop, &job, until_mono_us);
	}
	db_call_done(&claim);
	return err;
}
