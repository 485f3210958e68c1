/* dial.c — see dial.h. */
#include "lib/queue/dial.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "lib/base/bytes.h"

/* A machine that vanished without a word is noticed within about ten seconds, also by a subscriber
 * that never sends. */
#define ALIVE_IDLE_SECS 4
#define ALIVE_EVERY_SECS 2
#define ALIVE_PROBES 3
#define UNACKNOWLEDGED_MAX_MS 10000

union place {
	struct sockaddr any;
	struct sockaddr_un local;
	struct sockaddr_in v4;
	struct sockaddr_in6 v6;
};

void dial_set_timeout(int fd, int timeout_ms)
{
	struct timeval tv = {.tv_sec = timeout_ms / 1000, .tv_usec = (timeout_ms % 1000) * 1000L};

	/* Both fail only for a bad descriptor, and the next read or write tells of that. */
	(void)setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof(tv));
	(void)setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &tv, sizeof(tv));
}

static int find_local(const char *path, union place *place, socklen_t *len)
{
	if (strlen(path) >= sizeof(place->local.sun_path))
		return ERR_LIMIT;
	place->local.sun_family = AF_UNIX;
	memcpy(place->local.sun_path, path, strlen(path));
	*len = sizeof(place->local);
	return OK;
}

/* One to five digits, 1 to 65535. */
static bool read_port(const char *text, in_port_t *ret)
{
	size_t len = strlen(text);
	unsigned long port;

	if (len < 1 || len > 5 || strspn(text, "0123456789") != len)
		return false;
	port = strtoul(text, NULL, 10);
	*ret = htons((uint16_t)port);
	return port >= 1 && port <= UINT16_MAX;
}

static int find_remote(const char *address, union place *place, socklen_t *len)
{
	char host[INET6_ADDRSTRLEN + 2] = {0};
	const char *colon = strrchr(address, ':');
	size_t host_len = colon != NULL ? (size_t)(colon - address) : 0;
	in_port_t port;

	if (host_len == 0 || host_len >= sizeof(host) || !read_port(colon + 1, &port))
		return ERR_SYNTAX;
	memcpy(host, address, host_len);
	if (inet_pton(AF_INET, host, &place->v4.sin_addr) == 1) {
		place->v4.sin_family = AF_INET;
		place->v4.sin_port = port;
		*len = sizeof(place->v4);
		return OK;
	}
	if (host[0] != '[' || host[host_len - 1] != ']')
		return ERR_SYNTAX;
	host[host_len - 1] = '\0';
	if (inet_pton(AF_INET6, host + 1, &place->v6.sin6_addr) != 1)
		return ERR_SYNTAX;
	place->v6.sin6_family = AF_INET6;
	place->v6.sin6_port = port;
	*len = sizeof(place->v6);
	return OK;
}

/* Small pipelines must not wait for each other, and a dead peer must not be waited for. None of
 * these fails on a TCP socket of Linux. */
static void tune(int fd)
{
	const struct {
		int level, name, value;
	} options[] = {
		{IPPROTO_TCP, TCP_NODELAY, 1},
		{SOL_SOCKET, SO_KEEPALIVE, 1},
		{IPPROTO_TCP, TCP_KEEPIDLE, ALIVE_IDLE_SECS},
		{IPPROTO_TCP, TCP_KEEPINTVL, ALIVE_EVERY_SECS},
		{IPPROTO_TCP, TCP_KEEPCNT, ALIVE_PROBES},
		{IPPROTO_TCP, TCP_USER_TIMEOUT, UNACKNOWLEDGED_MAX_MS},
	};

	for (size_t i = 0; i < ARRAY_LEN(options); i++)
		(void)setsockopt(fd, options[i].level, options[i].name, &options[i].value,
			sizeof(options[i].value));
}

static const char *cause(void)
{
	/* What connect(2) says when SO_SNDTIMEO has passed. */
	return errno == EINPROGRESS || errno == EAGAIN ? "timeout" : strerror(errno);
}

int dial_redis(const char *where, int timeout_ms, char error[DIAL_ERROR_MAX], int *ret_fd)
{
	union place place = {0};
	socklen_t len = 0;
	bool local = strchr(where, '/') != NULL; /* an address has none */
	int err = local ? find_local(where, &place, &len) : find_remote(where, &place, &len);
	int fd;

	if (err != OK) {
		snprintf(error, DIAL_ERROR_MAX, "%s: %s",
			err == ERR_LIMIT ? "socket path too long" : "not an address and port",
			where);
		return err;
	}
	fd = socket(place.any.sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0) {
		snprintf(error, DIAL_ERROR_MAX, "socket: %s", strerror(errno));
		return ERR_QUEUE;
	}
	/* SO_SNDTIMEO bounds connect, too. */
	dial_set_timeout(fd, timeout_ms);
	if (!local)
		tune(fd);
	if (connect(fd, &place.any, len) != 0) {
		snprintf(error, DIAL_ERROR_MAX, "connect %s: %s", where, cause());
		close(fd);
		return ERR_QUEUE;
	}
	*ret_fd = fd;
	return OK;
}
