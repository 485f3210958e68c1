/* checkup.c — see checkup.h. */
#include "lib/store/checkup.h"

const struct db_stmt admin_doctor_stmt = {"admin_doctor",
	"SELECT r_level, r_check, r_text FROM assay.admin_doctor($1, $2)", DB_ROWS, 2,
	{DB_T_INT, DB_T_BOOL}};
const struct db_stmt admin_migrations_stmt = {"admin_migrations",
	"SELECT r_name, r_sha256 FROM assay.admin_migrations()", DB_ROWS, 0, {0}};
const struct db_stmt admin_forgotten_stmt = {"admin_forgotten",
	"SELECT serial, array_to_string(names, ' '), account_id, order_id, not_after, revoked_at "
	"IS "
	"NOT NULL, seen_at IS NOT NULL FROM assay.admin_forgotten()",
	DB_ROWS, 0, {0}};
const struct db_stmt admin_forgotten_seen_stmt = {"admin_forgotten_seen",
	"SELECT assay.admin_forgotten_seen()", DB_ONE_ROW, 0, {0}};

void admin_doctor_call(struct db_call *c, int seals, bool journal)
{
	db_call_init(c, &admin_doctor_stmt);
	db_bind_int(c, seals);
	db_bind_bool(c, journal);
}

void admin_doctor_at(const struct db_call *c, size_t i, struct checkup_finding *ret)
{
	*ret = (struct checkup_finding){
		.level = db_int(c->result, (int)i, 0),
		.check = db_bytes(c->result, (int)i, 1),
		.text = db_bytes(c->result, (int)i, 2),
	};
}

void admin_migrations_call(struct db_call *c)
{
	db_call_init(c, &admin_migrations_stmt);
}

void admin_migrations_at(const struct db_call *c, size_t i, struct bytes *ret_name,
	struct bytes *ret_sha256)
{
	*ret_name = db_bytes(c->result, (int)i, 0);
	*ret_sha256 = db_bytes(c->result, (int)i, 1);
}

void admin_forgotten_call(struct db_call *c)
{
	db_call_init(c, &admin_forgotten_stmt);
}

void admin_forgotten_at(const struct db_call *c, size_t i, struct checkup_forgotten *ret)
{
	int row = (int)i;

	*ret = (struct checkup_forgotten){
		.serial = db_bytes(c->result, row, 0),
		.names = db_bytes(c->result, row, 1),
		.account = db_ident(c->result, row, 2),
		.order = db_ident(c->result, row, 3),
		.not_after_us = db_time(c->result, row, 4),
		.revoked = db_bool(c->result, row, 5),
		.seen = db_bool(c->result, row, 6),
	};
}

void admin_forgotten_seen_call(struct db_call *c)
{
	db_call_init(c, &admin_forgotten_seen_stmt);
}

size_t checkup_count(const struct db_call *c)
{
	return (size_t)db_nrows(c->result);
}
