/* lane.h — exchanges waiting for a stage. Whoever runs the stage takes everything that arrived
 * while its last batch ran: batches grow with the load, without timers. */
#pragma once

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>

struct exchange;

struct lane {
	pthread_mutex_t mutex;
	pthread_cond_t rung;
	struct exchange *head, **tail;
	bool ringing;
	bool closed;
};

void lane_init(struct lane *lane);
void lane_done(struct lane *lane);
/* Any thread. The exchange belongs to the lane from now on. Wakes nobody: the caller runs the stage
 * afterwards, or rings. */
void lane_push(struct lane *lane, struct exchange *x);
/* Up to max exchanges as a list by ->next, oldest first; NULL when there is none. */
struct exchange *lane_take(struct lane *lane, size_t max);
bool lane_is_empty(struct lane *lane);
/* Ends a lane_rest, or the next one before it begins. */
void lane_ring(struct lane *lane);
/* Waits until the lane is rung or closed, or timeout_ms are over. */
void lane_rest(struct lane *lane, int timeout_ms);
/* No more will be pushed: whoever rests is released. */
void lane_close(struct lane *lane);
bool lane_is_over(struct lane *lane); /* closed and empty */
