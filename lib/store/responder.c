/* responder.c — see responder.h. Column numbers are those of sql/api/responder.sql. */
#include "lib/store/responder.h"

const struct db_stmt responder_register_stmt = {"responder_register",
	"SELECT code FROM assay.responder_register($1, $2, $3, $4)", DB_ONE_ROW, 4,
	{DB_T_IDENT, DB_T_BYTES, DB_T_BYTES, DB_T_TEXT}};
const struct db_stmt responder_get_stmt = {"responder_get",
	"SELECT r_id, r_issuer, r_der, r_not_before, r_not_after, r_error "
	"FROM assay.responder_get($1)",
	DB_ROWS, 1, {DB_T_IDENTS}};
const struct db_stmt responder_claim_stmt = {"responder_claim",
	"SELECT r_id, r_attempt, r_issuer, r_spki, r_now FROM assay.responder_claim($1, $2)",
	DB_ROWS, 2, {DB_T_IDENTS, DB_T_INT}};
const struct db_stmt responder_reserve_stmt = {"responder_reserve",
	"SELECT id FROM assay.responder_reserve($1, $2, $3, $4, $5, $6) id", DB_ROWS, 6,
	{DB_T_IDENTS, DB_T_INTS, DB_T_BYTESES, DB_T_BYTESES, DB_T_TIMES, DB_T_TIMES}};
const struct db_stmt responder_issue_stmt = {"responder_issue",
	"SELECT id FROM assay.responder_issue($1, $2, $3, $4) id", DB_ROWS, 4,
	{DB_T_IDENTS, DB_T_INTS, DB_T_BYTESES, DB_T_BYTESES}};
const struct db_stmt responder_refuse_stmt = {"responder_refuse",
	"SELECT assay.responder_refuse($1, $2, $3)", DB_NOTHING, 3,
	{DB_T_IDENTS, DB_T_INTS, DB_T_TEXTS}};
const struct db_stmt admin_responders_stmt = {"admin_responders",
	"SELECT r_issuer, r_id, r_host, r_registered_at, r_serial, r_not_after, r_error "
	"FROM assay.admin_responders()",
	DB_ROWS, 0, {0}};

void responder_register_call(struct db_call *c, const struct ident *id, struct bytes issuer_sha256,
	struct bytes spki, const char *host)
{
	db_call_init(c, &responder_register_stmt);
	db_bind_ident(c, id);
	db_bind_bytes(c, issuer_sha256);
	db_bind_bytes(c, spki);
	db_bind_str(c, host);
}

enum responder_code responder_register_result(const struct db_call *c)
{
	return (enum responder_code)db_int(c->result, 0, 0);
}

void responder_get_call(struct db_call *c, const struct ident *ids, size_t count)
{
	db_call_init(c, &responder_get_stmt);
	db_bind_idents(c, ids, count);
}

size_t responder_get_count(const struct db_call *c)
{
	return (size_t)db_nrows(c->result);
}

void responder_get_at(const struct db_call *c, size_t i, struct responder_state *ret)
{
	const struct db_result *r = c->result;
	int row = (int)i;

	*ret = (struct responder_state){.id = db_ident(r, row, 0), .issuer = db_int(r, row, 1)};
	if (!db_is_null(r, row, 2)) {
		ret->der = db_bytes(r, row, 2);
		ret->not_before_us = db_time(r, row, 3);
		ret->not_after_us = db_time(r, row, 4);
	}
	if (!db_is_null(r, row, 5))
		ret->error = db_bytes(r, row, 5);
}

void responder_claim_call(struct db_call *c, const struct ident *ids, size_t count, int lease_secs)
{
	db_call_init(c, &responder_claim_stmt);
	db_bind_idents(c, ids, count);
	db_bind_int(c, lease_secs);
}

size_t responder_claim_count(const struct db_call *c)
{
	return (size_t)db_nrows(c->result);
}

void responder_claim_at(const struct db_call *c, size_t i, struct responder_job *ret)
{
	const struct db_result *r = c->result;
	int row = (int)i;

	*ret = (struct responder_job){
		.id = db_ident(r, row, 0),
		.attempt = db_int(r, row, 1),
		.issuer = db_bytes(r, row, 2),
		.spki = db_bytes(r, row, 3),
		.now_us = db_time(r, row, 4),
	};
}

void responder_reserve_call(struct db_call *c, const struct ident *id, int32_t attempt,
	struct bytes serial, struct bytes tbs, int64_t not_before_us, int64_t not_after_us)
{
	db_call_init(c, &responder_reserve_stmt);
	db_bind_idents(c, id, 1);
	db_bind_ints(c, &attempt, 1);
	db_bind_byteses(c, &serial, 1);
	db_bind_byteses(c, &tbs, 1);
	db_bind_times(c, &not_before_us, 1);
	db_bind_times(c, &not_after_us, 1);
}

void responder_issue_call(struct db_call *c, const struct ident *id, int32_t attempt,
	struct bytes serial, struct bytes der)
{
	db_call_init(c, &responder_issue_stmt);
	db_bind_idents(c, id, 1);
	db_bind_ints(c, &attempt, 1);
	db_bind_byteses(c, &serial, 1);
	db_bind_byteses(c, &der, 1);
}

bool responder_accepted(const struct db_call *c)
{
	return db_nrows(c->result) == 1;
}

void responder_refuse_call(struct db_call *c, const struct ident *id, int32_t attempt,
	const char *why)
{
	struct bytes error = bytes_str(why);

	db_call_init(c, &responder_refuse_stmt);
	db_bind_idents(c, id, 1);
	db_bind_ints(c, &attempt, 1);
	db_bind_texts(c, &error, 1);
}

void admin_responders_call(struct db_call *c)
{
	db_call_init(c, &admin_responders_stmt);
}

size_t admin_responders_count(const struct db_call *c)
{
	return (size_t)db_nrows(c->result);
}

void admin_responders_at(const struct db_call *c, size_t i, struct admin_responder *ret)
{
	const struct db_result *r = c->result;
	int row = (int)i;

	*ret = (struct admin_responder){
		.issuer = db_bytes(r, row, 0),
		.id = db_ident(r, row, 1),
		.host = db_bytes(r, row, 2),
		.registered_us = db_time(r, row, 3),
		.not_after_us = db_is_null(r, row, 5) ? INT64_MIN : db_time(r, row, 5),
	};
	if (!db_is_null(r, row, 4))
		ret->serial = db_bytes(r, row, 4);
	if (!db_is_null(r, row, 6))
		ret->error = db_bytes(r, row, 6);
}
