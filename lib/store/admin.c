/* admin.c — see admin.h. */
#include "lib/store/admin.h"

const struct db_stmt admin_overview_stmt = {"admin_overview",
	"SELECT r_section, r_item, r_count, r_at FROM assay.admin_overview()", DB_ROWS, 0, {0}};
const struct db_stmt admin_issuers_stmt = {"admin_issuers",
	"SELECT r_name, r_certificate FROM assay.admin_issuers()", DB_ROWS, 0, {0}};
const struct db_stmt admin_issuance_stop_stmt = {"admin_issuance_stop",
	"SELECT assay.admin_issuance_stop($1)", DB_ONE_ROW, 1, {DB_T_TEXT}};
const struct db_stmt admin_issuance_start_stmt = {"admin_issuance_start",
	"SELECT assay.admin_issuance_start($1)", DB_ONE_ROW, 1, {DB_T_TEXT}};
const struct db_stmt admin_issuance_drain_stmt = {"admin_issuance_drain",
	"SELECT assay.admin_issuance_drain($1)", DB_ONE_ROW, 1, {DB_T_INT}};
const struct db_stmt admin_issuance_status_stmt = {"admin_issuance_status",
	"SELECT stopped_at, coalesce(actor, ''), coalesce(reason, ''), waiting, in_flight"
	" FROM assay.admin_issuance_status()",
	DB_ONE_ROW, 0, {0}};

void admin_overview_call(struct db_call *c)
{
	db_call_init(c, &admin_overview_stmt);
}

size_t admin_overview_count(const struct db_call *c)
{
	return (size_t)db_nrows(c->result);
}

void admin_overview_at(const struct db_call *c, size_t i, struct admin_figure *ret)
{
	int row = (int)i;

	*ret = (struct admin_figure){
		.section = db_bytes(c->result, row, 0),
		.item = db_bytes(c->result, row, 1),
		.count = db_bigint(c->result, row, 2),
		.at_us = db_is_null(c->result, row, 3) ? INT64_MIN : db_time(c->result, row, 3),
	};
}

void admin_issuers_call(struct db_call *c)
{
	db_call_init(c, &admin_issuers_stmt);
}

size_t admin_issuers_count(const struct db_call *c)
{
	return (size_t)db_nrows(c->result);
}

void admin_issuers_at(const struct db_call *c, size_t i, struct bytes *ret_name,
	struct bytes *ret_der)
{
	*ret_name = db_bytes(c->result, (int)i, 0);
	*ret_der = db_bytes(c->result, (int)i, 1);
}

void admin_issuance_stop_call(struct db_call *c, const char *reason)
{
	db_call_init(c, &admin_issuance_stop_stmt);
	db_bind_str(c, reason);
}

void admin_issuance_start_call(struct db_call *c, const char *reason)
{
	db_call_init(c, &admin_issuance_start_stmt);
	db_bind_str(c, reason);
}

bool admin_issuance_changed(const struct db_call *c)
{
	return db_bool(c->result, 0, 0);
}

void admin_issuance_drain_call(struct db_call *c, int secs)
{
	db_call_init(c, &admin_issuance_drain_stmt);
	db_bind_int(c, secs);
}

int64_t admin_issuance_drained(const struct db_call *c)
{
	return db_bigint(c->result, 0, 0);
}

void admin_issuance_status_call(struct db_call *c)
{
	db_call_init(c, &admin_issuance_status_stmt);
}

void admin_issuance_status_result(const struct db_call *c, struct admin_issuance *ret)
{
	*ret = (struct admin_issuance){
		.stopped_us = db_is_null(c->result, 0, 0) ? INT64_MIN : db_time(c->result, 0, 0),
		.actor = db_bytes(c->result, 0, 1),
		.reason = db_bytes(c->result, 0, 2),
		.waiting = db_bigint(c->result, 0, 3),
		.in_flight = db_bigint(c->result, 0, 4),
	};
}
