/* stream.c — see stream.h. */
#include "lib/net/stream.h"

#include <assert.h>
#include <errno.h>
#include <openssl/err.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lib/pki/ossl.h"

static void deliver_failure(struct stream *s)
{
	loop_io_clear(&s->io);
	loop_timer_clear(s->px->loop, &s->timer);
	s->fn(s->arg, STREAM_FAILED);
}

static void on_failed(void *arg)
{
	deliver_failure(arg);
}

static void fail_later(struct stream *s, const char *fault)
{
	snprintf(s->fault, sizeof(s->fault), "%s", fault);
	loop_timer_set(s->px->loop, &s->timer, 0, on_failed, s);
}

static void fail_errno(struct stream *s, int error)
{
	char text[64];

	snprintf(s->fault, sizeof(s->fault), "%s", strerror_r(error, text, sizeof(text)));
	deliver_failure(s);
}

static void on_timeout(void *arg)
{
	struct stream *s = arg;

	s->timed_out = true;
	if (s->phase == STREAM_CONNECTING)
		snprintf(s->fault, sizeof(s->fault),
			"no answer to the connection attempt (timeout)");
	else if (s->phase == STREAM_HANDSHAKE)
		snprintf(s->fault, sizeof(s->fault), "the TLS handshake took too long (timeout)");
	else
		snprintf(s->fault, sizeof(s->fault), "the peer was too slow (timeout)");
	deliver_failure(s);
}

/* The reason of OpenSSL's first queued error. Texts of OpenSSL only, none of the peer's. */
static void describe_tls(struct stream *s)
{
	unsigned long code = ERR_peek_error();
	const char *reason = code == 0 ? NULL : ERR_reason_error_string(code);

	snprintf(s->fault, sizeof(s->fault), "TLS: %s",
		reason != NULL ? reason : "connection closed by the peer");
	(void)ossl_drain("TLS client");
}

/* After an SSL call that did not succeed: OK when it waits for the socket, ERR_NET otherwise. */
static int tls_wants(struct stream *s, int rc)
{
	int saved = errno;

	switch (SSL_get_error(s->ssl, rc)) {
	case SSL_ERROR_WANT_READ:
		loop_io_change(&s->io, EPOLLIN);
		return OK;
	case SSL_ERROR_WANT_WRITE:
		loop_io_change(&s->io, EPOLLOUT);
		return OK;
	case SSL_ERROR_SYSCALL:
		if (ERR_peek_error() == 0 && saved != 0) {
			char text[64];

			snprintf(s->fault, sizeof(s->fault), "%s",
				strerror_r(saved, text, sizeof(text)));
			return ERR_NET;
		}
		break;
	default:
		break;
	}
	describe_tls(s);
	return ERR_NET;
}

static void shake_hands(struct stream *s)
{
	int rc;

	ERR_clear_error();
	errno = 0;
	rc = SSL_do_handshake(s->ssl);
	if (rc == 1) {
		s->phase = STREAM_OPEN;
		stream_restart_clock(s);
		s->fn(s->arg, STREAM_READY);
	} else if (tls_wants(s, rc) != OK) {
		deliver_failure(s);
	}
}

static int begin_tls(struct stream *s)
{
	s->ssl = SSL_new(s->ctx);
	if (s->ssl == NULL || SSL_set_fd(s->ssl, s->fd) != 1)
		return ossl_drain("SSL_new");
	if (s->server_name != NULL && SSL_set_tlsext_host_name(s->ssl, s->server_name) != 1)
		return ossl_drain("SSL_set_tlsext_host_name");
	SSL_set_connect_state(s->ssl);
	return OK;
}

static void on_connected(struct stream *s)
{
	int error = 0;
	socklen_t len = sizeof(error);

	if (getsockopt(s->fd, SOL_SOCKET, SO_ERROR, &error, &len) != 0)
		error = errno;
	if (error != 0) {
		fail_errno(s, error);
		return;
	}
	stream_restart_clock(s);
	if (s->ctx == NULL) {
		s->phase = STREAM_OPEN;
		s->fn(s->arg, STREAM_READY);
		return;
	}
	s->phase = STREAM_HANDSHAKE;
	if (begin_tls(s) != OK) {
		s->local = true;
		snprintf(s->fault, sizeof(s->fault), "this CA cannot start TLS");
		deliver_failure(s);
		return;
	}
	shake_hands(s);
}

static void on_io(void *arg, uint32_t events)
{
	struct stream *s = arg;

	switch (s->phase) {
	case STREAM_CONNECTING:
		on_connected(s);
		break;
	case STREAM_HANDSHAKE:
		shake_hands(s);
		break;
	case STREAM_OPEN:
		s->fn(s->arg, STREAM_IO);
		break;
	case STREAM_CLOSED:
		assert(!"a closed stream is not watched");
	}
}

void stream_connect(struct stream *s, struct perspective *px, const struct ipaddr *address,
	uint16_t port, SSL_CTX *ctx, const char *server_name, stream_fn fn, void *arg)
{
	struct sockaddr_storage sa;
	socklen_t sa_len = ipaddr_to_sockaddr(address, port, &sa);
	char text[64];

	assert(s->phase == STREAM_CLOSED);
	*s = (struct stream){.px = px,
		.fd = -1,
		.phase = STREAM_CONNECTING,
		.ctx = ctx,
		.server_name = server_name,
		.fn = fn,
		.arg = arg};
	if (ipguard_objection(px->guard, address) != NULL) {
		fail_later(s, "this CA does not contact such addresses");
		return;
	}
	s->fd = socket(address->family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (s->fd < 0) {
		s->local = errno != EAFNOSUPPORT;
		fail_later(s, strerror_r(errno, text, sizeof(text)));
		return;
	}
	if (connect(s->fd, (struct sockaddr *)&sa, sa_len) != 0 && errno != EINPROGRESS) {
		s->local = errno == EADDRNOTAVAIL || errno == ENOBUFS || errno == EAGAIN;
		fail_later(s, strerror_r(errno, text, sizeof(text)));
		return;
	}
	if (loop_io_add(px->loop, &s->io, s->fd, EPOLLOUT, on_io, s) != OK) {
		s->local = true;
		fail_later(s, "this CA is out of socket watches");
		return;
	}
	stream_restart_clock(s);
}

void stream_restart_clock(struct stream *s)
{
	loop_timer_set(s->px->loop, &s->timer, s->px->phase_ms, on_timeout, s);
}

static int system_result(struct stream *s, ssize_t n, uint32_t wait_for, size_t *ret_len)
{
	char text[64];

	if (n >= 0) {
		*ret_len = (size_t)n;
		return OK;
	}
	if (errno == EAGAIN || errno == EINTR) {
		loop_io_change(&s->io, wait_for);
		return ERR_BUSY;
	}
	snprintf(s->fault, sizeof(s->fault), "%s", strerror_r(errno, text, sizeof(text)));
	return ERR_NET;
}

int stream_write(struct stream *s, const void *ptr, size_t len, size_t *ret_len)
{
	int rc;

	if (s->ssl == NULL)
		return system_result(s, send(s->fd, ptr, len, MSG_NOSIGNAL), EPOLLOUT, ret_len);
	ERR_clear_error();
	errno = 0;
	rc = SSL_write_ex(s->ssl, ptr, len, ret_len);
	if (rc == 1)
		return OK;
	return tls_wants(s, rc) == OK ? ERR_BUSY : ERR_NET;
}

int stream_read(struct stream *s, void *ptr, size_t cap, size_t *ret_len)
{
	int rc;

	if (s->ssl == NULL)
		return system_result(s, recv(s->fd, ptr, cap, 0), EPOLLIN, ret_len);
	ERR_clear_error();
	errno = 0;
	rc = SSL_read_ex(s->ssl, ptr, cap, ret_len);
	if (rc == 1)
		return OK;
	if (SSL_get_error(s->ssl, rc) == SSL_ERROR_ZERO_RETURN) {
		*ret_len = 0;
		return OK;
	}
	return tls_wants(s, rc) == OK ? ERR_BUSY : ERR_NET;
}

void stream_close(struct stream *s)
{
	if (s->phase == STREAM_CLOSED)
		return;
	loop_io_clear(&s->io);
	loop_timer_clear(s->px->loop, &s->timer);
	SSL_free(s->ssl);
	s->ssl = NULL;
	if (s->fd >= 0)
		close(s->fd);
	s->fd = -1;
	s->phase = STREAM_CLOSED;
}
