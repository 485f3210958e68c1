/* checkup.h — what assayctl doctor asks (sql/api/journal.sql), as assay-admin. */
#pragma once

#include "lib/store/db.h"

extern const struct db_stmt admin_doctor_stmt, admin_migrations_stmt, admin_forgotten_stmt,
	admin_forgotten_seen_stmt;

struct checkup_finding {
	int level; /* 0 fine, 1 to be looked at, 2 wrong */
	struct bytes check, text;
};
void admin_doctor_call(struct db_call *c, int seals, bool journal);
void admin_doctor_at(const struct db_call *c, size_t i, struct checkup_finding *ret);

void admin_migrations_call(struct db_call *c);
void admin_migrations_at(const struct db_call *c, size_t i, struct bytes *ret_name,
	struct bytes *ret_sha256);

/* Certificates that a journal brought back and that have not expired. */
struct checkup_forgotten {
	struct bytes serial;
	struct bytes names; /* separated by spaces */
	struct ident account, order;
	int64_t not_after_us;
	bool revoked, seen;
};
void admin_forgotten_call(struct db_call *c);
void admin_forgotten_at(const struct db_call *c, size_t i, struct checkup_forgotten *ret);
/* They were looked at. One row: how many. */
void admin_forgotten_seen_call(struct db_call *c);

size_t checkup_count(const struct db_call *c); /* rows of any of them */
