/* test_notify.c — what the service manager hears. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "lib/base/bytes.h"
#include "lib/base/notify.h"
#include "tests/unit/scratch_folder.h"

static int listen_at(const char *path, socklen_t path_len)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0);

	memcpy(address.sun_path, path, path_len);
	assert_int_equal(bind(fd, (struct sockaddr *)&address,
				 (socklen_t)offsetof(struct sockaddr_un, sun_path) + path_len),
		0);
	return fd;
}

/* The next message; "" when there is none. */
static const char *heard(int fd)
{
	static char text[128];
	ssize_t n = recv(fd, text, sizeof(text) - 1, 0);

	text[n > 0 ? n : 0] = '\0';
	return text;
}

static void without_a_manager_nothing_happens(void **state)
{
	unsetenv("NOTIFY_SOCKET");
	notify_init();
	notify_ready();
	notify_alive();
	setenv("NOTIFY_SOCKET", "relative", 1);
	notify_init();
	notify_ready();
}

static void the_manager_hears_of_each_step_and_the_environment_is_cleared(void **state)
{
	char path[96];
	int fd;

	snprintf(path, sizeof(path), "%s/notify", scratch_folder());
	fd = listen_at(path, (socklen_t)strlen(path));
	setenv("NOTIFY_SOCKET", path, 1);
	notify_init();
	assert_null(getenv("NOTIFY_SOCKET"));
	notify_ready();
	assert_string_equal(heard(fd), "READY=1");
	notify_alive(); /* no watchdog was asked for */
	assert_string_equal(heard(fd), "");
	notify_stopping();
	assert_string_equal(heard(fd), "STOPPING=1");
	close(fd);
	notify_ready(); /* a manager that is gone does no harm */
}

static void the_watchdog_is_fed_within_its_time_and_no_oftener(void **state)
{
	char name[64] = "", pid[16];
	int fd, fed = 0;

	snprintf(name + 1, sizeof(name) - 1, "assay-notify-%d", getpid());
	fd = listen_at(name, (socklen_t)strlen(name + 1) + 1);
	name[0] = '@';
	snprintf(pid, sizeof(pid), "%d", getpid());
	setenv("NOTIFY_SOCKET", name, 1);
	setenv("WATCHDOG_USEC", "300000", 1);
	setenv("WATCHDOG_PID", pid, 1);
	notify_init();
	for (int i = 0; i < 50; i++) {
		notify_alive();
		fed += strcmp(heard(fd), "WATCHDOG=1") == 0;
		usleep(10000);
	}
	assert_in_range(fed, 2, 6);

	setenv("NOTIFY_SOCKET", name, 1);
	setenv("WATCHDOG_USEC", "300000", 1);
	setenv("WATCHDOG_PID", "1", 1); /* another's */
	notify_init();
	notify_alive();
	assert_string_equal(heard(fd), "");
	close(fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(without_a_manager_nothing_happens),
		cmocka_unit_test(the_manager_hears_of_each_step_and_the_environment_is_cleared),
		cmocka_unit_test(the_watchdog_is_fed_within_its_time_and_no_oftener),
	};

	return cmocka_run_group_tests_name("notify", tests, scratch_folder_make,
		scratch_folder_remove);
}
