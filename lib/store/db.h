/* db.h — the only place that includes libpq: one connection, prepared statements, pipelined
 * batches.
 *
 * A call is one prepared statement with its parameters. db_run sends any number of calls in one
 * pipeline with one Sync: one implicit transaction, one commit, one fsync. Database functions
 * return codes instead of raising, so a batch aborts only on accidents (deadlock, lost connection);
 * db_run then repeats its calls one by one, each in a transaction of its own, so that one bad call
 * cannot spoil its neighbours. Not thread safe: a connection belongs to one thread. */
#pragma once

#include "lib/base/buf.h"
#include "lib/base/ident.h"

enum db_type {
	DB_T_IDENT,
	DB_T_TEXT,
	DB_T_BYTES,
	DB_T_INT,
	DB_T_BIGINT,
	DB_T_BOOL,
	DB_T_TIME,
	DB_T_IDENTS,
	DB_T_TEXTS,
	DB_T_BYTESES,
	DB_T_INTS,
	DB_T_TIMES
};
enum db_shape { DB_NOTHING, DB_ONE_ROW, DB_ROWS };

#define DB_PARAMS_MAX 32

struct db_stmt {
	const char *name; /* also the statement's name in the session */
	const char *sql;
	enum db_shape shape;
	int nparams;
	enum db_type params[DB_PARAMS_MAX];
};

struct db;
struct db_result; /* one call's rows; columns come back in binary */

/* What a call may have to wait for while the calls before it in their transaction hold what they
 * wrote. Within a transaction calls run by rank, then by row: so do the functions of sql/api. */
enum db_rank {
	DB_RANK_NONE,     /* nothing that others wait for: reads, and inserts of rows of its own */
	DB_RANK_KEY,      /* a key's thumbprint, which is unique */
	DB_RANK_ACCOUNT,  /* one account's row, by id */
	DB_RANK_AUTHZ,    /* one authorization's */
	DB_RANK_ORDER,    /* one order's */
	DB_RANK_REPLACED, /* a certificate's mark as replaced, by serial number */
	DB_RANK_ALONE,    /* several rows: it runs in a transaction of its own */
};

struct db_call {
	const struct db_stmt *stmt;
	struct buf data; /* all parameters, binary */
	size_t offset[DB_PARAMS_MAX];
	int length[DB_PARAMS_MAX]; /* -1 = NULL */
	int nbound;
	enum db_rank rank;
	uint8_t row[32];
	int err; /* set by db_run: OK, ERR_BUSY, ERR_CONFLICT, ERR_DB, ERR_DB_UNCERTAIN */
	struct db_result *result; /* set by db_run when err == OK and the shape is not DB_NOTHING */
};

/* Starts a call over (frees what it held). Parameters are bound in order; db_run asserts types and
 * count. */
void db_call_init(struct db_call *call, const struct db_stmt *stmt);
void db_call_done(struct db_call *call);
void db_bind_null(struct db_call *call);
void db_bind_ident(struct db_call *call, const struct ident *id);
void db_bind_text(struct db_call *call, struct bytes utf8);
void db_bind_str(struct db_call *call, const char *text_or_null);
void db_bind_bytes(struct db_call *call, struct bytes value);
void db_bind_int(struct db_call *call, int32_t value);
void db_bind_bigint(struct db_call *call, int64_t value);
void db_bind_bool(struct db_call *call, bool value);
void db_bind_time(struct db_call *call, int64_t wall_us);         /* timestamptz */
void db_bind_time_or_null(struct db_call *call, int64_t wall_us); /* INT64_MIN = NULL */
void db_bind_idents(struct db_call *call, const struct ident *ids, size_t count);
void db_bind_texts(struct db_call *call, const struct bytes *texts,
	size_t count); /* ptr NULL = NULL element */
void db_bind_byteses(struct db_call *call, const struct bytes *values,
	size_t count); /* ptr NULL = NULL element */
void db_bind_ints(struct db_call *call, const int32_t *values, size_t count);
void db_bind_times(struct db_call *call, const int64_t *wall_us,
	size_t count); /* INT64_MIN = NULL element */

/* After db_call_init, for calls that wait: see enum db_rank. row: at most 32 bytes that name it. */
void db_locks_row(struct db_call *call, enum db_rank rank, struct bytes row);
void db_locks_rows(struct db_call *call);

/* An unconnected one, for programs that wait for PostgreSQL: db_ensure connects and db_error says
 * why not. */
struct db *db_new(const char *conninfo, const char *role, const char *password,
	const struct db_stmt *const table[]);
/* Connects as role (user) with an optional password and prepares every statement of the
 * NULL-terminated table, so drift between code and schema fails here. application_name = role. */
MUST_CHECK int db_open(const char *conninfo, const char *role, const char *password,
	const struct db_stmt *const table[], struct db **ret);
void db_close(struct db *db);
DEFINE_CLEANUP(db_close, struct db *)
/* Reconnects and prepares again when the connection is bad; OK when it is usable. */
MUST_CHECK int db_ensure(struct db *db);
/* How often it connected: another number is another session, perhaps with another state of things.
 */
uint64_t db_connections(const struct db *db);
/* Every session from the next connection on begins with this statement (kept), a LISTEN. */
void db_listen(struct db *db, const char *sql);
/* True when there was one since the last call. The socket (-1: none) is readable when one may be
 * there. */
bool db_notified(struct db *db);
int db_fd(const struct db *db);
/* Runs the calls as described above, in an order in which batches cannot deadlock; each call's err
 * and result are set. Returns OK when every err is OK, else the first other one. Does not reconnect
 * by itself: after ERR_DB/ERR_DB_UNCERTAIN call db_ensure. */
MUST_CHECK int db_run(struct db *db, struct db_call *const calls[], size_t count);
MUST_CHECK int db_run_one(struct db *db, struct db_call *call);
/* The last error text for the log; never for a client. NULL: why the last db_open of this thread
 * failed. */
const char *db_error(const struct db *db);

/* Results. Getters assert the column's type; _is_null first where NULL is possible. */
int db_nrows(const struct db_result *r);
bool db_is_null(const struct db_result *r, int row, int col);
int32_t db_int(const struct db_result *r, int row, int col); /* int2 and int4 */
int64_t db_bigint(const struct db_result *r, int row, int col);
bool db_bool(const struct db_result *r, int row, int col);
int64_t db_time(const struct db_result *r, int row, int col); /* wall_us */
struct ident db_ident(const struct db_result *r, int row, int col);
struct bytes db_bytes(const struct db_result *r, int row, int col); /* text and bytea, borrowed */
/* Arrays: element count, then elements. An element that is NULL has ptr NULL. */
int db_array_count(const struct db_result *r, int row, int col);
struct bytes db_array_at(const struct db_result *r, int row, int col, int i);
struct ident db_array_ident(const struct db_result *r, int row, int col, int i);
int32_t db_array_int(const struct db_result *r, int row, int col, int i);
int64_t db_array_time(const struct db_result *r, int row, int col, int i); /* INT64_MIN = NULL */
