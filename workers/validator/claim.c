/* claim.c — from jobs to tasks. A job whose row is not claimed (done, leased to another validator,
 * not due yet) is acknowledged: the row is the truth, and the keeper queues it again should it need
 * to be. */
#include "lib/base/log.h"
#include "workers/validator/caa_task.h"
#include "workers/validator/challenge_task.h"
#include "workers/validator/state.h"

/* A client waits for its certificate meanwhile. */
#define CAA_GIVE_UP_SECS 30
#define FULL_MAX 256

static void submit(struct validator *v, struct task *task, const struct ident *id, int32_t attempt)
{
	lease_add(v, task, id, attempt);
	v->in_network++;
	network_submit(v->net, task);
}

static void leave(struct worker *w, size_t count, int err)
{
	log_event(LOG_LEVEL_WARNING, "jobs left for later", F_STR("error", err_name(err)),
		F_STR("database", db_error(worker_db(w))), F_INT("jobs", (int64_t)count));
	worker_leave(w, count);
}

/* Index of the first job of that id that is not taken yet, or count. */
static size_t find_job(const struct job *jobs, const bool *taken, size_t count,
	const struct ident *id)
{
	size_t i = 0;

	while (i < count && (taken[i] || !ident_equal(&jobs[i].id, id)))
		i++;
	return i;
}

static void finish_rest(struct worker *w, const struct job *jobs, const bool *taken, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (!taken[i])
			worker_done(w, &jobs[i], 1);
}

static struct ident *ids_of(const struct job *jobs, size_t count)
{
	struct ident *ids = xcalloc(count, sizeof(*ids));

	for (size_t i = 0; i < count; i++)
		ids[i] = jobs[i].id;
	return ids;
}

/* Beyond half of the house, accounts that have their share get no more: whatever the targets of one
 * account do, the others find room. */
static size_t find_full(const struct validator *v, const struct conf *conf,
	struct ident full[static FULL_MAX])
{
	size_t count;

	if (v->in_network < (size_t)conf->validation.in_flight / 2)
		return 0;
	count = shares_full(v->shares, (size_t)conf->validation.account_share, full, FULL_MAX);
	return count < FULL_MAX ? count : FULL_MAX;
}

static void claim_challenges(struct worker *w, struct validator *v, const struct job *jobs,
	size_t count)
{
	const struct conf *conf = worker_conf(w);
	CLEANUP(free) struct ident *ids = ids_of(jobs, count);
	CLEANUP(free) bool *taken = xcalloc(count, sizeof(*taken));
	struct ident full[FULL_MAX];
	struct db_call call = {0};
	int err;

	validation_claim_call(&call, ids, count, (int)conf->workers.lease_secs, full,
		find_full(v, conf, full));
	err = db_run_one(worker_db(w), &call);
	for (size_t i = 0; err == OK && i < validation_claim_count(&call); i++) {
		struct validation_job row;
		size_t at;

		validation_claim_at(&call, i, &row);
		at = find_job(jobs, taken, count, &row.authz);
		if (at == count)
			continue;
		taken[at] = true;
		shares_take(v->shares, &row.account);
		submit(v, &challenge_task_new(conf, &jobs[at], &row)->task, &row.authz,
			row.attempt);
	}
	db_call_done(&call);
	if (err == OK)
		finish_rest(w, jobs, taken, count);
	else
		leave(w, count, err);
}

/* Rows of one order come together. */
static void submit_caa_rows(struct worker *w, struct validator *v, const struct db_call *call,
	const struct job *jobs, bool *taken, size_t count)
{
	const struct conf *conf = worker_conf(w);
	size_t nrows = caa_claim_count(call);
	CLEANUP(free) struct caa_job *rows = xcalloc(nrows + 1, sizeof(*rows));

	for (size_t i = 0; i < nrows; i++)
		caa_claim_at(call, i, &rows[i]);
	for (size_t first = 0, end; first < nrows; first = end) {
		size_t at = find_job(jobs, taken, count, &rows[first].order);

		for (end = first + 1;
			end < nrows && ident_equal(&rows[end].order, &rows[first].order);)
			end++;
		if (at == count)
			continue;
		taken[at] = true;
		submit(v,
			(struct task *)caa_task_new(conf, &jobs[at], &rows[first], end - first,
				CAA_GIVE_UP_SECS),
			&rows[first].order, rows[first].attempt);
	}
}

static void claim_orders(struct worker *w, struct validator *v, const struct job *jobs,
	size_t count)
{
	CLEANUP(free) struct ident *ids = ids_of(jobs, count);
	CLEANUP(free) bool *taken = xcalloc(count, sizeof(*taken));
	struct db_call call = {0};
	int err;

	caa_claim_call(&call, ids, count, (int)worker_conf(w)->workers.lease_secs);
	err = db_run_one(worker_db(w), &call);
	if (err == OK)
		submit_caa_rows(w, v, &call, jobs, taken, count);
	db_call_done(&call);
	if (err == OK)
		finish_rest(w, jobs, taken, count);
	else
		leave(w, count, err);
}

void claim_jobs(struct worker *w, struct validator *v, const struct job *jobs, size_t count)
{
	CLEANUP(free) struct job *challenges = xcalloc(count, sizeof(*challenges));
	CLEANUP(free) struct job *orders = xcalloc(count, sizeof(*orders));
	size_t nchallenges = 0, norders = 0;

	for (size_t i = 0; i < count; i++) {
		if (jobs[i].kind == JOB_VALIDATE)
			challenges[nchallenges++] = jobs[i];
		else if (jobs[i].kind == JOB_CAA)
			orders[norders++] = jobs[i];
		else /* no business of this stream */
			worker_done(w, &jobs[i], 1);
	}
	if (nchallenges > 0)
		claim_challenges(w, v, challenges, nchallenges);
	if (norders > 0)
		claim_orders(w, v, orders, norders);
}
