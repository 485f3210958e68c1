/* admin.h — calls of operators (sql/api/admin.sql, sql/api/overview.sql), made by assayctl as
 * assay-admin. */
#pragma once

#include "lib/store/db.h"

extern const struct db_stmt admin_overview_stmt, admin_issuers_stmt, admin_issuance_stop_stmt,
	admin_issuance_start_stmt, admin_issuance_drain_stmt, admin_issuance_status_stmt;

struct admin_figure {
	struct bytes section;
	struct bytes item;
	int64_t count;
	int64_t at_us; /* INT64_MIN = none */
};
void admin_overview_call(struct db_call *c);
size_t admin_overview_count(const struct db_call *c);
void admin_overview_at(const struct db_call *c, size_t i, struct admin_figure *ret);

void admin_issuers_call(struct db_call *c);
size_t admin_issuers_count(const struct db_call *c);
void admin_issuers_at(const struct db_call *c, size_t i, struct bytes *ret_name,
	struct bytes *ret_der);

/* The kill switch of issuance (sql/api/stop.sql). True: this call changed it. */
void admin_issuance_stop_call(struct db_call *c, const char *reason);
void admin_issuance_start_call(struct db_call *c, const char *reason);
bool admin_issuance_changed(const struct db_call *c);
/* Behind a stop that was committed: waits until no certificate is in the making any more, for secs
 * at most; how many still are. */
void admin_issuance_drain_call(struct db_call *c, int secs);
int64_t admin_issuance_drained(const struct db_call *c);
struct admin_issuance {
	int64_t stopped_us; /* INT64_MIN: issuance goes on, actor and reason are empty */
	struct bytes actor, reason;
	int64_t waiting;   /* orders that wait for a signer */
	int64_t in_flight; /* of them: a signer is at work on them */
};
void admin_issuance_status_call(struct db_call *c);
void admin_issuance_status_result(const struct db_call *c, struct admin_issuance *ret);
