/* incident.h — incidents: many certificates that are renewed before their time, in waves, and then
 * revoked (sql/api/incident.sql). assayctl prepares and steers them as assay-admin, the keeper does
 * what is due. */
#pragma once

#include "lib/store/db.h"

enum incident_code {
	INCIDENT_OK = 0,
	INCIDENT_UNKNOWN = 1,
	INCIDENT_STATE = 2,      /* its state forbids it */
	INCIDENT_INCOMPLETE = 3, /* the selection is not complete, or is empty */
	INCIDENT_TOO_SLOW = 4,   /* the last wave would end after the deadline */
	INCIDENT_NOT_LATER = 5,  /* the deadline is not later than it was */
};

enum incident_status {
	INCIDENT_PREPARED = 0,
	INCIDENT_RUNNING = 1,
	INCIDENT_PAUSED = 2,
	INCIDENT_ENDED = 3,
	INCIDENT_ABORTED = 4
};

/* Which certificates; what is not set is not looked at. All that is set must fit. */
struct incident_filter {
	struct bytes spki_sha256;
	struct bytes issuer; /* its section's name */
	struct bytes profile;
	const struct ident *account;
	const struct bytes *names; /* one of these is in it */
	size_t nnames;
	const int32_t *methods; /* enum challenge_type; one of these proved one of its names */
	size_t nmethods;
	int64_t issued_from_us; /* INT64_MIN = not set */
	int64_t issued_to_us;   /* before; INT64_MIN = not set */
};

extern const struct db_stmt incident_count_stmt, incident_count_serials_stmt, incident_create_stmt,
	incident_select_stmt, incident_add_stmt, incident_start_stmt, incident_pause_stmt,
	incident_abort_stmt, incident_extend_stmt, incident_status_stmt, incident_keep_stmt;

/* A search goes in steps of limit certificates, so that none takes long; after: what the step
 * before returned, {0} at first. True: there is another step, and *ret_last is for it (borrowed).
 */
void incident_count_call(struct db_call *c, const struct incident_filter *filter,
	struct bytes after, int limit);
bool incident_count_result(const struct db_call *c, int32_t *ret_found, struct bytes *ret_last);
/* How many of these are good certificates. */
void incident_count_serials_call(struct db_call *c, const struct bytes *serials, size_t count);
int32_t incident_count_serials_result(const struct db_call *c);

/* One int: its number. explanation_url: NULL = none. Without anything set in filter, certificates
 * are added by serial number. */
void incident_create_call(struct db_call *c, const char *why, const char *explanation_url,
	const struct incident_filter *filter);
int32_t incident_create_result(const struct db_call *c);

/* One step of the selection; it goes on where the last one ended, whoever made that. again: from
 * the start, for what was issued meanwhile. */
struct incident_selected {
	int32_t added;
	int32_t selected; /* in all */
	bool done;
};
void incident_select_call(struct db_call *c, int32_t id, int limit, bool again);
void incident_add_call(struct db_call *c, int32_t id, const struct bytes *serials, size_t count,
	bool last);
/* For both; *ret is untouched when the code is not INCIDENT_OK. */
enum incident_code incident_select_result(const struct db_call *c, struct incident_selected *ret);

struct incident_waves {
	int32_t size;     /* certificates in a wave */
	int32_t secs;     /* from one wave to the next, and how long its window is */
	int64_t begin_us; /* INT64_MIN = now */
	int64_t deadline_us;
	int32_t reason; /* of the revocation at the deadline */
};
void incident_start_call(struct db_call *c, int32_t id, const struct incident_waves *waves);
/* While it is paused no wave begins and nothing is revoked; pause false: it goes on. */
void incident_pause_call(struct db_call *c, int32_t id, bool pause);
void incident_abort_call(struct db_call *c, int32_t id, const char *why);
void incident_extend_call(struct db_call *c, int32_t id, int64_t deadline_us, const char *why);
/* For these four. */
enum incident_code incident_result(const struct db_call *c);

/* id 0: all of them, newest first, and revoked_unrenewed is not known (-1). */
struct incident_row {
	int32_t id;
	enum incident_status status;
	int64_t created_us;
	struct bytes why;
	struct bytes selection; /* JSON, or "a list" */
	bool complete;          /* the selection */
	int32_t selected;
	int32_t renewed;
	int32_t revoked;
	int32_t revoked_unrenewed;
	int32_t asked; /* whose wave has begun; -1 = not started */
	int32_t wave_size;
	int32_t wave_secs;
	int64_t begin_us; /* INT64_MIN = not started; so are the next two */
	int64_t last_end_us;
	int64_t deadline_us;
	int32_t reason;
	int64_t ended_us; /* INT64_MIN = not yet */
	struct bytes explanation_url;
};
void incident_status_call(struct db_call *c, int32_t id);
size_t incident_status_count(const struct db_call *c);
void incident_status_at(const struct db_call *c, size_t i, struct incident_row *ret);

/* The keeper's step, for each running incident that no other keeper is at: up to watch new
 * certificates are looked at for what they renew, and past the deadline up to revoke are revoked.
 */
struct incident_kept {
	int32_t id;
	int32_t renewed;
	int32_t revoked;
	bool more; /* another step would find work at once */
	bool ended;
};
void incident_keep_call(struct db_call *c, int watch, int revoke);
size_t incident_keep_count(const struct db_call *c);
void incident_keep_at(const struct db_call *c, size_t i, struct incident_kept *ret);
