/* fuzz_journal.c — a journal file of any bytes: the reader goes forward only, ends, never tells of
 * a record that the writer would have written otherwise, and entries that are understood are
 * spelled in one way. */
#include <assert.h>
#include <sys/mman.h>
#include <unistd.h>

#include "lib/base/journal_read.h"
#include "lib/store/entry.h"
#include "tests/fuzz/fuzz.h"

static void ignore(void *arg, struct bytes serial)
{
	assert(serial.len == 18);
	++*(size_t *)arg;
}

/* What is understood is written again as it was. */
static void check_entry(uint8_t type, struct bytes payload)
{
	CLEANUP_BUF struct buf again = {0};
	struct entry_issue issue;
	struct entry_revoke revoke;
	struct entry_block block;
	struct entry_crl crl;
	size_t count = 0;

	if (type == ENTRY_ISSUE && entry_issue_parse(payload, &issue) == OK)
		entry_issue_append(&again, &issue);
	else if (type == ENTRY_REVOKE && entry_revoke_parse(payload, &revoke) == OK)
		entry_revoke_append(&again, &revoke);
	else if (type == ENTRY_BLOCK && entry_block_parse(payload, &block) == OK)
		entry_block_append(&again, &block);
	else if (type == ENTRY_CRL && entry_crl_parse(payload, &crl) == OK)
		entry_crl_append(&again, &crl);
	else if (type == ENTRY_SETTLED && entry_settled_parse(payload, ignore, &count) == OK)
		assert(count * 18 == payload.len);
	assert(again.len == 0 || bytes_equal(buf_bytes(&again), payload));
}

static void read_all(struct journal_reader *r, size_t size)
{
	struct journal_record record;
	uint64_t at = 0;

	for (;;) {
		enum journal_found found = journal_reader_next(r, &record);
		CLEANUP_BUF struct buf again = {0};

		assert(record.offset >= at && record.offset <= size);
		if (found == JOURNAL_END || found == JOURNAL_TORN)
			return;
		assert(found == JOURNAL_RECORD || found == JOURNAL_DAMAGED);
		assert(record.next > record.offset && record.next <= size);
		at = record.next;
		if (found == JOURNAL_DAMAGED)
			continue;
		journal_record_append(&again, &journal_reader_head(r)->file, record.offset,
			record.type, record.payload);
		assert(again.len == record.next - record.offset);
		check_entry(record.type, record.payload);
	}
}

static void read_file(const uint8_t *data, size_t size)
{
	int fd = memfd_create("journal", MFD_CLOEXEC);
	CLEANUP(journal_reader_close) struct journal_reader *r = NULL;

	assert(fd >= 0 && write(fd, data, size) == (ssize_t)size);
	if (journal_reader_adopt(fd, &r) == OK)
		read_all(r, size);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	/* A checksum is hard to hit: payloads are tried without one, too. */
	for (int type = ENTRY_ISSUE; type <= ENTRY_CRL; type++)
		check_entry((uint8_t)type, bytes_of(data, size));
	read_file(data, size);
	return 0;
}
