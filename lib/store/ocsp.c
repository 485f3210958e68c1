/* ocsp.c — see ocsp.h. Column numbers are those of sql/api/ocsp.sql. */
#include "lib/store/ocsp.h"

#define SUBJECT "SELECT r_serial, r_issuer, r_status, r_revoked_at, r_reason, r_not_after FROM "

const struct db_stmt ocsp_issuers_stmt = {"ocsp_issuers",
	"SELECT r_id, r_sha256, r_certificate, r_name, r_answers FROM assay.ocsp_issuers()",
	DB_ROWS, 0, {0}};
const struct db_stmt ocsp_get_stmt = {"ocsp_get",
	"SELECT code, response, this_update, next_update FROM assay.ocsp_get($1, $2, $3)",
	DB_ONE_ROW, 3, {DB_T_INT, DB_T_BYTES, DB_T_BIGINT}};
const struct db_stmt ocsp_status_stmt = {"ocsp_status", SUBJECT "assay.ocsp_status($1, $2, $3)",
	DB_ROWS, 3, {DB_T_INTS, DB_T_BYTESES, DB_T_BIGINT}};
const struct db_stmt ocsp_due_changed_stmt = {"ocsp_due_changed",
	SUBJECT "assay.ocsp_due_changed($1, $2, $3, $4, $5)", DB_ROWS, 5,
	{DB_T_IDENT, DB_T_INTS, DB_T_INT, DB_T_INT, DB_T_BIGINT}};
const struct db_stmt ocsp_due_new_stmt = {"ocsp_due_new",
	SUBJECT "assay.ocsp_due_new($1, $2, $3, $4, $5)", DB_ROWS, 5,
	{DB_T_IDENT, DB_T_INTS, DB_T_INT, DB_T_INT, DB_T_INT}};
const struct db_stmt ocsp_due_again_stmt = {"ocsp_due_again",
	SUBJECT "assay.ocsp_due_again($1, $2, $3, $4, $5)", DB_ROWS, 5,
	{DB_T_IDENT, DB_T_INTS, DB_T_INT, DB_T_INT, DB_T_BIGINT}};
const struct db_stmt ocsp_leave_stmt = {"ocsp_leave", "SELECT assay.ocsp_leave($1)", DB_NOTHING, 1,
	{DB_T_IDENT}};
const struct db_stmt ocsp_store_stmt = {"ocsp_store",
	"SELECT assay.ocsp_store($1, $2, $3, $4, $5, $6, $7)", DB_ONE_ROW, 7,
	{DB_T_BYTESES, DB_T_TIMES, DB_T_TIMES, DB_T_TIMES, DB_T_TIMES, DB_T_INTS, DB_T_BYTESES}};

void ocsp_issuers_call(struct db_call *c)
{
	db_call_init(c, &ocsp_issuers_stmt);
}

size_t ocsp_issuers_count(const struct db_call *c)
{
	return (size_t)db_nrows(c->result);
}

void ocsp_issuers_at(const struct db_call *c, size_t i, struct ocsp_issuer *ret)
{
	const struct db_result *r = c->result;
	int row = (int)i;

	*ret = (struct ocsp_issuer){
		.id = db_int(r, row, 0),
		.sha256 = db_bytes(r, row, 1),
		.certificate = db_bytes(r, row, 2),
		.name = db_bytes(r, row, 3),
		.answers = db_bool(r, row, 4),
	};
}

void ocsp_get_call(struct db_call *c, int32_t issuer, struct bytes serial, int64_t archive_secs)
{
	db_call_init(c, &ocsp_get_stmt);
	db_bind_int(c, issuer);
	db_bind_bytes(c, serial);
	db_bind_bigint(c, archive_secs);
}

enum ocsp_found ocsp_get_result(const struct db_call *c, struct ocsp_stored *ret)
{
	enum ocsp_found found = (enum ocsp_found)db_int(c->result, 0, 0);

	if (found == OCSP_STORED)
		*ret = (struct ocsp_stored){
			.response = db_bytes(c->result, 0, 1),
			.this_update_us = db_time(c->result, 0, 2),
			.next_update_us = db_time(c->result, 0, 3),
		};
	return found;
}

void ocsp_status_call(struct db_call *c, const int32_t *issuers, const struct bytes *serials,
	size_t count, int64_t archive_secs)
{
	db_call_init(c, &ocsp_status_stmt);
	db_bind_ints(c, issuers, count);
	db_bind_byteses(c, serials, count);
	db_bind_bigint(c, archive_secs);
}

void ocsp_due_call(struct db_call *c, enum ocsp_duty duty, const struct ocsp_due *in)
{
	static const struct db_stmt *const stmts[OCSP_DUTIES] = {
		[OCSP_DUTY_CHANGED] = &ocsp_due_changed_stmt,
		[OCSP_DUTY_NEW] = &ocsp_due_new_stmt,
		[OCSP_DUTY_AGAIN] = &ocsp_due_again_stmt,
	};

	db_call_init(c, stmts[duty]);
	db_bind_ident(c, &in->worker);
	db_bind_ints(c, in->issuers, in->nissuers);
	db_bind_int(c, in->limit);
	db_bind_int(c, in->lease_secs);
	if (duty == OCSP_DUTY_NEW)
		db_bind_int(c, in->overlap_secs);
	else
		db_bind_bigint(c, in->archive_secs);
}

void ocsp_leave_call(struct db_call *c, const struct ident *worker)
{
	db_call_init(c, &ocsp_leave_stmt);
	db_bind_ident(c, worker);
}

size_t ocsp_subject_count(const struct db_call *c)
{
	return (size_t)db_nrows(c->result);
}

static int64_t time_or_min(const struct db_result *r, int row, int col)
{
	return db_is_null(r, row, col) ? INT64_MIN : db_time(r, row, col);
}

void ocsp_subject_at(const struct db_call *c, size_t i, struct ocsp_subject *ret)
{
	const struct db_result *r = c->result;
	int row = (int)i;

	*ret = (struct ocsp_subject){
		.serial = db_bytes(r, row, 0),
		.issuer = db_int(r, row, 1),
		.status = (enum ocsp_status)db_int(r, row, 2),
		.revoked_us = time_or_min(r, row, 3),
		.reason = db_is_null(r, row, 4) ? -1 : db_int(r, row, 4),
		.not_after_us = time_or_min(r, row, 5),
	};
}

/* One of the times of each, or one of the byte strings. */
static void bind_times(struct db_call *c, const struct ocsp_signed *in, size_t count, size_t offset)
{
	CLEANUP(free) int64_t *times = xcalloc(count + 1, sizeof(*times));

	for (size_t i = 0; i < count; i++)
		memcpy(&times[i], (const char *)&in[i] + offset, sizeof(times[i]));
	db_bind_times(c, times, count);
}

static void bind_runs(struct db_call *c, const struct ocsp_signed *in, size_t count, size_t offset)
{
	CLEANUP(free) struct bytes *values = xcalloc(count + 1, sizeof(*values));

	for (size_t i = 0; i < count; i++)
		memcpy(&values[i], (const char *)&in[i] + offset, sizeof(values[i]));
	db_bind_byteses(c, values, count);
}

void ocsp_store_call(struct db_call *c, const struct ocsp_signed *in, size_t count)
{
	CLEANUP(free) int32_t *reasons = xcalloc(count + 1, sizeof(*reasons));

	for (size_t i = 0; i < count; i++)
		reasons[i] = in[i].reason;
	db_call_init(c, &ocsp_store_stmt);
	bind_runs(c, in, count, offsetof(struct ocsp_signed, serial));
	bind_times(c, in, count, offsetof(struct ocsp_signed, this_update_us));
	bind_times(c, in, count, offsetof(struct ocsp_signed, next_update_us));
	bind_times(c, in, count, offsetof(struct ocsp_signed, refresh_us));
	bind_times(c, in, count, offsetof(struct ocsp_signed, revoked_us));
	db_bind_ints(c, reasons, count);
	bind_runs(c, in, count, offsetof(struct ocsp_signed, response));
}
