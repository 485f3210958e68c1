/* fuzz_ocsp_response.c — what anybody in Redis may say is an OCSP response. */
#include <assert.h>

#include "lib/pki/ocsp_peek.h"
#include "tests/fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct bytes der = bytes_of(data, size);
	struct ocsp_peek peek = {.this_update_us = 77};

	if (ocsp_peek(der, &peek) != OK) {
		assert(peek.this_update_us == 77);
		return 0;
	}
	assert(size >= 5 && data[0] == 0x30);
	assert((peek.status == 0) == (peek.this_update_us != INT64_MIN));
	if (peek.status != 0)
		assert(bytes_equal(der, ocsp_response_refusal((enum ocsp_refusal)peek.status)));
	return 0;
}
