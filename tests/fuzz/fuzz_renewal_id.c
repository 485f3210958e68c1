/* fuzz_renewal_id.c — certificate ids (RFC 9773): what is accepted is the one spelling of what was
 * read, so that an id is as good a key as the certificate. */
#include <assert.h>

#include "lib/acme/renewal_rules.h"
#include "lib/base/b64url.h"
#include "tests/fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct renewal_id id = {.serial_len = SIZE_MAX};
	CLEANUP_BUF struct buf text = {0};

	if (renewal_id_parse(bytes_of(data, size), &id) != OK) {
		assert(id.serial_len == SIZE_MAX);
		return 0;
	}
	assert(id.key_id_len >= 1 && id.key_id_len <= RENEWAL_KEY_ID_MAX_BYTES);
	assert(id.serial_len >= 1 && id.serial_len <= RENEWAL_SERIAL_MAX_BYTES);
	b64url_append(&text, bytes_of(id.key_id, id.key_id_len));
	buf_add_byte(&text, '.');
	b64url_append(&text, bytes_of(id.serial, id.serial_len));
	assert(bytes_equal(buf_bytes(&text), bytes_of(data, size)));
	return 0;
}
