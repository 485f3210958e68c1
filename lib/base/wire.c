/* wire.c — see wire.h. */
#include "lib/base/wire.h"

#include <assert.h>

static void put(struct buf *out, uint64_t value, size_t len)
{
	for (size_t i = len; i > 0; i--)
		buf_add_byte(out, (uint8_t)(value >> (8 * (i - 1))));
}

void wire_put_u8(struct buf *out, uint8_t value)
{
	buf_add_byte(out, value);
}

void wire_put_u16(struct buf *out, uint16_t value)
{
	put(out, value, 2);
}

void wire_put_u32(struct buf *out, uint32_t value)
{
	put(out, value, 4);
}

void wire_put_u64(struct buf *out, uint64_t value)
{
	put(out, value, 8);
}

void wire_put_i64(struct buf *out, int64_t value)
{
	put(out, (uint64_t)value, 8);
}

void wire_put_run(struct buf *out, struct bytes run)
{
	assert(run.len <= UINT32_MAX);
	wire_put_u32(out, (uint32_t)run.len);
	buf_add(out, run.ptr, run.len);
}

struct wire wire_of(struct bytes in)
{
	return (struct wire){.rest = in};
}

struct bytes wire_bytes(struct wire *w, size_t len)
{
	struct bytes taken = {0};

	if (w->failed || len > w->rest.len) {
		w->failed = true;
		return taken;
	}
	taken = bytes_of(w->rest.ptr, len);
	w->rest = bytes_of(w->rest.ptr + len, w->rest.len - len);
	return taken;
}

static uint64_t get(struct wire *w, size_t len)
{
	struct bytes in = wire_bytes(w, len);
	uint64_t value = 0;

	for (size_t i = 0; i < in.len; i++)
		value = value << 8 | in.ptr[i];
	return value;
}

uint8_t wire_u8(struct wire *w)
{
	return (uint8_t)get(w, 1);
}

uint16_t wire_u16(struct wire *w)
{
	return (uint16_t)get(w, 2);
}

uint32_t wire_u32(struct wire *w)
{
	return (uint32_t)get(w, 4);
}

uint64_t wire_u64(struct wire *w)
{
	return get(w, 8);
}

int64_t wire_i64(struct wire *w)
{
	return (int64_t)get(w, 8);
}

struct bytes wire_run(struct wire *w)
{
	return wire_bytes(w, wire_u32(w));
}

bool wire_is_whole(const struct wire *w)
{
	return !w->failed && w->rest.len == 0;
}
