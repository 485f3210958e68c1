/* ident.c — UUIDv7 (RFC 9562 section 5.7) and its 22 characters. */
#include "lib/base/ident.h"

#include "lib/base/b64url.h"
#include "lib/base/clock.h"
#include "lib/base/rnd.h"

struct ident ident_new(void)
{
	uint64_t ms = (uint64_t)(clock_wall_us() / 1000);
	struct ident id;

	rnd_bytes(id.b, sizeof(id.b));
	for (int i = 0; i < 6; i++)
		id.b[i] = (uint8_t)(ms >> (40 - 8 * i));
	id.b[6] = (uint8_t)(0x70 | (id.b[6] & 0x0f)); /* RFC 9562 section 4.2: version */
	id.b[8] = (uint8_t)(0x80 | (id.b[8] & 0x3f)); /* section 4.1: variant */
	return id;
}

void ident_format(const struct ident *id, char out[IDENT_TEXT_LEN + 1])
{
	b64url_format(bytes_of(id->b, sizeof(id->b)), out);
}

int ident_parse(struct bytes text, struct ident *ret)
{
	uint8_t bytes[sizeof(ret->b)];
	size_t len;
	int err;

	if (text.len != IDENT_TEXT_LEN)
		return ERR_SYNTAX;
	err = b64url_parse(text, bytes, &len);
	if (err == OK)
		memcpy(ret->b, bytes, sizeof(ret->b));
	return err;
}

int ident_compare(const void *a, const void *b)
{
	const struct ident *x = a, *y = b;

	return memcmp(x->b, y->b, sizeof(x->b));
}
