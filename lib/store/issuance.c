/* issuance.c — see issuance.h. Column numbers are those of sql/api/issuance.sql. */
#include "lib/store/issuance.h"

#include <assert.h>

const struct db_stmt issuance_claim_stmt = {"issuance_claim",
	"SELECT r_order, r_account, r_attempt, r_account_status, r_status, r_expires_at, r_now, "
	"r_profile, r_not_before, "
	"r_not_after, r_csr, r_key_blocked, r_key_is_account, r_names, r_authz_statuses, "
	"r_authz_same_account, "
	"r_authz_names, r_authz_wildcards, r_authz_expires, r_authz_methods, r_authz_validated, "
	"r_authz_caa "
	"FROM assay.issuance_claim($1, $2)",
	DB_ROWS, 2, {DB_T_IDENTS, DB_T_INT}};
const struct db_stmt issuance_reserve_stmt = {"issuance_reserve",
	"SELECT id FROM assay.issuance_record($1, $2, $3, $4, $5, $6, $7, $8, $9) id", DB_ROWS, 9,
	{DB_T_IDENTS, DB_T_INTS, DB_T_BYTESES, DB_T_BYTESES, DB_T_BYTESES, DB_T_BYTESES, DB_T_TIMES,
		DB_T_TIMES, DB_T_INTS}};
const struct db_stmt issuance_issue_stmt = {"issuance_issue",
	"SELECT id FROM assay.issuance_issue($1, $2, $3, $4) id", DB_ROWS, 4,
	{DB_T_IDENTS, DB_T_INTS, DB_T_BYTESES, DB_T_BYTESES}};
const struct db_stmt issuance_refuse_stmt = {"issuance_refuse",
	"SELECT assay.issuance_refuse($1, $2, $3)", DB_NOTHING, 3,
	{DB_T_IDENTS, DB_T_INTS, DB_T_TEXTS}};
const struct db_stmt issuance_defer_caa_stmt = {"issuance_defer_caa",
	"SELECT assay.issuance_defer_caa($1, $2)", DB_NOTHING, 2, {DB_T_IDENTS, DB_T_INTS}};
const struct db_stmt issuance_wait_stmt = {"issuance_wait",
	"SELECT assay.issuance_wait($1, $2, $3)", DB_NOTHING, 3,
	{DB_T_IDENTS, DB_T_INTS, DB_T_INT}};
const struct db_stmt issuer_record_stmt = {"issuer_record",
	"SELECT assay.issuer_record($1, $2, $3, $4, $5)", DB_NOTHING, 5,
	{DB_T_BYTES, DB_T_BYTES, DB_T_TEXT, DB_T_TEXT, DB_T_TEXTS}};

void issuance_job_done(struct issuance_job *job)
{
	free(job->names);
	free(job->authzs);
	*job = (struct issuance_job){0};
}

void issuance_claim_call(struct db_call *c, const struct ident *orders, size_t count,
	int lease_secs)
{
	db_call_init(c, &issuance_claim_stmt);
	db_bind_idents(c, orders, count);
	db_bind_int(c, lease_secs);
}

size_t issuance_claim_count(const struct db_call *c)
{
	return (size_t)db_nrows(c->result);
}

static int64_t time_or_min(const struct db_result *r, int row, int col)
{
	return db_is_null(r, row, col) ? INT64_MIN : db_time(r, row, col);
}

static void read_names(const struct db_result *r, int row, struct issuance_job *job)
{
	job->nnames = (size_t)db_array_count(r, row, 13);
	job->names = xcalloc(job->nnames + 1, sizeof(*job->names));
	for (size_t i = 0; i < job->nnames; i++)
		job->names[i] = db_array_at(r, row, 13, (int)i);
}

static void read_authzs(const struct db_result *r, int row, struct issuance_job *job)
{
	job->nauthzs = (size_t)db_array_count(r, row, 14);
	job->authzs = xcalloc(job->nauthzs + 1, sizeof(*job->authzs));
	for (int i = 0; i < (int)job->nauthzs; i++) {
		struct issuance_authz *a = &job->authzs[i];

		a->status = (enum authz_status)db_array_int(r, row, 14, i);
		a->same_account = db_array_int(r, row, 15, i) != 0;
		a->name = db_array_at(r, row, 16, i);
		a->wildcard = db_array_int(r, row, 17, i) != 0;
		a->expires_us = db_array_time(r, row, 18, i);
		a->method = (enum challenge_type)db_array_int(r, row, 19, i);
		a->validated_us = db_array_time(r, row, 20, i);
		a->caa_us = db_array_time(r, row, 21, i);
	}
	assert(job->nauthzs == job->nnames);
}

void issuance_claim_at(const struct db_call *c, size_t i, struct issuance_job *ret)
{
	const struct db_result *r = c->result;
	int row = (int)i;

	*ret = (struct issuance_job){
		.order = db_ident(r, row, 0),
		.account = db_ident(r, row, 1),
		.attempt = db_int(r, row, 2),
		.account_status = (enum account_status)db_int(r, row, 3),
		.status = (enum order_status)db_int(r, row, 4),
		.expires_us = db_time(r, row, 5),
		.now_us = db_time(r, row, 6),
		.profile = db_bytes(r, row, 7),
		.not_before_us = time_or_min(r, row, 8),
		.not_after_us = time_or_min(r, row, 9),
		.csr = db_bytes(r, row, 10),
		.key_blocked = db_bool(r, row, 11),
		.key_is_account = db_bool(r, row, 12),
	};
	read_names(r, row, ret);
	read_authzs(r, row, ret);
}

/* One of the byte strings of each reservation, gathered for binding. */
static void bind_member(struct db_call *c, const struct issuance_reservation *in, size_t count,
	size_t offset)
{
	struct bytes *values = xcalloc(count + 1, sizeof(*values));

	for (size_t i = 0; i < count; i++)
		memcpy(&values[i], (const char *)&in[i] + offset, sizeof(values[i]));
	db_bind_byteses(c, values, count);
	free(values);
}

void issuance_reserve_call(struct db_call *c, const struct issuance_reservation *in, size_t count)
{
	struct ident *orders = xcalloc(count + 1, sizeof(*orders));
	int32_t *attempts = xcalloc(count + 1, sizeof(*attempts));
	int32_t *shards = xcalloc(count + 1, sizeof(*shards));
	int64_t *befores = xcalloc(count + 1, sizeof(*befores));
	int64_t *afters = xcalloc(count + 1, sizeof(*afters));

	for (size_t i = 0; i < count; i++) {
		orders[i] = in[i].order;
		attempts[i] = in[i].attempt;
		shards[i] = in[i].crl_shard;
		befores[i] = in[i].not_before_us;
		afters[i] = in[i].not_after_us;
	}
	db_call_init(c, &issuance_reserve_stmt);
	db_bind_idents(c, orders, count);
	db_bind_ints(c, attempts, count);
	bind_member(c, in, count, offsetof(struct issuance_reservation, serial));
	bind_member(c, in, count, offsetof(struct issuance_reservation, tbs));
	bind_member(c, in, count, offsetof(struct issuance_reservation, spki_sha256));
	bind_member(c, in, count, offsetof(struct issuance_reservation, issuer));
	db_bind_times(c, befores, count);
	db_bind_times(c, afters, count);
	db_bind_ints(c, shards, count);
	free(orders);
	free(attempts);
	free(shards);
	free(befores);
	free(afters);
}

size_t issuance_reserve_count(const struct db_call *c)
{
	return (size_t)db_nrows(c->result);
}

struct ident issuance_reserve_order(const struct db_call *c, size_t i)
{
	return db_ident(c->result, (int)i, 0);
}

void issuance_issue_call(struct db_call *c, const struct ident *orders, const int32_t *attempts,
	const struct bytes *serials, const struct bytes *ders, size_t count)
{
	db_call_init(c, &issuance_issue_stmt);
	db_bind_idents(c, orders, count);
	db_bind_ints(c, attempts, count);
	db_bind_byteses(c, serials, count);
	db_bind_byteses(c, ders, count);
}

size_t issuance_issue_count(const struct db_call *c)
{
	return (size_t)db_nrows(c->result);
}

struct ident issuance_issue_order(const struct db_call *c, size_t i)
{
	return db_ident(c->result, (int)i, 0);
}

void issuance_refuse_call(struct db_call *c, const struct ident *orders, const int32_t *attempts,
	const struct bytes *problems, size_t count)
{
	db_call_init(c, &issuance_refuse_stmt);
	db_bind_idents(c, orders, count);
	db_bind_ints(c, attempts, count);
	db_bind_texts(c, problems, count);
}

void issuance_defer_caa_call(struct db_call *c, const struct ident *orders, const int32_t *attempts,
	size_t count)
{
	db_call_init(c, &issuance_defer_caa_stmt);
	db_bind_idents(c, orders, count);
	db_bind_ints(c, attempts, count);
}

void issuance_wait_call(struct db_call *c, const struct ident *orders, const int32_t *attempts,
	size_t count, int secs)
{
	db_call_init(c, &issuance_wait_stmt);
	db_bind_idents(c, orders, count);
	db_bind_ints(c, attempts, count);
	db_bind_int(c, secs);
}

void issuer_record_call(struct db_call *c, const struct issuer_row *in)
{
	db_call_init(c, &issuer_record_stmt);
	db_bind_bytes(c, in->sha256);
	db_bind_bytes(c, in->certificate_der);
	db_bind_text(c, in->chain_pem);
	db_bind_text(c, in->name);
	db_bind_texts(c, in->alternates, in->nalternates);
}
