/* fuzz_b64url.c — base64url: each byte string has one spelling, and a text that is accepted is that
 * spelling. */
#include <assert.h>

#include "lib/base/b64url.h"
#include "tests/fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct bytes input = bytes_of(data, size);
	CLEANUP_BUF struct buf text = {0};
	CLEANUP_BUF struct buf back = {0};
	CLEANUP_BUF struct buf bytes = {0};

	b64url_append(&text, input);
	assert(text.len == B64URL_LEN(size));
	assert(b64url_parse_buf(buf_bytes(&text), &back) == OK);
	assert(bytes_equal(buf_bytes(&back), input));

	if (b64url_parse_buf(input, &bytes) != OK) {
		assert(bytes.len == 0);
		return 0;
	}
	buf_reset(&text);
	b64url_append(&text, buf_bytes(&bytes));
	assert(bytes_equal(buf_bytes(&text), input));
	return 0;
}
