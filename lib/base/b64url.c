/* b64url.c — strict base64url: every byte string has one spelling (RFC 4648 section 3.5). */
#include "lib/base/b64url.h"

static const char alphabet[64] = {'A', 'B', 'C', 'D', 'E', 'F', 'G', 'H', 'I', 'J', 'K', 'L', 'M',
	'N', 'O', 'P', 'Q', 'R', 'S', 'T', 'U', 'V', 'W', 'X', 'Y', 'Z', 'a', 'b', 'c', 'd', 'e',
	'f', 'g', 'h', 'i', 'j', 'k', 'l', 'm', 'n', 'o', 'p', 'q', 'r', 's', 't', 'u', 'v', 'w',
	'x', 'y', 'z', '0', '1', '2', '3', '4', '5', '6', '7', '8', '9', '-', '_'};

/* 0..63, or -1 for bytes outside of the alphabet. */
static int value_of(uint8_t c)
{
	if (c >= 'A' && c <= 'Z')
		return c - 'A';
	if (c >= 'a' && c <= 'z')
		return c - 'a' + 26;
	if (c >= '0' && c <= '9')
		return c - '0' + 52;
	if (c == '-')
		return 62;
	return c == '_' ? 63 : -1;
}

void b64url_format(struct bytes in, char *out)
{
	uint32_t bits = 0;
	int held = 0;

	for (size_t i = 0; i < in.len; i++) {
		bits = bits << 8 | in.ptr[i];
		held += 8;
		while (held >= 6) {
			held -= 6;
			*out++ = alphabet[bits >> held & 63];
		}
	}
	if (held > 0)
		*out++ = alphabet[bits << (6 - held) & 63];
	*out = '\0';
}

void b64url_append(struct buf *out, struct bytes in)
{
	size_t len = B64URL_LEN(in.len);

	buf_reserve(out, len);
	b64url_format(in, (char *)out->ptr + out->len);
	out->len += len;
}

int b64url_parse(struct bytes text, uint8_t *out, size_t *ret_len)
{
	uint32_t bits = 0;
	int held = 0;
	size_t len = 0;

	if (text.len % 4 == 1)
		return ERR_SYNTAX;
	for (size_t i = 0; i < text.len; i++) {
		int value = value_of(text.ptr[i]);

		if (value < 0)
			return ERR_SYNTAX;
		bits = bits << 6 | (uint32_t)value;
		held += 6;
		if (held >= 8) {
			held -= 8;
			out[len++] = (uint8_t)(bits >> held);
		}
	}
	/* RFC 4648 section 3.5: pad bits must be zero, or two texts would mean the same bytes. */
	if ((bits & ((1U << held) - 1)) != 0)
		return ERR_SYNTAX;
	*ret_len = len;
	return OK;
}

int b64url_parse_buf(struct bytes text, struct buf *out)
{
	size_t len;
	int err;

	buf_reserve(out, text.len);
	err = b64url_parse(text, out->ptr + out->len, &len);
	if (err == OK)
		out->len += len;
	out->ptr[out->len] = '\0';
	return err;
}
