/* alpn_cert.h — certificates for tests of tls-alpn-01: a right one, or one that is wrong in a
 * chosen way. Keys are made at test time. */
#pragma once

#include <openssl/x509.h>

#include "lib/base/buf.h"

enum alpn_flaw {
	ALPN_RIGHT,
	ALPN_TWO_NAMES,
	ALPN_ADDRESS_BESIDE_NAME,
	ALPN_ADDRESS_ALONE,
	ALPN_NO_NAMES,
	ALPN_EMPTY_NAMES,
	ALPN_NOT_CRITICAL,
	ALPN_DRAFT_OID,
	ALPN_NO_IDENTIFIER,
	ALPN_SHORT_DIGEST,
	ALPN_LONG_DIGEST,
	ALPN_BARE_DIGEST,    /* without the inner OCTET STRING */
	ALPN_TRAILING_BYTES, /* behind the inner OCTET STRING */
	ALPN_IDENTIFIER_TWICE,
	ALPN_NAMES_TWICE,
	ALPN_OTHER_ISSUER,
	ALPN_OTHER_SIGNER,
	ALPN_VERSION_1,
	ALPN_FLAWS
};

/* A certificate for name and the SHA-256 digest of a key authorization. *ret_key may be NULL. */
X509 *alpn_cert_make(const char *name, const uint8_t digest[32], enum alpn_flaw flaw,
	EVP_PKEY **ret_key);
void alpn_cert_der(X509 *cert, struct buf *out);
