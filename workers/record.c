/* record.c — see record.h. */
#include "workers/record.h"

#include <errno.h>

#include "lib/base/clock.h"
#include "lib/base/log.h"
#include "lib/store/replay.h"

#define SAVE_MS 1000
#define COMPARE_RETRY_MS 1000
/* Lines for single certificates in the log; assayctl doctor lists them all. */
#define NEWS_MAX 100

int record_open(struct record *r, const struct conf *conf, const char *program, const char *host,
	const char *what)
{
	const struct journal_limits limits = {
		.file_bytes = (uint64_t)conf->journal.file_mib << 20,
		.file_secs = conf->journal.file_secs,
		.keep_secs = conf->journal.keep_secs,
	};
	CLEANUP_STR char *error = NULL;
	int err;

	*r = (struct record){.what = what, .program = bytes_str(program), .host = bytes_str(host)};
	if (conf->journal.folder == NULL) {
		log_event(LOG_LEVEL_WARNING,
			"no journal is configured: a restored backup will not know what came "
			"after it");
		return OK;
	}
	err = journal_open(conf->journal.folder, program, host, &limits, &r->journal, &error);
	if (err != OK)
		log_event(LOG_LEVEL_ERROR, "the journal cannot be opened", F_STR("cause", error));
	return err;
}

void record_close(struct record *r)
{
	journal_close(TAKE(r->journal));
}

static void away(struct record *r, const char *cause)
{
	if (!r->away)
		log_event(LOG_LEVEL_ERROR, r->what, F_STR("cause", cause));
	r->away = true;
}

/* ---- comparing ---- */

struct talk {
	int lines;
};

static void hex(struct bytes in, char out[2 * 32 + 1])
{
	static const char digits[] = "0123456789abcdef";

	for (size_t i = 0; i < in.len && i < 32; i++) {
		out[2 * i] = digits[in.ptr[i] >> 4];
		out[2 * i + 1] = digits[in.ptr[i] & 15];
	}
	out[2 * (in.len < 32 ? in.len : 32)] = '\0';
}

static const struct {
	enum log_level level;
	const char *message;
} words[REPLAY_NEWS_KINDS] = {
	[REPLAY_FORGOTTEN] = {LOG_LEVEL_ERROR,
		"the database had forgotten a certificate: restored from the journal"},
	[REPLAY_UNFINISHED] = {LOG_LEVEL_WARNING,
		"a serial number was never used: it counts as superseded"},
	[REPLAY_NO_ISSUER] = {LOG_LEVEL_ERROR,
		"the database had forgotten a certificate, and does not know its issuer"},
	[REPLAY_UNREVOKED] = {LOG_LEVEL_ERROR,
		"the database had forgotten a revocation: made again"},
	[REPLAY_UNBLOCKED] = {LOG_LEVEL_ERROR,
		"the database had forgotten a blocked key: blocked again"},
	[REPLAY_TORN] = {LOG_LEVEL_WARNING, "the end of a journal file was torn, and is cut off"},
	[REPLAY_DAMAGED] = {LOG_LEVEL_ERROR, "a journal file is damaged: a part cannot be read"},
	[REPLAY_UNREADABLE] = {LOG_LEVEL_ERROR, "a journal file cannot be read"},
	[REPLAY_NOT_A_JOURNAL] = {LOG_LEVEL_WARNING, "a journal file ends within its beginning"},
	[REPLAY_STRANGE] = {LOG_LEVEL_ERROR, "a journal record is not understood"},
	[REPLAY_BUSY] = {LOG_LEVEL_DEBUG, "a journal file is left to its writer"},
};

static void say(void *arg, const struct replay_news *news)
{
	struct talk *talk = arg;
	char serial[2 * 32 + 1] = "";
	CLEANUP_BUF struct buf names = {0};

	if (++talk->lines > NEWS_MAX)
		return;
	if (news->issue != NULL) {
		hex(news->issue->serial, serial);
		buf_add(&names, news->issue->names.ptr, news->issue->names.len);
	} else {
		hex(news->kind == REPLAY_UNBLOCKED ? news->key : news->serial, serial);
	}
	log_event(words[news->kind].level, words[news->kind].message, F_STR("file", news->path),
		F_INT("offset", (int64_t)news->offset), F_INT("next", (int64_t)news->next),
		F_STR("serial", serial), F_STR("names", buf_str(&names)));
}

static void sum_up(const struct replay *replay, int64_t began_ms)
{
	log_event(LOG_LEVEL_INFO, "journal compared with the database",
		F_INT("files", (int64_t)replay->files), F_INT("records", (int64_t)replay->records),
		F_INT("forgotten", (int64_t)replay->news[REPLAY_FORGOTTEN]),
		F_INT("unfinished", (int64_t)replay->news[REPLAY_UNFINISHED]),
		F_INT("unrevoked", (int64_t)replay->news[REPLAY_UNREVOKED]),
		F_INT("unblocked", (int64_t)replay->news[REPLAY_UNBLOCKED]),
		F_INT("damaged", (int64_t)replay->news[REPLAY_DAMAGED]),
		F_INT("ms", clock_mono_ms() - began_ms));
}

static int compare(struct record *r, struct db *db)
{
	struct talk talk = {0};
	struct ident own;
	struct replay replay = {
		.db = db,
		.apply = true,
		.repair = true,
		.own = journal_file(r->journal, &own) ? &own : NULL,
		.tell = say,
		.arg = &talk,
	};
	uint64_t connection = db_connections(db);
	int64_t began_ms = clock_mono_ms();
	int err;

	if (began_ms < r->compare_ms)
		return ERR_BUSY;
	errno = 0;
	err = replay_folder(&replay, journal_folder(r->journal));
	if (err != OK) {
		r->compare_ms = clock_mono_ms() + COMPARE_RETRY_MS;
		return err;
	}
	r->compared = connection;
	sum_up(&replay, began_ms);
	return OK;
}

/* ---- writing ---- */

bool record_ready(struct record *r, struct db *db)
{
	int err;

	if (r->journal == NULL)
		return true;
	if (r->compared != db_connections(db)) {
		err = compare(r, db);
		if (err != OK) {
			if (err != ERR_BUSY)
				away(r, errno != 0 ? strerror(errno) : db_error(db));
			return false;
		}
	}
	if (journal_begin(r->journal) != OK) {
		away(r, journal_error(r->journal));
		return false;
	}
	if (r->away)
		log_event(LOG_LEVEL_INFO, "the journal can be written again");
	r->away = false;
	return true;
}

void record_add(struct record *r, uint8_t type, struct bytes payload)
{
	if (r->journal != NULL)
		journal_add(r->journal, type, payload);
}

int record_begin(struct record *r)
{
	int err;

	if (r->journal == NULL)
		return OK;
	err = journal_write(r->journal);
	if (err == OK)
		journal_sync_begin(r->journal);
	else
		away(r, journal_error(r->journal));
	return err;
}

int record_end(struct record *r)
{
	int err = r->journal != NULL ? journal_sync_end(r->journal) : OK;

	if (err != OK)
		away(r, journal_error(r->journal));
	return err;
}

void record_note(struct record *r)
{
	if (r->journal != NULL && journal_write(r->journal) != OK)
		away(r, journal_error(r->journal));
}

void record_save(struct record *r, struct db *db)
{
	struct db_call call = {0};
	struct ident file;

	/* Over another connection the database may be another, or an older one. */
	if (r->journal == NULL || clock_mono_ms() < r->saved_ms + SAVE_MS ||
		r->compared != db_connections(db) || !journal_file(r->journal, &file))
		return;
	r->saved_ms = clock_mono_ms();
	journal_reached_call(&call, &file, r->program, r->host, journal_size(r->journal));
	if (db_run_one(db, &call) != OK)
		log_event(LOG_LEVEL_DEBUG, "journal position not saved",
			F_STR("database", db_error(db)));
	db_call_done(&call);
}
