/* lint_responder.h — the certificate of a delegated OCSP responder judged before it is signed for
 * real: RFC 6960 section 4.2.2.2 and the profile of CA/B BR 7.1.2.8. As in lint.h, one rule is one
 * function; OpenSSL takes the certificate apart, and nothing is shared with the code that builds
 * it. */
#pragma once

#include "lib/base/buf.h"

struct lint_responder {
	struct bytes issuer;   /* the issuing certificate, DER */
	struct bytes spki;     /* the responder's key; P-256 */
	int64_t validity_secs; /* notAfter - notBefore + 1 */
	size_t serial_len;     /* octets of the serialNumber */
};
/* OK when nothing is wrong. Otherwise ERR_SYNTAX, and ret_findings got one line for each broken
 * rule. ERR_INTERNAL when the issuing certificate itself cannot be read. */
MUST_CHECK int lint_responder(struct bytes der, const struct lint_responder *want,
	struct buf *ret_findings);
