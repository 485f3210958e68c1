/* replay.c — see replay.h. Certificates are kept until the record that settles their batch was
 * read; then they are compared, many at once. */
#include "lib/store/replay.h"

#include <dirent.h>
#include <errno.h>
#include <unistd.h>

#include "lib/base/journal_read.h"

#define COMPARE_AT_ONCE 1000
#define COMPARE_BYTES (4u << 20)
/* A batch without an end is not kept for ever: then its certificates count as signed. */
#define BATCH_MAX_BYTES (64u << 20)
#define SUFFIX ".journal"

struct kept { /* a record */
	uint64_t offset;
	size_t at, len;           /* its payload */
	bool settled, not_signed; /* of a certificate's */
};

struct shelf { /* records of one type, until they are compared */
	struct kept *items;
	size_t count, room;
	struct buf bytes; /* their payloads */
};

struct scan {
	struct replay *r;
	const char *path;
	const struct journal_head *head;
	struct shelf issued, revoked, blocked;
	size_t nsettled; /* of the issued ones; the others wait for the end of their batch */
	bool lost;       /* the database has forgotten something of this file */
	uint64_t stuck;  /* the first record that could not be settled; UINT64_MAX: none */
};

static struct bytes payload_of(const struct shelf *shelf, size_t i)
{
	return bytes_of(shelf->bytes.ptr + shelf->items[i].at, shelf->items[i].len);
}

static void put_on(struct shelf *shelf, const struct journal_record *record)
{
	if (shelf->count == shelf->room) {
		shelf->room = shelf->room > 0 ? 2 * shelf->room : 64;
		shelf->items = xrealloc(shelf->items, shelf->room * sizeof(*shelf->items));
	}
	shelf->items[shelf->count++] = (struct kept){.offset = record->offset,
		.at = shelf->bytes.len,
		.len = record->payload.len};
	buf_add(&shelf->bytes, record->payload.ptr, record->payload.len);
}

/* The first count of them. */
static void take_off(struct shelf *shelf, size_t count)
{
	size_t from = count < shelf->count ? shelf->items[count].at : shelf->bytes.len;

	if (from > 0)
		memmove(shelf->bytes.ptr, shelf->bytes.ptr + from, shelf->bytes.len - from);
	shelf->bytes.len -= from;
	shelf->count -= count;
	if (shelf->count > 0)
		memmove(shelf->items, shelf->items + count, shelf->count * sizeof(*shelf->items));
	for (size_t i = 0; i < shelf->count; i++)
		shelf->items[i].at -= from;
}

static void shelf_done(struct shelf *shelf)
{
	free(shelf->items);
	buf_done(&shelf->bytes);
}

static void tell(struct scan *s, struct replay_news news)
{
	news.path = s->path;
	s->r->news[news.kind]++;
	if (s->r->tell != NULL)
		s->r->tell(s->r->arg, &news);
}

/* ---- certificates ---- */

/* Parsed once already, before it was kept. */
static struct entry_issue issue_of(const struct scan *s, size_t i)
{
	struct entry_issue issue = {0};

	if (entry_issue_parse(payload_of(&s->issued, i), &issue) != OK)
		abort();
	return issue;
}

static bool has_row(const struct db_call *call, struct bytes serial)
{
	for (int i = 0; i < db_nrows(call->result); i++)
		if (bytes_equal(db_bytes(call->result, i, 0), serial))
			return true;
	return false;
}

/* Those of the settled ones that the database does not know. */
static int find_unknown(struct scan *s, struct restore_entry *ret, size_t *ret_count)
{
	CLEANUP(free) struct bytes *serials = xcalloc(s->nsettled + 1, sizeof(*serials));
	struct db_call call = {0};
	size_t count = 0;
	int err;

	for (size_t i = 0; i < s->nsettled; i++)
		if (!s->issued.items[i].not_signed)
			serials[count++] = issue_of(s, i).serial;
	journal_unknown_call(&call, serials, count);
	err = count > 0 ? db_run_one(s->r->db, &call) : OK;
	if (err != OK || count == 0 || db_nrows(call.result) == 0) {
		db_call_done(&call);
		return err;
	}
	for (size_t i = 0; i < s->nsettled; i++) {
		const struct kept *k = &s->issued.items[i];
		struct entry_issue issue = issue_of(s, i);

		if (!k->not_signed && has_row(&call, issue.serial))
			ret[(*ret_count)++] = (struct restore_entry){.offset = k->offset,
				.settled = k->settled,
				.issue = issue};
	}
	db_call_done(&call);
	return OK;
}

static void tell_certificate(struct scan *s, const struct restore_entry *e, int outcome)
{
	static const enum replay_news_kind kinds[] = {
		[RESTORED] = REPLAY_FORGOTTEN,
		[RESTORE_BURNT] = REPLAY_UNFINISHED,
		[RESTORE_NO_ISSUER] = REPLAY_NO_ISSUER,
		[RESTORE_SERIAL] = REPLAY_FORGOTTEN,
	};

	if (outcome == RESTORE_EXPIRED || outcome == RESTORE_KNOWN)
		return;
	if (outcome == RESTORE_NO_ISSUER && e->offset < s->stuck)
		s->stuck = e->offset;
	tell(s,
		(struct replay_news){.kind = kinds[outcome],
			.offset = e->offset,
			.issue = &e->issue});
}

static const struct restore_entry *entry_of(const struct restore_entry *entries, size_t count,
	struct bytes serial)
{
	for (size_t i = 0; i < count; i++)
		if (bytes_equal(entries[i].issue.serial, serial))
			return &entries[i];
	abort(); /* the database answers what it was asked */
}

static int restore(struct scan *s, const struct restore_entry *entries, size_t count)
{
	struct db_call call = {0};
	int err;

	for (size_t i = 0; i < count; i++)
		s->lost |= entries[i].settled;
	if (!s->r->apply) {
		for (size_t i = 0; i < count; i++)
			tell_certificate(s, &entries[i],
				entries[i].settled ? RESTORED : RESTORE_BURNT);
		return OK;
	}
	journal_restore_call(&call, &s->head->file, entries, count);
	err = db_run_one(s->r->db, &call);
	for (int i = 0; err == OK && i < db_nrows(call.result); i++)
		tell_certificate(s, entry_of(entries, count, db_bytes(call.result, i, 0)),
			db_int(call.result, i, 1));
	db_call_done(&call);
	return err;
}

/* Compares what is settled, and keeps the rest. */
static int compare_issued(struct scan *s)
{
	CLEANUP(free) struct restore_entry *unknown = xcalloc(s->nsettled + 1, sizeof(*unknown));
	size_t count = 0;
	int err = find_unknown(s, unknown, &count);

	if (err == OK && count > 0)
		err = restore(s, unknown, count);
	take_off(&s->issued, s->nsettled);
	s->nsettled = 0;
	return err;
}

static void settle(struct scan *s, bool settled)
{
	for (; s->nsettled < s->issued.count; s->nsettled++)
		s->issued.items[s->nsettled].settled = settled;
}

static void mark_not_signed(void *arg, struct bytes serial)
{
	struct scan *s = arg;

	for (size_t i = s->nsettled; i < s->issued.count; i++)
		s->issued.items[i].not_signed |= bytes_equal(issue_of(s, i).serial, serial);
}

static int keep_issue(struct scan *s, const struct journal_record *record)
{
	struct entry_issue issue;
	int err = entry_issue_parse(record->payload, &issue);

	if (err != OK)
		return err;
	put_on(&s->issued, record);
	if (s->issued.bytes.len > BATCH_MAX_BYTES)
		settle(s, true);
	return OK;
}

static int end_batch(struct scan *s, const struct journal_record *record)
{
	int err = entry_settled_parse(record->payload, mark_not_signed, s);

	if (err == OK)
		settle(s, true);
	return err;
}

/* ---- revocations and keys ---- */

static int keep_revoke(struct scan *s, const struct journal_record *record)
{
	struct entry_revoke e;
	int err = entry_revoke_parse(record->payload, &e);

	if (err == OK)
		put_on(&s->revoked, record);
	return err;
}

static int keep_block(struct scan *s, const struct journal_record *record)
{
	struct entry_block e;
	int err = entry_block_parse(record->payload, &e);

	if (err == OK)
		put_on(&s->blocked, record);
	return err;
}

static int compare_revoked(struct scan *s)
{
	size_t count = s->revoked.count;
	CLEANUP(free) struct entry_revoke *entries = xcalloc(count + 1, sizeof(*entries));
	struct db_call call = {0};
	int err = OK;

	for (size_t i = 0; i < count && err == OK; i++)
		err = entry_revoke_parse(payload_of(&s->revoked, i), &entries[i]);
	if (err != OK || count == 0)
		return err;
	journal_revoke_call(&call, entries, count, s->r->apply);
	err = db_run_one(s->r->db, &call);
	for (int i = 0; err == OK && i < db_nrows(call.result); i++)
		tell(s,
			(struct replay_news){.kind = REPLAY_UNREVOKED,
				.serial = db_bytes(call.result, i, 0),
				.known = db_bool(call.result, i, 1)});
	db_call_done(&call);
	take_off(&s->revoked, count);
	return err;
}

static int compare_blocked(struct scan *s)
{
	size_t count = s->blocked.count;
	CLEANUP(free) struct entry_block *entries = xcalloc(count + 1, sizeof(*entries));
	struct db_call call = {0};
	int err = OK;

	for (size_t i = 0; i < count && err == OK; i++)
		err = entry_block_parse(payload_of(&s->blocked, i), &entries[i]);
	if (err != OK || count == 0)
		return err;
	journal_block_call(&call, entries, count, s->r->apply);
	err = db_run_one(s->r->db, &call);
	for (int i = 0; err == OK && i < db_nrows(call.result); i++)
		tell(s,
			(struct replay_news){.kind = REPLAY_UNBLOCKED,
				.key = db_bytes(call.result, i, 0)});
	db_call_done(&call);
	take_off(&s->blocked, count);
	return err;
}

/* ---- files ---- */

static int compare(struct scan *s)
{
	int err = compare_issued(s);

	if (err == OK)
		err = compare_revoked(s);
	return err == OK ? compare_blocked(s) : err;
}

static bool is_enough(const struct shelf *shelf, size_t count)
{
	return count >= COMPARE_AT_ONCE || (count > 0 && shelf->bytes.len >= COMPARE_BYTES);
}

static int take_record(struct scan *s, const struct journal_record *record)
{
	int err = OK;

	s->r->records++;
	switch (record->type) {
	case JOURNAL_TYPE_PROBE:
	case ENTRY_CRL: /* numbers of lists follow the clock, whatever the database says */
		break;
	case ENTRY_ISSUE:
		err = keep_issue(s, record);
		break;
	case ENTRY_SETTLED:
		err = end_batch(s, record);
		break;
	case ENTRY_REVOKE:
		err = keep_revoke(s, record);
		break;
	case ENTRY_BLOCK:
		err = keep_block(s, record);
		break;
	default:
		err = ERR_SYNTAX;
	}
	if (err != OK)
		tell(s,
			(struct replay_news){.kind = REPLAY_STRANGE,
				.offset = record->offset,
				.next = record->next});
	if (is_enough(&s->issued, s->nsettled) || is_enough(&s->revoked, s->revoked.count) ||
		is_enough(&s->blocked, s->blocked.count))
		return compare(s);
	return OK;
}

static void cut_off(struct scan *s, uint64_t offset)
{
	if (s->r->repair && truncate(s->path, (off_t)offset) != 0)
		tell(s, (struct replay_news){.kind = REPLAY_UNREADABLE, .offset = offset});
}

/* *ret_end: where the last whole record ends. */
static int read_records(struct scan *s, struct journal_reader *reader, uint64_t *ret_end)
{
	for (;;) {
		struct journal_record record;
		enum journal_found found = journal_reader_next(reader, &record);
		int err = OK;

		*ret_end = found == JOURNAL_RECORD ? record.next : record.offset;
		switch (found) {
		case JOURNAL_RECORD:
			err = take_record(s, &record);
			break;
		case JOURNAL_END:
			return OK;
		case JOURNAL_TORN:
			tell(s, (struct replay_news){.kind = REPLAY_TORN, .offset = record.offset});
			cut_off(s, record.offset);
			return OK;
		case JOURNAL_DAMAGED:
			/* The end of a batch may be among what is lost: it counts as signed. */
			settle(s, true);
			tell(s,
				(struct replay_news){.kind = REPLAY_DAMAGED,
					.offset = record.offset,
					.next = record.next});
			break;
		default:
			tell(s,
				(struct replay_news){.kind = REPLAY_UNREADABLE,
					.offset = record.offset});
			return OK;
		}
		if (err != OK)
			return err;
	}
}

static int ask_position(struct replay *r, const struct ident *file, uint64_t *ret)
{
	struct db_call call = {0};
	int err;

	*ret = 0;
	if (r->from_start)
		return OK;
	journal_position_call(&call, file);
	err = db_run_one(r->db, &call);
	if (err == OK)
		*ret = journal_position_result(&call);
	db_call_done(&call);
	return err;
}

static int save_position(const struct scan *s, uint64_t position)
{
	struct db_call call = {0};
	int err;

	journal_reached_call(&call, &s->head->file, s->head->program, s->head->host,
		position < s->stuck ? position : s->stuck);
	err = db_run_one(s->r->db, &call);
	db_call_done(&call);
	return err;
}

static int scan_from(struct scan *s, struct journal_reader *reader, uint64_t position, bool own)
{
	uint64_t end = position;
	int err;

	if (position > 0)
		journal_reader_seek(reader, position);
	err = read_records(s, reader, &end);
	if (err == OK)
		err = compare(s);
	/* A batch without an end: its signer was killed before the database knew it, and the key
	 * was not used. But when more is missing here, this may be, too. */
	settle(s, own || s->lost);
	if (err == OK)
		err = compare(s);
	if (err == OK && s->r->apply && end != position)
		err = save_position(s, end);
	return err;
}

static int scan_file(struct scan *s, struct journal_reader *reader)
{
	bool own = s->r->own != NULL && ident_equal(s->r->own, &s->head->file);
	uint64_t position;
	int err;

	if (s->r->apply && !own && !journal_reader_is_finished(reader)) {
		tell(s, (struct replay_news){.kind = REPLAY_BUSY});
		return OK;
	}
	err = ask_position(s->r, &s->head->file, &position);
	return err == OK ? scan_from(s, reader, position, own) : err;
}

int replay_file(struct replay *r, const char *path)
{
	CLEANUP(journal_reader_close) struct journal_reader *reader = NULL;
	struct scan s = {.r = r, .path = path, .stuck = UINT64_MAX};
	int err = journal_reader_open(path, &reader);

	if (err == ERR_SYNTAX) {
		tell(&s, (struct replay_news){.kind = REPLAY_NOT_A_JOURNAL});
		return OK;
	}
	if (err != OK)
		return err;
	r->files++;
	s.head = journal_reader_head(reader);
	err = scan_file(&s, reader);
	shelf_done(&s.issued);
	shelf_done(&s.revoked);
	shelf_done(&s.blocked);
	return err;
}

static int is_journal(const struct dirent *entry)
{
	const char *suffix = strrchr(entry->d_name, '.');

	return suffix != NULL && strcmp(suffix, SUFFIX) == 0;
}

int replay_folder(struct replay *r, const char *folder)
{
	struct dirent **names = NULL;
	int count = scandir(folder, &names, is_journal, alphasort), err = OK;

	if (count < 0)
		return errno == ENOENT ? OK : ERR_INTERNAL;
	for (int i = 0; i < count; i++) {
		CLEANUP_BUF struct buf path = {0};

		buf_addf(&path, "%s/%s", folder, names[i]->d_name);
		/* One that was deleted meanwhile was too old to matter. */
		if (err == OK || err == ERR_NOENT)
			err = replay_file(r, buf_str(&path));
		free(names[i]);
	}
	free(names);
	return err == ERR_NOENT ? OK : err;
}
