/* fake_web.c — see fakes.h. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <assert.h>
#include <errno.h>
#include <netinet/in.h>
#include <openssl/err.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lib/base/clock.h"
#include "lib/net/ipaddr.h"
#include "tests/unit/fakes.h"

#define DRIBBLE_MS 50

struct conn {
	struct fake_web *web;
	struct loop_io io;
	struct loop_timer timer;
	int fd;
	SSL *ssl;
	bool shaken;
	struct buf request;
	struct buf reply;
	size_t sent;
	bool hold, dribble, answered;
	struct conn *next;
};

struct fake_web {
	struct loop *loop;
	struct loop_io listener;
	int fd;
	int port;
	SSL_CTX *tls;
	fake_web_fn fn;
	void *arg;
	int naccepted, nopen;
	struct conn *conns;
};

static void close_conn(struct conn *c)
{
	struct conn **at = &c->web->conns;

	while (*at != c)
		at = &(*at)->next;
	*at = c->next;
	c->web->nopen--;
	loop_io_clear(&c->io);
	loop_timer_clear(c->web->loop, &c->timer);
	if (c->ssl != NULL && c->shaken)
		SSL_shutdown(c->ssl);
	SSL_free(c->ssl);
	close(c->fd);
	buf_done(&c->request);
	buf_done(&c->reply);
	free(c);
}

/* Bytes moved, 0 when it would block, -1 when the connection is over. */
static int move(struct conn *c, bool out, void *ptr, size_t len)
{
	int n;

	if (c->ssl != NULL) {
		ERR_clear_error();
		n = out ? SSL_write(c->ssl, ptr, (int)len) : SSL_read(c->ssl, ptr, (int)len);
		if (n > 0)
			return n;
		int why = SSL_get_error(c->ssl, n);

		return why == SSL_ERROR_WANT_READ || why == SSL_ERROR_WANT_WRITE ? 0 : -1;
	}
	n = (int)(out ? send(c->fd, ptr, len, MSG_NOSIGNAL) : recv(c->fd, ptr, len, 0));
	if (n > 0)
		return n;
	return n < 0 && errno == EAGAIN ? 0 : -1;
}

static void send_some(void *arg)
{
	struct conn *c = arg;

	while (c->sent < c->reply.len) {
		int n = move(c, true, c->reply.ptr + c->sent,
			c->dribble ? 1 : c->reply.len - c->sent);

		if (n < 0) {
			close_conn(c);
			return;
		}
		c->sent += (size_t)n;
		if (n == 0 || c->dribble) {
			loop_timer_set(c->web->loop, &c->timer, DRIBBLE_MS, send_some, c);
			return;
		}
	}
	if (!c->hold)
		close_conn(c);
}

static void read_request(struct conn *c)
{
	char chunk[2048];
	int n;

	while ((n = move(c, false, chunk, sizeof(chunk))) > 0)
		buf_add(&c->request, chunk, (size_t)n);
	if (n < 0) {
		close_conn(c);
		return;
	}
	if (c->answered || strstr(buf_str(&c->request), "\r\n\r\n") == NULL)
		return;
	struct fake_reply reply = c->web->fn(c->web->arg, buf_str(&c->request));

	c->answered = true;
	buf_add(&c->reply, reply.bytes.ptr, reply.bytes.len);
	c->hold = reply.hold;
	c->dribble = reply.dribble;
	send_some(c);
}

static void on_conn(void *arg, uint32_t events)
{
	struct conn *c = arg;

	if (c->ssl != NULL && !c->shaken) {
		int rc, why;

		ERR_clear_error();
		rc = SSL_accept(c->ssl);
		why = SSL_get_error(c->ssl, rc);
		if (rc != 1) {
			if (why != SSL_ERROR_WANT_READ && why != SSL_ERROR_WANT_WRITE)
				close_conn(c);
			return;
		}
		c->shaken = true;
	}
	if (c->web->fn != NULL)
		read_request(c);
	else if (c->ssl != NULL || (events & (EPOLLHUP | EPOLLRDHUP)))
		close_conn(c);
}

static void add_conn(struct fake_web *web, int fd)
{
	/* A server that leaves its connections alone does not read either. */
	uint32_t wanted = web->fn != NULL || web->tls != NULL ? EPOLLIN | EPOLLRDHUP : EPOLLRDHUP;
	struct conn *c = xcalloc(1, sizeof(*c));

	c->web = web;
	c->fd = fd;
	web->naccepted++;
	web->nopen++;
	c->next = web->conns;
	web->conns = c;
	if (web->tls != NULL) {
		c->ssl = SSL_new(web->tls);
		assert(c->ssl != NULL && SSL_set_fd(c->ssl, fd) == 1);
	}
	assert(loop_io_add(web->loop, &c->io, fd, wanted, on_conn, c) == OK);
}

static void on_accept(void *arg, uint32_t events)
{
	struct fake_web *web = arg;
	int fd;

	while ((fd = accept4(web->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0)
		add_conn(web, fd);
}

struct fake_web *fake_web_new(struct loop *loop, const char *address, int port, SSL_CTX *tls,
	fake_web_fn fn, void *arg)
{
	struct fake_web *web = xcalloc(1, sizeof(*web));
	struct sockaddr_storage sa;
	socklen_t len;
	struct ipaddr a;
	int one = 1;

	assert(ipaddr_parse(bytes_str(address), &a) == OK);
	len = ipaddr_to_sockaddr(&a, (uint16_t)port, &sa);
	*web = (struct fake_web){.loop = loop, .tls = tls, .fn = fn, .arg = arg};
	web->fd = socket(a.family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	setsockopt(web->fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	assert(bind(web->fd, (struct sockaddr *)&sa, len) == 0 && listen(web->fd, 1024) == 0);
	assert(getsockname(web->fd, (struct sockaddr *)&sa, &len) == 0);
	web->port = ntohs(a.family == AF_INET ? ((struct sockaddr_in *)&sa)->sin_port
					      : ((struct sockaddr_in6 *)&sa)->sin6_port);
	assert(loop_io_add(loop, &web->listener, web->fd, EPOLLIN, on_accept, web) == OK);
	return web;
}

void fake_web_free(struct fake_web *web)
{
	if (web == NULL)
		return;
	for (struct conn *c = web->conns, *next; c != NULL; c = next) {
		next = c->next;
		close_conn(c);
	}
	loop_io_clear(&web->listener);
	close(web->fd);
	free(web);
}

int fake_web_port(const struct fake_web *web)
{
	return web->port;
}

int fake_web_connections(const struct fake_web *web)
{
	return web->naccepted;
}

int fake_web_open(const struct fake_web *web)
{
	return web->nopen;
}

void run_until(struct loop *loop, const bool *flag, int limit_ms)
{
	int64_t end_ms = clock_mono_ms() + limit_ms;

	while (!*flag) {
		int64_t left_ms = end_ms - clock_mono_ms();

		if (left_ms <= 0)
			fail_msg("nothing happened within %d ms", limit_ms);
		assert(loop_once(loop, (int)left_ms) == OK);
	}
}
