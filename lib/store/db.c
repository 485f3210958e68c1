/* db.c — the only file that includes libpq: connecting, pipelined batches, results. See db.h.
 *
 * The connection is non-blocking and always in pipeline mode. A batch is written and read at the
 * same time, so that neither side can fill the other's buffers and wait for ever. What became of
 * each call is decided by what the server said: all results and the Sync answered = committed; an
 * error = rolled back whole; silence after the Sync was sent = nobody knows (ERR_DB_UNCERTAIN). */
#include "lib/store/db.h"

#include <assert.h>
#include <errno.h>
#include <libpq-fe.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>

#include "lib/base/clock.h"
#include "lib/base/log.h"
#include "lib/store/db_raw.h"

#define CONNECT_SECS "5"
#define SILENCE_UNLIMITED_MS (6 * 60 * 1000) /* for a role without statement_timeout */
#define SILENCE_MARGIN_MS 5000 /* beyond statement_timeout (sql/roles.sql): it hangs or is gone */

/* Works whatever unit the setting is shown in. */
static const char TIMEOUT_SQL[] = "SELECT (1000 * extract(epoch FROM "
				  "current_setting('statement_timeout')::interval))::bigint";

struct db {
	int silence_ms; /* how long a living server may say nothing */
	char *conninfo;
	char *role;
	char *password;
	const char *listen_sql; /* NULL: to nothing */
	bool notified;
	uint64_t connections;
	const struct db_stmt *const *table;
	PGconn *conn; /* NULL while disconnected */
	bool broken;  /* the connection is of no more use */
	char error[512];
};

static _Thread_local char open_error[512]; /* of a db_open that handed out nothing */

/* db_result is what callers see of a PGresult. */
static PGresult *result_of(const struct db_result *r)
{
	return (PGresult *)r;
}

void db_call_init(struct db_call *call, const struct db_stmt *stmt)
{
	PQclear(result_of(call->result));
	buf_reset(&call->data);
	call->stmt = stmt;
	call->nbound = 0;
	call->rank = DB_RANK_NONE;
	call->err = OK;
	call->result = NULL;
}

void db_call_done(struct db_call *call)
{
	PQclear(result_of(call->result));
	buf_done(&call->data);
	*call = (struct db_call){0};
}

/* ---- errors ---- */

static int fail(struct db *db, int err, const char *what, const char *text)
{
	snprintf(db->error, sizeof(db->error), "%s: %s", what, text);
	for (char *p = db->error; *p != '\0'; p++) {
		if (*p == '\n')
			*p = ' ';
	}
	return err;
}

/* What a refused statement means for its caller. A server that became a standby or is going down is
 * of no more use. */
static int err_of_result(struct db *db, const char *name, const PGresult *res)
{
	const char *state = PQresultErrorField(res, PG_DIAG_SQLSTATE);
	int err = ERR_DB;

	if (state == NULL)
		state = "";
	if (strcmp(state, "40001") == 0 || strcmp(state, "40P01") == 0 ||
		strcmp(state, "55P03") == 0 || strcmp(state, "57014") == 0)
		err = ERR_BUSY;
	else if (strcmp(state, "23505") == 0)
		err = ERR_CONFLICT;
	else if (strcmp(state, "25006") == 0 || strncmp(state, "57P", 3) == 0)
		db->broken = true;
	return fail(db, err, name, PQresultErrorMessage(res));
}

const char *db_error(const struct db *db)
{
	return db != NULL ? db->error : open_error;
}

/* ---- moving bytes ---- */

/* Sends what is queued and takes in what has come, once. ERR_DB when the connection is gone.
 * *flushed becomes true when everything may have left. */
static int exchange(struct db *db, bool *flushed)
{
	int left = PQflush(db->conn);
	struct pollfd pfd = {.fd = PQsocket(db->conn), .events = POLLIN};
	int n;

	if (left == 0)
		*flushed = true;
	if (left < 0)
		return fail(db, ERR_DB, "write", PQerrorMessage(db->conn));
	if (left > 0)
		pfd.events |= POLLOUT;
	do {
		n = poll(&pfd, 1, db->silence_ms);
	} while (n < 0 && errno == EINTR);
	if (n == 0)
		return fail(db, ERR_DB, "poll", "the server is silent");
	if (n < 0)
		return fail(db, ERR_DB, "poll", strerror(errno));
	if ((pfd.revents & ~POLLOUT) != 0 && PQconsumeInput(db->conn) == 0)
		return fail(db, ERR_DB, "read", PQerrorMessage(db->conn));
	return OK;
}

/* The next result, NULL at the end of a statement's. ERR_DB when the connection was lost before it
 * came. */
static int next_result(struct db *db, bool *flushed, PGresult **ret)
{
	int err = OK;

	while (err == OK && PQisBusy(db->conn))
		err = exchange(db, flushed);
	if (err == OK)
		*ret = PQgetResult(db->conn);
	if (err == OK && PQstatus(db->conn) == CONNECTION_OK)
		return OK;
	db->broken = true;
	if (err == OK)
		fail(db, ERR_DB, "connection", PQerrorMessage(db->conn));
	PQclear(*ret);
	*ret = NULL;
	return ERR_DB;
}

/* ---- batches ---- */

static int send_call(struct db *db, const struct db_call *call)
{
	const char *values[DB_PARAMS_MAX];
	int formats[DB_PARAMS_MAX];

	assert(call->nbound == call->stmt->nparams);
	for (int i = 0; i < call->nbound; i++) {
		values[i] = call->length[i] < 0
			? NULL
			: (const char *)buf_str(&call->data) + call->offset[i];
		formats[i] = 1;
	}
	if (PQsendQueryPrepared(db->conn, call->stmt->name, call->nbound, values, call->length,
		    formats, 1) != 1)
		return fail(db, ERR_DB, call->stmt->name, PQerrorMessage(db->conn));
	return OK;
}

static void drop_results(struct db_call *const calls[], size_t count, int err)
{
	for (size_t i = 0; i < count; i++) {
		PQclear(result_of(calls[i]->result));
		calls[i]->result = NULL;
		calls[i]->err = err;
	}
}

/* One statement's answer. Its own failure and "not run, because one before it failed" both stand in
 * call->err. */
static int take_answer(struct db *db, struct db_call *call, bool *flushed)
{
	PGresult *res = NULL;
	PGresult *end = NULL;

	if (next_result(db, flushed, &res) != OK)
		return ERR_DB;
	switch (PQresultStatus(res)) {
	case PGRES_TUPLES_OK:
	case PGRES_COMMAND_OK:
		assert(call->stmt->shape != DB_ONE_ROW || PQntuples(res) == 1);
		call->err = OK;
		break;
	case PGRES_PIPELINE_ABORTED:
		call->err = ERR_BUSY;
		break;
	default:
		call->err = err_of_result(db, call->stmt->name, res);
		break;
	}
	if (call->err == OK && call->stmt->shape != DB_NOTHING)
		call->result = (struct db_result *)res;
	else
		PQclear(res);
	if (next_result(db, flushed, &end) != OK)
		return ERR_DB;
	assert(end == NULL);
	return OK;
}

/* The answer to a Sync: OK when everything before it is committed. An error here is a commit that
 * failed. */
static int take_sync(struct db *db, bool *flushed)
{
	int err = OK;

	for (;;) {
		PGresult *res = NULL;

		if (next_result(db, flushed, &res) != OK)
			return ERR_DB_UNCERTAIN;
		if (res == NULL)
			continue;
		if (PQresultStatus(res) == PGRES_PIPELINE_SYNC) {
			PQclear(res);
			return err;
		}
		err = err_of_result(db, "commit", res);
		PQclear(res);
	}
}

/* Reads the answers to calls[0..count) and their Sync. All of them share one fate; *ret_aborted
 * tells that the fate is a rollback by an error, after which the connection is good for more. */
static int take_batch(struct db *db, struct db_call *const calls[], size_t count, bool *flushed,
	bool *ret_aborted)
{
	int first = OK;
	int err;

	for (size_t i = 0; i < count; i++) {
		if (take_answer(db, calls[i], flushed) != OK) {
			/* An error before the commit, or a Sync that never left: certainly nothing
			 * was committed. */
			err = first != OK || calls[i]->err != OK || !*flushed ? ERR_DB
									      : ERR_DB_UNCERTAIN;
			drop_results(calls, count, err);
			return err;
		}
		if (first == OK)
			first = calls[i]->err;
	}
	err = take_sync(db, flushed);
	if (err == ERR_DB_UNCERTAIN) {
		if (first != OK || !*flushed)
			err = ERR_DB;
		drop_results(calls, count, err);
		return err;
	}
	if (first == OK && err == OK)
		return OK;
	if (first == OK) {
		drop_results(calls, count, err);
		first = err;
	}
	*ret_aborted = true;
	return first;
}

/* Sends everything with a Sync after each `per` calls, and takes the answers. */
static int run_batches(struct db *db, struct db_call *const calls[], size_t count, size_t per,
	bool *ret_aborted)
{
	bool flushed = per < count; /* of several Syncs one may have left before the rest */
	int first = OK;

	for (size_t i = 0; i < count; i++) {
		if (send_call(db, calls[i]) != OK ||
			((i + 1 == count || (i + 1) % per == 0) && PQpipelineSync(db->conn) != 1)) {
			db->broken = true;
			drop_results(calls, count, ERR_DB);
			return ERR_DB;
		}
	}
	for (size_t i = 0; i < count; i += per) {
		size_t n = count - i < per ? count - i : per;
		int err = take_batch(db, calls + i, n, &flushed, ret_aborted);

		if (first == OK)
			first = err;
		if (db->broken) {
			/* The rest: unknown when it may have been sent, else not run. */
			if (i + n < count)
				drop_results(calls + i + n, count - i - n,
					flushed ? ERR_DB_UNCERTAIN : ERR_DB);
			return first;
		}
	}
	return first;
}

/* One transaction, or, after an accident in it, one for each call. */
static int run_together(struct db *db, struct db_call *const calls[], size_t count)
{
	bool aborted = false;
	int err;

	if (count == 0)
		return OK;
	if (db->conn == NULL || db->broken) {
		drop_results(calls, count, ERR_DB);
		return ERR_DB;
	}
	err = run_batches(db, calls, count, count, &aborted);
	if (err == OK || !aborted || db->broken || count == 1) {
		if (aborted && count > 1)
			drop_results(calls, count, ERR_DB);
		return err;
	}
	/* Everything was rolled back because of one: now each for itself. */
	log_event(LOG_LEVEL_DEBUG, "database batch rerun", F_INT("calls", (int64_t)count),
		F_STR("error", db->error));
	drop_results(calls, count, OK);
	return run_batches(db, calls, count, 1, &aborted);
}

static int run_ordered(struct db *db, struct db_call *const calls[], size_t count)
{
	struct db_call **ordered = xcalloc(count, sizeof(struct db_call *));
	size_t together = db_order(calls, count, ordered);
	int first = run_together(db, ordered, together);

	for (size_t i = together; i < count; i++) {
		int err = run_together(db, ordered + i, 1);

		if (first == OK)
			first = err;
	}
	free(ordered);
	return first;
}

int db_run(struct db *db, struct db_call *const calls[], size_t count)
{
	for (size_t i = 0; i < count; i++) {
		assert(calls[i]->result == NULL);
		calls[i]->err = OK;
	}
	return db_is_ordered(calls, count) ? run_together(db, calls, count)
					   : run_ordered(db, calls, count);
}

int db_run_one(struct db *db, struct db_call *call)
{
	return db_run(db, &call, 1);
}

/* ---- connecting ---- */

static void ignore_notice(void *arg, const PGresult *res)
{
	(void)arg;
	log_event(LOG_LEVEL_DEBUG, "database notice", F_STR("text", PQresultErrorMessage(res)));
}

/* How long a statement of this role may run tells how long silence means nothing. */
static int read_timeout(struct db *db, bool *flushed)
{
	PGresult *res = NULL, *end = NULL;
	long ms = 0;

	if (next_result(db, flushed, &res) != OK)
		return ERR_DB;
	if (PQresultStatus(res) == PGRES_TUPLES_OK && PQntuples(res) == 1)
		ms = strtol(PQgetvalue(res, 0, 0), NULL, 10);
	PQclear(res);
	db->silence_ms = ms > 0 && ms < INT_MAX - SILENCE_MARGIN_MS ? (int)ms + SILENCE_MARGIN_MS
								    : SILENCE_UNLIMITED_MS;
	return next_result(db, flushed, &end);
}

static int read_listening(struct db *db, bool *flushed)
{
	PGresult *res = NULL, *end = NULL;
	int err = OK;

	if (db->listen_sql == NULL)
		return OK;
	if (next_result(db, flushed, &res) != OK)
		return ERR_DB;
	if (PQresultStatus(res) != PGRES_COMMAND_OK)
		err = err_of_result(db, "listen", res);
	PQclear(res);
	return next_result(db, flushed, &end) != OK ? ERR_DB : err;
}

/* All statements in one pipeline; the first that the server does not like is the error. */
static int prepare_all(struct db *db)
{
	Oid types[DB_PARAMS_MAX];
	bool flushed = false;
	size_t count = 0;
	int err = OK;

	for (; db->table[count] != NULL; count++) {
		const struct db_stmt *s = db->table[count];

		assert(s->nparams <= DB_PARAMS_MAX);
		for (int i = 0; i < s->nparams; i++)
			types[i] = db_type_oid(s->params[i]);
		if (PQsendPrepare(db->conn, s->name, s->sql, s->nparams, types) != 1)
			return fail(db, ERR_DB, s->name, PQerrorMessage(db->conn));
	}
	if (PQsendQueryParams(db->conn, TIMEOUT_SQL, 0, NULL, NULL, NULL, NULL, 0) != 1 ||
		(db->listen_sql != NULL &&
			PQsendQueryParams(db->conn, db->listen_sql, 0, NULL, NULL, NULL, NULL, 0) !=
				1) ||
		PQpipelineSync(db->conn) != 1)
		return fail(db, ERR_DB, "prepare", PQerrorMessage(db->conn));
	for (size_t i = 0; i < count; i++) {
		PGresult *res = NULL;
		PGresult *end = NULL;

		if (next_result(db, &flushed, &res) != OK)
			return ERR_DB;
		if (PQresultStatus(res) != PGRES_COMMAND_OK &&
			PQresultStatus(res) != PGRES_PIPELINE_ABORTED)
			err = err_of_result(db, db->table[i]->name, res);
		PQclear(res);
		if (next_result(db, &flushed, &end) != OK)
			return ERR_DB;
	}
	if (read_timeout(db, &flushed) != OK || read_listening(db, &flushed) != OK ||
		take_sync(db, &flushed) != OK)
		return ERR_DB;
	return err == OK ? OK : ERR_DB;
}

static int connect_now(struct db *db)
{
	/* conninfo overrides what stands before dbname; what stands behind it overrides conninfo. A
	 * server whose machine is gone is noticed within a statement_timeout, too. */
	const char *keys[] = {"connect_timeout", "keepalives_idle", "keepalives_interval",
		"keepalives_count", "tcp_user_timeout", "target_session_attrs", "dbname", "user",
		"password", "application_name", "client_encoding", NULL};
	const char *values[] = {CONNECT_SECS, "5", "2", "3", "10000", "read-write", db->conninfo,
		db->role, db->password, db->role, "UTF8", NULL};

	PQfinish(db->conn);
	db->broken = false;
	db->silence_ms = SILENCE_MARGIN_MS; /* until the role is known */
	db->conn = PQconnectdbParams(keys, values, 1);
	if (PQstatus(db->conn) != CONNECTION_OK) {
		db->broken = true;
		return fail(db, ERR_DB, "connect", PQerrorMessage(db->conn));
	}
	PQsetNoticeReceiver(db->conn, ignore_notice, NULL);
	if (PQsetnonblocking(db->conn, 1) != 0 || PQenterPipelineMode(db->conn) != 1) {
		db->broken = true;
		return fail(db, ERR_DB, "connect", PQerrorMessage(db->conn));
	}
	if (prepare_all(db) != OK) {
		db->broken = true;
		return ERR_DB;
	}
	db->connections++;
	/* What was notified while nobody listened is lost: everyone looks for themselves. */
	db->notified = db->listen_sql != NULL;
	return OK;
}

struct db *db_new(const char *conninfo, const char *role, const char *password,
	const struct db_stmt *const table[])
{
	struct db *db = xcalloc(1, sizeof(*db));

	db->conninfo = xstrdup(conninfo);
	db->role = xstrdup(role);
	db->password = password == NULL ? NULL : xstrdup(password);
	db->table = table;
	return db;
}

int db_open(const char *conninfo, const char *role, const char *password,
	const struct db_stmt *const table[], struct db **ret)
{
	CLEANUP(db_close) struct db *db = db_new(conninfo, role, password, table);
	int err = connect_now(db);

	if (err != OK) {
		log_event(LOG_LEVEL_DEBUG, "database connection failed", F_STR("error", db->error));
		snprintf(open_error, sizeof(open_error), "%s", db->error);
		return err;
	}
	*ret = TAKE(db);
	return OK;
}

void db_close(struct db *db)
{
	if (db == NULL)
		return;
	PQfinish(db->conn);
	free(db->conninfo);
	free(db->role);
	if (db->password != NULL)
		explicit_bzero(db->password, strlen(db->password));
	free(db->password);
	free(db);
}

int db_ensure(struct db *db)
{
	struct pollfd pfd = {.events = POLLIN};

	if (db->conn != NULL && !db->broken) {
		/* A server that went away while we were idle left its farewell in the socket. */
		pfd.fd = PQsocket(db->conn);
		if (poll(&pfd, 1, 0) == 0)
			return OK;
		if (PQconsumeInput(db->conn) == 1 && PQstatus(db->conn) == CONNECTION_OK &&
			poll(&pfd, 1, 0) == 0)
			return OK;
	}
	return connect_now(db);
}

uint64_t db_connections(const struct db *db)
{
	return db->connections;
}

/* ---- notifications ---- */

void db_listen(struct db *db, const char *sql)
{
	db->listen_sql = sql;
}

bool db_notified(struct db *db)
{
	bool heard = db->notified;

	db->notified = false;
	if (db->conn == NULL || db->broken || PQconsumeInput(db->conn) == 0)
		return heard;
	for (PGnotify *n; (n = PQnotifies(db->conn)) != NULL; PQfreemem(n))
		heard = true;
	return heard;
}

int db_fd(const struct db *db)
{
	return db->conn != NULL && !db->broken ? PQsocket(db->conn) : -1;
}

/* ---- results ---- */

int db_nrows(const struct db_result *r)
{
	return PQntuples(result_of(r));
}

bool db_is_null(const struct db_result *r, int row, int col)
{
	return PQgetisnull(result_of(r), row, col) == 1;
}

unsigned db_raw_type(const struct db_result *r, int col)
{
	return PQftype(result_of(r), col);
}

struct bytes db_raw(const struct db_result *r, int row, int col)
{
	const PGresult *res = result_of(r);

	assert(row >= 0 && row < PQntuples(res) && col >= 0 && col < PQnfields(res));
	assert(PQfformat(res, col) == 1 && !PQgetisnull(res, row, col));
	return bytes_of(PQgetvalue(res, row, col), (size_t)PQgetlength(res, row, col));
}
