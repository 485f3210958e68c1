/* nonce.h — anti-replay nonces (RFC 8555 section 6.5): sealed counters, stateless to issue,
 * consumed exactly once in Redis.
 *
 * A nonce is one AES-256 block over (epoch, chunk, index), 22 characters of base64url: unguessable,
 * and 65 bits of redundancy against forgery. The epoch stands for the Redis run id, and the key
 * lives in Redis under that run id, so after a restart that may have lost used nonces every old one
 * is unreadable. A chunk is a bitmap in Redis (nonce:EPOCH:CHUNK) with an expiry, a sentinel bit
 * set at its creation and NONCE_CHUNK bits behind it; consuming is one BITFIELD that sets the
 * nonce's bit and reads the sentinel: bit was 0 and sentinel 1 = accepted. A missing bitmap
 * (expired, FLUSHALL) has no sentinel = badNonce. Chunk numbers are never used again, so no nonce
 * is accepted twice. */
#pragma once

#include "lib/queue/rds.h"

#define NONCE_TEXT_LEN 22
#define NONCE_CHUNK 32768
#define NONCE_CHUNK_SECS 900 /* a process issues from one chunk no longer than this */
#define NONCE_LIFE_SECS 3600 /* a nonce is good for at least this long */
#define NONCE_CHECK_SECS                                                                           \
	1 /* how often nonce_pool_low asks to look whether Redis still knows key and chunk */

struct nonce_pool;

struct nonce_pool *nonce_pool_new(void);
void nonce_pool_free(struct nonce_pool *pool);
DEFINE_CLEANUP(nonce_pool_free, struct nonce_pool *)
/* Any thread. Never fails: with no chunk at hand (Redis away) the nonce will read as badNonce
 * later. */
void nonce_issue(struct nonce_pool *pool, char out[NONCE_TEXT_LEN + 1]);
/* Any thread. ERR_SYNTAX: not base64url (malformed); ERR_NOENT: not one of ours, of another epoch,
 * or too old (badNonce). */
struct nonce {
	uint64_t epoch;
	uint64_t chunk;
	uint32_t index;
};
MUST_CHECK int nonce_open(struct nonce_pool *pool, struct bytes text, struct nonce *ret);

/* The Redis thread: */
/* After each new connection: fetches or makes the key of this run, takes a fresh chunk. */
MUST_CHECK int nonce_pool_connect(struct nonce_pool *pool, struct rds *rds);
/* True when nonce_pool_refill should be called: few indexes left, an old chunk, a nonce that nobody
 * knows, or a NONCE_CHECK_SECS tick. Ask after each batch, before its answers are built (so that a
 * badNonce carries a good one), and at least every NONCE_CHECK_SECS when idle: after a FLUSHALL an
 * idle process would go on issuing dead nonces otherwise. */
bool nonce_pool_low(const struct nonce_pool *pool);
/* One round trip, or two when a chunk is taken. */
MUST_CHECK int nonce_pool_refill(struct nonce_pool *pool, struct rds *rds);
/* One pipelined command and the verdict on its reply. A nonce opened before a reconnection to
 * another run reads as not accepted. An error reply (rds_is_error: no memory, no permission) is no
 * verdict: serverInternal. */
void nonce_append(struct rds *rds, const struct nonce *nonce);
bool nonce_accepted(struct nonce_pool *pool, const struct nonce *nonce,
	const struct rds_reply *reply);
