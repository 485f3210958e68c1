/* crl.c — see crl.h. Column numbers are those of sql/api/crl.sql. */
#include "lib/store/crl.h"

const struct db_stmt crl_register_stmt = {"crl_register",
	"SELECT assay.crl_register($1, $2, $3, $4, $5)", DB_ONE_ROW, 5,
	{DB_T_BYTES, DB_T_TIME, DB_T_TEXT, DB_T_INT, DB_T_TEXT}};
const struct db_stmt crl_claim_stmt = {"crl_claim",
	"SELECT r_issuer, r_url, r_number, r_this_update, r_changes "
	"FROM assay.crl_claim($1, $2, $3)",
	DB_ROWS, 3, {DB_T_IDENT, DB_T_BYTESES, DB_T_INT}};
const struct db_stmt crl_renew_stmt = {"crl_renew", "SELECT assay.crl_renew($1, $2, $3)",
	DB_ONE_ROW, 3, {DB_T_IDENT, DB_T_BIGINT, DB_T_INT}};
const struct db_stmt crl_entries_stmt = {"crl_entries",
	"SELECT r_serial, r_revoked_at, r_reason FROM assay.crl_entries($1, $2, $3, $4)", DB_ROWS,
	4, {DB_T_IDENT, DB_T_BYTES, DB_T_TIME, DB_T_INT}};
const struct db_stmt crl_part_store_stmt = {"crl_part_store",
	"SELECT assay.crl_part_store($1, $2, $3, $4)", DB_NOTHING, 4,
	{DB_T_IDENT, DB_T_BIGINT, DB_T_INT, DB_T_BYTES}};
const struct db_stmt crl_publish_stmt = {"crl_publish",
	"SELECT assay.crl_publish($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)", DB_ONE_ROW, 10,
	{DB_T_IDENT, DB_T_BIGINT, DB_T_TIME, DB_T_TIME, DB_T_BIGINT, DB_T_BIGINT, DB_T_BYTES,
		DB_T_BIGINT, DB_T_INT, DB_T_INT}};
const struct db_stmt crl_fail_stmt = {"crl_fail", "SELECT assay.crl_fail($1, $2, $3)", DB_NOTHING,
	3, {DB_T_IDENT, DB_T_BIGINT, DB_T_INT}};
const struct db_stmt crl_schedule_stmt = {"crl_schedule", "SELECT assay.crl_schedule($1, $2)",
	DB_ONE_ROW, 2, {DB_T_INT, DB_T_INT}};
const struct db_stmt crl_due_stmt = {"crl_due", "SELECT id FROM assay.crl_due($1, $2) id", DB_ROWS,
	2, {DB_T_INT, DB_T_INT}};
const struct db_stmt crl_files_stmt = {"crl_files",
	"SELECT r_id, r_path, r_number, r_size, r_sha256 FROM assay.crl_files($1)", DB_ROWS, 1,
	{DB_T_INT}};
const struct db_stmt crl_part_stmt = {"crl_part", "SELECT b FROM assay.crl_part($1, $2, $3) b",
	DB_ROWS, 3, {DB_T_IDENT, DB_T_BIGINT, DB_T_INT}};
const struct db_stmt crl_overtaken_stmt = {"crl_overtaken", "SELECT assay.crl_overtaken($1, $2)",
	DB_NOTHING, 2, {DB_T_IDENT, DB_T_BIGINT}};
const struct db_stmt issuer_files_stmt = {"issuer_files",
	"SELECT r_path, r_certificate FROM assay.issuer_files()", DB_ROWS, 0, {0}};
const struct db_stmt admin_crls_stmt = {"admin_crls",
	"SELECT r_name, r_lists, r_missing, r_overdue, r_entries, r_size, r_oldest, r_ends "
	"FROM assay.admin_crls()",
	DB_ROWS, 0, {0}};
const struct db_stmt admin_crl_import_stmt = {"admin_crl_import",
	"SELECT assay.admin_crl_import($1, $2, $3, $4, $5, $6)", DB_ONE_ROW, 6,
	{DB_T_TEXT, DB_T_BIGINT, DB_T_TIME, DB_T_TIME, DB_T_BIGINT, DB_T_BYTES}};

/* The code of a file that is another's (SQL). */
#define CODE_NONE 4

void crl_register_call(struct db_call *c, struct bytes issuer_sha256, int64_t not_after_us,
	const char *crl_url, int shards, const char *ca_issuers_url)
{
	db_call_init(c, &crl_register_stmt);
	db_bind_bytes(c, issuer_sha256);
	db_bind_time(c, not_after_us);
	db_bind_str(c, crl_url);
	db_bind_int(c, shards);
	db_bind_str(c, ca_issuers_url);
}

bool crl_register_result(const struct db_call *c)
{
	return db_int(c->result, 0, 0) == 0;
}

void crl_claim_call(struct db_call *c, const struct ident *id, const struct bytes *issuers,
	size_t count, int lease_secs)
{
	db_call_init(c, &crl_claim_stmt);
	db_bind_ident(c, id);
	db_bind_byteses(c, issuers, count);
	db_bind_int(c, lease_secs);
}

bool crl_claim_result(const struct db_call *c, struct crl_claim *ret)
{
	const struct db_result *r = c->result;

	if (db_nrows(r) == 0)
		return false;
	*ret = (struct crl_claim){
		.issuer = db_bytes(r, 0, 0),
		.url = db_bytes(r, 0, 1),
		.number = db_bigint(r, 0, 2),
		.this_update_us = db_time(r, 0, 3),
		.changes = db_bigint(r, 0, 4),
	};
	return true;
}

void crl_renew_call(struct db_call *c, const struct ident *id, int64_t number, int lease_secs)
{
	db_call_init(c, &crl_renew_stmt);
	db_bind_ident(c, id);
	db_bind_bigint(c, number);
	db_bind_int(c, lease_secs);
}

bool crl_renew_result(const struct db_call *c)
{
	return db_bool(c->result, 0, 0);
}

void crl_entries_call(struct db_call *c, const struct ident *id, struct bytes after,
	int64_t this_update_us, int limit)
{
	db_call_init(c, &crl_entries_stmt);
	db_bind_ident(c, id);
	db_bind_bytes(c, after);
	db_bind_time(c, this_update_us);
	db_bind_int(c, limit);
}

size_t crl_entries_count(const struct db_call *c)
{
	return (size_t)db_nrows(c->result);
}

void crl_entries_at(const struct db_call *c, size_t i, struct crl_row *ret)
{
	*ret = (struct crl_row){
		.serial = db_bytes(c->result, (int)i, 0),
		.revoked_us = db_time(c->result, (int)i, 1),
		.reason = db_int(c->result, (int)i, 2),
	};
}

void crl_part_store_call(struct db_call *c, const struct ident *id, int64_t number, int part,
	struct bytes bytes)
{
	db_call_init(c, &crl_part_store_stmt);
	db_bind_ident(c, id);
	db_bind_bigint(c, number);
	db_bind_int(c, part);
	db_bind_bytes(c, bytes);
}

void crl_publish_call(struct db_call *c, const struct ident *id, const struct crl_publication *p)
{
	db_call_init(c, &crl_publish_stmt);
	db_bind_ident(c, id);
	db_bind_bigint(c, p->number);
	db_bind_time(c, p->this_update_us);
	db_bind_time(c, p->next_update_us);
	db_bind_bigint(c, p->entries);
	db_bind_bigint(c, p->size);
	db_bind_bytes(c, p->sha256);
	db_bind_bigint(c, p->changes);
	db_bind_int(c, p->refresh_secs);
	db_bind_int(c, p->delay_secs);
}

bool crl_publish_result(const struct db_call *c)
{
	return db_bool(c->result, 0, 0);
}

void crl_fail_call(struct db_call *c, const struct ident *id, int64_t number, int pause_secs)
{
	db_call_init(c, &crl_fail_stmt);
	db_bind_ident(c, id);
	db_bind_bigint(c, number);
	db_bind_int(c, pause_secs);
}

void crl_schedule_call(struct db_call *c, int limit, int delay_secs)
{
	db_call_init(c, &crl_schedule_stmt);
	db_bind_int(c, limit);
	db_bind_int(c, delay_secs);
}

void crl_due_call(struct db_call *c, int limit, int backoff_secs)
{
	db_call_init(c, &crl_due_stmt);
	db_bind_int(c, limit);
	db_bind_int(c, backoff_secs);
}

size_t crl_due_count(const struct db_call *c)
{
	return (size_t)db_nrows(c->result);
}

struct ident crl_due_at(const struct db_call *c, size_t i)
{
	return db_ident(c->result, (int)i, 0);
}

void crl_files_call(struct db_call *c, int secs)
{
	db_call_init(c, &crl_files_stmt);
	if (secs > 0)
		db_bind_int(c, secs);
	else
		db_bind_null(c);
}

size_t crl_files_count(const struct db_call *c)
{
	return (size_t)db_nrows(c->result);
}

void crl_files_at(const struct db_call *c, size_t i, struct crl_file *ret)
{
	*ret = (struct crl_file){
		.id = db_ident(c->result, (int)i, 0),
		.path = db_bytes(c->result, (int)i, 1),
		.number = db_bigint(c->result, (int)i, 2),
		.size = db_bigint(c->result, (int)i, 3),
		.sha256 = db_bytes(c->result, (int)i, 4),
	};
}

void crl_part_call(struct db_call *c, const struct ident *id, int64_t number, int part)
{
	db_call_init(c, &crl_part_stmt);
	db_bind_ident(c, id);
	db_bind_bigint(c, number);
	db_bind_int(c, part);
}

struct bytes crl_part_result(const struct db_call *c)
{
	return db_nrows(c->result) == 1 ? db_bytes(c->result, 0, 0) : bytes_of(NULL, 0);
}

void crl_overtaken_call(struct db_call *c, const struct ident *id, int64_t number)
{
	db_call_init(c, &crl_overtaken_stmt);
	db_bind_ident(c, id);
	db_bind_bigint(c, number);
}

void issuer_files_call(struct db_call *c)
{
	db_call_init(c, &issuer_files_stmt);
}

size_t issuer_files_count(const struct db_call *c)
{
	return (size_t)db_nrows(c->result);
}

void issuer_files_at(const struct db_call *c, size_t i, struct bytes *ret_path,
	struct bytes *ret_der)
{
	*ret_path = db_bytes(c->result, (int)i, 0);
	*ret_der = db_bytes(c->result, (int)i, 1);
}

void admin_crls_call(struct db_call *c)
{
	db_call_init(c, &admin_crls_stmt);
}

size_t admin_crls_count(const struct db_call *c)
{
	return (size_t)db_nrows(c->result);
}

static int64_t time_or_min(const struct db_result *r, int row, int col)
{
	return db_is_null(r, row, col) ? INT64_MIN : db_time(r, row, col);
}

void admin_crls_at(const struct db_call *c, size_t i, struct admin_crls *ret)
{
	const struct db_result *r = c->result;
	int row = (int)i;

	*ret = (struct admin_crls){
		.name = db_bytes(r, row, 0),
		.lists = db_bigint(r, row, 1),
		.missing = db_bigint(r, row, 2),
		.overdue = db_bigint(r, row, 3),
		.entries = db_bigint(r, row, 4),
		.size = db_bigint(r, row, 5),
		.oldest_us = time_or_min(r, row, 6),
		.ends_us = time_or_min(r, row, 7),
	};
}

void admin_crl_import_call(struct db_call *c, const char *url, int64_t number,
	int64_t this_update_us, int64_t next_update_us, int64_t entries, struct bytes der)
{
	db_call_init(c, &admin_crl_import_stmt);
	db_bind_str(c, url);
	db_bind_bigint(c, number);
	db_bind_time(c, this_update_us);
	db_bind_time(c, next_update_us);
	db_bind_bigint(c, entries);
	db_bind_bytes(c, der);
}

int admin_crl_import_result(const struct db_call *c)
{
	int32_t code = db_int(c->result, 0, 0);

	if (code == 0)
		return OK;
	return code == CODE_NONE ? ERR_NOENT : ERR_CONFLICT;
}
