/* bytes.h — a borrowed run of bytes with its length; carries text, too, so that an embedded NUL
 * never truncates. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct bytes {
	const uint8_t *ptr;
	size_t len;
};

static inline struct bytes bytes_of(const void *ptr, size_t len)
{
	return (struct bytes){ptr, len};
}

static inline struct bytes bytes_str(const char *text)
{
	return (struct bytes){(const uint8_t *)text, strlen(text)};
}

static inline bool bytes_equal(struct bytes a, struct bytes b)
{
	return a.len == b.len && (a.len == 0 || memcmp(a.ptr, b.ptr, a.len) == 0);
}

/* True when the text of b is exactly the C string. */
static inline bool bytes_is(struct bytes b, const char *text)
{
	return bytes_equal(b, bytes_str(text));
}
