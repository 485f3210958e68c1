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
	pthread_cond_init(&lane->arrived, &attr);
	pthread_condattr_destroy(&attr);
}

void lane_done(struct lane *lane)
{
	assert(lane->head == NULL);
	pthread_cond_destroy(&lane->arrived);
	pthread_mutex_destroy(&lane->mutex);
}

void lane_push(struct lane *lane, struct exchange *x)
{
	bool wake;

	x->next = NULL;
	pthread_mutex_lock(&lane->mutex);
	*lane->tail = x;
	lane->tail = &x->next;
	wake = lane->idle > 0;
	pthread_mutex_unlock(&lane->mutex);
	if (wake)
		pthread_cond_signal(&lane->arrived);
}

static void wait_for_arrival(struct lane *lane, int timeout_ms)
{
	struct timespec until;

	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_sec += timeout_ms / 1000;
	until.tv_nsec += (long)(timeout_ms % 1000) * 1000000;
	if (until.tv_nsec >= 1000000000) {
		until.tv_nsec -= 1000000000;
		until.tv_sec++;
	}
	lane->idle++;
	while (lane->head == NULL && !lane->closed) {
		if (pthread_cond_timedwait(&lane->arrived, &lane->mutex, &until) != 0)
			break;
	}
	lane->idle--;
}

struct exchange *lane_take(struct lane *lane, size_t max, int timeout_ms)
{
	struct exchange *first, *last;
	bool more;

	pthread_mutex_lock(&lane->mutex);
	if (lane->head == NULL && !lane->closed && timeout_ms > 0)
		wait_for_arrival(lane, timeout_ms);
	first = last = lane->head;
	if (first != NULL) {
		for (size_t n = 1; n < max && last->next != NULL; n++)
			last = last->next;
		lane->head = last->next;
		last->next = NULL;
		if (lane->head == NULL)
			lane->tail = &lane->head;
	}
	more = lane->head != NULL && lane->idle > 0;
	pthread_mutex_unlock(&lane->mutex);
	if (more)
		pthread_cond_signal(&lane->arrived);
	return first;
}

void lane_close(struct lane *lane)
{
	pthread_mutex_lock(&lane->mutex);
	lane->closed = true;
	pthread_mutex_unlock(&lane->mutex);
	pthread_cond_broadcast(&lane->arrived);
}

bool lane_is_over(struct lane *lane)
{
	bool over;

	pthread_mutex_lock(&lane->mutex);
	over = lane->closed && lane->head == NULL;
	pthread_mutex_unlock(&lane->mutex);
	return over;
}
