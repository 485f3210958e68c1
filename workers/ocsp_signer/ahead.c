/* ahead.c — signing ahead of need: what has changed first, then what is new, then what is due
 * again. What a crash leaves unsigned is found again: nothing is remembered here. */
#include "lib/base/clock.h"
#include "lib/base/log.h"
#include "workers/ocsp_signer/state.h"

#define ROUND_MAX 128 /* responses of one duty in one round: live requests wait for it */
#define PAUSE_MS 500  /* after a round that found little */
#define LEASE_SECS 10 /* of a duty */
#define OVERLAP_MIN_SECS 15

/* What a round signed, gathered for storing. */
struct round {
	struct ocsp_signed *out;
	struct buf *responses;
	size_t count;
};

static void round_done(struct round *r)
{
	for (size_t i = 0; i < r->count; i++)
		buf_done(&r->responses[i]);
	free(r->responses);
	free(r->out);
}

static void sign_one(struct ocsp_signer *s, const struct ocsp_subject *subject, struct round *r)
{
	const struct served *served = served_find(s, subject->issuer);
	struct ocsp_issue issue;
	struct ocsp_times times;

	if (served == NULL)
		return;
	issue = issue_of(served);
	if (ocsp_sign_ahead(&issue, &s->process.conf->ocsp, subject, clock_wall_us(), &times,
		    &r->responses[r->count]) != OK) {
		log_event(LOG_LEVEL_ERROR, "a response could not be signed",
			F_STR("issuer", served->name));
		buf_done(&r->responses[r->count]);
		return;
	}
	r->out[r->count] = (struct ocsp_signed){
		.serial = subject->serial,
		.this_update_us = times.this_us,
		.next_update_us = times.next_us,
		.refresh_us = times.refresh_us,
		.revoked_us = subject->revoked_us,
		.reason = subject->reason,
		.response = buf_bytes(&r->responses[r->count]),
	};
	r->count++;
}

bool store_signed(struct ocsp_signer *s, const struct ocsp_signed *in, size_t count)
{
	struct db_call call = {0};
	bool ok = true;

	if (count > 0) {
		ocsp_store_call(&call, in, count);
		ok = db_run_one(s->process.db, &call) == OK;
		if (!ok)
			log_event(LOG_LEVEL_WARNING, "responses not stored",
				F_STR("cause", db_error(s->process.db)));
	}
	db_call_done(&call);
	return ok;
}

static void due_calls(struct ocsp_signer *s, struct db_call calls[OCSP_DUTIES], int32_t *numbers)
{
	const struct conf *conf = s->process.conf;
	int64_t overlap_secs = 2 * conf->workers.lease_secs;
	struct ocsp_due in = {
		.worker = s->worker,
		.issuers = numbers,
		.nissuers = s->nserved,
		.limit = ROUND_MAX,
		.lease_secs = LEASE_SECS,
		.archive_secs = conf->ocsp.archive_secs,
		.overlap_secs =
			(int)(overlap_secs > OVERLAP_MIN_SECS ? overlap_secs : OVERLAP_MIN_SECS),
	};

	for (size_t i = 0; i < s->nserved; i++)
		numbers[i] = s->served[i].number;
	for (int duty = 0; duty < OCSP_DUTIES; duty++)
		ocsp_due_call(&calls[duty], (enum ocsp_duty)duty, &in);
}

/* *ret_more: some duty has at least as much left to do. */
static bool sign_round(struct ocsp_signer *s, struct db_call calls[OCSP_DUTIES], bool *ret_more)
{
	const size_t most = (size_t)OCSP_DUTIES * ROUND_MAX;
	struct round round = {
		.out = xcalloc(most, sizeof(*round.out)),
		.responses = xcalloc(most, sizeof(*round.responses)),
	};
	bool ok;

	for (int duty = 0; duty < OCSP_DUTIES; duty++) {
		size_t n = ocsp_subject_count(&calls[duty]);

		*ret_more = *ret_more || n >= ROUND_MAX;
		for (size_t i = 0; i < n && i < ROUND_MAX; i++) {
			struct ocsp_subject subject;

			ocsp_subject_at(&calls[duty], i, &subject);
			sign_one(s, &subject, &round);
		}
	}
	ok = store_signed(s, round.out, round.count);
	if (ok && round.count > 0)
		log_event(LOG_LEVEL_DEBUG, "signed ahead",
			F_INT("responses", (int64_t)round.count));
	round_done(&round);
	return ok;
}

void leave_duties(struct ocsp_signer *s)
{
	struct db_call call = {0};

	ocsp_leave_call(&call, &s->worker);
	if (process_db_ready(&s->process) && db_run_one(s->process.db, &call) != OK)
		log_event(LOG_LEVEL_WARNING, "duties not given back",
			F_STR("cause", db_error(s->process.db)));
	db_call_done(&call);
}

bool sign_ahead(struct ocsp_signer *s)
{
	CLEANUP(free) int32_t *numbers = xcalloc(s->nserved + 1, sizeof(*numbers));
	struct db_call calls[OCSP_DUTIES] = {0};
	struct db_call *all[OCSP_DUTIES] = {&calls[0], &calls[1], &calls[2]};
	bool more = false;

	/* A worker that cannot sign for one of the issuers leaves the duties to others: it would
	 * pass over what is new. */
	if (!s->all_ready || clock_mono_ms() < s->ahead_ms)
		return false;
	due_calls(s, calls, numbers);
	if (db_run(s->process.db, all, OCSP_DUTIES) != OK) {
		log_event(LOG_LEVEL_WARNING, "nothing signed ahead",
			F_STR("cause", db_error(s->process.db)));
	} else if (!sign_round(s, calls, &more)) {
		more = false;
	}
	for (int duty = 0; duty < OCSP_DUTIES; duty++)
		db_call_done(&calls[duty]);
	s->ahead_ms = more ? 0 : clock_mono_ms() + PAUSE_MS;
	return more;
}
