/* sweep.h — calls of the keeper (sql/api/sweep.sql): what is due and not being worked on, expiry,
 * partitions, audit chain. */
#pragma once

#include "lib/store/db.h"

enum sweep_kind { SWEEP_VALIDATE = 0, SWEEP_CAA = 1, SWEEP_SIGN = 2, SWEEP_RESPONDER = 3 };

/* Rows in processing whose due time has passed and whose lease, if any, ran out. Up to limit rows,
 * oldest first. Pushes their due time forward by backoff_secs so that the next sweep does not queue
 * them again at once. */
extern const struct db_stmt sweep_due_stmt;
void sweep_due_call(struct db_call *c, int limit, int backoff_secs);
size_t sweep_due_count(const struct db_call *c);
void sweep_due_at(const struct db_call *c, size_t i, enum sweep_kind *ret_kind,
	struct ident *ret_id);

/* One short step of ending what a closed account or a deactivated authorization left behind. One
 * int: 0 when there is nothing to do. */
extern const struct db_stmt closing_sweep_stmt;
void closing_sweep_call(struct db_call *c, int limit);

/* Dead letters: makes the object's order invalid with serverInternal. Unknown ids are ignored. */
extern const struct db_stmt sweep_dead_stmt;
void sweep_dead_call(struct db_call *c, enum sweep_kind kind, const struct ident *id);

/* Creates the partitions for the next days and drops those wholly older than retention. One int:
 * how many changed. */
extern const struct db_stmt partitions_stmt;
void partitions_call(struct db_call *c, int days_ahead, int64_t retention_secs);

/* Links the audit rows that are final into the hash chain. One int: how many. */
extern const struct db_stmt audit_seal_stmt;
void audit_seal_call(struct db_call *c, int limit);

/* One batch of what is to be revoked: acts of operators that were begun, and certificates whose key
 * was reported compromised (sql/api/revocation_act.sql). One int: how much was done;
 * 0: nothing is left for now. */
extern const struct db_stmt revocation_sweep_stmt;
void revocation_sweep_call(struct db_call *c);

/* Indexes the names of new certificates, and forgets revocations that were journalled long ago. */
extern const struct db_stmt certificates_tidy_stmt;
void certificates_tidy_call(struct db_call *c);

/* Heartbeats, for status and /ready: every program with a database role calls it now and then. */
extern const struct db_stmt heartbeat_stmt;
void heartbeat_call(struct db_call *c, const char *program, const char *host, int pid);

/* Which kinds of worker were heard of within the last seconds. */
struct workers_alive {
	bool validator, signer, keeper;
};
extern const struct db_stmt workers_alive_stmt;
void workers_alive_call(struct db_call *c, int secs);
struct workers_alive workers_alive_result(const struct db_call *c);
