/* signer_pki.h — a CA and CSRs, made anew for each test program. No key is ever kept in the
 * repository. */
#pragma once

#include "lib/base/buf.h"
#include "lib/base/conf.h"
#include "lib/pki/ossl.h"
#include "workers/signer/issuer.h"

/* A root and an issuing CA whose key is of the given kind, written to the scratch folder as
 * NAME.pem, NAME-chain.pem, NAME.key, and the configuration that names them. */
struct test_ca {
	EVP_PKEY *root_key;
	X509 *root;
	EVP_PKEY *key;
	X509 *certificate;
	struct conf_issuer conf;
};
void test_ca_make(struct test_ca *ca, const char *name, const char *key_type, int64_t now_us);
void test_ca_done(struct test_ca *ca);

/* A DER PKCS#10 request for dns names, signed by key. */
void test_csr(EVP_PKEY *key, const char *const *names, size_t count, struct buf *out);
