/* ocsp.h — OCSP responses that are signed on request: the stream of assay-ocsp's asks, and the
 * replies of assay-ocsp-signer.
 *
 * An ask lives for the seconds that a client waits. So it is delivered at most once (stream
 * "q:ocsp", group "w", one consumer for all workers, nothing pending), never tried again, and
 * dropped when its time is over; the stream is bounded, and whoever hears no reply answers without.
 * A reply is published on the channel "ocsp" to all handlers, who know theirs by its id.
 *
 * Neither side believes the other: an ask is checked like any input and its status read from
 * PostgreSQL; a reply's signature is the client's to verify. */
#pragma once

#include "lib/base/ident.h"
#include "lib/queue/rds.h"

#define OCSP_ASK_CERTS_MAX 8
#define OCSP_ASK_NONCE_MAX_BYTES 128 /* RFC 9654 section 2.1 */
#define OCSP_ASK_SERIAL_MAX_BYTES 20 /* RFC 5280 section 4.1.2.2 */
#define OCSP_REPLY_MAX_BYTES 16384

enum ocsp_ask_hash { OCSP_ASK_SHA1 = 1, OCSP_ASK_SHA256 = 2 };

struct ocsp_ask_cert {
	enum ocsp_ask_hash hash;                   /* of the CertID to answer with */
	uint8_t serial[OCSP_ASK_SERIAL_MAX_BYTES]; /* contents of the INTEGER */
	uint8_t serial_len;                        /* at least 1 */
};

struct ocsp_ask {
	struct ident reply; /* names the reply */
	int32_t issuer;     /* of all certificates; a number of ocsp_issuers */
	int64_t until_us;   /* wall clock: nobody waits any more then */
	size_t count;       /* at least 1 */
	struct ocsp_ask_cert certs[OCSP_ASK_CERTS_MAX]; /* in the order of the request */
	uint8_t nonce[OCSP_ASK_NONCE_MAX_BYTES];
	size_t nonce_len; /* 0: none */
};

/* The handler. Pipelined XADD; the caller reads its reply with rds_read. */
void ocsp_ask_append(struct rds *rds, const struct ocsp_ask *ask);
/* A connection of its own: SUBSCRIBE, then each call waits for one reply. OK when none came in
 * time. response is borrowed for the call, and not checked. After a reconnection subscribe again.
 */
MUST_CHECK int ocsp_replies_subscribe(struct rds *rds);
MUST_CHECK int ocsp_replies_listen(struct rds *rds, int timeout_ms,
	void (*fn)(void *arg, const struct ident *reply, struct bytes response), void *arg);

/* The worker. */
MUST_CHECK int ocsp_asks_ensure_group(struct rds *rds);
/* Up to max new asks, waiting up to block_ms (0: not at all); they are gone from the stream then.
 * What is not an ask, or too late, is dropped and not returned. NOGROUP (lost data) makes the group
 * again and returns 0. *ret_count holds after an error, too. */
MUST_CHECK int ocsp_asks_read(struct rds *rds, int block_ms, struct ocsp_ask *asks, size_t max,
	size_t *ret_count);
/* PUBLISH of the replies in one pipeline: DER OCSPResponses, also such as say why there is none.
 * One that is empty or longer than OCSP_REPLY_MAX_BYTES is left out. */
struct ocsp_reply {
	struct ident reply; /* of the ask */
	struct bytes response;
};
MUST_CHECK int ocsp_replies_publish(struct rds *rds, const struct ocsp_reply *replies,
	size_t count);
