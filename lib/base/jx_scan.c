/* jx_scan.c — what each text passes before json-c sees it: grammar, UTF-8, depth, ranges. */
#include "lib/base/jx_scan.h"

#include "lib/base/utf8.h"

struct scan {
	struct bytes rest;
	size_t members;
	int depth;
};

static int scan_value(struct scan *s);

/* The next byte, or -1 at the end. */
static int peek(const struct scan *s)
{
	return s->rest.len > 0 ? s->rest.ptr[0] : -1;
}

static void advance(struct scan *s, size_t len)
{
	s->rest = bytes_of(s->rest.ptr + len, s->rest.len - len);
}

static bool accept_byte(struct scan *s, char want)
{
	if (peek(s) != want)
		return false;
	advance(s, 1);
	return true;
}

static void skip_space(struct scan *s)
{
	while (peek(s) == ' ' || peek(s) == '\t' || peek(s) == '\n' || peek(s) == '\r')
		advance(s, 1);
}

static bool is_digit(int c)
{
	return c >= '0' && c <= '9';
}

/* The four hexadecimal digits of \uXXXX. */
static int scan_hex4(struct scan *s, uint32_t *ret)
{
	uint32_t unit = 0;

	for (int i = 0; i < 4; i++) {
		int c = peek(s);

		if (is_digit(c))
			unit = unit << 4 | (uint32_t)(c - '0');
		else if ((c | 0x20) >= 'a' && (c | 0x20) <= 'f')
			unit = unit << 4 | (uint32_t)((c | 0x20) - 'a' + 10);
		else
			return ERR_SYNTAX;
		advance(s, 1);
	}
	*ret = unit;
	return OK;
}

/* What follows a backslash. RFC 7493 section 2.1: a surrogate that stands alone is no character. */
static int scan_escape(struct scan *s, bool *nul)
{
	uint32_t unit, low;
	int err;

	if (peek(s) >= 0 && peek(s) != 0 && strchr("\"\\/bfnrt", peek(s)) != NULL) {
		advance(s, 1);
		return OK;
	}
	if (!accept_byte(s, 'u'))
		return ERR_SYNTAX;
	err = scan_hex4(s, &unit);
	if (err != OK)
		return err;
	if (unit == 0)
		*nul = true;
	if (unit < 0xd800 || unit > 0xdfff)
		return OK;
	if (unit > 0xdbff || !accept_byte(s, '\\') || !accept_byte(s, 'u'))
		return ERR_SYNTAX;
	err = scan_hex4(s, &low);
	if (err != OK)
		return err;
	return low >= 0xdc00 && low <= 0xdfff ? OK : ERR_SYNTAX;
}

/* A string; *nul tells whether it holds U+0000. */
static int scan_string(struct scan *s, bool *nul)
{
	*nul = false;
	if (!accept_byte(s, '"'))
		return ERR_SYNTAX;
	while (!accept_byte(s, '"')) {
		size_t len = utf8_char_len(s->rest);

		/* RFC 8259 section 7: control characters are escaped; section 8.1: UTF-8 only. */
		if (len == 0 || peek(s) < 0x20)
			return ERR_SYNTAX;
		if (!accept_byte(s, '\\')) {
			advance(s, len);
			continue;
		}
		int err = scan_escape(s, nul);

		if (err != OK)
			return err;
	}
	return OK;
}

static int scan_digits(struct scan *s)
{
	if (!is_digit(peek(s)))
		return ERR_SYNTAX;
	while (is_digit(peek(s)))
		advance(s, 1);
	return OK;
}

/* json-c clamps integers that it cannot hold: such a text would be read as another number. */
static int check_integer(struct bytes text)
{
	bool negative = text.ptr[0] == '-';
	int64_t value = 0;

	for (size_t i = negative ? 1 : 0; i < text.len; i++) {
		int digit = text.ptr[i] - '0';

		if (__builtin_mul_overflow(value, 10, &value) ||
			__builtin_add_overflow(value, negative ? -digit : digit, &value))
			return ERR_LIMIT;
	}
	return OK;
}

/* RFC 8259 section 6. */
static int scan_number(struct scan *s)
{
	const uint8_t *start = s->rest.ptr;
	bool integer = true;

	(void)accept_byte(s, '-');
	if (!accept_byte(s, '0') && scan_digits(s) != OK)
		return ERR_SYNTAX;
	if (accept_byte(s, '.')) {
		integer = false;
		if (scan_digits(s) != OK)
			return ERR_SYNTAX;
	}
	if (accept_byte(s, 'e') || accept_byte(s, 'E')) {
		integer = false;
		if (!accept_byte(s, '+'))
			(void)accept_byte(s, '-');
		if (scan_digits(s) != OK)
			return ERR_SYNTAX;
	}
	return integer ? check_integer(bytes_of(start, (size_t)(s->rest.ptr - start))) : OK;
}

static int scan_word(struct scan *s, const char *word)
{
	size_t len = strlen(word);

	if (s->rest.len < len || memcmp(s->rest.ptr, word, len) != 0)
		return ERR_SYNTAX;
	advance(s, len);
	return OK;
}

static int scan_member(struct scan *s)
{
	bool nul;
	int err;

	skip_space(s);
	err = scan_string(s, &nul);
	if (err != OK)
		return err;
	/* json-c cuts names at a NUL: {"a\u0000b":…} would become "a". */
	if (nul)
		return ERR_SYNTAX;
	s->members++;
	skip_space(s);
	return accept_byte(s, ':') ? scan_value(s) : ERR_SYNTAX;
}

/* Members or elements and the closing bracket; the opening one was read. */
static int scan_container(struct scan *s, char closing)
{
	int err;

	if (++s->depth > JX_DEPTH_MAX)
		return ERR_LIMIT;
	skip_space(s);
	if (!accept_byte(s, closing)) {
		do {
			err = closing == '}' ? scan_member(s) : scan_value(s);
			if (err != OK)
				return err;
		} while (accept_byte(s, ','));
		if (!accept_byte(s, closing))
			return ERR_SYNTAX;
	}
	s->depth--;
	return OK;
}

static int scan_bare_value(struct scan *s)
{
	bool nul;

	switch (peek(s)) {
	case '{':
		advance(s, 1);
		return scan_container(s, '}');
	case '[':
		advance(s, 1);
		return scan_container(s, ']');
	case '"':
		return scan_string(s, &nul);
	case 't':
		return scan_word(s, "true");
	case 'f':
		return scan_word(s, "false");
	case 'n':
		return scan_word(s, "null");
	default:
		return scan_number(s);
	}
}

/* A value with the white space around it. */
static int scan_value(struct scan *s)
{
	int err;

	skip_space(s);
	err = scan_bare_value(s);
	if (err == OK)
		skip_space(s);
	return err;
}

int jx_scan(struct bytes text, size_t *ret_members)
{
	struct scan s = {.rest = text};
	int err = scan_value(&s);

	if (err != OK)
		return err;
	if (s.rest.len != 0)
		return ERR_SYNTAX;
	*ret_members = s.members;
	return OK;
}
