/* fakes.h — servers for tests of the outbound checks, all in the test's own event loop on loopback:
 * a resolver that answers from a table, and a TCP server with or without TLS that answers from a
 * script. */
#pragma once

#include <openssl/ssl.h>

#include "lib/net/dnsmsg.h"
#include "lib/net/loop.h"

/* A resolver. Names are compared without case; the root is "". */
struct fake_dns;

enum fake_dns_mode {
	FAKE_ANSWER,
	FAKE_SILENT,    /* no answer at all */
	FAKE_EMPTY,     /* a datagram of 0 bytes, then the answer */
	FAKE_GARBAGE,   /* an answer whose answer section is cut off */
	FAKE_TRUNCATED, /* TC over UDP, the whole answer over TCP */
	FAKE_ALWAYS_TC, /* TC over TCP, too */
	FAKE_SIGNED,    /* the answer carries AD */
};

struct fake_dns *fake_dns_new(struct loop *loop);
void fake_dns_free(struct fake_dns *dns);
/* "127.0.0.1:PORT". */
const char *fake_dns_address(const struct fake_dns *dns);
/* The table: a name that is in it with any type exists, others are NXDOMAIN. */
void fake_dns_add(struct fake_dns *dns, const char *name, enum dns_type type, struct bytes rdata);
void fake_dns_add_address(struct fake_dns *dns, const char *name, const char *address);
void fake_dns_add_txt(struct fake_dns *dns, const char *name, const char *text);
void fake_dns_add_caa(struct fake_dns *dns, const char *name, int flags, const char *tag,
	const char *value);
void fake_dns_fail(struct fake_dns *dns, const char *name, enum dns_type type, int rcode);
void fake_dns_set_mode(struct fake_dns *dns, const char *name, enum dns_type type,
	enum fake_dns_mode mode);
void fake_dns_set_authenticated(struct fake_dns *dns, bool ad);
void fake_dns_clear(struct fake_dns *dns);
/* How often this was asked. */
int fake_dns_count(const struct fake_dns *dns, const char *name, enum dns_type type);

/* A TCP server. */
struct fake_web;

struct fake_reply {
	struct bytes bytes;
	bool hold;    /* keep the connection open behind it */
	bool dribble; /* one byte every 50 ms */
};
/* request: everything up to the empty line; the reply is borrowed until the next request. */
typedef struct fake_reply (*fake_web_fn)(void *arg, const char *request);

/* address "127.0.0.1" or "::1"; port 0 = any. fn NULL: connections are accepted and left alone, or
 * closed after the handshake when tls is given (borrowed). */
struct fake_web *fake_web_new(struct loop *loop, const char *address, int port, SSL_CTX *tls,
	fake_web_fn fn, void *arg);
void fake_web_free(struct fake_web *web);
int fake_web_port(const struct fake_web *web);
int fake_web_connections(const struct fake_web *web); /* ever accepted */
int fake_web_open(const struct fake_web *web);        /* open now */

/* Rounds of the loop until *flag, at most limit_ms; fails the test otherwise. */
void run_until(struct loop *loop, const bool *flag, int limit_ms);
