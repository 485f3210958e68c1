/* stop.c — signals become readable descriptors: event loops poll them, and nothing else runs in a
 * handler. */
#include "lib/base/stop.h"

#include <errno.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "lib/base/log.h"

static int stopping_fd = -1, reload_fd = -1;
static atomic_bool stopping;

/* Async-signal-safe. The counter cannot overflow, so the write cannot fail. */
static void raise_event(int fd)
{
	int saved_errno = errno;
	uint64_t one = 1;
	ssize_t written = write(fd, &one, sizeof(one));

	(void)written;
	errno = saved_errno;
}

static void on_stop(int sig)
{
	(void)sig;
	stop_request();
}

static void on_reload(int sig)
{
	(void)sig;
	raise_event(reload_fd);
}

static void handle(int sig, void (*handler)(int))
{
	struct sigaction action;

	memset(&action, 0, sizeof(action));
	action.sa_handler = handler;
	action.sa_flags = SA_RESTART;
	sigemptyset(&action.sa_mask);
	if (sigaction(sig, &action, NULL) != 0)
		die("sigaction: %s", strerror(errno));
}

void stop_init(void)
{
	stopping_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	reload_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (stopping_fd < 0 || reload_fd < 0)
		die("eventfd: %s", strerror(errno));
	handle(SIGTERM, on_stop);
	handle(SIGINT, on_stop);
	handle(SIGHUP, on_reload);
	handle(SIGPIPE, SIG_IGN);
}

int stop_fd(void)
{
	return stopping_fd;
}

bool stop_requested(void)
{
	return atomic_load(&stopping);
}

void stop_request(void)
{
	atomic_store(&stopping, true);
	raise_event(stopping_fd);
}

int stop_reload_fd(void)
{
	return reload_fd;
}

bool stop_reload_take(void)
{
	uint64_t count;

	return read(reload_fd, &count, sizeof(count)) == (ssize_t)sizeof(count);
}
