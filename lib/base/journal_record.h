/* journal_record.h — the records of a journal file, byte for byte; assay-journal(5) describes them.
 *
 * A file begins with JOURNAL_MAGIC and 16 bytes of id. Then records: mark, type, three zero bytes,
 * length of the payload, payload, checksum. The checksum covers the file's id and the record's own
 * offset as well: what an older file left on the disk, and what somebody put into a certificate to
 * look like a record, is never taken for one. */
#pragma once

#include "lib/base/ident.h"
#include "lib/base/wire.h"

#define JOURNAL_MAGIC "ASSAYJ1\n"
#define JOURNAL_MAGIC_BYTES 8
#define JOURNAL_START_BYTES (JOURNAL_MAGIC_BYTES + 16) /* where the first record stands */
#define JOURNAL_MARK_BYTES 4
#define JOURNAL_HEADER_BYTES 12
#define JOURNAL_CHECKSUM_BYTES 16
#define JOURNAL_PAYLOAD_MAX_BYTES (1 << 20)

extern const uint8_t journal_mark[JOURNAL_MARK_BYTES];

/* Types 1 to 15 are the file's own affairs; the others belong to who writes the journal. */
enum {
	JOURNAL_TYPE_HEAD = 1, /* the first record of a file: struct journal_head */
	JOURNAL_TYPE_PROBE =
		2, /* means nothing: it was written to see whether there is room again */
	JOURNAL_TYPE_FIRST = 16,
};

struct journal_head {
	struct ident file;
	int64_t created_us;
	uint32_t pid;
	struct bytes program, host;
};

/* What a payload takes in the file. */
size_t journal_record_size(size_t payload_len);
/* Appends the record that stands at offset of the file. */
void journal_record_append(struct buf *out, const struct ident *file, uint64_t offset, uint8_t type,
	struct bytes payload);
/* The header's 12 bytes: ERR_SYNTAX when this is none. */
MUST_CHECK int journal_record_header(struct bytes in, uint8_t *ret_type, size_t *ret_payload_len);
/* True when the whole record, as its header measures it, is the one of this place in this file. */
bool journal_record_is_good(struct bytes record, const struct ident *file, uint64_t offset);

void journal_head_append(struct buf *out, const struct journal_head *head);
/* Everything but the file's id, which stands before the first record. ERR_SYNTAX. */
MUST_CHECK int journal_head_parse(struct bytes payload, struct journal_head *ret);
