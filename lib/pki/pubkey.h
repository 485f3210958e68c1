/* pubkey.h — a public key as plain numbers: what a JWK, a SubjectPublicKeyInfo and an EVP_PKEY have
 * in common.
 *
 * It is read from raw bytes first, with sizes and curves fixed before OpenSSL sees it (no explicit
 * curve parameters, no oversized RSA), and only then made into an EVP_PKEY by OpenSSL, which
 * refuses points off the curve. */
#pragma once

#include "lib/base/buf.h"
#include "lib/pki/ossl.h"

#define PUBKEY_RSA_MAX_BITS 4096

enum pubkey_kind { PUBKEY_RSA, PUBKEY_P256, PUBKEY_P384, PUBKEY_P521, PUBKEY_ED25519 };

struct pubkey {
	enum pubkey_kind kind;
	uint64_t e; /* RSA: the public exponent */
	size_t len;
	uint8_t octets[PUBKEY_RSA_MAX_BITS /
		8]; /* RSA: modulus, big endian; EC: 04 || x || y; Ed25519: 32 bytes */
};

/* Octets of one coordinate; 0 for RSA. */
size_t pubkey_coordinate_len(enum pubkey_kind kind);
/* Sets the modulus: non-zero, without leading zero octets. ERR_LIMIT above PUBKEY_RSA_MAX_BITS. */
MUST_CHECK int pubkey_set_rsa(struct pubkey *key, struct bytes n, struct bytes e);
/* Exactly one DER SubjectPublicKeyInfo with the AlgorithmIdentifier octets of BR 7.1.3.1 (RFC 8410
 * for Ed25519): named curves by whitelist, uncompressed points. ERR_SYNTAX; ERR_LIMIT (RSA). */
MUST_CHECK int pubkey_from_spki(struct bytes spki, struct pubkey *ret);
/* ERR_CRYPTO for kinds we do not know. */
MUST_CHECK int pubkey_from_evp(const EVP_PKEY *key, struct pubkey *ret);
/* ERR_CRYPTO when a coordinate is out of range or the point is not on its curve. Thread safe. */
MUST_CHECK int pubkey_make(const struct pubkey *key, EVP_PKEY **ret);
/* Appends the DER SubjectPublicKeyInfo. */
void pubkey_put_spki(const struct pubkey *key, struct buf *out);
/* Appends the canonical JSON of RFC 7638 section 3. */
void pubkey_put_jwk(const struct pubkey *key, struct buf *out);
