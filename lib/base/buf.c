/* buf.c — the growing byte buffer. Memory doubles, so appending n bytes one by one costs O(n);
 * one byte behind len is always there and zero. */
#include "lib/base/buf.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>

#define BUF_MIN_BYTES 64

void buf_done(struct buf *buf)
{
	free(buf->ptr);
	*buf = (struct buf){0};
}

void buf_reset(struct buf *buf)
{
	buf->len = 0;
	if (buf->ptr != NULL)
		buf->ptr[0] = '\0';
}

void buf_reserve(struct buf *buf, size_t more)
{
	size_t need, cap;

	/* Sizes are bounded before they get here: a quarter of the address space is a bug. */
	assert(more < SIZE_MAX / 4 && buf->len < SIZE_MAX / 4);
	need = buf->len + more + 1;
	if (need <= buf->cap)
		return;
	cap = buf->cap * 2 > BUF_MIN_BYTES ? buf->cap * 2 : BUF_MIN_BYTES;
	if (cap < need)
		cap = need;
	buf->ptr = xrealloc(buf->ptr, cap);
	buf->cap = cap;
	buf->ptr[buf->len] = '\0';
}

void buf_add(struct buf *buf, const void *ptr, size_t len)
{
	buf_reserve(buf, len);
	if (len > 0)
		memcpy(buf->ptr + buf->len, ptr, len);
	buf->len += len;
	buf->ptr[buf->len] = '\0';
}

void buf_add_str(struct buf *buf, const char *text)
{
	buf_add(buf, text, strlen(text));
}

void buf_add_byte(struct buf *buf, uint8_t byte)
{
	buf_add(buf, &byte, 1);
}

void buf_addf(struct buf *buf, const char *fmt, ...)
{
	va_list ap;
	size_t room;
	int len;

	buf_reserve(buf, BUF_MIN_BYTES);
	room = buf->cap - buf->len;
	va_start(ap, fmt);
	len = vsnprintf((char *)buf->ptr + buf->len, room, fmt, ap);
	va_end(ap);
	assert(len >= 0);
	if ((size_t)len >= room) {
		buf_reserve(buf, (size_t)len);
		va_start(ap, fmt);
		len = vsnprintf((char *)buf->ptr + buf->len, buf->cap - buf->len, fmt, ap);
		va_end(ap);
		assert(len >= 0);
	}
	buf->len += (size_t)len;
}

struct bytes buf_bytes(const struct buf *buf)
{
	return bytes_of(buf->ptr, buf->len);
}

const char *buf_str(const struct buf *buf)
{
	return buf->ptr != NULL ? (const char *)buf->ptr : "";
}

char *buf_take_str(struct buf *buf)
{
	char *text = buf->ptr != NULL ? (char *)buf->ptr : xstrdup("");

	*buf = (struct buf){0};
	return text;
}
