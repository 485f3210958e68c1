/* listen.c — see listen.h. */
#include "fcgi/listen.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "lib/base/log.h"

#define BACKLOG 1024
#define FIRST_PASSED_FD 3 /* sd_listen_fds(3) */

static struct {
	struct sockaddr_un address;
	ino_t inode; /* 0: not ours */
} made;

static bool is_listening(int fd)
{
	int yes = 0;
	socklen_t len = sizeof(yes);

	return getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &yes, &len) == 0 && yes;
}

static int passed_socket(void)
{
	const char *pid = getenv("LISTEN_PID"), *count = getenv("LISTEN_FDS");

	if (pid != NULL && count != NULL && strtol(pid, NULL, 10) == (long)getpid() &&
		strtol(count, NULL, 10) > 0 && is_listening(FIRST_PASSED_FD))
		return FIRST_PASSED_FD;
	return is_listening(STDIN_FILENO) ? STDIN_FILENO : -1;
}

/* A name that is left of a process that is gone is removed; one that answers is somebody's. */
static void clear_the_way(const struct sockaddr_un *address)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0)
		die("socket: %s", strerror(errno));
	if (connect(fd, (const struct sockaddr *)address, sizeof(*address)) == 0)
		die("%s: another process listens here; give each its own with -l",
			address->sun_path);
	if (errno == ECONNREFUSED && unlink(address->sun_path) != 0)
		die("%s: cannot remove the stale socket: %s", address->sun_path, strerror(errno));
	close(fd);
}

int listen_open(const char *path)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	struct stat st;
	mode_t mask;
	int fd = passed_socket();

	if (fd >= 0)
		return fd;
	if (strlen(path) >= sizeof(address.sun_path))
		die("%s: the socket's path is longer than %zu bytes", path,
			sizeof(address.sun_path) - 1);
	memcpy(address.sun_path, path, strlen(path));
	clear_the_way(&address);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		die("socket: %s", strerror(errno));
	mask = umask(0117);
	if (bind(fd, (const struct sockaddr *)&address, sizeof(address)) != 0 ||
		listen(fd, BACKLOG) != 0)
		die("%s: cannot listen: %s", path, strerror(errno));
	umask(mask);
	if (stat(path, &st) == 0) {
		made.address = address;
		made.inode = st.st_ino;
	}
	return fd;
}

void listen_remove(void)
{
	struct stat st;

	if (made.inode != 0 && stat(made.address.sun_path, &st) == 0 && st.st_ino == made.inode)
		(void)unlink(made.address.sun_path);
}
