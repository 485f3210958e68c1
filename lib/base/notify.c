/* notify.c — see notify.h. A message that cannot be sent is lost: the manager then does what it
 * does with a program that is silent. */
#include "lib/base/notify.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "lib/base/bytes.h"
#include "lib/base/clock.h"

static struct {
	struct sockaddr_un address;
	socklen_t len;    /* 0: nobody wants to know */
	int64_t every_ms; /* 0: no watchdog */
	int64_t next_ms;
} manager;

static void send_line(const char *line)
{
	int fd;

	if (manager.len == 0)
		return;
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return;
	(void)sendto(fd, line, strlen(line), MSG_NOSIGNAL | MSG_DONTWAIT,
		(const struct sockaddr *)&manager.address, manager.len);
	close(fd);
}

/* A path, or "@name" in the abstract namespace. */
static void read_socket(const char *path)
{
	size_t len = path != NULL ? strlen(path) : 0;

	if (len < 2 || len >= sizeof(manager.address.sun_path) ||
		(path[0] != '/' && path[0] != '@'))
		return;
	manager.address.sun_family = AF_UNIX;
	memcpy(manager.address.sun_path, path, len);
	if (path[0] == '@')
		manager.address.sun_path[0] = '\0';
	manager.len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len);
}

/* WATCHDOG_PID names whom it is for. */
static void read_watchdog(const char *usec, const char *pid)
{
	long long us = usec != NULL ? strtoll(usec, NULL, 10) : 0;

	if (us > 0 && (pid == NULL || strtoll(pid, NULL, 10) == getpid()))
		manager.every_ms = us / 3000 > 0 ? us / 3000 : 1;
}

void notify_init(void)
{
	memset(&manager, 0, sizeof(manager));
	read_socket(getenv("NOTIFY_SOCKET"));
	read_watchdog(getenv("WATCHDOG_USEC"), getenv("WATCHDOG_PID"));
	unsetenv("NOTIFY_SOCKET");
	unsetenv("WATCHDOG_USEC");
	unsetenv("WATCHDOG_PID");
}

void notify_ready(void)
{
	send_line("READY=1");
}

void notify_stopping(void)
{
	send_line("STOPPING=1");
}

void notify_alive(void)
{
	int64_t now;

	if (manager.every_ms == 0)
		return;
	now = clock_mono_ms();
	if (now < manager.next_ms)
		return;
	manager.next_ms = now + manager.every_ms;
	send_line("WATCHDOG=1");
}
