/* alpncert.h — is this the certificate of a tls-alpn-01 answer (RFC 8737 section 3)? Own DER walk
 * over hostile bytes; OpenSSL is asked only whether the certificate is signed by its own key. */
#pragma once

#include "lib/base/problem.h"

/* digest: SHA-256 of the key authorization. OK, or ERR_PROBLEM (incorrectResponse) with what is
 * missing: X.509 v3, no extension twice, exactly one subjectAltName entry that is the dNSName, a
 * critical acmeIdentifier holding exactly the digest, issuer = subject, self-signed. */
MUST_CHECK int alpncert_check(struct bytes der, const char *name, const uint8_t digest[32],
	struct problem *pb);
