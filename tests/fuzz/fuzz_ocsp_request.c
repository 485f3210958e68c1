/* fuzz_ocsp_request.c — OCSP requests from anybody, as a POST's body and as a GET's path. What we
 * read, OpenSSL must read as the same; the requestor's name and a signature we pass over. */
#include <assert.h>
#include <openssl/ocsp.h>

#include "lib/pki/der.h"
#include "lib/pki/ocsp_request.h"
#include "tests/fuzz/fuzz.h"

/* A requestor's name or a signature is there. */
static bool has_unread_parts(struct bytes der)
{
	struct bytes outer, tbs;

	assert(der_expect(&der, DER_SEQUENCE, &outer) == OK &&
		der_expect(&outer, DER_SEQUENCE, &tbs) == OK);
	if (der_peek(tbs) == 0xa0)
		assert(der_read(&tbs, NULL, NULL, NULL) == OK);
	return outer.len > 0 || der_peek(tbs) == 0xa1;
}

static void check_same(struct bytes der, const struct ocsp_request *ours)
{
	const unsigned char *at = der.ptr;
	OCSP_REQUEST *theirs = d2i_OCSP_REQUEST(NULL, &at, (long)der.len);

	if (theirs == NULL) {
		assert(has_unread_parts(der));
		return;
	}
	assert(at == der.ptr + der.len);
	assert(ours->count > 0 && ours->count <= OCSP_REQUEST_CERTS_MAX);
	assert(OCSP_request_onereq_count(theirs) == (int)ours->count);
	for (size_t i = 0; i < ours->count; i++) {
		ASN1_OCTET_STRING *name;
		ASN1_INTEGER *serial;

		OCSP_id_get0_info(&name, NULL, NULL, &serial,
			OCSP_onereq_get0_id(OCSP_request_onereq_get0(theirs, (int)i)));
		assert(bytes_equal(ours->certs[i].name_hash,
			bytes_of(ASN1_STRING_get0_data(name), (size_t)ASN1_STRING_length(name))));
		assert(ours->certs[i].serial.len >= 1 &&
			ours->certs[i].serial.len <= OCSP_SERIAL_MAX_BYTES);
		assert((size_t)ASN1_STRING_length(serial) <= ours->certs[i].serial.len);
	}
	OCSP_REQUEST_free(theirs);
}

static void check_request(struct bytes der)
{
	struct ocsp_request request = {.count = 77};
	int err = ocsp_request_parse(der, &request);

	if (err == OK)
		check_same(der, &request);
	else
		assert((err == ERR_SYNTAX || err == ERR_LIMIT) && request.count == 77);
	assert(err != OK || request.nonce.ptr == NULL ||
		(request.nonce.len >= 1 && request.nonce.len <= OCSP_NONCE_MAX_BYTES));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t der[OCSP_GET_MAX_BYTES];
	size_t len = 0;

	check_request(bytes_of(data, size));
	if (ocsp_request_from_path(bytes_of(data, size), der, &len) == OK) {
		assert(len > 0 && len <= sizeof(der) && len <= size);
		check_request(bytes_of(der, len));
	}
	return 0;
}
