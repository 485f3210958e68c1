/* validation.c — see validation.h. Column numbers are those of sql/api/validation.sql. */
#include "lib/store/validation.h"

const struct db_stmt validation_claim_stmt = {"validation_claim",
	"SELECT r_id, r_account, r_attempt, r_tries, r_name, r_wildcard, r_type, r_secret, "
	"r_key_thumbprint "
	"FROM assay.validation_claim($1, $2, $3)",
	DB_ROWS, 3, {DB_T_IDENTS, DB_T_INT, DB_T_IDENTS}};
const struct db_stmt validation_renew_stmt = {"validation_renew",
	"SELECT assay.validation_renew($1, $2, $3, $4, $5)", DB_NOTHING, 5,
	{DB_T_IDENTS, DB_T_INTS, DB_T_IDENTS, DB_T_INTS, DB_T_INT}};
const struct db_stmt validation_finish_stmt = {"validation_finish",
	"SELECT id FROM assay.validation_finish($1, $2, $3, $4, $5, $6, $7, $8) id", DB_ROWS, 8,
	{DB_T_IDENTS, DB_T_INTS, DB_T_INTS, DB_T_TEXTS, DB_T_TIMES, DB_T_TIMES, DB_T_TEXTS,
		DB_T_TIME}};
const struct db_stmt caa_claim_stmt = {"caa_claim",
	"SELECT r_order, r_account, r_attempt, r_authz, r_name, r_wildcard, r_method FROM "
	"assay.caa_claim($1, $2)",
	DB_ROWS, 2, {DB_T_IDENTS, DB_T_INT}};
const struct db_stmt caa_finish_stmt = {"caa_finish", "SELECT assay.caa_finish($1, $2, $3, $4, $5)",
	DB_NOTHING, 5, {DB_T_IDENTS, DB_T_INTS, DB_T_TEXTS, DB_T_TEXTS, DB_T_TIME}};

void validation_claim_call(struct db_call *c, const struct ident *ids, size_t count, int lease_secs,
	const struct ident *full, size_t nfull)
{
	db_call_init(c, &validation_claim_stmt);
	db_bind_idents(c, ids, count);
	db_bind_int(c, lease_secs);
	db_bind_idents(c, full, nfull);
}

size_t validation_claim_count(const struct db_call *c)
{
	return (size_t)db_nrows(c->result);
}

void validation_claim_at(const struct db_call *c, size_t i, struct validation_job *ret)
{
	const struct db_result *r = c->result;
	int row = (int)i;

	ret->authz = db_ident(r, row, 0);
	ret->account = db_ident(r, row, 1);
	ret->attempt = db_int(r, row, 2);
	ret->tries = db_int(r, row, 3);
	ret->name = db_bytes(r, row, 4);
	ret->wildcard = db_bool(r, row, 5);
	ret->type = (enum challenge_type)db_int(r, row, 6);
	ret->secret = db_bytes(r, row, 7);
	ret->key_thumbprint = db_bytes(r, row, 8);
}

void validation_renew_call(struct db_call *c, const struct ident *authzs,
	const int32_t *authz_attempts, size_t nauthzs, const struct ident *caa_orders,
	const int32_t *order_attempts, size_t norders, int lease_secs)
{
	db_call_init(c, &validation_renew_stmt);
	db_bind_idents(c, authzs, nauthzs);
	db_bind_ints(c, authz_attempts, nauthzs);
	db_bind_idents(c, caa_orders, norders);
	db_bind_ints(c, order_attempts, norders);
	db_bind_int(c, lease_secs);
}

/* One array of each member of the results, gathered for binding. */
struct columns {
	struct ident *ids;
	int32_t *attempts, *outcomes;
	struct bytes *problems, *evidence;
	int64_t *retries, *caas;
};

static void columns_done(struct columns *x)
{
	free(x->ids);
	free(x->attempts);
	free(x->outcomes);
	free(x->problems);
	free(x->evidence);
	free(x->retries);
	free(x->caas);
}

static struct columns columns_gather(const struct validation_result *results, size_t count)
{
	struct columns x = {
		.ids = xcalloc(count + 1, sizeof(*x.ids)),
		.attempts = xcalloc(count + 1, sizeof(*x.attempts)),
		.outcomes = xcalloc(count + 1, sizeof(*x.outcomes)),
		.problems = xcalloc(count + 1, sizeof(*x.problems)),
		.evidence = xcalloc(count + 1, sizeof(*x.evidence)),
		.retries = xcalloc(count + 1, sizeof(*x.retries)),
		.caas = xcalloc(count + 1, sizeof(*x.caas)),
	};

	for (size_t i = 0; i < count; i++) {
		const struct validation_result *v = &results[i];

		x.ids[i] = v->authz;
		x.attempts[i] = v->attempt;
		x.outcomes[i] = (int32_t)v->outcome;
		x.problems[i] = v->outcome == VALIDATION_VALID ? bytes_of(NULL, 0) : v->problem;
		x.evidence[i] = v->evidence;
		x.retries[i] = v->outcome == VALIDATION_RETRY ? v->retry_us : INT64_MIN;
		x.caas[i] = v->outcome == VALIDATION_VALID ? v->caa_us : INT64_MIN;
	}
	return x;
}

void validation_finish_call(struct db_call *c, const struct validation_result *results,
	size_t count, int64_t valid_until_us)
{
	struct columns x = columns_gather(results, count);

	db_call_init(c, &validation_finish_stmt);
	db_bind_idents(c, x.ids, count);
	db_bind_ints(c, x.attempts, count);
	db_bind_ints(c, x.outcomes, count);
	db_bind_texts(c, x.problems, count);
	db_bind_times(c, x.retries, count);
	db_bind_times(c, x.caas, count);
	db_bind_texts(c, x.evidence, count);
	db_bind_time(c, valid_until_us);
	columns_done(&x);
}

size_t validation_finish_count(const struct db_call *c)
{
	return (size_t)db_nrows(c->result);
}

struct ident validation_finish_order(const struct db_call *c, size_t i)
{
	return db_ident(c->result, (int)i, 0);
}

void caa_claim_call(struct db_call *c, const struct ident *orders, size_t count, int lease_secs)
{
	db_call_init(c, &caa_claim_stmt);
	db_bind_idents(c, orders, count);
	db_bind_int(c, lease_secs);
}

size_t caa_claim_count(const struct db_call *c)
{
	return (size_t)db_nrows(c->result);
}

void caa_claim_at(const struct db_call *c, size_t i, struct caa_job *ret)
{
	const struct db_result *r = c->result;
	int row = (int)i;

	ret->order = db_ident(r, row, 0);
	ret->account = db_ident(r, row, 1);
	ret->attempt = db_int(r, row, 2);
	ret->authz = db_ident(r, row, 3);
	ret->name = db_bytes(r, row, 4);
	ret->wildcard = db_bool(r, row, 5);
	ret->method = (enum challenge_type)db_int(r, row, 6);
}

void caa_finish_call(struct db_call *c, const struct ident *orders, const int32_t *attempts,
	const struct bytes *problems, const struct bytes *evidence, size_t count, int64_t caa_us)
{
	db_call_init(c, &caa_finish_stmt);
	db_bind_idents(c, orders, count);
	db_bind_ints(c, attempts, count);
	db_bind_texts(c, problems, count);
	db_bind_texts(c, evidence, count);
	db_bind_time(c, caa_us);
}
