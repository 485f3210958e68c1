/* lint.h — a certificate judged before it is signed for real: RFC 5280 and the profile of
 * domain-validated TLS certificates (CA/B BR 7.1.2.7). One rule is one function with one cited
 * section; it reads the DER itself and shares nothing with the code that builds certificates.
 * Called by the signer with the copy that a throw-away key signed. */
#pragma once

#include "lib/base/buf.h"

struct lint_expectation {
	struct bytes issuer;   /* the issuing certificate, DER: its subject, key identifier and key
				  type decide */
	int64_t validity_secs; /* notAfter - notBefore + 1, both ends included */
	size_t serial_len;     /* octets of the serialNumber; 0 = whatever the rules allow */
	const char *const *names; /* the subjectAltName in any order, lower-case */
	size_t nnames;
	bool common_name; /* subject is one commonName out of the names; otherwise it is empty */
	bool client_auth; /* clientAuth behind serverAuth */
	struct bytes
		spki; /* SubjectPublicKeyInfo of the CSR; len 0 = any key that the policy allows */
	const char *ca_issuers_url; /* the only caIssuers location; NULL = none */
	const char *ocsp_url;       /* the only ocsp location; NULL = none */
	const char *crl_url;        /* the only distribution point; NULL = none */
};
/* OK when nothing is wrong. Otherwise ERR_SYNTAX, and ret_findings got one line for each broken
 * rule: "rule: what (section)". ERR_INTERNAL when the issuing certificate itself cannot be read. */
MUST_CHECK int lint_certificate(struct bytes der, const struct lint_expectation *want,
	struct buf *ret_findings);
