/* lane.c — see lane.h. */
#include "fcgi/lane.h"

#include <assert.h>
#include <time.h>

#include "fcgi/exchange.h"

void lane_init(struct lane *lane)
{
	pthread_condattr_t attr;

	*lane = (struct lane){0};
	lane->tail = &lane->head;
	pthread_mutex_init(&lane->mutex, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&lane->rung, &attr);
	pthread_condattr_destroy(&attr);
}

void lane_done(struct lane *lane)
{
	assert(lane->head == NULL);
	pthread_cond_destroy(&lane->rung);
	pthread_mutex_destroy(&lane->mutex);
}

void lane_push(struct lane *lane, struct exchange *x)
{
	x->next = NULL;
	pthread_mutex_lock(&lane->mutex);
	*lane->tail = x;
	lane->tail = &x->next;
	pthread_mutex_unlock(&lane->mutex);
}

struct exchange *lane_take(struct lane *lane, size_t max)
{
	struct exchange *first, *last;

	pthread_mutex_lock(&lane->mutex);
	first = last = lane->head;
	if (first != NULL) {
		for (size_t n = 1; n < max && last->next != NULL; n++)
			last = last->next;
		lane->head = last->next;
		last->next = NULL;
		if (lane->head == NULL)
			lane->tail = &lane->head;
	}
	pthread_mutex_unlock(&lane->mutex);
	return first;
}

bool lane_is_empty(struct lane *lane)
{
	bool empty;

	pthread_mutex_lock(&lane->mutex);
	empty = lane->head == NULL;
	pthread_mutex_unlock(&lane->mutex);
	return empty;
}

void lane_ring(struct lane *lane)
{
	pthread_mutex_lock(&lane->mutex);
	lane->ringing = true;
	pthread_mutex_unlock(&lane->mutex);
	pthread_cond_signal(&lane->rung);
}

void lane_rest(struct lane *lane, int timeout_ms)
{
	struct timespec until;

	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_sec += timeout_ms / 1000;
	until.tv_nsec += (long)(timeout_ms % 1000) * 1000000;
	if (until.tv_nsec >= 1000000000) {
		until.tv_nsec -= 1000000000;
		until.tv_sec++;
	}
	pthread_mutex_lock(&lane->mutex);
	while (!lane->ringing && !lane->closed) {
		if (pthread_cond_timedwait(&lane->rung, &lane->mutex, &until) != 0)
			break;
	}
	lane->ringing = false;
	pthread_mutex_unlock(&lane->mutex);
}

void lane_close(struct lane *lane)
{
	pthread_mutex_lock(&lane->mutex);
	lane->closed = true;
	pthread_mutex_unlock(&lane->mutex);
	pthread_cond_broadcast(&lane->rung);
}

bool lane_is_over(struct lane *lane)
{
	bool over;

	pthread_mutex_lock(&lane->mutex);
	over = lane->closed && lane->head == NULL;
	pthread_mutex_unlock(&lane->mutex);
	return over;
}
