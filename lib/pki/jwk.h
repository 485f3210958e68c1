/* jwk.h — public keys as JSON Web Keys (RFC 7517, 7518 section 6, 8037), for account keys and
 * thumbprints (RFC 7638).
 *
 * Accepted: EC P-256, P-384, P-521; RSA by keypolicy; OKP Ed25519. Private members, wrong lengths,
 * points off the curve and an "alg" member that does not fit are refused. Keys are built by
 * pubkey_make, never by d2i. */
#pragma once

#include "lib/base/jx.h"
#include "lib/base/problem.h"
#include "lib/pki/ossl.h"

enum jws_alg {
	JWS_NONE = 0,
	JWS_RS256,
	JWS_ES256,
	JWS_ES384,
	JWS_ES512,
	JWS_EDDSA,
	JWS_HS256,
	JWS_HS384,
	JWS_HS512
};

#define JWK_THUMBPRINT_LEN 32

struct jwk { /* immutable once made; shared by reference count */
	int refs;
	EVP_PKEY *key;
	enum jws_alg alg; /* the only signature algorithm this key may be used with */
	uint8_t thumbprint[JWK_THUMBPRINT_LEN];
	uint8_t spki_sha256[32];
	char *canonical; /* RFC 7638 JSON: required members only, ordered */
};

/* From a jwk object of a client. ERR_PROBLEM: badPublicKey. Runs keypolicy_check for accounts. */
MUST_CHECK int jwk_parse(const struct jx *object, struct problem *pb, struct jwk **ret);
/* From canonical JSON that we stored: no policy, no problem; ERR_SYNTAX when it is broken. */
MUST_CHECK int jwk_load(struct bytes canonical, struct jwk **ret);
struct jwk *jwk_ref(struct jwk *jwk); /* thread safe */
void jwk_free(struct jwk *jwk);       /* drops one reference */
DEFINE_CLEANUP(jwk_free, struct jwk *)
/* RFC 7638 thumbprint of any public key we accept (of a CSR, say). ERR_CRYPTO for other kinds. */
MUST_CHECK int jwk_thumbprint_of(EVP_PKEY *key, uint8_t out[JWK_THUMBPRINT_LEN]);
