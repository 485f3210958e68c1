/* stream.h — one outbound TCP connection, with TLS on it or not, driven by the loop. The only
 * caller of connect(2) in this program but c-ares: every address passes the guard right here,
 * whoever asks.
 *
 * The owner embeds it, zeroed. fn is called with STREAM_READY once (connected, handshake done),
 * then STREAM_IO whenever reading or writing may get on, or with STREAM_FAILED as the last call.
 * Nothing is called from within these functions. */
#pragma once

#include <openssl/ssl.h>

#include "lib/net/perspective.h"

#define STREAM_FAULT_LEN 160

enum stream_event { STREAM_READY, STREAM_IO, STREAM_FAILED };
enum stream_phase { STREAM_CLOSED, STREAM_CONNECTING, STREAM_HANDSHAKE, STREAM_OPEN };
typedef void (*stream_fn)(void *arg, enum stream_event event);

struct stream {
	struct perspective *px;
	int fd;
	enum stream_phase phase;
	bool local; /* the fault is ours (out of sockets), not the peer's */
	bool timed_out;
	SSL *ssl; /* NULL without TLS */
	SSL_CTX *ctx;
	const char *server_name;
	struct loop_io io;
	struct loop_timer timer;
	stream_fn fn;
	void *arg;
	char fault[STREAM_FAULT_LEN]; /* "Connection refused", "TLS: no application protocol" */
};

/* server_name (borrowed while the stream lives) is the SNI, NULL for none; ctx NULL: no TLS. */
void stream_connect(struct stream *s, struct perspective *px, const struct ipaddr *address,
	uint16_t port, SSL_CTX *ctx, const char *server_name, stream_fn fn, void *arg);
/* Fails the stream as timed out, phase_ms from now. */
void stream_restart_clock(struct stream *s);
/* OK: *ret_len bytes went out or came in (reading 0 = the peer closed). ERR_BUSY: wait for
 * STREAM_IO. ERR_NET: fault. */
MUST_CHECK int stream_write(struct stream *s, const void *ptr, size_t len, size_t *ret_len);
MUST_CHECK int stream_read(struct stream *s, void *ptr, size_t cap, size_t *ret_len);
/* Safe at any time, repeatedly. */
void stream_close(struct stream *s);
