/* sweep.c — see sweep.h. Column numbers are those of sql/api/sweep.sql. */
#include "lib/store/sweep.h"

const struct db_stmt sweep_due_stmt = {"sweep_due",
	"SELECT r_kind, r_id FROM assay.sweep_due($1, $2)", DB_ROWS, 2, {DB_T_INT, DB_T_INT}};
const struct db_stmt sweep_dead_stmt = {"sweep_dead", "SELECT assay.sweep_dead($1, $2)", DB_NOTHING,
	2, {DB_T_INT, DB_T_IDENT}};
const struct db_stmt closing_sweep_stmt = {"closing_sweep", "SELECT assay.closing_sweep($1)",
	DB_ONE_ROW, 1, {DB_T_INT}};
const struct db_stmt partitions_stmt = {"partitions", "SELECT assay.partitions($1, $2)", DB_ONE_ROW,
	2, {DB_T_INT, DB_T_BIGINT}};
const struct db_stmt audit_seal_stmt = {"audit_seal", "SELECT assay.audit_seal($1)", DB_ONE_ROW, 1,
	{DB_T_INT}};
const struct db_stmt revocation_sweep_stmt = {"revocation_sweep", "SELECT assay.revocation_sweep()",
	DB_ONE_ROW, 0, {0}};
const struct db_stmt certificates_tidy_stmt = {"certificates_tidy",
	"SELECT assay.certificates_tidy()", DB_NOTHING, 0, {0}};
const struct db_stmt heartbeat_stmt = {"heartbeat", "SELECT assay.heartbeat($1, $2, $3)",
	DB_NOTHING, 3, {DB_T_TEXT, DB_T_TEXT, DB_T_INT}};
const struct db_stmt workers_alive_stmt = {"workers_alive",
	"SELECT validator, signer, keeper FROM assay.workers_alive($1)", DB_ONE_ROW, 1, {DB_T_INT}};

void sweep_due_call(struct db_call *c, int limit, int backoff_secs)
{
	db_call_init(c, &sweep_due_stmt);
	db_bind_int(c, limit);
	db_bind_int(c, backoff_secs);
}

size_t sweep_due_count(const struct db_call *c)
{
	return (size_t)db_nrows(c->result);
}

void sweep_due_at(const struct db_call *c, size_t i, enum sweep_kind *ret_kind,
	struct ident *ret_id)
{
	*ret_kind = (enum sweep_kind)db_int(c->result, (int)i, 0);
	*ret_id = db_ident(c->result, (int)i, 1);
}

void sweep_dead_call(struct db_call *c, enum sweep_kind kind, const struct ident *id)
{
	db_call_init(c, &sweep_dead_stmt);
	db_bind_int(c, (int32_t)kind);
	db_bind_ident(c, id);
}

void closing_sweep_call(struct db_call *c, int limit)
{
	db_call_init(c, &closing_sweep_stmt);
	db_bind_int(c, limit);
}

void partitions_call(struct db_call *c, int days_ahead, int64_t retention_secs)
{
	db_call_init(c, &partitions_stmt);
	db_bind_int(c, days_ahead);
	db_bind_bigint(c, retention_secs);
}

void audit_seal_call(struct db_call *c, int limit)
{
	db_call_init(c, &audit_seal_stmt);
	db_bind_int(c, limit);
}

void revocation_sweep_call(struct db_call *c)
{
	db_call_init(c, &revocation_sweep_stmt);
}

void certificates_tidy_call(struct db_call *c)
{
	db_call_init(c, &certificates_tidy_stmt);
}

void heartbeat_call(struct db_call *c, const char *program, const char *host, int pid)
{
	db_call_init(c, &heartbeat_stmt);
	db_bind_str(c, program);
	db_bind_str(c, host);
	db_bind_int(c, pid);
}

void workers_alive_call(struct db_call *c, int secs)
{
	db_call_init(c, &workers_alive_stmt);
	db_bind_int(c, secs);
}

struct workers_alive workers_alive_result(const struct db_call *c)
{
	return (struct workers_alive){.validator = db_bool(c->result, 0, 0),
		.signer = db_bool(c->result, 0, 1),
		.keeper = db_bool(c->result, 0, 2)};
}
