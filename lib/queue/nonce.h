/* nonce.h — anti-replay nonces (RFC 8555 section 6.5): sealed counters, stateless to issue, consumed exactly once in Redis.
 *
 * A nonce is one AES-256 block over (epoch, chunk, index, fixed zero bytes), 22 characters of base64url: unguessable, 72 bits of
 * redundancy against forgery. The key lives in Redis under the server's run id, so losing the Redis data set makes every old nonce
 * unreadable. A chunk is a bitmap in Redis (nonce:EPOCH:CHUNK) of NONCE_CHUNK bits plus a sentinel bit set at its
 * creation and an expiry; consuming is one BITFIELD that sets the nonce's bit and reads the sentinel: bit was 0 and
 * sentinel 1 = accepted. A missing bitmap (expired, FLUSHALL) has no sentinel = badNonce, never accepted twice. */
#pragma once

#include "lib/queue/rds.h"

#define NONCE_TEXT_LEN 22
#define NONCE_CHUNK 32768
#define NONCE_CHUNK_SECS 900  /* a process issues from one chunk no longer than this */
#define NONCE_LIFE_SECS 3600  /* a nonce is good for at least this long */

struct nonce_pool;

struct nonce_pool *nonce_pool_new(void);
void nonce_pool_free(struct nonce_pool *pool);
/* Any thread. Never fails: with no chunk at hand (Redis away) the nonce will read as badNonce later. */
void nonce_issue(struct nonce_pool *pool, char out[NONCE_TEXT_LEN + 1]);
/* Any thread. ERR_SYNTAX: not base64url (malformed); ERR_NOENT: not one of ours or of another epoch (badNonce). */
struct nonce {
	uint64_t epoch;
	uint64_t chunk;
	uint32_t index;
};
MUST_CHECK int nonce_open(struct nonce_pool *pool, struct bytes text, struct nonce *ret);

/* The Redis thread: */
/* After each new connection: fetches or makes the key of this run, takes a fresh chunk. */
MUST_CHECK int nonce_pool_connect(struct nonce_pool *pool, struct rds *rds);
/* True when a new chunk should be taken soon (few left, or old). */
bool nonce_pool_low(const struct nonce_pool *pool);
MUST_CHECK int nonce_pool_refill(struct nonce_pool *pool, struct rds *rds);
/* One pipelined command and the verdict on its reply. */
void nonce_append(struct rds *rds, const struct nonce *nonce);
bool nonce_accepted(const struct rds_reply *reply);
