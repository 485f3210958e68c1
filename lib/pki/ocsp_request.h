/* ocsp_request.h — reading an OCSPRequest (RFC 6960 section 4.1) as anybody may send it. Structure
 * alone: nothing is allocated, and nothing reaches OpenSSL.
 *
 * What is read of it: the CertIDs and the nonce. A signature and the requestor's name are walked
 * over: whoever asks is told (section 4.1.2). Extensions that we do not know are passed over unless
 * they are critical (RFC 5280 section 4.2). */
#pragma once

#include "lib/pki/ocsp_id.h"

#define OCSP_REQUEST_MAX_BYTES 4096
#define OCSP_REQUEST_CERTS_MAX 8
#define OCSP_NONCE_MAX_BYTES 128 /* RFC 9654 section 2.1 */
#define OCSP_SERIAL_MAX_BYTES 20 /* RFC 5280 section 4.1.2.2 */
/* RFC 5019 section 5: what is longer is sent by POST. */
#define OCSP_GET_MAX_BYTES 255

struct ocsp_certid { /* everything borrowed from the request */
	enum ocsp_hash hash;
	struct bytes name_hash;
	struct bytes key_hash;
	struct bytes serial; /* contents of the INTEGER, 1 to OCSP_SERIAL_MAX_BYTES */
};

struct ocsp_request {
	size_t count; /* at least 1 */
	struct ocsp_certid certs[OCSP_REQUEST_CERTS_MAX];
	struct bytes nonce; /* 1 to OCSP_NONCE_MAX_BYTES octets; ptr NULL: none */
};

/* Exactly one DER OCSPRequest. ERR_SYNTAX: the answer is malformedRequest. ERR_LIMIT: well formed,
 * but about something that no certificate of ours is (another hash, a longer serial) or about too
 * many at once: the answer is unauthorized. *ret is untouched then. */
MUST_CHECK int ocsp_request_parse(struct bytes der, struct ocsp_request *ret);

/* The request in the path of a GET (RFC 6960 appendix A.1): url-encoded base64. path is what the
 * client sent behind the responder's address, byte for byte; '+', '/' and '=' may stand for
 * themselves or be escaped, the '=' may be missing, and slashes in front are the seam of address
 * and path. ERR_SYNTAX: none of that, or more than OCSP_GET_MAX_BYTES. */
MUST_CHECK int ocsp_request_from_path(struct bytes path, uint8_t out[OCSP_GET_MAX_BYTES],
	size_t *ret_len);
