/* timer_task.h — a task that only waits: to queue a failed validation again, to try once more to
 * write results, or to renew leases. */
#pragma once

#include "lib/queue/jobs.h"
#include "workers/validator/network.h"

struct timer_task {
	struct task task;
	struct ident id; /* TASK_REQUEUE: the authorization */
	int64_t delay_ms;
	struct loop_timer timer;
};

/* kind: TASK_REQUEUE, TASK_PAUSE or TASK_RENEW; id may be NULL. Freed with free(). */
struct timer_task *timer_task_new(enum task_kind kind, const struct ident *id, int64_t delay_ms);
