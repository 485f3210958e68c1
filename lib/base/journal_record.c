/* journal_record.c — see journal_record.h. */
#include "lib/base/journal_record.h"

#include <assert.h>

#include "lib/base/sha256.h"

/* Neither text nor DER begins so. */
const uint8_t journal_mark[JOURNAL_MARK_BYTES] = {0xa5, 'J', 'R', '\n'};

size_t journal_record_size(size_t payload_len)
{
	return JOURNAL_HEADER_BYTES + payload_len + JOURNAL_CHECKSUM_BYTES;
}

static void checksum(const struct ident *file, uint64_t offset, struct bytes header_and_payload,
	uint8_t out[32])
{
	uint8_t place[sizeof(file->b) + 8];

	memcpy(place, file->b, sizeof(file->b));
	for (int i = 0; i < 8; i++)
		place[sizeof(file->b) + i] = (uint8_t)(offset >> (56 - 8 * i));
	sha256_of_two(bytes_of(place, sizeof(place)), header_and_payload, out);
}

void journal_record_append(struct buf *out, const struct ident *file, uint64_t offset, uint8_t type,
	struct bytes payload)
{
	size_t start = out->len;
	uint8_t digest[32];

	assert(payload.len <= JOURNAL_PAYLOAD_MAX_BYTES);
	buf_reserve(out, journal_record_size(payload.len));
	buf_add(out, journal_mark, sizeof(journal_mark));
	wire_put_u32(out, (uint32_t)type << 24);
	wire_put_run(out, payload);
	checksum(file, offset, bytes_of(out->ptr + start, out->len - start), digest);
	buf_add(out, digest, JOURNAL_CHECKSUM_BYTES);
}

int journal_record_header(struct bytes in, uint8_t *ret_type, size_t *ret_payload_len)
{
	struct wire w = wire_of(in);
	struct bytes mark = wire_bytes(&w, sizeof(journal_mark));
	uint32_t type = wire_u32(&w), len = wire_u32(&w);

	if (!wire_is_whole(&w) || memcmp(mark.ptr, journal_mark, sizeof(journal_mark)) != 0 ||
		(type & 0xffffff) != 0 || len > JOURNAL_PAYLOAD_MAX_BYTES)
		return ERR_SYNTAX;
	*ret_type = (uint8_t)(type >> 24);
	*ret_payload_len = len;
	return OK;
}

bool journal_record_is_good(struct bytes record, const struct ident *file, uint64_t offset)
{
	uint8_t digest[32];
	size_t covered = record.len - JOURNAL_CHECKSUM_BYTES;

	assert(record.len >= journal_record_size(0));
	checksum(file, offset, bytes_of(record.ptr, covered), digest);
	return memcmp(digest, record.ptr + covered, JOURNAL_CHECKSUM_BYTES) == 0;
}

void journal_head_append(struct buf *out, const struct journal_head *head)
{
	wire_put_i64(out, head->created_us);
	wire_put_u32(out, head->pid);
	wire_put_run(out, head->program);
	wire_put_run(out, head->host);
}

int journal_head_parse(struct bytes payload, struct journal_head *ret)
{
	struct wire w = wire_of(payload);
	struct journal_head head = *ret;

	head.created_us = wire_i64(&w);
	head.pid = wire_u32(&w);
	head.program = wire_run(&w);
	head.host = wire_run(&w);
	if (!wire_is_whole(&w))
		return ERR_SYNTAX;
	*ret = head;
	return OK;
}
