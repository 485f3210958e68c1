/* incident.c — see incident.h. Column numbers are those of the statements. */
#include "lib/store/incident.h"

#define FILTER_TYPES                                                                               \
	DB_T_BYTES, DB_T_TEXT, DB_T_TEXT, DB_T_IDENT, DB_T_TEXTS, DB_T_INTS, DB_T_TIME, DB_T_TIME

const struct db_stmt incident_count_stmt = {"incident_count",
	"SELECT r_found, r_last FROM assay.incident_count($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
	DB_ONE_ROW, 10, {FILTER_TYPES, DB_T_BYTES, DB_T_INT}};
const struct db_stmt incident_count_serials_stmt = {"incident_count_serials",
	"SELECT assay.incident_count_serials($1)", DB_ONE_ROW, 1, {DB_T_BYTESES}};
const struct db_stmt incident_create_stmt = {"incident_create",
	"SELECT assay.incident_create($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)", DB_ONE_ROW, 10,
	{DB_T_TEXT, DB_T_TEXT, FILTER_TYPES}};
const struct db_stmt incident_select_stmt = {"incident_select",
	"SELECT code, added, selected, done FROM assay.incident_select($1, $2, $3)", DB_ONE_ROW, 3,
	{DB_T_INT, DB_T_INT, DB_T_BOOL}};
const struct db_stmt incident_add_stmt = {"incident_add",
	"SELECT code, added, selected, $3 FROM assay.incident_add($1, $2, $3)", DB_ONE_ROW, 3,
	{DB_T_INT, DB_T_BYTESES, DB_T_BOOL}};
const struct db_stmt incident_start_stmt = {"incident_start",
	"SELECT assay.incident_start($1, $2, $3, $4, $5, $6)", DB_ONE_ROW, 6,
	{DB_T_INT, DB_T_INT, DB_T_INT, DB_T_TIME, DB_T_TIME, DB_T_INT}};
const struct db_stmt incident_pause_stmt = {"incident_pause", "SELECT assay.incident_pause($1, $2)",
	DB_ONE_ROW, 2, {DB_T_INT, DB_T_BOOL}};
const struct db_stmt incident_abort_stmt = {"incident_abort", "SELECT assay.incident_abort($1, $2)",
	DB_ONE_ROW, 2, {DB_T_INT, DB_T_TEXT}};
const struct db_stmt incident_extend_stmt = {"incident_extend",
	"SELECT assay.incident_extend($1, $2, $3)", DB_ONE_ROW, 3,
	{DB_T_INT, DB_T_TIME, DB_T_TEXT}};
const struct db_stmt incident_status_stmt = {"incident_status",
	"SELECT r_id, r_status, r_created_at, r_why, r_selection, r_complete, r_selected, "
	"r_renewed, r_revoked, r_revoked_unrenewed, r_asked, r_wave_size, r_wave_secs, r_begin_at, "
	"r_last_end_at, r_deadline_at, r_reason, r_ended_at, r_explanation_url "
	"FROM assay.incident_status($1)",
	DB_ROWS, 1, {DB_T_INT}};
const struct db_stmt incident_keep_stmt = {"incident_keep",
	"SELECT r_id, r_renewed, r_revoked, r_more, r_ended FROM assay.incident_keep($1, $2)",
	DB_ROWS, 2, {DB_T_INT, DB_T_INT}};

static void bind_bytes_or_null(struct db_call *c, struct bytes value)
{
	if (value.ptr == NULL)
		db_bind_null(c);
	else
		db_bind_bytes(c, value);
}

static void bind_text_or_null(struct db_call *c, struct bytes value)
{
	if (value.ptr == NULL)
		db_bind_null(c);
	else
		db_bind_text(c, value);
}

static void bind_filter(struct db_call *c, const struct incident_filter *filter)
{
	bind_bytes_or_null(c, filter->spki_sha256);
	bind_text_or_null(c, filter->issuer);
	bind_text_or_null(c, filter->profile);
	if (filter->account == NULL)
		db_bind_null(c);
	else
		db_bind_ident(c, filter->account);
	if (filter->nnames == 0)
		db_bind_null(c);
	else
		db_bind_texts(c, filter->names, filter->nnames);
	if (filter->nmethods == 0)
		db_bind_null(c);
	else
		db_bind_ints(c, filter->methods, filter->nmethods);
	db_bind_time_or_null(c, filter->issued_from_us);
	db_bind_time_or_null(c, filter->issued_to_us);
}

void incident_count_call(struct db_call *c, const struct incident_filter *filter,
	struct bytes after, int limit)
{
	db_call_init(c, &incident_count_stmt);
	bind_filter(c, filter);
	bind_bytes_or_null(c, after);
	db_bind_int(c, limit);
}

bool incident_count_result(const struct db_call *c, int32_t *ret_found, struct bytes *ret_last)
{
	*ret_found = db_int(c->result, 0, 0);
	if (db_is_null(c->result, 0, 1))
		return false;
	*ret_last = db_bytes(c->result, 0, 1);
	return true;
}

void incident_count_serials_call(struct db_call *c, const struct bytes *serials, size_t count)
{
	db_call_init(c, &incident_count_serials_stmt);
	db_bind_byteses(c, serials, count);
}

int32_t incident_count_serials_result(const struct db_call *c)
{
	return db_int(c->result, 0, 0);
}

void incident_create_call(struct db_call *c, const char *why, const char *explanation_url,
	const struct incident_filter *filter)
{
	db_call_init(c, &incident_create_stmt);
	db_bind_str(c, why);
	db_bind_str(c, explanation_url);
	bind_filter(c, filter);
}

int32_t incident_create_result(const struct db_call *c)
{
	return db_int(c->result, 0, 0);
}

void incident_select_call(struct db_call *c, int32_t id, int limit, bool again)
{
	db_call_init(c, &incident_select_stmt);
	db_bind_int(c, id);
	db_bind_int(c, limit);
	db_bind_bool(c, again);
}

void incident_add_call(struct db_call *c, int32_t id, const struct bytes *serials, size_t count,
	bool last)
{
	db_call_init(c, &incident_add_stmt);
	db_bind_int(c, id);
	db_bind_byteses(c, serials, count);
	db_bind_bool(c, last);
}

enum incident_code incident_select_result(const struct db_call *c, struct incident_selected *ret)
{
	enum incident_code code = (enum incident_code)db_int(c->result, 0, 0);

	if (code == INCIDENT_OK)
		*ret = (struct incident_selected){
			.added = db_int(c->result, 0, 1),
			.selected = db_int(c->result, 0, 2),
			.done = db_bool(c->result, 0, 3),
		};
	return code;
}

void incident_start_call(struct db_call *c, int32_t id, const struct incident_waves *waves)
{
	db_call_init(c, &incident_start_stmt);
	db_bind_int(c, id);
	db_bind_int(c, waves->size);
	db_bind_int(c, waves->secs);
	db_bind_time_or_null(c, waves->begin_us);
	db_bind_time(c, waves->deadline_us);
	db_bind_int(c, waves->reason);
}

void incident_pause_call(struct db_call *c, int32_t id, bool pause)
{
	db_call_init(c, &incident_pause_stmt);
	db_bind_int(c, id);
	db_bind_bool(c, pause);
}

void incident_abort_call(struct db_call *c, int32_t id, const char *why)
{
	db_call_init(c, &incident_abort_stmt);
	db_bind_int(c, id);
	db_bind_str(c, why);
}

void incident_extend_call(struct db_call *c, int32_t id, int64_t deadline_us, const char *why)
{
	db_call_init(c, &incident_extend_stmt);
	db_bind_int(c, id);
	db_bind_time(c, deadline_us);
	db_bind_str(c, why);
}

enum incident_code incident_result(const struct db_call *c)
{
	return (enum incident_code)db_int(c->result, 0, 0);
}

void incident_status_call(struct db_call *c, int32_t id)
{
	db_call_init(c, &incident_status_stmt);
	if (id == 0)
		db_bind_null(c);
	else
		db_bind_int(c, id);
}

size_t incident_status_count(const struct db_call *c)
{
	return (size_t)db_nrows(c->result);
}

static int32_t int_or(const struct db_result *r, int row, int col, int32_t otherwise)
{
	return db_is_null(r, row, col) ? otherwise : db_int(r, row, col);
}

static int64_t time_or_min(const struct db_result *r, int row, int col)
{
	return db_is_null(r, row, col) ? INT64_MIN : db_time(r, row, col);
}

void incident_status_at(const struct db_call *c, size_t i, struct incident_row *ret)
{
	const struct db_result *r = c->result;
	int row = (int)i;

	*ret = (struct incident_row){
		.id = db_int(r, row, 0),
		.status = (enum incident_status)db_int(r, row, 1),
		.created_us = db_time(r, row, 2),
		.why = db_bytes(r, row, 3),
		.selection = db_bytes(r, row, 4),
		.complete = db_bool(r, row, 5),
		.selected = db_int(r, row, 6),
		.renewed = db_int(r, row, 7),
		.revoked = db_int(r, row, 8),
		.revoked_unrenewed = int_or(r, row, 9, -1),
		.asked = int_or(r, row, 10, -1),
		.wave_size = int_or(r, row, 11, 0),
		.wave_secs = int_or(r, row, 12, 0),
		.begin_us = time_or_min(r, row, 13),
		.last_end_us = time_or_min(r, row, 14),
		.deadline_us = time_or_min(r, row, 15),
		.reason = int_or(r, row, 16, 0),
		.ended_us = time_or_min(r, row, 17),
	};
	if (!db_is_null(r, row, 18))
		ret->explanation_url = db_bytes(r, row, 18);
}

void incident_keep_call(struct db_call *c, int watch, int revoke)
{
	db_call_init(c, &incident_keep_stmt);
	db_bind_int(c, watch);
	db_bind_int(c, revoke);
}

size_t incident_keep_count(const struct db_call *c)
{
	return (size_t)db_nrows(c->result);
}

void incident_keep_at(const struct db_call *c, size_t i, struct incident_kept *ret)
{
	const struct db_result *r = c->result;
	int row = (int)i;

	*ret = (struct incident_kept){
		.id = db_int(r, row, 0),
		.renewed = db_int(r, row, 1),
		.revoked = db_int(r, row, 2),
		.more = db_bool(r, row, 3),
		.ended = db_bool(r, row, 4),
	};
}
