/* utf8.c — the well-formed sequences of RFC 3629 section 4. */
#include "lib/base/utf8.h"

static bool is_tail(uint8_t c)
{
	return (c & 0xc0) == 0x80;
}

static bool in(uint8_t c, uint8_t first, uint8_t last)
{
	return first <= c && c <= last;
}

static bool is_three(const uint8_t *c)
{
	if (!is_tail(c[1]) || !is_tail(c[2]))
		return false;
	if (c[0] == 0xe0)
		return c[1] >= 0xa0; /* below: overlong */
	if (c[0] == 0xed)
		return c[1] <= 0x9f; /* above: surrogates */
	return in(c[0], 0xe1, 0xef);
}

static bool is_four(const uint8_t *c)
{
	if (!is_tail(c[1]) || !is_tail(c[2]) || !is_tail(c[3]))
		return false;
	if (c[0] == 0xf0)
		return c[1] >= 0x90; /* below: overlong */
	if (c[0] == 0xf4)
		return c[1] <= 0x8f; /* above: U+10FFFF */
	return in(c[0], 0xf1, 0xf3);
}

size_t utf8_char_len(struct bytes text)
{
	const uint8_t *c = text.ptr;

	if (text.len >= 1 && c[0] < 0x80)
		return 1;
	if (text.len >= 2 && in(c[0], 0xc2, 0xdf) && is_tail(c[1]))
		return 2;
	if (text.len >= 3 && is_three(c))
		return 3;
	if (text.len >= 4 && is_four(c))
		return 4;
	return 0;
}

bool utf8_is_valid(struct bytes text)
{
	while (text.len > 0) {
		size_t len = utf8_char_len(text);

		if (len == 0)
			return false;
		text = bytes_of(text.ptr + len, text.len - len);
	}
	return true;
}
