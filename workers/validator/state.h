/* state.h — what the main thread of the validator keeps between calls of the skeleton. Shared by
 * claim.c and results.c. */
#pragma once

#include "workers/validator/network.h"
#include "workers/worker.h"

struct validator {
	struct network *net;  /* NULL once drained */
	struct task *unsaved; /* finished tasks whose results are not written yet, linked by next */
	size_t in_network;    /* challenge and CAA tasks submitted and not collected */
	size_t nwaiting;      /* re-queue timers */
	bool pausing;         /* a pause before the next attempt to write is under way */
};

/* claim.c: claims the rows the jobs name and submits them. */
void claim_jobs(struct worker *w, struct validator *v, const struct job *jobs, size_t count);
/* results.c: collects finished tasks and writes, acknowledges and announces them. */
void save_results(struct worker *w, struct validator *v);
/* results.c: frees tasks of any kind without a trace. Returns how many of them stood for jobs. */
size_t drop_tasks(struct task *list);
