/* ocsp_response.h — writes OCSP responses (RFC 6960 section 4.2, in the profile of RFC 9919): what
 * is signed, the whole around its signature, and the answers that say why there is none.
 *
 * Nothing is signed here. A response names its responder by key, carries that responder's
 * certificate, and has any number of certificates of one issuer in it; the same certificate may
 * stand in it twice, named by SHA-1 and by SHA-256, so that one signature serves whoever asks with
 * either (RFC 6960 section 4.2.2.3 allows more than was asked for). */
#pragma once

#include "lib/base/buf.h"
#include "lib/pki/ocsp_id.h"

enum ocsp_cert_status { OCSP_CERT_GOOD, OCSP_CERT_REVOKED, OCSP_CERT_UNKNOWN };

/* Times are wall clock, in whole seconds (RFC 6960 section 4.2.2.1); the rest is cut off. */
struct ocsp_single {
	const struct ocsp_id *issuer;
	struct bytes serial; /* contents of the INTEGER */
	enum ocsp_hash hash; /* names the issuer in the CertID */
	enum ocsp_cert_status status;
	int reason;         /* CRLReason; unspecified (0) and -1 are left out (BR 7.3) */
	int64_t revoked_us; /* of OCSP_CERT_REVOKED */
	int64_t this_update_us, next_update_us;
	int64_t archive_cutoff_us; /* RFC 6960 section 4.4.4; INT64_MIN: left out */
};

struct ocsp_response_data {
	struct bytes responder; /* SHA-1 of the responder's key (ocsp_id.key) */
	int64_t produced_us;
	const struct ocsp_single *singles;
	size_t nsingles;
	struct bytes nonce;   /* RFC 9654: as it was sent; len 0: left out */
	bool extended_revoke; /* RFC 6960 section 4.4.8: "revoked" may mean never issued */
};
/* Appends ResponseData: the bytes to sign. */
void ocsp_response_data(const struct ocsp_response_data *in, struct buf *out);
/* Appends the OCSPResponse around data and its signature. algorithm: AlgorithmIdentifier, whole;
 * certificate: the responder's, DER. */
void ocsp_response_wrap(struct bytes data, struct bytes algorithm, struct bytes signature,
	struct bytes certificate, struct buf *out);

/* RFC 6960 section 2.2: a certificate that was never issued, where the responder says "revoked". */
void ocsp_single_never_issued(struct ocsp_single *single);

/* OCSPResponseStatus (RFC 6960 section 4.2.1) of answers that hold nothing else and are not signed.
 * Static DER. */
enum ocsp_refusal {
	OCSP_MALFORMED_REQUEST = 1,
	OCSP_INTERNAL_ERROR = 2,
	OCSP_TRY_LATER = 3,
	OCSP_UNAUTHORIZED = 6
};
struct bytes ocsp_response_refusal(enum ocsp_refusal status);
