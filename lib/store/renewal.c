/* renewal.c — see renewal.h. Column numbers are those of the statement. */
#include "lib/store/renewal.h"

const struct db_stmt renewal_info_stmt = {"renewal_info",
	"SELECT code, not_before, not_after, revoked_at, profile, incident_start, incident_end, "
	"explanation_url FROM assay.renewal_info($1, $2)",
	DB_ONE_ROW, 2, {DB_T_BYTES, DB_T_BYTES}};

void renewal_info_call(struct db_call *c, struct bytes key_id, struct bytes serial)
{
	db_call_init(c, &renewal_info_stmt);
	db_bind_bytes(c, key_id);
	db_bind_bytes(c, serial);
}

static int64_t time_or_min(const struct db_result *r, int col)
{
	return db_is_null(r, 0, col) ? INT64_MIN : db_time(r, 0, col);
}

static struct bytes text_or_none(const struct db_result *r, int col)
{
	struct bytes none = {0};

	return db_is_null(r, 0, col) ? none : db_bytes(r, 0, col);
}

enum store_code renewal_info_result(const struct db_call *c, struct renewal_row *ret)
{
	const struct db_result *r = c->result;
	enum store_code code = (enum store_code)db_int(r, 0, 0);

	if (code != STORE_OK)
		return code;
	*ret = (struct renewal_row){
		.not_before_us = db_time(r, 0, 1),
		.not_after_us = db_time(r, 0, 2),
		.revoked_us = time_or_min(r, 3),
		.profile = text_or_none(r, 4),
		.incident_start_us = time_or_min(r, 5),
		.incident_end_us = time_or_min(r, 6),
		.explanation_url = text_or_none(r, 7),
	};
	return STORE_OK;
}
