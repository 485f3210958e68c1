/* wire.h — numbers and runs of bytes in network order: what assay's own binary formats are made of.
 *
 * Writing appends to a buffer and never fails. Reading goes through a cursor whose failure sticks:
 * a reader takes all its fields, and asks once at the end whether they were all there. */
#pragma once

#include "lib/base/buf.h"

void wire_put_u8(struct buf *out, uint8_t value);
void wire_put_u16(struct buf *out, uint16_t value);
void wire_put_u32(struct buf *out, uint32_t value);
void wire_put_u64(struct buf *out, uint64_t value);
void wire_put_i64(struct buf *out, int64_t value); /* two's complement */
/* A length of 32 bits, then the bytes. */
void wire_put_run(struct buf *out, struct bytes run);

struct wire {
	struct bytes rest; /* not read yet */
	bool failed;
};

struct wire wire_of(struct bytes in);
/* 0, or nothing, when there is not enough. */
uint8_t wire_u8(struct wire *w);
uint16_t wire_u16(struct wire *w);
uint32_t wire_u32(struct wire *w);
uint64_t wire_u64(struct wire *w);
int64_t wire_i64(struct wire *w);
struct bytes wire_bytes(struct wire *w, size_t len); /* borrowed */
struct bytes wire_run(struct wire *w);
/* Everything was there, and nothing is left over. */
bool wire_is_whole(const struct wire *w);
