/* test_stop.c — signals as readable descriptors. The cases run in order: a process stops once. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <poll.h>
#include <signal.h>
#include <unistd.h>

#include "lib/base/stop.h"

static bool is_readable(int fd)
{
	struct pollfd p = {.fd = fd, .events = POLLIN};

	return poll(&p, 1, 0) == 1 && (p.revents & POLLIN) != 0;
}

static void at_first_nothing_is_requested(void **state)
{
	stop_init();
	assert_false(stop_requested());
	assert_false(is_readable(stop_fd()));
	assert_false(is_readable(stop_reload_fd()));
	assert_false(stop_reload_take());
}

static void a_hangup_is_taken_once(void **state)
{
	assert_int_equal(raise(SIGHUP), 0);
	assert_true(is_readable(stop_reload_fd()));
	assert_true(stop_reload_take());
	assert_false(stop_reload_take());
	assert_false(is_readable(stop_reload_fd()));
	assert_false(stop_requested());
}

static void hangups_that_came_together_are_one_reload(void **state)
{
	assert_int_equal(raise(SIGHUP), 0);
	assert_int_equal(raise(SIGHUP), 0);
	assert_true(stop_reload_take());
	assert_false(stop_reload_take());
}

static void a_broken_pipe_kills_nobody(void **state)
{
	int fds[2];

	assert_int_equal(pipe(fds), 0);
	(void)close(fds[0]);
	assert_int_equal(write(fds[1], "x", 1), -1);
	(void)close(fds[1]);
}

static void termination_stays_readable_for_every_thread(void **state)
{
	assert_int_equal(raise(SIGTERM), 0);
	assert_true(stop_requested());
	assert_true(is_readable(stop_fd()));
	assert_true(is_readable(stop_fd()));
}

static void further_requests_change_nothing(void **state)
{
	assert_int_equal(raise(SIGINT), 0);
	stop_request();
	assert_true(stop_requested());
	assert_true(is_readable(stop_fd()));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(at_first_nothing_is_requested),
		cmocka_unit_test(a_hangup_is_taken_once),
		cmocka_unit_test(hangups_that_came_together_are_one_reload),
		cmocka_unit_test(a_broken_pipe_kills_nobody),
		cmocka_unit_test(termination_stays_readable_for_every_thread),
		cmocka_unit_test(further_requests_change_nothing),
	};

	return cmocka_run_group_tests_name("stop", tests, NULL, NULL);
}
