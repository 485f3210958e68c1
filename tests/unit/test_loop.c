/* test_loop.c — timers fire in order and once, watchers may vanish in the middle of a round, other
 * threads can wake. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <pthread.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "lib/base/rnd.h"
#include "lib/net/loop.h"

#define TIMERS 500

struct recorder {
	struct loop_timer timer;
	int delay_ms;
	int *last_ms;
	int *nfired;
};

static void record(void *arg)
{
	struct recorder *r = arg;

	assert_true(r->delay_ms >= *r->last_ms);
	*r->last_ms = r->delay_ms;
	++*r->nfired;
}

static void timers_fire_in_order_and_cleared_ones_never(void **state)
{
	CLEANUP(loop_free) struct loop *loop = NULL;
	static struct recorder timers[TIMERS];
	int last_ms = 0, nfired = 0, ncleared = 0;

	assert_int_equal(loop_new(&loop), OK);
	for (int i = 0; i < TIMERS; i++) {
		timers[i] = (struct recorder){.delay_ms = 5 * (int)rnd_below(20),
			.last_ms = &last_ms,
			.nfired = &nfired};
		loop_timer_set(loop, &timers[i].timer, 1000, record, &timers[i]);
	}
	for (int i = 0; i < TIMERS; i++) {
		if (i % 3 == 0) {
			loop_timer_clear(loop, &timers[i].timer);
			loop_timer_clear(loop, &timers[i].timer);
			ncleared++;
		} else {
			loop_timer_set(loop, &timers[i].timer, timers[i].delay_ms, record,
				&timers[i]);
		}
	}
	while (nfired < TIMERS - ncleared)
		assert_int_equal(loop_once(loop, 1000), OK);
	assert_int_equal(loop_once(loop, 20), OK);
	assert_int_equal(nfired, TIMERS - ncleared);
}

struct pair {
	struct loop_io io;
	struct pair *other;
	int *ncalls;
};

static void clear_both(void *arg, uint32_t events)
{
	struct pair *p = arg;

	++*p->ncalls;
	loop_io_clear(&p->io);
	loop_io_clear(&p->other->io);
}

static void a_watcher_cleared_by_another_is_not_called(void **state)
{
	CLEANUP(loop_free) struct loop *loop = NULL;
	struct pair a = {.other = NULL}, b = {.other = &a};
	int fds[2][2], ncalls = 0;

	a.other = &b;
	a.ncalls = b.ncalls = &ncalls;
	assert_int_equal(loop_new(&loop), OK);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(pipe(fds[i]), 0);
		assert_int_equal(write(fds[i][1], "x", 1), 1);
	}
	assert_int_equal(loop_io_add(loop, &a.io, fds[0][0], EPOLLIN, clear_both, &a), OK);
	assert_int_equal(loop_io_add(loop, &b.io, fds[1][0], EPOLLIN, clear_both, &b), OK);
	assert_int_equal(loop_once(loop, 100), OK);
	assert_int_equal(loop_once(loop, 10), OK);
	assert_int_equal(ncalls, 1);
	for (int i = 0; i < 2; i++) {
		close(fds[i][0]);
		close(fds[i][1]);
	}
}

static void *wake_and_stop(void *arg)
{
	loop_wake(arg);
	usleep(20000);
	loop_stop(arg);
	return NULL;
}

static void count_call(void *arg)
{
	++*(int *)arg;
}

static void other_threads_wake_and_stop_the_loop(void **state)
{
	CLEANUP(loop_free) struct loop *loop = NULL;
	pthread_t thread;
	int nwoken = 0;

	assert_int_equal(loop_new(&loop), OK);
	loop_on_wake(loop, count_call, &nwoken);
	assert_int_equal(pthread_create(&thread, NULL, wake_and_stop, loop), 0);
	assert_int_equal(loop_run(loop), OK);
	pthread_join(thread, NULL);
	assert_true(nwoken >= 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(timers_fire_in_order_and_cleared_ones_never),
		cmocka_unit_test(a_watcher_cleared_by_another_is_not_called),
		cmocka_unit_test(other_threads_wake_and_stop_the_loop),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
