/* record.h — a worker's journal outside the database (lib/base/journal.h, [journal] of the
 * configuration): opened, compared with the database whenever a connection to it is new, and closed
 * to acts while it cannot be written. Without a folder in the configuration everything here
 * succeeds and does nothing. */
#pragma once

#include "lib/base/conf.h"
#include "lib/base/journal.h"
#include "lib/store/db.h"

struct record {
	struct journal *journal; /* NULL: none is configured */
	const char *what;        /* for the log: what is not done while the journal is away */
	struct bytes program, host;
	uint64_t compared;  /* the database connection (db_connections) that it was compared over */
	int64_t compare_ms; /* not before: after a failure */
	int64_t saved_ms;
	bool away;
};

/* ERR_INTERNAL when the folder cannot be used; the log has said why. what, program and host are
 * kept. */
MUST_CHECK int record_open(struct record *r, const struct conf *conf, const char *program,
	const char *host, const char *what);
/* The position is not saved: what follows it is compared at the next start. */
void record_close(struct record *r);

/* Before each act: compares with the database when that is due, and sees to a file to write to.
 * False: the act must not begin now; the log has a line for the beginning of that, and one for its
 * end. */
bool record_ready(struct record *r, struct db *db);
void record_add(struct record *r, uint8_t type, struct bytes payload);
/* Writes what was added, and begins to bring it to the disk. */
MUST_CHECK int record_begin(struct record *r);
/* OK: it is on the disk. To be called after a record_begin that went well. */
MUST_CHECK int record_end(struct record *r);
/* Writes what was added, which need not be on the disk at any time. */
void record_note(struct record *r);
/* Tells the database that it knows all that was written so far; at most once a second. */
void record_save(struct record *r, struct db *db);
