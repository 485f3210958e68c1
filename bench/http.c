/* http.c — a blocking HTTP/1.1 client over one kept TLS connection, just enough for ACME. */
#include "bench/bench.h"

#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

#define ANSWER_MAX_SECS 10

void http_init(struct http *h, struct bench *bench)
{
	*h = (struct http){.bench = bench, .fd = -1};
}

static void http_close(struct http *h)
{
	SSL_free(h->ssl);
	h->ssl = NULL;
	if (h->fd >= 0)
		close(h->fd);
	h->fd = -1;
}

void http_done(struct http *h)
{
	http_close(h);
	buf_done(&h->head);
	buf_done(&h->body);
}

static int connect_tcp(const struct bench *bench)
{
	struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_family = AF_INET};
	struct addrinfo *list = NULL;

	if (getaddrinfo(bench->host, bench->port, &hints, &list) != 0)
		return -1;
	int fd = socket(list->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd >= 0 && connect(fd, list->ai_addr, list->ai_addrlen) != 0) {
		close(fd);
		fd = -1;
	}
	freeaddrinfo(list);
	if (fd >= 0) {
		const int one = 1;
		const struct timeval patience = {.tv_sec = ANSWER_MAX_SECS};

		(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
		(void)setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	}
	return fd;
}

static int http_connect(struct http *h)
{
	if (h->ssl != NULL)
		return OK;
	h->fd = connect_tcp(h->bench);
	if (h->fd < 0)
		return ERR_NET;
	h->ssl = SSL_new(h->bench->tls);
	if (h->ssl == NULL || SSL_set_fd(h->ssl, h->fd) != 1 ||
		SSL_set_tlsext_host_name(h->ssl, h->bench->host) != 1 || SSL_connect(h->ssl) != 1) {
		(void)ossl_drain("SSL_connect");
		http_close(h);
		return ERR_NET;
	}
	h->connects++;
	return OK;
}

static int send_request(struct http *h, const char *method, const char *path,
	const struct buf *body)
{
	CLEANUP_BUF struct buf out = {0};

	buf_addf(&out, "%s %s HTTP/1.1\r\nHost: %s:%s\r\nUser-Agent: assay-bench\r\n", method, path,
		h->bench->host, h->bench->port);
	if (body != NULL)
		buf_addf(&out, "Content-Type: application/jose+json\r\nContent-Length: %zu\r\n",
			body->len);
	buf_add_str(&out, "\r\n");
	if (body != NULL)
		buf_add(&out, body->ptr, body->len);
	return SSL_write(h->ssl, out.ptr, (int)out.len) == (int)out.len ? OK : ERR_NET;
}

/* Copies a header's value; "" when absent. */
static void header(const struct http *h, const char *name, char *out, size_t size)
{
	const char *line = buf_str(&h->head);
	const size_t len = strlen(name);

	out[0] = '\0';
	while ((line = strstr(line, "\r\n")) != NULL) {
		line += 2;
		if (strncasecmp(line, name, len) != 0 || line[len] != ':')
			continue;
		line += len + 1;
		line += strspn(line, " ");
		const size_t value = strcspn(line, "\r\n");

		if (value < size) {
			memcpy(out, line, value);
			out[value] = '\0';
		}
		return;
	}
}

static int read_more(struct http *h, struct buf *into)
{
	buf_reserve(into, 8192);
	const int n = SSL_read(h->ssl, into->ptr + into->len, 8191);

	if (n <= 0)
		return ERR_NET;
	into->len += (size_t)n;
	into->ptr[into->len] = '\0';
	return OK;
}

/* Chunked bodies (Go servers send them): complete with the last chunk; joins them in place. */
static int dechunk(struct http *h)
{
	CLEANUP_BUF struct buf joined = {0};

	for (size_t at = 0;;) {
		char *end = NULL;

		while (memmem(h->body.ptr + at, h->body.len - at, "\r\n", 2) == NULL)
			if (read_more(h, &h->body) != OK)
				return ERR_NET;
		const size_t size = strtoul((const char *)h->body.ptr + at, &end, 16);

		at = (size_t)((const uint8_t *)end - h->body.ptr) + 2;
		while (h->body.len < at + size + 2)
			if (read_more(h, &h->body) != OK)
				return ERR_NET;
		if (size == 0)
			break;
		buf_add(&joined, h->body.ptr + at, size);
		at += size + 2;
	}
	buf_reset(&h->body);
	buf_add(&h->body, joined.ptr, joined.len);
	return OK;
}

static int read_answer(struct http *h, bool has_body)
{
	char text[64];
	uint8_t *end = NULL;

	buf_reset(&h->head);
	buf_reset(&h->body);
	while (h->head.len == 0 || (end = memmem(h->head.ptr, h->head.len, "\r\n\r\n", 4)) == NULL)
		if (read_more(h, &h->head) != OK)
			return ERR_NET;
	const size_t head = (size_t)(end - h->head.ptr) + 4;

	buf_add(&h->body, h->head.ptr + head, h->head.len - head);
	h->head.len = head;
	h->head.ptr[head] = '\0';
	h->status = atoi(buf_str(&h->head) + 9);
	header(h, "Replay-Nonce", h->nonce, sizeof(h->nonce));
	header(h, "Location", h->location, sizeof(h->location));
	header(h, "Retry-After", text, sizeof(text));
	h->retry_after = atoi(text);
	header(h, "Transfer-Encoding", text, sizeof(text));
	if (strcasecmp(text, "chunked") == 0)
		return dechunk(h);
	header(h, "Content-Length", text, sizeof(text));
	for (const size_t want = strtoul(text, NULL, 10); has_body && h->body.len < want;)
		if (read_more(h, &h->body) != OK)
			return ERR_NET;
	header(h, "Connection", text, sizeof(text));
	if (strcasecmp(text, "close") == 0)
		http_close(h);
	return OK;
}

int http_request(struct http *h, const char *method, const char *url, const struct buf *body)
{
	const char *path = strchr(url + strlen("https://"), '/');

	for (int tries = 0; tries < 2; tries++) {
		if (http_connect(h) == OK &&
			send_request(h, method, path != NULL ? path : "/", body) == OK &&
			read_answer(h, strcmp(method, "HEAD") != 0) == OK)
			return OK;
		http_close(h);
		if (h->bench->stop)
			break;
	}
	return ERR_NET;
}
