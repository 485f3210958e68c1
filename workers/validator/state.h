/* state.h — what the main thread of the validator keeps between calls of the skeleton. Shared by
 * claim.c, leases.c and results.c. */
#pragma once

#include "workers/validator/network.h"
#include "workers/validator/shares.h"
#include "workers/worker.h"

struct validator {
	struct network *net;  /* NULL once drained */
	struct task *unsaved; /* finished tasks whose results are not written yet, linked by next */
	size_t in_network;    /* challenge and CAA tasks submitted and not collected */
	size_t nwaiting;      /* re-queue timers */
	struct shares *shares; /* challenge tasks that are leased, by account */
	struct task *leased;   /* claimed and not written yet, linked by lease */
	bool renewal_due;
	bool pausing; /* a pause before the next attempt to write is under way */
};

/* claim.c: claims the rows the jobs name and submits them. */
void claim_jobs(struct worker *w, struct validator *v, const struct job *jobs, size_t count);
/* leases.c: the task's row is ours from now on, and no longer. */
void lease_add(struct validator *v, struct task *task, const struct ident *id, int32_t attempt);
void lease_remove(struct validator *v, struct task *task);
/* leases.c: submits the timer that makes a renewal due. */
void lease_timer_start(struct worker *w, struct validator *v);
/* leases.c: lends every row that was claimed a while ago for longer. */
void leases_renew(struct worker *w, struct validator *v);
/* results.c: collects finished tasks and writes, acknowledges and announces them. */
void save_results(struct worker *w, struct validator *v);
/* results.c: frees tasks of any kind without a trace. Returns how many of them stood for jobs. */
size_t drop_tasks(struct task *list);
