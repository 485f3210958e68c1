/* journalled.h — calls about the journals (sql/api/journal.sql): what the database has of them,
 * what it had forgotten, and the outbox of what is still to be written. */
#pragma once

#include "lib/store/db.h"
#include "lib/store/entry.h"

extern const struct db_stmt journal_position_stmt, journal_reached_stmt, journal_unknown_stmt,
	journal_restore_stmt, journal_revoke_stmt, journal_block_stmt, journal_outbox_stmt,
	journal_outbox_keys_stmt, journal_outbox_done_stmt, journal_tidy_stmt,
	revocation_journalled_stmt;

/* How far the database knows the file; 0: not at all. */
void journal_position_call(struct db_call *c, const struct ident *file);
uint64_t journal_position_result(const struct db_call *c);
void journal_reached_call(struct db_call *c, const struct ident *file, struct bytes program,
	struct bytes host, uint64_t position);

/* Which of these serial numbers were never reserved here. Rows: db_bytes in column 0. */
void journal_unknown_call(struct db_call *c, const struct bytes *serials, size_t count);

enum restore_outcome {
	RESTORED,          /* known from now on, and listed as forgotten */
	RESTORE_BURNT,     /* it was perhaps never signed: counts as superseded */
	RESTORE_EXPIRED,   /* too long ago to matter */
	RESTORE_NO_ISSUER, /* its issuer is not registered: nothing was done */
	RESTORE_KNOWN,     /* somebody else was faster */
	RESTORE_SERIAL,    /* a responder's: only its number is kept */
};
struct restore_entry {
	uint64_t offset;
	bool settled; /* the database knew it once */
	struct entry_issue issue;
};
/* Rows: serial, and enum restore_outcome. */
void journal_restore_call(struct db_call *c, const struct ident *file,
	const struct restore_entry *entries, size_t count);

/* Rows: serials whose revocation was missing, and whether the certificate is known. apply false:
 * nothing is changed. */
void journal_revoke_call(struct db_call *c, const struct entry_revoke *entries, size_t count,
	bool apply);
/* Rows: keys that were not blocked. */
void journal_block_call(struct db_call *c, const struct entry_block *entries, size_t count,
	bool apply);

/* The outbox, oldest first, at most limit of each. */
void journal_outbox_call(struct db_call *c, int limit);
size_t journal_outbox_count(const struct db_call *c);
void journal_outbox_at(const struct db_call *c, size_t i, int64_t *ret_id,
	struct entry_revoke *ret);
void journal_outbox_keys_call(struct db_call *c, int limit);
size_t journal_outbox_keys_count(const struct db_call *c);
void journal_outbox_keys_at(const struct db_call *c, size_t i, struct entry_block *ret);
void journal_outbox_done_call(struct db_call *c, const int64_t *ids, size_t nids,
	const struct bytes *keys, size_t nkeys);
void journal_tidy_call(struct db_call *c);

/* One row: every revocation of this serial number is in a journal. */
void revocation_journalled_call(struct db_call *c, struct bytes serial);
bool revocation_journalled_result(const struct db_call *c);
/* What somebody who waits for that is woken by (lib/queue/jobs.h, "done"). */
struct ident revocation_ident(struct bytes serial);
