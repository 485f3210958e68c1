/* lane.h — exchanges waiting for a stage. A stage takes everything that arrived while its last
 * batch ran: batches grow with the load, without timers. */
#pragma once

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>

struct exchange;

struct lane {
	pthread_mutex_t mutex;
	pthread_cond_t arrived;
	struct exchange *head, **tail;
	unsigned idle; /* threads waiting in lane_take */
	bool closed;
};

void lane_init(struct lane *lane);
void lane_done(struct lane *lane);
/* Any thread. The exchange belongs to the lane from now on. */
void lane_push(struct lane *lane, struct exchange *x);
/* Up to max exchanges as a list by ->next, oldest first; NULL when none came within timeout_ms or
 * the lane is closed. */
struct exchange *lane_take(struct lane *lane, size_t max, int timeout_ms);
/* No more will be pushed: whoever waits is released. */
void lane_close(struct lane *lane);
bool lane_is_over(struct lane *lane); /* closed and empty */
