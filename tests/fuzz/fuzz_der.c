/* fuzz_der.c — der_read: DER has one encoding, so what was read and written again is the same
 * bytes. */
#include <assert.h>

#include "lib/pki/der.h"
#include "lib/pki/pubkey.h"
#include "tests/fuzz/fuzz.h"

#define DEPTH_MAX 32

static void walk(struct bytes in, int depth)
{
	while (in.len > 0) {
		CLEANUP_BUF struct buf again = {0};
		struct bytes before = in, content, whole, same;
		uint8_t tag;

		if (der_read(&in, &tag, &content, &whole) != OK) {
			assert(in.ptr == before.ptr && in.len == before.len);
			return;
		}
		assert(der_peek(before) == tag && whole.ptr == before.ptr &&
			whole.len + in.len == before.len);
		assert(der_expect(&before, tag, &same) == OK && bytes_equal(same, content));
		der_put(&again, tag, content);
		assert(bytes_equal(buf_bytes(&again), whole));
		if (depth < DEPTH_MAX)
			walk(content, depth + 1);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	CLEANUP_BUF struct buf again = {0};
	struct pubkey key;

	walk(bytes_of(data, size), 0);
	if (pubkey_from_spki(bytes_of(data, size), &key) == OK) {
		pubkey_put_spki(&key, &again);
		assert(bytes_equal(buf_bytes(&again), bytes_of(data, size)));
	}
	return 0;
}
