/* sign.h — from a status to a signed response, and when it must be signed again. No I/O: what is
 * known goes in, DER comes out. */
#pragma once

#include "lib/base/conf.h"
#include "lib/pki/ocsp_response.h"
#include "lib/pki/ossl.h"
#include "lib/store/ocsp.h"

/* A key with its certificate. */
struct responder {
	struct ident id;
	EVP_PKEY *key;
	EVP_PKEY_CTX *signing; /* of key, ready */
	struct buf certificate;
	uint8_t name[20]; /* SHA-1 of the key's bits: its ResponderID */
	int64_t not_before_us, not_after_us;
};
/* Takes the key over. ERR_CONFLICT: the certificate is for another key. */
MUST_CHECK int responder_adopt(struct responder *r, EVP_PKEY *key, struct bytes certificate,
	int64_t not_before_us, int64_t not_after_us);
void responder_done(struct responder *r);

/* When a response signed now ends, and when it is to be replaced (BR 4.9.10): before half of its
 * time is over, four days after thisUpdate and eight hours before nextUpdate at the latest, with
 * room for the work itself. spread: 0 to 255, so that what was signed together does not come back
 * together. expiry_us: the end of the certificate's status; INT64_MIN as refresh: never again. */
struct ocsp_times {
	int64_t this_us, next_us, refresh_us;
};
void ocsp_times_choose(int64_t now_us, int64_t validity_secs, int64_t responder_end_us,
	int64_t expiry_us, uint8_t spread, struct ocsp_times *ret);

struct ocsp_issue { /* an issuer as responses need it */
	const struct ocsp_id *id;
	int64_t not_before_us;
	struct responder *responder;
};
/* One SingleResponse. */
void ocsp_single_of(const struct ocsp_issue *issue, const struct conf_ocsp *conf,
	const struct ocsp_subject *subject, enum ocsp_hash hash, const struct ocsp_times *times,
	struct ocsp_single *ret);
/* Appends the response that holds these. extended: RFC 6960 section 4.4.8. */
MUST_CHECK int ocsp_sign(const struct ocsp_issue *issue, const struct ocsp_single *singles,
	size_t count, int64_t now_us, struct bytes nonce, bool extended, struct buf *out);
/* The one that is kept for a certificate: named by both hashes. */
MUST_CHECK int ocsp_sign_ahead(const struct ocsp_issue *issue, const struct conf_ocsp *conf,
	const struct ocsp_subject *subject, int64_t now_us, struct ocsp_times *ret_times,
	struct buf *out);
