/* live.c — responses signed because somebody asks now: with his nonce, or because none that fits is
 * stored. Whatever is asked for, its status comes from the database. */
#include <assert.h>

#include "lib/base/clock.h"
#include "lib/base/log.h"
#include "lib/queue/ocsp.h"
#include "workers/ocsp_signer/state.h"

#define ASKS_MAX 64

struct answers {
	struct ocsp_ask asks[ASKS_MAX];
	size_t nasks;
	struct ocsp_reply replies[ASKS_MAX];
	struct buf responses[ASKS_MAX];
	struct ocsp_signed kept[ASKS_MAX]; /* those that are worth storing */
	size_t nkept;
};

static enum ocsp_hash hash_of(enum ocsp_ask_hash hash)
{
	return hash == OCSP_ASK_SHA1 ? OCSP_SHA1 : OCSP_SHA256;
}

static struct bytes refusal(enum ocsp_refusal why)
{
	return ocsp_response_refusal(why);
}

/* Without a nonce, and about one certificate: signed as it would have been ahead, and kept. */
static int sign_kept(struct ocsp_signer *s, struct answers *a, size_t i,
	const struct ocsp_issue *issue, const struct ocsp_subject *subject)
{
	struct ocsp_times times;
	int err = ocsp_sign_ahead(issue, &s->process.conf->ocsp, subject, clock_wall_us(), &times,
		&a->responses[i]);

	if (err != OK)
		return err;
	a->kept[a->nkept++] = (struct ocsp_signed){
		.serial = subject->serial,
		.this_update_us = times.this_us,
		.next_update_us = times.next_us,
		.refresh_us = times.refresh_us,
		.revoked_us = subject->revoked_us,
		.reason = subject->reason,
		.response = buf_bytes(&a->responses[i]),
	};
	return OK;
}

/* May this one be called revoked, though nobody ever issued it? */
static bool is_never_issued(const struct conf_ocsp *conf, const struct ocsp_subject *subject)
{
	return conf->never_issued_revoked && subject->status == OCSP_STATUS_UNKNOWN &&
		subject->not_after_us == INT64_MIN;
}

static int sign_asked(struct ocsp_signer *s, struct answers *a, size_t i,
	const struct ocsp_issue *issue, const struct ocsp_subject *subjects)
{
	const struct ocsp_ask *ask = &a->asks[i];
	const struct conf_ocsp *conf = &s->process.conf->ocsp;
	struct ocsp_single singles[OCSP_ASK_CERTS_MAX];
	int64_t now_us = clock_wall_us();
	struct ocsp_times times;
	bool extended = false;

	ocsp_times_choose(now_us, conf->validity_secs, issue->responder->not_after_us, INT64_MAX, 0,
		&times);
	for (size_t n = 0; n < ask->count; n++) {
		ocsp_single_of(issue, conf, &subjects[n], hash_of(ask->certs[n].hash), &times,
			&singles[n]);
		if (is_never_issued(conf, &subjects[n])) {
			ocsp_single_never_issued(&singles[n]);
			extended = true;
		}
	}
	return ocsp_sign(issue, singles, ask->count, now_us, bytes_of(ask->nonce, ask->nonce_len),
		extended, &a->responses[i]);
}

/* RFC 9919 section 2.2.3: about what we have no record of we say nothing that is signed. */
static bool is_anything_known(const struct conf_ocsp *conf, const struct ocsp_subject *subjects,
	size_t count)
{
	for (size_t n = 0; n < count; n++)
		if (subjects[n].status != OCSP_STATUS_UNKNOWN ||
			is_never_issued(conf, &subjects[n]))
			return true;
	return false;
}

static struct bytes answer(struct ocsp_signer *s, struct answers *a, size_t i,
	const struct ocsp_subject *subjects)
{
	const struct ocsp_ask *ask = &a->asks[i];
	const struct served *served = served_find(s, ask->issuer);
	struct ocsp_issue issue;
	int err;

	if (!is_anything_known(&s->process.conf->ocsp, subjects, ask->count))
		return refusal(OCSP_UNAUTHORIZED);
	/* Perhaps another worker is, or we are soon. */
	if (served == NULL)
		return refusal(OCSP_TRY_LATER);
	issue = issue_of(served);
	if (ask->nonce_len == 0 && ask->count == 1 && subjects[0].status != OCSP_STATUS_UNKNOWN)
		err = sign_kept(s, a, i, &issue, &subjects[0]);
	else
		err = sign_asked(s, a, i, &issue, subjects);
	return err == OK ? buf_bytes(&a->responses[i]) : refusal(OCSP_INTERNAL_ERROR);
}

/* The status of every certificate of every ask, in one statement. */
static int fetch(struct ocsp_signer *s, const struct answers *a, struct db_call *call)
{
	const size_t most = (size_t)ASKS_MAX * OCSP_ASK_CERTS_MAX;
	CLEANUP(free) int32_t *issuers = xcalloc(most, sizeof(*issuers));
	CLEANUP(free) struct bytes *serials = xcalloc(most, sizeof(*serials));
	size_t count = 0;

	for (size_t i = 0; i < a->nasks; i++) {
		for (size_t n = 0; n < a->asks[i].count; n++) {
			issuers[count] = a->asks[i].issuer;
			serials[count++] = bytes_of(a->asks[i].certs[n].serial,
				a->asks[i].certs[n].serial_len);
		}
	}
	ocsp_status_call(call, issuers, serials, count, s->process.conf->ocsp.archive_secs);
	return db_run_one(s->process.db, call);
}

static void answer_all(struct ocsp_signer *s, struct answers *a)
{
	struct db_call call = {0};
	size_t at = 0;
	bool known = fetch(s, a, &call) == OK;

	if (!known)
		log_event(LOG_LEVEL_WARNING, "no status for those who ask",
			F_STR("cause", db_error(s->process.db)), F_INT("asks", (int64_t)a->nasks));
	assert(!known || ocsp_subject_count(&call) >= a->nasks);
	for (size_t i = 0; i < a->nasks; i++) {
		struct ocsp_subject subjects[OCSP_ASK_CERTS_MAX];

		for (size_t n = 0; known && n < a->asks[i].count; n++)
			ocsp_subject_at(&call, at++, &subjects[n]);
		a->replies[i] = (struct ocsp_reply){a->asks[i].reply,
			known ? answer(s, a, i, subjects) : refusal(OCSP_TRY_LATER)};
	}
	if (ocsp_replies_publish(s->process.rds, a->replies, a->nasks) != OK)
		log_event(LOG_LEVEL_WARNING, "those who ask cannot be answered",
			F_STR("cause", rds_error(s->process.rds)));
	(void)store_signed(s, a->kept, a->nkept);
	db_call_done(&call);
}

void answer_asks(struct ocsp_signer *s, int block_ms)
{
	static struct answers a;

	a.nasks = 0;
	a.nkept = 0;
	if (ocsp_asks_read(s->process.rds, block_ms, a.asks, ASKS_MAX, &a.nasks) != OK)
		log_event(LOG_LEVEL_WARNING, "cannot hear who asks",
			F_STR("cause", rds_error(s->process.rds)));
	if (a.nasks > 0)
		answer_all(s, &a);
	for (size_t i = 0; i < a.nasks; i++)
		buf_done(&a.responses[i]);
}
