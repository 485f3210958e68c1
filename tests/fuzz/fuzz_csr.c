/* fuzz_csr.c — csr_parse: names of an accepted request are sorted, unique and plain; OpenSSL
 * accepts what we accept. */
#include <assert.h>

#include "lib/pki/csr.h"
#include "tests/fuzz/fuzz.h"

#define NAMES_MAX 10

static void check_names(const struct csr *csr)
{
	static const char allowed[] = "abcdefghijklmnopqrstuvwxyz0123456789-._*";

	assert(csr->nnames >= 1 && csr->nnames <= NAMES_MAX);
	for (size_t i = 0; i < csr->nnames; i++) {
		size_t len = strlen(csr->names[i]);

		assert(len > 0 && strspn(csr->names[i], allowed) == len);
		assert(i == 0 || strcmp(csr->names[i - 1], csr->names[i]) < 0);
	}
}

static void check_openssl(struct bytes der, const struct csr *csr)
{
	const uint8_t *end = der.ptr;
	CLEANUP(X509_REQ_free) X509_REQ *req = d2i_X509_REQ(NULL, &end, (long)der.len);

	assert(req != NULL && end == der.ptr + der.len);
	assert(X509_REQ_verify(req, csr->key) == 1);
	assert(EVP_PKEY_eq(X509_REQ_get0_pubkey(req), csr->key) == 1);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	CLEANUP_PROBLEM struct problem pb = {0};
	CLEANUP(csr_free) struct csr *csr = NULL;
	int err = csr_parse(bytes_of(data, size), NAMES_MAX, &pb, &csr);

	if (err != OK) {
		assert(err == ERR_PROBLEM && pb.type == PROBLEM_BAD_CSR && csr == NULL);
		return 0;
	}
	assert(csr->spki.ptr >= csr->der.ptr &&
		csr->spki.ptr + csr->spki.len <= csr->der.ptr + csr->der.len);
	check_names(csr);
	check_openssl(bytes_of(data, size), csr);
	return 0;
}
