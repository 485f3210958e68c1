/* responders.c — the world outside the CA: a DNS server where every name is one address, and a web
 * server that answers every http-01 challenge. Both are single threads on loopback, and neither
 * counts as server cost. */
#include "bench/bench.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <unistd.h>

#define DNS_TYPE_A 1
#define EVENTS_MAX 64
#define REQUEST_MAX 2048

static int dns_fd = -1, http_fd = -1;

/* Copies the question, answers A with the bind address, all else with an empty NOERROR. */
static size_t dns_answer(const struct bench *bench, uint8_t *packet, size_t len)
{
	static const uint8_t RECORD[] = {0xc0, 0x0c, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4};
	size_t end = 12;

	if (len < 17)
		return 0;
	while (end < len && packet[end] != 0)
		end += (size_t)packet[end] + 1;
	end += 5;
	if (end > len)
		return 0;
	const bool is_a = packet[end - 4] == 0 && packet[end - 3] == DNS_TYPE_A;

	packet[2] = 0x84 | (packet[2] & 0x01);
	packet[3] = 0x80;
	memset(packet + 6, 0, 6);
	if (is_a) {
		packet[7] = 1;
		memcpy(packet + end, RECORD, sizeof(RECORD));
		(void)inet_pton(AF_INET, bench->bind, packet + end + sizeof(RECORD));
		end += sizeof(RECORD) + 4;
	}
	return end;
}

static void *dns_thread(void *arg)
{
	const struct bench *bench = arg;
	uint8_t packet[4096];

	for (;;) {
		struct sockaddr_storage from;
		socklen_t from_len = sizeof(from);
		const ssize_t n = recvfrom(dns_fd, packet, sizeof(packet) - 64, 0,
			(struct sockaddr *)&from, &from_len);
		const size_t out = n > 0 ? dns_answer(bench, packet, (size_t)n) : 0;

		if (out > 0)
			(void)sendto(dns_fd, packet, out, 0, (struct sockaddr *)&from, from_len);
	}
	return NULL;
}

/* "GET /.well-known/acme-challenge/TOKEN HTTP/1.1 … Host: …-aN.bench.test" → TOKEN.thumbprint(N) */
static void http_answer(const struct bench *bench, int fd, const char *request)
{
	static const char PATH[] = "GET /.well-known/acme-challenge/";
	char out[512];
	const char *host = strcasestr(request, "\r\nHost: ");
	const char *suffix = host != NULL ? strstr(host, ".bench.test") : NULL;
	int account = -1, len;

	if (suffix != NULL) {
		while (suffix > host && *suffix != 'a')
			suffix--;
		account = atoi(suffix + 1);
	}
	if (strncmp(request, PATH, sizeof(PATH) - 1) != 0 || account < 0 ||
		account >= bench->accounts) {
		len = snprintf(out, sizeof(out),
			"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
	} else {
		const char *token = request + sizeof(PATH) - 1;
		const int token_len = (int)strcspn(token, " ");

		len = snprintf(out, sizeof(out),
			"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n"
			"Content-Length: %d\r\nConnection: close\r\n\r\n%.*s.%s",
			token_len + 44, token_len, token, bench->account[account].thumbprint);
	}
	if (len > 0 && len < (int)sizeof(out))
		(void)!write(fd, out, (size_t)len);
}

static void *http_thread(void *arg)
{
	const struct bench *bench = arg;
	const int ep = epoll_create1(EPOLL_CLOEXEC);
	struct epoll_event events[EVENTS_MAX], event = {.events = EPOLLIN, .data.fd = http_fd};
	char request[REQUEST_MAX];

	if (ep < 0 || epoll_ctl(ep, EPOLL_CTL_ADD, http_fd, &event) != 0)
		return NULL;
	for (;;) {
		const int n = epoll_wait(ep, events, EVENTS_MAX, -1);

		for (int i = 0; i < n; i++) {
			const int fd = events[i].data.fd;

			if (fd == http_fd) {
				const int peer =
					accept4(http_fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

				event = (struct epoll_event){.events = EPOLLIN, .data.fd = peer};
				if (peer >= 0 && epoll_ctl(ep, EPOLL_CTL_ADD, peer, &event) != 0)
					close(peer);
				continue;
			}
			/* A validator's request is one small segment. */
			const ssize_t got = read(fd, request, sizeof(request) - 1);

			if (got < 0 && errno == EAGAIN)
				continue;
			if (got > 0) {
				request[got] = '\0';
				http_answer(bench, fd, request);
			}
			close(fd);
		}
	}
	return NULL;
}

static int open_socket(const struct bench *bench, int type, int port)
{
	struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
	const int fd =
		socket(AF_INET, type | SOCK_CLOEXEC | (type == SOCK_STREAM ? SOCK_NONBLOCK : 0), 0);
	const int one = 1;

	if (fd < 0 || inet_pton(AF_INET, bench->bind, &address.sin_addr) != 1)
		return -1;
	(void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (bind(fd, (struct sockaddr *)&address, sizeof(address)) != 0 ||
		(type == SOCK_STREAM && listen(fd, 4096) != 0)) {
		fprintf(stderr, "assay-bench: port %d: %s\n", port, strerror(errno));
		close(fd);
		return -1;
	}
	return fd;
}

int responders_start(struct bench *bench)
{
	pthread_t thread;

	http_fd = open_socket(bench, SOCK_STREAM, bench->http_port);
	if (http_fd < 0 || pthread_create(&thread, NULL, http_thread, bench) != 0)
		return ERR_NET;
	if (bench->dns_port == 0)
		return OK;
	dns_fd = open_socket(bench, SOCK_DGRAM, bench->dns_port);
	return dns_fd >= 0 && pthread_create(&thread, NULL, dns_thread, bench) == 0 ? OK : ERR_NET;
}
