/* crl_write.h — revocation lists (RFC 5280 section 5) of any size in constant memory: entries go to
 * a temporary file as they come; then front and back are put around them, and the whole is hashed,
 * signed and written to another one.
 *
 * Profile: v2, authorityKeyIdentifier, cRLNumber, and a critical issuingDistributionPoint where
 * there is a URL or a scope (BR 7.2). Used by the signer and by assayctl root-crl. */
#pragma once

#include "lib/pki/crl_lint.h"
#include "lib/pki/ossl.h"

struct crl_entry {
	struct bytes serial; /* contents of the INTEGER */
	int64_t revoked_us;
	int reason; /* as recorded; listed only when BR 7.2.2 allows it */
};

struct crl_form {
	X509 *issuer;
	EVP_PKEY *key;
	const char *url; /* of the issuingDistributionPoint, or NULL */
	int64_t number;
	int64_t this_update_us, next_update_us; /* whole seconds */
};

struct crl_made {
	int fd; /* the list, from its beginning; nobody else knows the file */
	uint64_t size, entries;
	uint8_t sha256[32];
};

struct crl_writer;
/* ERR_INTERNAL (errno): no temporary file in TMPDIR or /tmp. */
MUST_CHECK int crl_writer_new(enum crl_scope scope, struct crl_writer **ret);
void crl_writer_free(struct crl_writer *w);
DEFINE_CLEANUP(crl_writer_free, struct crl_writer *)
/* In order of serial, each once. ERR_INTERNAL (errno): the disk is full. */
MUST_CHECK int crl_writer_add(struct crl_writer *w, const struct crl_entry *entry);
/* Signs, and verifies the signature. ERR_CRYPTO; ERR_LIMIT: longer than 4 GiB; ERR_INTERNAL
 * (errno). End with crl_made_done. */
MUST_CHECK int crl_writer_finish(struct crl_writer *w, const struct crl_form *form,
	struct crl_made *ret);
void crl_made_done(struct crl_made *made);
