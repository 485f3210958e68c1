/* verify.h — the worker threads' stage for signed requests: envelope, key, signature, nonce
 * (opened, not consumed), url, payload, route->prepare. The nonce is good for telling the verdicts
 * that come behind it only after the Redis stage. */
#pragma once

#include "fcgi/exchange.h"
#include "fcgi/keycache.h"

enum verified {
	VERIFY_REFUSED,   /* tell x->problem (or x->verdict) at once */
	VERIFY_NEEDS_KEY, /* x->key_call is ready for the database; verify_with_key_call follows */
	VERIFY_DONE, /* the signature is good; x->verdict holds until the nonce has been consumed */
};

/* The worker thread, once for each signed request. */
enum verified verify_begin(struct exchange *x, struct keycache *cache, struct nonce_pool *nonces);
/* x->key_call has run without error. */
enum verified verify_with_key_call(struct exchange *x, struct keycache *cache,
	struct nonce_pool *nonces);
/* The route's call answered that the account has another key now: drops the cached one and starts
 * over, once. */
enum verified verify_key_changed(struct exchange *x, struct keycache *cache);
