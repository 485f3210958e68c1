/* network.h — the validator's network thread: one event loop that works on any number of tasks at
 * once.
 *
 * A task is made by the main thread, submitted, run in the network thread, and comes back whole
 * through network_collect. Between submission and collection it belongs to the network thread; no
 * lock is held while a task runs. */
#pragma once

#include "lib/base/ident.h"
#include "lib/net/perspective.h"

struct network;

enum task_kind { TASK_CHALLENGE, TASK_CAA, TASK_REQUEUE, TASK_PAUSE, TASK_RENEW, TASK_RELOAD };

/* The row that a task has claimed; the main thread's alone, see state.h. */
struct lease {
	struct task *next, *prev;
	struct ident id;
	int32_t attempt;
	int64_t since_ms; /* claimed or renewed */
};

struct task { /* the first member of each kind's own structure */
	enum task_kind kind;
	/* Network thread: starts the work, which ends by one task_finished, at once or later. */
	void (*run)(struct task *task, struct perspective *px);
	/* Network thread, at its end: drops what is under way. task_finished is not called any
	 * more. */
	void (*cancel)(struct task *task, struct perspective *px);
	struct network *net;
	struct perspective *px; /* it runs with this one */
	struct task *next, *prev;
	struct lease lease; /* challenge and CAA tasks */
};

/* wake(arg) is called from the network thread when there is something to collect. On failure
 * *ret_error is one line for the operator (free it). conf is borrowed until network_stop. */
MUST_CHECK int network_start(const struct conf *conf, void (*wake)(void *arg), void *arg,
	char **ret_error, struct network **ret);
void network_submit(struct network *net, struct task *task);
/* Tasks that start from now on work by the new configuration, borrowed as the first one. Should the
 * resolvers of it be unusable, that is logged and the old one stays. A TASK_RELOAD comes back for
 * free(). */
void network_reload(struct network *net, const struct conf *conf);
/* Finished tasks, oldest first, linked by next; NULL when there are none. They are the caller's. */
struct task *network_collect(struct network *net);
void task_finished(struct task *task);
/* Ends the thread. Returns every task that had not been collected, cancelled where it was running.
 * NULL is allowed. */
struct task *network_stop(struct network *net);
