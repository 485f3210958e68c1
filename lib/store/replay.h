/* replay.h — journal files against the database: tells what the database does not know, as after a
 * restored backup, and teaches it. Nothing is ever taken back: serial numbers become known,
 * certificates revoked, keys blocked. Reading the same again changes nothing.
 *
 * A file is read from the position that the database has reached in it; after a whole one the
 * position is moved. Memory is bounded by the largest batch of the signer. */
#pragma once

#include "lib/store/journalled.h"

enum replay_news_kind {
	REPLAY_FORGOTTEN,     /* a certificate that was recorded and is not known */
	REPLAY_UNFINISHED,    /* the signer ended before it was recorded: it was never signed */
	REPLAY_NO_ISSUER,     /* a certificate whose issuer the database does not have */
	REPLAY_UNREVOKED,     /* a revocation that is missing */
	REPLAY_UNBLOCKED,     /* a key that should be blocked */
	REPLAY_TORN,          /* the file's end is no whole record: never acknowledged */
	REPLAY_DAMAGED,       /* from offset to next nothing can be read */
	REPLAY_UNREADABLE,    /* the disk fails at offset (errno) */
	REPLAY_NOT_A_JOURNAL, /* or one that ends within its beginning */
	REPLAY_STRANGE,       /* a record that this version does not understand */
	REPLAY_BUSY,          /* another process is writing the file: left to it */
	REPLAY_NEWS_KINDS,
};

struct replay_news {
	enum replay_news_kind kind;
	const char *path;
	uint64_t offset, next;
	const struct entry_issue *issue; /* of the first three */
	struct bytes serial;             /* of UNREVOKED */
	struct bytes key;                /* of UNBLOCKED */
	bool known;                      /* of UNREVOKED: the certificate is */
};

struct replay {
	struct db *db;
	bool apply;      /* false: only look, and read other processes' files, too */
	bool from_start; /* believe no position */
	bool repair;     /* cut torn ends off */
	/* The file that the caller itself is writing, all of it settled; NULL: none. */
	const struct ident *own;
	void (*tell)(void *arg, const struct replay_news *news); /* may be NULL */
	void *arg;

	/* Counted on, over all files. */
	uint64_t files, records, news[REPLAY_NEWS_KINDS];
};

/* For lib/store/db: what a replay calls. */
#define REPLAY_ISSUE_STMTS                                                                         \
	&journal_position_stmt, &journal_reached_stmt, &journal_unknown_stmt, &journal_restore_stmt
#define REPLAY_REVOKE_STMTS                                                                        \
	&journal_position_stmt, &journal_reached_stmt, &journal_revoke_stmt, &journal_block_stmt

/* The database's errors, and ERR_NOENT or ERR_INTERNAL (errno) when the file or folder cannot be
 * opened. Damage is news, not an error. */
MUST_CHECK int replay_file(struct replay *r, const char *path);
/* Every *.journal in it, in order of names; no folder: nothing to read. */
MUST_CHECK int replay_folder(struct replay *r, const char *folder);
