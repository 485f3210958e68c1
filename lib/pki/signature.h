/* signature.h — verifying signatures: those of JWS (RFC 7518, RFC 8037) and those of X.509 (RFC
 * 4055, RFC 5758).
 *
 * ES* signatures travel in a JWS as r || s and are turned into the DER that OpenSSL wants by hand;
 * OpenSSL itself refuses r and s outside of [1, n-1] and anything but one DER encoding. */
#pragma once

#include "lib/pki/jwk.h"

/* By the key's own algorithm, over the parts one behind the other. ES*: exactly 64, 96 or 132
 * bytes. ERR_CRYPTO when it does not verify. */
MUST_CHECK int signature_verify_jws(const struct jwk *key, const struct bytes *parts, size_t count,
	struct bytes signature);
/* PKCS#1 v1.5 for RSA keys, ECDSA-Sig-Value for EC keys. ERR_CRYPTO when it does not verify. */
MUST_CHECK int signature_verify_x509(EVP_PKEY *key, bool rsa, const EVP_MD *md, struct bytes input,
	struct bytes signature);
