/* leases.c — keeps rows lent to this validator while their tasks go on. A lease is short, so that
 * the work of a validator that died is soon another's, and a validation may take longer than it:
 * most end within moments and are never renewed, the others are, in one call for all. A renewal
 * that comes too late changes nothing: the attempt number tells the database whose row it is. */
#include "lib/base/clock.h"
#include "lib/base/log.h"
#include "lib/store/validation.h"
#include "workers/validator/state.h"
#include "workers/validator/timer_task.h"

/* Renewals of one lease: one may come late, or fail, without harm. */
#define RENEWALS 3

static int64_t period_ms(const struct worker *w)
{
	return worker_conf(w)->workers.lease_secs * 1000 / RENEWALS;
}

void lease_add(struct validator *v, struct task *task, const struct ident *id, int32_t attempt)
{
	task->lease = (struct lease){.next = v->leased,
		.id = *id,
		.attempt = attempt,
		.since_ms = clock_mono_ms()};
	if (v->leased != NULL)
		v->leased->lease.prev = task;
	v->leased = task;
}

void lease_remove(struct validator *v, struct task *task)
{
	if (task->lease.prev != NULL)
		task->lease.prev->lease.next = task->lease.next;
	else
		v->leased = task->lease.next;
	if (task->lease.next != NULL)
		task->lease.next->lease.prev = task->lease.prev;
}

void lease_timer_start(struct worker *w, struct validator *v)
{
	network_submit(v->net, &timer_task_new(TASK_RENEW, NULL, period_ms(w))->task);
}

/* Half a period is the margin: a row claimed since then has time until the next turn. */
static bool is_old(const struct task *task, int64_t period, int64_t now)
{
	return now - task->lease.since_ms >= period / 2;
}

static int renew(struct worker *w, struct validator *v, size_t count, int64_t now)
{
	CLEANUP(free) struct ident *ids = xcalloc(count, sizeof(*ids));
	CLEANUP(free) int32_t *attempts = xcalloc(count, sizeof(*attempts));
	size_t first = 0, last = count; /* challenges from the front, orders from the back */
	struct db_call call = {0};
	int err;

	for (const struct task *t = v->leased; t != NULL; t = t->lease.next) {
		size_t at;

		if (!is_old(t, period_ms(w), now))
			continue;
		at = t->kind == TASK_CHALLENGE ? first++ : --last;
		ids[at] = t->lease.id;
		attempts[at] = t->lease.attempt;
	}
	validation_renew_call(&call, ids, attempts, first, ids + last, attempts + last,
		count - last, (int)worker_conf(w)->workers.lease_secs);
	err = db_run_one(worker_db(w), &call);
	db_call_done(&call);
	return err;
}

void leases_renew(struct worker *w, struct validator *v)
{
	int64_t now = clock_mono_ms();
	size_t count = 0;
	int err;

	if (!v->renewal_due)
		return;
	v->renewal_due = false;
	lease_timer_start(w, v);
	for (const struct task *t = v->leased; t != NULL; t = t->lease.next)
		count += is_old(t, period_ms(w), now);
	if (count == 0)
		return;
	err = renew(w, v, count, now);
	if (err != OK) {
		log_event(LOG_LEVEL_WARNING, "leases not renewed", F_STR("error", err_name(err)),
			F_STR("database", db_error(worker_db(w))), F_INT("rows", (int64_t)count));
		return;
	}
	for (struct task *t = v->leased; t != NULL; t = t->lease.next)
		if (is_old(t, period_ms(w), now))
			t->lease.since_ms = now;
}
