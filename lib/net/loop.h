/* loop.h — one thread's event loop: readiness by epoll, timers in a heap, and a wake-up from other
 * threads.
 *
 * Watchers and timers are embedded in their owners and valid when zeroed. A callback may set, clear
 * or free any of them, its own included: events of this round that belong to a cleared watcher are
 * dropped. Everything but loop_wake and loop_stop belongs to the loop's thread. */
#pragma once

#include "lib/base/bytes.h"
#include "lib/base/err.h"

struct loop;

struct loop_io {
	struct loop *loop; /* NULL while not watched */
	int fd;
	uint32_t events; /* EPOLLIN, EPOLLOUT */
	void (*fn)(void *arg, uint32_t events);
	void *arg;
};

struct loop_timer {
	size_t slot; /* 1 + position in the heap; 0 while not set */
	int64_t due_us;
	void (*fn)(void *arg);
	void *arg;
};

MUST_CHECK int loop_new(struct loop **ret);
/* Watchers and timers that are still set must not be touched afterwards. */
void loop_free(struct loop *loop);
DEFINE_CLEANUP(loop_free, struct loop *)

/* Watches fd, level triggered. ERR_INTERNAL when the kernel is out of watches. */
MUST_CHECK int loop_io_add(struct loop *loop, struct loop_io *io, int fd, uint32_t events,
	void (*fn)(void *arg, uint32_t events), void *arg);
void loop_io_change(struct loop_io *io, uint32_t events);
/* To be called before fd is closed. Nothing happens when it is not watched. */
void loop_io_clear(struct loop_io *io);

/* Calls fn once, delay_ms from now; 0 = soon, never from within this call. Setting a timer again
 * moves it. */
void loop_timer_set(struct loop *loop, struct loop_timer *timer, int64_t delay_ms,
	void (*fn)(void *arg), void *arg);
void loop_timer_clear(struct loop *loop, struct loop_timer *timer);

/* fn is called in the loop's thread after each loop_wake (several may become one). */
void loop_on_wake(struct loop *loop, void (*fn)(void *arg), void *arg);
void loop_wake(struct loop *loop);

/* One round: waits at most max_wait_ms (-1 = until something happens), then calls what is due. */
MUST_CHECK int loop_once(struct loop *loop, int max_wait_ms);
/* Rounds until loop_stop. */
MUST_CHECK int loop_run(struct loop *loop);
void loop_stop(struct loop *loop);
