/* network.c — see network.h. */
#include "workers/validator/network.h"

#include <assert.h>
#include <pthread.h>
#include <signal.h>

#include "lib/base/log.h"

struct task_queue {
	struct task *first;
	struct task **end;
};

struct network {
	pthread_t thread;
	struct loop *loop;
	struct perspective *px;
	struct perspective *retired; /* replaced, but still in use */
	struct loop_timer reaper;
	void (*wake)(void *arg);
	void *arg;
	pthread_mutex_t lock; /* of the two queues */
	struct task_queue submitted;
	struct task_queue finished;
	struct task *running; /* network thread only */
};

static void queue_init(struct task_queue *q)
{
	q->first = NULL;
	q->end = &q->first;
}

static void queue_add(struct task_queue *q, struct task *task)
{
	task->next = NULL;
	*q->end = task;
	q->end = &task->next;
}

static struct task *queue_take_all(struct network *net, struct task_queue *q)
{
	struct task *all;

	pthread_mutex_lock(&net->lock);
	all = q->first;
	queue_init(q);
	pthread_mutex_unlock(&net->lock);
	return all;
}

static void link_running(struct network *net, struct task *task)
{
	task->prev = NULL;
	task->next = net->running;
	if (net->running != NULL)
		net->running->prev = task;
	net->running = task;
}

static void unlink_running(struct network *net, struct task *task)
{
	if (task->prev != NULL)
		task->prev->next = task->next;
	else
		net->running = task->next;
	if (task->next != NULL)
		task->next->prev = task->prev;
}

static void run_submitted(void *arg)
{
	struct network *net = arg;
	struct task *task = queue_take_all(net, &net->submitted);

	while (task != NULL) {
		struct task *next = task->next;

		link_running(net, task);
		task->px = net->px;
		task->px->users++;
		task->run(task, task->px);
		task = next;
	}
}

static void reap(void *arg)
{
	struct network *net = arg;

	for (struct perspective **at = &net->retired; *at != NULL;) {
		struct perspective *px = *at;

		if (px->users > 0) {
			at = &px->next;
			continue;
		}
		*at = px->next;
		perspective_free(px);
	}
}

void task_finished(struct task *task)
{
	struct network *net = task->net;
	bool first;

	unlink_running(net, task);
	/* Later: its resolver may be calling us. */
	if (--task->px->users == 0 && task->px != net->px)
		loop_timer_set(net->loop, &net->reaper, 0, reap, net);
	pthread_mutex_lock(&net->lock);
	first = net->finished.first == NULL;
	queue_add(&net->finished, task);
	pthread_mutex_unlock(&net->lock);
	if (first)
		net->wake(net->arg);
}

static void *network_main(void *arg)
{
	struct network *net = arg;

	if (loop_run(net->loop) != OK)
		log_event(LOG_LEVEL_ERROR, "the network thread's event loop failed");
	for (struct task *task = net->running; task != NULL; task = task->next)
		task->cancel(task, task->px);
	return NULL;
}

static void free_network(struct network *net)
{
	perspective_free(net->px);
	while (net->retired != NULL) {
		struct perspective *px = net->retired;

		net->retired = px->next;
		perspective_free(px);
	}
	loop_free(net->loop);
	pthread_mutex_destroy(&net->lock);
	free(net);
}

/* Signals are the main thread's. */
static int start_thread(struct network *net)
{
	sigset_t all, before;
	int rc;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	rc = pthread_create(&net->thread, NULL, network_main, net);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	return rc == 0 ? OK : ERR_INTERNAL;
}

int network_start(const struct conf *conf, void (*wake)(void *arg), void *arg, char **ret_error,
	struct network **ret)
{
	struct network *net = xcalloc(1, sizeof(*net));
	int rc;

	pthread_mutex_init(&net->lock, NULL);
	queue_init(&net->submitted);
	queue_init(&net->finished);
	net->wake = wake;
	net->arg = arg;
	rc = loop_new(&net->loop);
	if (rc == OK) {
		loop_on_wake(net->loop, run_submitted, net);
		rc = perspective_new(net->loop, conf, ret_error, &net->px);
	} else {
		*ret_error = xstrdup("the kernel gives no epoll or eventfd");
	}
	if (rc == OK) {
		rc = start_thread(net);
		if (rc != OK)
			*ret_error = xstrdup("the network thread cannot be started");
	}
	if (rc != OK) {
		free_network(net);
		return rc;
	}
	*ret = net;
	return OK;
}

void network_submit(struct network *net, struct task *task)
{
	task->net = net;
	pthread_mutex_lock(&net->lock);
	queue_add(&net->submitted, task);
	pthread_mutex_unlock(&net->lock);
	loop_wake(net->loop);
}

struct reload_task {
	struct task task;
	const struct conf *conf;
};

static void run_reload(struct task *task, struct perspective *px)
{
	const struct reload_task *t = (const struct reload_task *)task;
	struct network *net = task->net;
	struct perspective *fresh = NULL;
	CLEANUP_STR char *error = NULL;

	if (perspective_new(net->loop, t->conf, &error, &fresh) == OK) {
		px->next = net->retired;
		net->retired = px;
		net->px = fresh;
	} else {
		log_event(LOG_LEVEL_ERROR, "the old validation settings stay",
			F_STR("cause", error));
	}
	task_finished(task);
}

static void cancel_reload(struct task *task, struct perspective *px)
{
	assert(!"a reload ends as it is run");
}

void network_reload(struct network *net, const struct conf *conf)
{
	struct reload_task *t = xcalloc(1, sizeof(*t));

	t->task = (struct task){.kind = TASK_RELOAD, .run = run_reload, .cancel = cancel_reload};
	t->conf = conf;
	network_submit(net, &t->task);
}

struct task *network_collect(struct network *net)
{
	return queue_take_all(net, &net->finished);
}

struct task *network_stop(struct network *net)
{
	struct task *left;

	if (net == NULL)
		return NULL;
	loop_stop(net->loop);
	pthread_join(net->thread, NULL);
	*net->finished.end = net->submitted.first;
	if (net->submitted.first != NULL)
		net->finished.end = net->submitted.end;
	*net->finished.end = net->running;
	left = net->finished.first;
	free_network(net);
	return left;
}
