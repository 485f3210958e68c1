/* timer_task.c — see timer_task.h. */
#include "workers/validator/timer_task.h"

static void on_time(void *arg)
{
	struct timer_task *t = arg;

	task_finished(&t->task);
}

static void run(struct task *task, struct perspective *px)
{
	struct timer_task *t = (struct timer_task *)task;

	loop_timer_set(px->loop, &t->timer, t->delay_ms, on_time, t);
}

static void cancel(struct task *task, struct perspective *px)
{
	struct timer_task *t = (struct timer_task *)task;

	loop_timer_clear(px->loop, &t->timer);
}

struct timer_task *timer_task_new(enum task_kind kind, const struct ident *id, int64_t delay_ms)
{
	struct timer_task *t = xcalloc(1, sizeof(*t));

	t->task = (struct task){.kind = kind, .run = run, .cancel = cancel};
	if (id != NULL)
		t->id = *id;
	t->delay_ms = delay_ms;
	return t;
}
