/* buf.h — a growing byte buffer. Always NUL-terminated behind len, so buf.ptr may be used as a C
 * string. Zero-initialise ({0}) or buf_init; end with buf_done. Appending never fails (out of
 * memory ends the process). */
#pragma once

#include "lib/base/bytes.h"
#include "lib/base/err.h"

struct buf {
	uint8_t *ptr; /* NULL while empty */
	size_t len;
	size_t cap;
};

void buf_done(struct buf *buf);
void buf_reset(struct buf *buf); /* len = 0, keeps the memory */
void buf_reserve(struct buf *buf, size_t more);
void buf_add(struct buf *buf, const void *ptr, size_t len);
void buf_add_str(struct buf *buf, const char *text);
void buf_add_byte(struct buf *buf, uint8_t byte);
void buf_addf(struct buf *buf, const char *fmt, ...) PRINTF_LIKE(2, 3);
struct bytes buf_bytes(const struct buf *buf);
/* The text, never NULL. */
const char *buf_str(const struct buf *buf);
/* Hands the memory to the caller (free it) and leaves the buffer empty. */
char *buf_take_str(struct buf *buf);

#define CLEANUP_BUF __attribute__((cleanup(buf_done)))
