/* certview.h — what is needed of a certificate that a client sends (revokeCert) or that we read
 * from a file. */
#pragma once

#include "lib/base/buf.h"
#include "lib/pki/ossl.h"

/* Where things stand in the DER; borrowed from it. */
struct certview_outline {
	struct bytes serial;  /* contents of the INTEGER */
	struct bytes subject; /* Name, whole */
	struct bytes spki;    /* SubjectPublicKeyInfo, whole */
};
/* By structure alone, for what anybody may send: nothing is decoded, so no certificate is costly or
 * reaches OpenSSL. ERR_SYNTAX for what cannot be one DER certificate. */
MUST_CHECK int certview_walk(struct bytes der, struct certview_outline *ret);

struct certview {
	X509 *x509;
	struct bytes der;    /* borrowed from what was parsed */
	struct bytes serial; /* contents of the INTEGER, borrowed from der */
};
/* Exactly one DER certificate. ERR_SYNTAX otherwise. */
MUST_CHECK int certview_parse(struct bytes der, struct certview **ret);
void certview_free(struct certview *view);
DEFINE_CLEANUP(certview_free, struct certview *)
/* Appends one PEM block (64 columns, LF). */
void pem_append(struct buf *out, const char *label, struct bytes der);
/* Every CERTIFICATE block of a PEM text, as DER buffers. ERR_SYNTAX when there is none or junk
 * inside. */
MUST_CHECK int pem_certificates(struct bytes pem, struct buf **ret, size_t *ret_count);
