/* perspective.h — one place in the network from which validations are made: an event loop with its
 * resolver, address guard, TLS contexts and the limits of the configuration. One for each network
 * thread; everything in it belongs to that thread. */
#pragma once

#include <openssl/ssl.h>

#include "lib/base/conf.h"
#include "lib/net/dns.h"
#include "lib/net/ipguard.h"
#include "lib/net/loop.h"

struct perspective {
	struct loop *loop;       /* borrowed */
	const struct conf *conf; /* borrowed */
	struct dns *dns;
	struct ipguard *guard;
	SSL_CTX *https;   /* of redirect targets: unverified (RFC 8555 section 8.3 asks for the
			     plain-text proof only) */
	SSL_CTX *alpn;    /* tls-alpn-01 */
	char *user_agent; /* names the CA to the administrators of validated hosts */
	size_t users;     /* tasks that work with it, counted by whoever replaces perspectives */
	struct perspective *next;
	int64_t phase_ms; /* connecting, the TLS handshake and the answer may take this long each */
};

/* On failure *ret_error is one line for the operator (free it). */
MUST_CHECK int perspective_new(struct loop *loop, const struct conf *conf, char **ret_error,
	struct perspective **ret);
void perspective_free(struct perspective *px);
DEFINE_CLEANUP(perspective_free, struct perspective *)
/* True when redirects may lead to this port. */
bool perspective_allows_port(const struct perspective *px, uint16_t port);
