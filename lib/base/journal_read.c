/* journal_read.c — see journal_read.h. A window of the file is kept, as large as the largest record
 * that was met, at most one record more than the largest there may be. */
#include "lib/base/journal_read.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define WINDOW_BYTES 65536
/* What looks like a record and is none costs a hash: a file that is full of that, on purpose, is
 * given up. */
#define VAIN_MAX_BYTES (64u << 20)

struct journal_reader {
	int fd;
	struct buf window;
	uint64_t window_at; /* its place in the file */
	uint64_t at;        /* where the next record is expected */
	bool failed;        /* pread said so: errno in error */
	int error;
	size_t vain; /* bytes hashed for nothing */
	struct journal_head head;
	struct buf program, host;
};

/* What the file has at offset, up to len bytes: fewer at its end. */
static struct bytes look(struct journal_reader *r, uint64_t offset, size_t len)
{
	uint64_t end = r->window_at + r->window.len;
	size_t kept;

	if (offset < r->window_at || offset > end) {
		r->window_at = end = offset;
		r->window.len = 0;
	}
	if (offset + len > end && offset > r->window_at) {
		kept = (size_t)(end - offset);
		memmove(r->window.ptr, r->window.ptr + (offset - r->window_at), kept);
		r->window_at = offset;
		r->window.len = kept;
	}
	while (r->window.len < len) {
		ssize_t got;

		buf_reserve(&r->window, len > WINDOW_BYTES ? len : WINDOW_BYTES);
		got = pread(r->fd, r->window.ptr + r->window.len, r->window.cap - r->window.len - 1,
			(off_t)(r->window_at + r->window.len));
		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0) {
			r->failed = true;
			r->error = errno;
		}
		if (got <= 0)
			break;
		r->window.len += (size_t)got;
	}
	kept = r->window.len - (size_t)(offset - r->window_at);
	return bytes_of(r->window.ptr + (offset - r->window_at), kept < len ? kept : len);
}

/* The record at offset, if there is one. */
static bool record_at(struct journal_reader *r, uint64_t offset, struct journal_record *ret)
{
	size_t len = 0, size;
	struct bytes record;
	uint8_t type = 0;

	if (journal_record_header(look(r, offset, JOURNAL_HEADER_BYTES), &type, &len) != OK)
		return false;
	size = journal_record_size(len);
	record = look(r, offset, size);
	if (record.len < size)
		return false;
	if (!journal_record_is_good(record, &r->head.file, offset)) {
		r->vain += size;
		return false;
	}
	*ret = (struct journal_record){
		.offset = offset,
		.next = offset + size,
		.type = type,
		.payload = bytes_of(record.ptr + JOURNAL_HEADER_BYTES, len),
	};
	return true;
}

/* The first place from offset on where a mark stands: false when there is none. */
static bool find_mark(struct journal_reader *r, uint64_t *offset)
{
	for (;;) {
		struct bytes in = look(r, *offset, WINDOW_BYTES);
		const uint8_t *found;

		if (in.len < JOURNAL_MARK_BYTES)
			return false;
		found = memmem(in.ptr, in.len, journal_mark, JOURNAL_MARK_BYTES);
		if (found != NULL) {
			*offset += (uint64_t)(found - in.ptr);
			return true;
		}
		*offset += in.len - (JOURNAL_MARK_BYTES - 1);
	}
}

/* No record stands where one should: is there another further on? */
static enum journal_found resume(struct journal_reader *r, struct journal_record *ret)
{
	struct journal_record next;
	uint64_t offset = r->at + 1;

	*ret = (struct journal_record){.offset = r->at};
	for (; r->vain <= VAIN_MAX_BYTES && find_mark(r, &offset); offset++) {
		if (!record_at(r, offset, &next))
			continue;
		ret->next = r->at = offset;
		return JOURNAL_DAMAGED;
	}
	return r->failed ? JOURNAL_UNREADABLE : JOURNAL_TORN;
}

enum journal_found journal_reader_next(struct journal_reader *r, struct journal_record *ret)
{
	enum journal_found found;

	r->failed = false;
	if (record_at(r, r->at, ret)) {
		r->at = ret->next;
		return JOURNAL_RECORD;
	}
	if (!r->failed && look(r, r->at, 1).len == 0) {
		*ret = (struct journal_record){.offset = r->at, .next = r->at};
		return JOURNAL_END;
	}
	if (!r->failed)
		return resume(r, ret);
	*ret = (struct journal_record){.offset = r->at};
	found = JOURNAL_UNREADABLE;
	errno = r->error;
	return found;
}

/* What head points to must outlive the window. */
static struct bytes keep(struct buf *out, struct bytes in)
{
	buf_add(out, in.ptr, in.len);
	return buf_bytes(out);
}

static int read_head(struct journal_reader *r)
{
	struct bytes start = look(r, 0, JOURNAL_START_BYTES);
	struct journal_record record;

	if (r->failed) {
		errno = r->error;
		return ERR_INTERNAL;
	}
	if (start.len < JOURNAL_START_BYTES ||
		memcmp(start.ptr, JOURNAL_MAGIC, JOURNAL_MAGIC_BYTES) != 0)
		return ERR_SYNTAX;
	memcpy(r->head.file.b, start.ptr + JOURNAL_MAGIC_BYTES, sizeof(r->head.file.b));
	if (!record_at(r, JOURNAL_START_BYTES, &record) || record.type != JOURNAL_TYPE_HEAD ||
		journal_head_parse(record.payload, &r->head) != OK)
		return ERR_SYNTAX;
	r->head.program = keep(&r->program, r->head.program);
	r->head.host = keep(&r->host, r->head.host);
	r->at = record.next;
	return OK;
}

int journal_reader_adopt(int fd, struct journal_reader **ret)
{
	CLEANUP(journal_reader_close) struct journal_reader *r = xcalloc(1, sizeof(*r));
	struct stat st;
	int err;

	r->fd = fd;
	if (fstat(fd, &st) != 0)
		return ERR_INTERNAL;
	if (!S_ISREG(st.st_mode))
		return ERR_SYNTAX;
	err = read_head(r);
	if (err == OK)
		*ret = TAKE(r);
	return err;
}

int journal_reader_open(const char *path, struct journal_reader **ret)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);

	if (fd < 0)
		return errno == ENOENT ? ERR_NOENT : ERR_INTERNAL;
	return journal_reader_adopt(fd, ret);
}

void journal_reader_close(struct journal_reader *r)
{
	int saved_errno = errno;

	if (r == NULL)
		return;
	(void)close(r->fd);
	buf_done(&r->window);
	buf_done(&r->program);
	buf_done(&r->host);
	free(r);
	errno = saved_errno;
}

const struct journal_head *journal_reader_head(const struct journal_reader *r)
{
	return &r->head;
}

void journal_reader_seek(struct journal_reader *r, uint64_t offset)
{
	r->at = offset;
}

bool journal_reader_is_finished(struct journal_reader *r)
{
	return flock(r->fd, LOCK_SH | LOCK_NB) == 0;
}
