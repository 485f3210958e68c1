/* csr.h — one DER PKCS#10 request (RFC 2986) for ACME (RFC 8555 section 7.4): own DER walk, key out
 * of plain numbers, signature verified, key policy applied, names taken from CN and subjectAltName.
 *
 * Refused with badCSR: trailing bytes, over CSR_MAX_BYTES, other version, duplicate extensions,
 * GeneralNames other than dNSName, basicConstraints CA:TRUE, key usages of a CA, nameConstraints,
 * must-staple, SHA-1 or unknown signature algorithms, a bad self-signature, weak keys, CN that is
 * not among the names, more than names_max names. */
#pragma once

#include "lib/base/problem.h"
#include "lib/pki/jwk.h"

#define CSR_MAX_BYTES 16384

struct csr {
	EVP_PKEY *key;
	struct bytes spki; /* DER SubjectPublicKeyInfo, borrowed from der */
	uint8_t spki_sha256[32];
	uint8_t key_thumbprint[JWK_THUMBPRINT_LEN];
	char *key_type; /* "rsa2048" "rsa3072" "rsa4096" "p256" "p384" "p521" */
	char **names;   /* lower-case, sorted bytewise, without duplicates */
	size_t nnames;
	struct buf der; /* own copy */
};
MUST_CHECK int csr_parse(struct bytes der, size_t names_max, struct problem *pb, struct csr **ret);
void csr_free(struct csr *csr);
DEFINE_CLEANUP(csr_free, struct csr *)
