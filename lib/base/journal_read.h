/* journal_read.h — reads a journal file from anywhere in constant memory, and says where it is not
 * what was written.
 *
 * A file may end in the middle of a record: that is what a power cut, a full disk or a writer at
 * work leaves, and nothing of it was ever acknowledged (TORN). When good records follow what cannot
 * be read, something damaged the file (DAMAGED): reading goes on behind it. */
#pragma once

#include "lib/base/journal_record.h"

struct journal_reader;

enum journal_found {
	JOURNAL_RECORD,
	JOURNAL_END,        /* behind a whole record */
	JOURNAL_TORN,       /* from record->offset on there is no whole record */
	JOURNAL_DAMAGED,    /* from record->offset to record->next nothing can be read */
	JOURNAL_UNREADABLE, /* the disk says so (errno); record->offset: where */
};

struct journal_record {
	uint64_t offset, next; /* where it stands, and where the next one does */
	uint8_t type;
	struct bytes payload; /* borrowed until the next call */
};

/* ERR_NOENT: there is no such file; ERR_SYNTAX: it is no journal, or its beginning is damaged or
 * was never finished; ERR_INTERNAL (errno): it cannot be read. */
MUST_CHECK int journal_reader_open(const char *path, struct journal_reader **ret);
/* The same, of an open file, which the reader closes, also on failure. */
MUST_CHECK int journal_reader_adopt(int fd, struct journal_reader **ret);
void journal_reader_close(struct journal_reader *r);
DEFINE_CLEANUP(journal_reader_close, struct journal_reader *)

const struct journal_head *journal_reader_head(const struct journal_reader *r);
/* Reading goes on from here: where a record begins or the file ends. */
void journal_reader_seek(struct journal_reader *r, uint64_t offset);
/* The head is not among the records. */
enum journal_found journal_reader_next(struct journal_reader *r, struct journal_record *ret);
/* True when no process has the file open for writing. It stays so while the reader lives: the
 * reader holds the lock from then on. */
bool journal_reader_is_finished(struct journal_reader *r);
