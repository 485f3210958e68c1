/* results.c — from finished tasks to rows, acknowledgements and wake-ups. The order of these is
 * what makes a crash harmless: rows first (one transaction), then the stream, then the hints to
 * clients and signers. */
#include "lib/base/clock.h"
#include "lib/base/log.h"
#include "workers/validator/caa_task.h"
#include "workers/validator/challenge_task.h"
#include "workers/validator/state.h"
#include "workers/validator/timer_task.h"

#define RESULTS_AT_ONCE 256
#define WRITE_AGAIN_MS 1000
/* Beyond so many failed validations waiting for their next try, the keeper's sweep does the
 * reminding. */
#define WAITING_MAX 10000
/* The database holds a row back until its retry time: arriving a moment early would be in vain. */
#define RETRY_MARGIN_MS 50

static void free_task(struct task *task)
{
	switch (task->kind) {
	case TASK_CHALLENGE:
		challenge_task_free((struct challenge_task *)task);
		break;
	case TASK_CAA:
		caa_task_free((struct caa_task *)task);
		break;
	case TASK_REQUEUE:
	case TASK_PAUSE:
	case TASK_RENEW:
	case TASK_RELOAD:
		free(task);
		break;
	}
}

size_t drop_tasks(struct task *list)
{
	size_t njobs = 0;

	while (list != NULL) {
		struct task *next = list->next;

		njobs += list->kind == TASK_CHALLENGE || list->kind == TASK_CAA;
		free_task(list);
		list = next;
	}
	return njobs;
}

/* Redis is away: the rows are written, so clients poll and the keeper queues. */
static void note_hint_lost(struct worker *w, int err)
{
	if (err != OK)
		log_event(LOG_LEVEL_WARNING, "others cannot be told", F_STR("error", err_name(err)),
			F_STR("redis", rds_error(worker_rds(w))));
}

static void log_result(const struct challenge_task *t, const struct validation_result *r)
{
	static const char *const outcomes[] = {"authorization valid", "authorization invalid",
		"validation failed, it will be tried again"};
	const struct problem *pb = &t->result.problem;
	char id[IDENT_TEXT_LEN + 1];

	ident_format(&t->authz, id);
	log_event(r->outcome == VALIDATION_VALID ? LOG_LEVEL_DEBUG : LOG_LEVEL_INFO,
		outcomes[r->outcome], F_STR("authz", id), F_STR("name", t->name),
		F_STR("error", pb->type == PROBLEM_NONE ? "" : problem_type_name(pb->type)),
		F_STR("detail", pb->detail != NULL ? pb->detail : ""), F_INT("try", t->tries + 1));
}

static void wait_for_retry(struct validator *v, const struct validation_result *r, int64_t now_us)
{
	struct timer_task *t;

	if (v->nwaiting >= WAITING_MAX)
		return;
	v->nwaiting++;
	t = timer_task_new(TASK_REQUEUE, &r->authz,
		(r->retry_us - now_us) / 1000 + RETRY_MARGIN_MS);
	network_submit(v->net, &t->task);
}

static void announce_challenges(struct worker *w, struct validator *v,
	struct challenge_task *const *tasks, const struct validation_result *results, size_t count,
	const struct db_call *call, int64_t now_us)
{
	size_t norders = validation_finish_count(call), n = 0;
	CLEANUP(free) struct ident *ids = xcalloc(count + norders, sizeof(*ids));

	for (size_t i = 0; i < count; i++) {
		worker_done(w, &tasks[i]->job, 1);
		log_result(tasks[i], &results[i]);
		if (results[i].outcome == VALIDATION_RETRY)
			wait_for_retry(v, &results[i], now_us);
		else
			ids[n++] = results[i].authz;
	}
	for (size_t i = 0; i < norders; i++)
		ids[n++] = validation_finish_order(call, i);
	if (n > 0)
		note_hint_lost(w, jobs_publish(worker_rds(w), ids, n));
}

static int save_challenges(struct worker *w, struct validator *v,
	struct challenge_task *const *tasks, size_t count)
{
	const struct conf *conf = worker_conf(w);
	CLEANUP(free) struct validation_result *results = xcalloc(count, sizeof(*results));
	int64_t now_us = clock_wall_us();
	struct db_call call = {0};
	int err;

	for (size_t i = 0; i < count; i++)
		challenge_task_outcome(tasks[i], conf, now_us, &results[i]);
	validation_finish_call(&call, results, count,
		now_us + conf->orders.valid_authz_secs * USEC_PER_SEC);
	err = db_run_one(worker_db(w), &call);
	if (err == OK)
		announce_challenges(w, v, tasks, results, count, &call, now_us);
	db_call_done(&call);
	return err;
}

static void announce_orders(struct worker *w, struct caa_task *const *tasks,
	const struct caa_result *results, size_t count)
{
	CLEANUP(free) struct ident *permitted = xcalloc(count, sizeof(*permitted));
	CLEANUP(free) struct ident *failed = xcalloc(count, sizeof(*failed));
	size_t npermitted = 0, nfailed = 0;

	for (size_t i = 0; i < count; i++) {
		char id[IDENT_TEXT_LEN + 1];

		worker_done(w, caa_task_job(tasks[i]), 1);
		if (results[i].problem.ptr == NULL) {
			permitted[npermitted++] = results[i].order;
			continue;
		}
		failed[nfailed++] = results[i].order;
		ident_format(&results[i].order, id);
		log_event(LOG_LEVEL_INFO, "order refused by CAA", F_STR("order", id),
			F_STR("problem", (const char *)results[i].problem.ptr));
	}
	if (npermitted > 0)
		note_hint_lost(w, jobs_enqueue(worker_rds(w), JOB_SIGN, permitted, npermitted));
	if (nfailed > 0)
		note_hint_lost(w, jobs_publish(worker_rds(w), failed, nfailed));
}

static int save_orders(struct worker *w, struct caa_task *const *tasks, size_t count)
{
	CLEANUP(free) struct caa_result *results = xcalloc(count, sizeof(*results));
	CLEANUP(free) struct ident *orders = xcalloc(count, sizeof(*orders));
	CLEANUP(free) int32_t *attempts = xcalloc(count, sizeof(*attempts));
	CLEANUP(free) struct bytes *problems = xcalloc(count, sizeof(*problems));
	CLEANUP(free) struct bytes *evidence = xcalloc(count, sizeof(*evidence));
	int64_t caa_us = INT64_MAX;
	struct db_call call = {0};
	int err;

	for (size_t i = 0; i < count; i++) {
		caa_task_result(tasks[i], &results[i]);
		orders[i] = results[i].order;
		attempts[i] = results[i].attempt;
		problems[i] = results[i].problem;
		evidence[i] = results[i].evidence;
		/* One time for all: the oldest, so that no result looks fresher than it is. */
		if (results[i].caa_us < caa_us)
			caa_us = results[i].caa_us;
	}
	caa_finish_call(&call, orders, attempts, problems, evidence, count, caa_us);
	err = db_run_one(worker_db(w), &call);
	if (err == OK)
		announce_orders(w, tasks, results, count);
	db_call_done(&call);
	return err;
}

/* Adds to the end, so that the oldest results are written first. */
static void add_unsaved(struct validator *v, struct task *task)
{
	struct task **at = &v->unsaved;

	while (*at != NULL)
		at = &(*at)->next;
	task->next = NULL;
	*at = task;
}

static void collect(struct worker *w, struct validator *v)
{
	struct task *list = network_collect(v->net), **end = &v->unsaved;
	CLEANUP(free) struct ident *again = NULL;
	size_t nagain = 0;

	while (*end != NULL)
		end = &(*end)->next;
	while (list != NULL) {
		struct task *task = list;

		list = task->next;
		if (task->kind == TASK_CHALLENGE || task->kind == TASK_CAA) {
			v->in_network--;
			task->next = NULL;
			*end = task;
			end = &task->next;
			continue;
		}
		if (task->kind == TASK_REQUEUE) {
			v->nwaiting--;
			again = xrealloc(again, (nagain + 1) * sizeof(*again));
			again[nagain++] = ((struct timer_task *)task)->id;
		} else if (task->kind == TASK_PAUSE) {
			v->pausing = false;
		} else if (task->kind == TASK_RENEW) {
			v->renewal_due = true;
		}
		free(task);
	}
	if (nagain > 0)
		note_hint_lost(w, jobs_enqueue(worker_rds(w), JOB_VALIDATE, again, nagain));
}

/* Takes up to RESULTS_AT_ONCE tasks of one kind from the list. */
static size_t take_kind(struct validator *v, enum task_kind kind, struct task **out)
{
	struct task **at = &v->unsaved;
	size_t n = 0;

	while (*at != NULL && n < RESULTS_AT_ONCE) {
		if ((*at)->kind == kind) {
			out[n] = *at;
			*at = (*at)->next;
			out[n++]->next = NULL;
		} else {
			at = &(*at)->next;
		}
	}
	return n;
}

static int save_kind(struct worker *w, struct validator *v, enum task_kind kind)
{
	struct task *tasks[RESULTS_AT_ONCE];
	size_t n;
	int err = OK;

	while (err == OK && (n = take_kind(v, kind, tasks)) > 0) {
		if (kind == TASK_CHALLENGE)
			err = save_challenges(w, v, (struct challenge_task *const *)tasks, n);
		else
			err = save_orders(w, (struct caa_task *const *)tasks, n);
		for (size_t i = 0; i < n; i++) {
			if (err != OK) {
				add_unsaved(v, tasks[i]);
				continue;
			}
			lease_remove(v, tasks[i]);
			if (kind == TASK_CHALLENGE)
				shares_give(v->shares,
					&((const struct challenge_task *)tasks[i])->account);
			free_task(tasks[i]);
		}
	}
	return err;
}

void save_results(struct worker *w, struct validator *v)
{
	int err;

	collect(w, v);
	err = save_kind(w, v, TASK_CHALLENGE);
	if (err == OK)
		err = save_kind(w, v, TASK_CAA);
	leases_renew(w, v);
	if (err == OK || v->pausing)
		return;
	/* The skeleton reconnects; the results wait. Should their leases run out meanwhile, the
	 * fencing drops them. */
	log_event(LOG_LEVEL_WARNING, "results cannot be written yet", F_STR("error", err_name(err)),
		F_STR("database", db_error(worker_db(w))));
	v->pausing = true;
	network_submit(v->net, &timer_task_new(TASK_PAUSE, NULL, WRITE_AGAIN_MS)->task);
}
