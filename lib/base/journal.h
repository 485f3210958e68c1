/* journal.h — a journal outside the database: append-only files of what must outlive a restored
 * backup. The signer writes what it is about to sign, the keeper what was revoked.
 *
 * A process writes files of its own, FOLDER/PROGRAM/TIME-HOST-PID.journal: their names sort by
 * time, none is ever opened again for writing by another, and a new one is begun when one has grown
 * large or old. While a process writes a file it holds its lock (flock), so others can tell a file
 * that grows from one that is finished.
 *
 * The steps: journal_begin → journal_add (any number) → journal_write → journal_sync_begin … do
 * something else … journal_sync_end. What was added counts when journal_sync_end has returned OK.
 * Every failure closes the journal to acts: journal_begin fails until a trial record went through
 * to the disk again. Not thread safe, but for its own helper thread. */
#pragma once

#include "lib/base/journal_record.h"

struct journal;

struct journal_limits {
	uint64_t file_bytes; /* a file that has reached so much is followed by a new one */
	int64_t file_secs;   /* or one that is so old */
	int64_t keep_secs;   /* files that were last written so long ago are deleted; 0: never */
};

/* Makes FOLDER/program where it is missing, and proves that it may be written to; no file is made
 * before the first record. ERR_INTERNAL: *ret_error is one line (free it). */
MUST_CHECK int journal_open(const char *folder, const char *program, const char *host,
	const struct journal_limits *limits, struct journal **ret, char **ret_error);
/* What was written is synced, if that is possible. */
void journal_close(struct journal *j);
DEFINE_CLEANUP(journal_close, struct journal *)

/* An act may begin: there is a file to write to. Changes files when it is time. After a failure:
 * tries again, at most once in a second. ERR_INTERNAL: journal_error tells. */
MUST_CHECK int journal_begin(struct journal *j);
/* Keeps one record for the next journal_write. payload ≤ JOURNAL_PAYLOAD_MAX_BYTES. */
void journal_add(struct journal *j, uint8_t type, struct bytes payload);
/* Writes what was added, by one write(2). On failure none of it counts. */
MUST_CHECK int journal_write(struct journal *j);
/* The helper thread brings what was written to the disk; ended by journal_sync_end. */
void journal_sync_begin(struct journal *j);
MUST_CHECK int journal_sync_end(struct journal *j);

/* The file that is being written: false when there is none yet. */
bool journal_file(const struct journal *j, struct ident *ret);
/* What was written of it so far. */
uint64_t journal_size(const struct journal *j);
/* FOLDER/PROGRAM. */
const char *journal_folder(const struct journal *j);
/* Why the last call failed, for the log. */
const char *journal_error(const struct journal *j);
