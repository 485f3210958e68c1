/* jws.h — flattened JSON JWS, strictly (RFC 7515, RFC 8555 section 6.2): exactly protected, payload
 * and signature; no unprotected header, no signatures array, no crit, no b64. Knows no ACME beyond
 * that; lib/acme/envelope checks url and nonce. */
#pragma once

#include "lib/pki/jwk.h"

#define JWS_SIGNATURE_MAX_BYTES 512

struct jws {
	struct jx *body; /* owns the three strings; NULL after jws_parse_object */
	struct bytes signing_input_protected; /* base64url text as sent */
	struct bytes signing_input_payload;
	struct jx *header;  /* parsed protected header */
	struct buf payload; /* decoded; len 0 = POST-as-GET */
	uint8_t signature[520];
	size_t signature_len;
	enum jws_alg alg; /* JWS_NONE when "alg" is none, missing or unknown */
	char *alg_text;   /* as sent, for messages; never NULL */
};

/* ERR_PROBLEM: malformed. An unknown alg is not an error here: see jws_check_alg. */
MUST_CHECK int jws_parse(struct bytes body, struct problem *pb, struct jws **ret);
/* The inner JWS of keyChange and externalAccountBinding: an object already parsed, which must
 * outlive the jws. */
MUST_CHECK int jws_parse_object(const struct jx *object, struct problem *pb, struct jws **ret);
void jws_free(struct jws *jws);
DEFINE_CLEANUP(jws_free, struct jws *)
/* badSignatureAlgorithm unless alg is one of ours for accounts (RS256 ES256 ES384 ES512 EdDSA). */
MUST_CHECK int jws_check_alg(const struct jws *jws, struct problem *pb);
/* alg fits the key (badSignatureAlgorithm) and the signature verifies (malformed otherwise). ES*:
 * exactly 64, 96 or 132 bytes. */
MUST_CHECK int jws_verify(const struct jws *jws, const struct jwk *key, struct problem *pb);
const char *jws_alg_name(enum jws_alg alg);
