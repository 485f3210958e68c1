/* loop.c — see loop.h. The heap is an array of timer pointers ordered by due time; each timer knows
 * its slot, so that clearing one is O(log n) without a search. */
#include "lib/net/loop.h"

#include <assert.h>
#include <errno.h>
#include <limits.h>
#include <stdatomic.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "lib/base/clock.h"

#define EVENTS_PER_ROUND 64

struct loop {
	int epoll_fd;
	struct loop_io wake_io;
	void (*wake_fn)(void *arg);
	void *wake_arg;
	atomic_bool stopping;
	struct epoll_event events[EVENTS_PER_ROUND];
	int nevents; /* of the round that is being worked off; 0 between rounds */
	struct loop_timer **heap;
	size_t ntimers;
	size_t heap_cap;
};

static void on_wake(void *arg, uint32_t events)
{
	struct loop *loop = arg;
	uint64_t count;

	/* EAGAIN only says that another round took the count already. */
	if (read(loop->wake_io.fd, &count, sizeof(count)) < 0 && errno != EAGAIN)
		return;
	if (loop->wake_fn != NULL)
		loop->wake_fn(loop->wake_arg);
}

int loop_new(struct loop **ret)
{
	CLEANUP(loop_free) struct loop *loop = xcalloc(1, sizeof(*loop));
	int fd;

	loop->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	loop->wake_io.fd = -1;
	if (loop->epoll_fd < 0)
		return ERR_INTERNAL;
	fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (fd < 0)
		return ERR_INTERNAL;
	if (loop_io_add(loop, &loop->wake_io, fd, EPOLLIN, on_wake, loop) != OK) {
		close(fd);
		return ERR_INTERNAL;
	}
	*ret = TAKE(loop);
	return OK;
}

void loop_free(struct loop *loop)
{
	if (loop == NULL)
		return;
	if (loop->wake_io.fd >= 0)
		close(loop->wake_io.fd);
	if (loop->epoll_fd >= 0)
		close(loop->epoll_fd);
	free(loop->heap);
	free(loop);
}

int loop_io_add(struct loop *loop, struct loop_io *io, int fd, uint32_t events,
	void (*fn)(void *arg, uint32_t events), void *arg)
{
	struct epoll_event ev = {.events = events, .data.ptr = io};

	assert(io->loop == NULL);
	if (epoll_ctl(loop->epoll_fd, EPOLL_CTL_ADD, fd, &ev) != 0)
		return ERR_INTERNAL;
	*io = (struct loop_io){.loop = loop, .fd = fd, .events = events, .fn = fn, .arg = arg};
	return OK;
}

void loop_io_change(struct loop_io *io, uint32_t events)
{
	struct epoll_event ev = {.events = events, .data.ptr = io};
	int rc;

	if (io->events == events)
		return;
	rc = epoll_ctl(io->loop->epoll_fd, EPOLL_CTL_MOD, io->fd, &ev);
	assert(rc == 0);
	io->events = events;
}

void loop_io_clear(struct loop_io *io)
{
	struct loop *loop = io->loop;

	if (loop == NULL)
		return;
	(void)epoll_ctl(loop->epoll_fd, EPOLL_CTL_DEL, io->fd, NULL);
	for (int i = 0; i < loop->nevents; i++)
		if (loop->events[i].data.ptr == io)
			loop->events[i].data.ptr = NULL;
	io->loop = NULL;
}

static void heap_place(struct loop *loop, size_t i, struct loop_timer *timer)
{
	loop->heap[i] = timer;
	timer->slot = i + 1;
}

static void heap_up(struct loop *loop, size_t i, struct loop_timer *timer)
{
	while (i > 0 && loop->heap[(i - 1) / 2]->due_us > timer->due_us) {
		heap_place(loop, i, loop->heap[(i - 1) / 2]);
		i = (i - 1) / 2;
	}
	heap_place(loop, i, timer);
}

static void heap_down(struct loop *loop, size_t i, struct loop_timer *timer)
{
	for (;;) {
		size_t child = 2 * i + 1;

		if (child >= loop->ntimers)
			break;
		if (child + 1 < loop->ntimers &&
			loop->heap[child + 1]->due_us < loop->heap[child]->due_us)
			child++;
		if (loop->heap[child]->due_us >= timer->due_us)
			break;
		heap_place(loop, i, loop->heap[child]);
		i = child;
	}
	heap_place(loop, i, timer);
}

void loop_timer_set(struct loop *loop, struct loop_timer *timer, int64_t delay_ms,
	void (*fn)(void *arg), void *arg)
{
	loop_timer_clear(loop, timer);
	timer->due_us = clock_mono_us() + delay_ms * 1000;
	timer->fn = fn;
	timer->arg = arg;
	if (loop->ntimers == loop->heap_cap) {
		loop->heap_cap = loop->heap_cap == 0 ? 64 : 2 * loop->heap_cap;
		loop->heap = xrealloc(loop->heap, loop->heap_cap * sizeof(*loop->heap));
	}
	loop->ntimers++;
	heap_up(loop, loop->ntimers - 1, timer);
}

void loop_timer_clear(struct loop *loop, struct loop_timer *timer)
{
	struct loop_timer *last;
	size_t i;

	if (timer->slot == 0)
		return;
	i = timer->slot - 1;
	timer->slot = 0;
	last = loop->heap[--loop->ntimers];
	if (last == timer)
		return;
	heap_down(loop, i, last);
	heap_up(loop, last->slot - 1, last);
}

void loop_on_wake(struct loop *loop, void (*fn)(void *arg), void *arg)
{
	loop->wake_fn = fn;
	loop->wake_arg = arg;
}

void loop_wake(struct loop *loop)
{
	uint64_t one = 1;

	/* A full counter is a wake-up that is already on its way. */
	while (write(loop->wake_io.fd, &one, sizeof(one)) < 0 && errno == EINTR)
		continue;
}

void loop_stop(struct loop *loop)
{
	atomic_store(&loop->stopping, true);
	loop_wake(loop);
}

static int wait_ms(const struct loop *loop, int max_wait_ms)
{
	int64_t left_us;

	if (loop->ntimers == 0)
		return max_wait_ms;
	left_us = loop->heap[0]->due_us - clock_mono_us();
	if (left_us <= 0)
		return 0;
	/* Rounded up: waking before the timer is due would spin. */
	left_us = (left_us + 999) / 1000;
	if (max_wait_ms >= 0 && left_us > max_wait_ms)
		return max_wait_ms;
	return left_us > INT_MAX ? INT_MAX : (int)left_us;
}

static void fire_timers(struct loop *loop)
{
	int64_t now_us = clock_mono_us();

	while (loop->ntimers > 0 && loop->heap[0]->due_us <= now_us) {
		struct loop_timer *timer = loop->heap[0];

		loop_timer_clear(loop, timer);
		timer->fn(timer->arg);
	}
}

int loop_once(struct loop *loop, int max_wait_ms)
{
	int n = epoll_wait(loop->epoll_fd, loop->events, EVENTS_PER_ROUND,
		wait_ms(loop, max_wait_ms));

	if (n < 0 && errno != EINTR)
		return ERR_INTERNAL;
	loop->nevents = n < 0 ? 0 : n;
	for (int i = 0; i < loop->nevents; i++) {
		struct loop_io *io = loop->events[i].data.ptr;

		if (io != NULL)
			io->fn(io->arg, loop->events[i].events);
	}
	loop->nevents = 0;
	fire_timers(loop);
	return OK;
}

int loop_run(struct loop *loop)
{
	while (!atomic_load(&loop->stopping)) {
		int rc = loop_once(loop, -1);

		if (rc != OK)
			return rc;
	}
	return OK;
}
