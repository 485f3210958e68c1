/* test_db.c — db.c itself: types both ways, batches larger than any buffer, isolation of a bad
 * call, and what a caller is told when the connection dies, before and after the commit
 * (tests/sql/server.sh starts the server). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>
#include <cmocka.h>

#include "lib/base/clock.h"
#include "tests/unit/store_fixture.h"

static const struct db_stmt scalars_stmt = {"scalars",
	"SELECT $1::uuid, $2::text, $3::bytea, $4::int, $5::bigint, $6::bool, $7::timestamptz, "
	"$8::text, $4::int2",
	DB_ONE_ROW, 8,
	{DB_T_IDENT, DB_T_TEXT, DB_T_BYTES, DB_T_INT, DB_T_BIGINT, DB_T_BOOL, DB_T_TIME,
		DB_T_TEXT}};
static const struct db_stmt arrays_stmt = {"arrays",
	"SELECT $1::uuid[], $2::text[], $3::bytea[], $4::int[], $5::timestamptz[], $2::text[] = "
	"'{a,NULL,\"\"}'",
	DB_ONE_ROW, 5, {DB_T_IDENTS, DB_T_TEXTS, DB_T_BYTESES, DB_T_INTS, DB_T_TIMES}};
static const struct db_stmt echo_stmt = {"echo", "SELECT $1::bytea || $1::bytea", DB_ONE_ROW, 1,
	{DB_T_BYTES}};
static const struct db_stmt put_stmt = {"put", "INSERT INTO public.t (k) VALUES ($1)", DB_NOTHING,
	1, {DB_T_INT}};
static const struct db_stmt raise_stmt = {"raise", "SELECT public.raise_state($1)", DB_NOTHING, 1,
	{DB_T_TEXT}};
static const struct db_stmt die_stmt = {"die", "SELECT pg_terminate_backend(pg_backend_pid())",
	DB_NOTHING, 0, {0}};
static const struct db_stmt absent_stmt = {"absent", "SELECT assay.no_such_function($1)",
	DB_NOTHING, 1, {DB_T_INT}};
static const struct db_stmt *const table[] = {&scalars_stmt, &arrays_stmt, &echo_stmt, &put_stmt,
	&raise_stmt, &die_stmt, NULL};
static const struct db_stmt *const drifted[] = {&echo_stmt, &absent_stmt, &put_stmt, NULL};

static struct db *db;

static int setup(void **state)
{
	free(sql("CREATE TABLE public.t (k int PRIMARY KEY DEFERRABLE INITIALLY IMMEDIATE, late "
		 "int UNIQUE DEFERRABLE INITIALLY DEFERRED);"
		 "CREATE FUNCTION public.raise_state(s text) RETURNS void LANGUAGE plpgsql AS "
		 "'BEGIN RAISE EXCEPTION ''asked for'' USING ERRCODE = s; END'"));
	return db_open("", "postgres", NULL, table, &db);
}

static int teardown(void **state)
{
	db_close(db);
	return 0;
}

static int rows(void)
{
	char *text = sql("SELECT count(*) FROM public.t");
	int n = atoi(text);

	free(text);
	return n;
}

static void forget_rows(void)
{
	free(sql("DELETE FROM public.t"));
}

static void every_scalar_type_comes_back_as_it_went(void **state)
{
	struct ident id = ident_new();
	const uint8_t zeros[] = {0, 1, 0};
	int64_t now = clock_wall_us();
	struct db_call call = {0};
	struct ident got;

	db_call_init(&call, &scalars_stmt);
	db_bind_ident(&call, &id);
	db_bind_text(&call, bytes_str("gr\xc3\xbc\xc3\x9f"));
	db_bind_bytes(&call, bytes_of(zeros, 3));
	db_bind_int(&call, -5);
	db_bind_bigint(&call, INT64_MIN + 1);
	db_bind_bool(&call, true);
	db_bind_time(&call, now);
	db_bind_str(&call, NULL);
	assert_int_equal(db_run_one(db, &call), OK);
	got = db_ident(call.result, 0, 0);
	assert_true(ident_equal(&got, &id));
	assert_true(bytes_is(db_bytes(call.result, 0, 1), "gr\xc3\xbc\xc3\x9f"));
	assert_true(bytes_equal(db_bytes(call.result, 0, 2), bytes_of(zeros, 3)));
	assert_int_equal(db_int(call.result, 0, 3), -5);
	assert_true(db_bigint(call.result, 0, 4) == INT64_MIN + 1);
	assert_true(db_bool(call.result, 0, 5));
	assert_true(db_time(call.result, 0, 6) == now);
	assert_true(db_is_null(call.result, 0, 7));
	assert_int_equal(db_int(call.result, 0, 8), -5);
	db_call_done(&call);
}

static void every_array_type_comes_back_as_it_went(void **state)
{
	struct ident ids[] = {ident_new(), ident_new()};
	struct bytes texts[] = {bytes_str("a"), bytes_of(NULL, 0), bytes_str("")};
	int32_t ints[] = {1, -1};
	int64_t times[] = {INT64_MIN, clock_wall_us()};
	struct db_call call = {0};
	struct ident got;

	db_call_init(&call, &arrays_stmt);
	db_bind_idents(&call, ids, 2);
	db_bind_texts(&call, texts, 3);
	db_bind_byteses(&call, texts, 0);
	db_bind_ints(&call, ints, 2);
	db_bind_times(&call, times, 2);
	assert_int_equal(db_run_one(db, &call), OK);
	got = db_array_ident(call.result, 0, 0, 1);
	assert_true(db_array_count(call.result, 0, 0) == 2 && ident_equal(&got, &ids[1]));
	assert_true(db_array_count(call.result, 0, 1) == 3 &&
		bytes_is(db_array_at(call.result, 0, 1, 0), "a"));
	assert_null(db_array_at(call.result, 0, 1, 1).ptr);
	assert_true(db_array_at(call.result, 0, 1, 2).ptr != NULL &&
		db_array_at(call.result, 0, 1, 2).len == 0);
	assert_int_equal(db_array_count(call.result, 0, 2), 0);
	assert_int_equal(db_array_int(call.result, 0, 3, 1), -1);
	assert_true(db_array_time(call.result, 0, 4, 0) == INT64_MIN &&
		db_array_time(call.result, 0, 4, 1) == times[1]);
	assert_true(db_bool(call.result, 0, 5));
	db_call_done(&call);
}

/* 64 MiB out and 128 MiB back in one pipeline: whoever only writes, or only reads, would wait for
 * ever. */
static void a_batch_larger_than_every_buffer_does_not_stall(void **state)
{
	enum { CALLS = 512, SIZE = 128 * 1024 };
	struct db_call *calls = xcalloc(CALLS, sizeof(*calls));
	struct db_call *list[CALLS];
	uint8_t *data = xcalloc(1, SIZE);

	for (size_t i = 0; i < CALLS; i++) {
		data[0] = (uint8_t)i;
		db_call_init(&calls[i], &echo_stmt);
		db_bind_bytes(&calls[i], bytes_of(data, SIZE));
		list[i] = &calls[i];
	}
	assert_int_equal(db_run(db, list, CALLS), OK);
	for (size_t i = 0; i < CALLS; i++) {
		assert_int_equal(db_bytes(calls[i].result, 0, 0).len, 2 * SIZE);
		assert_int_equal(db_bytes(calls[i].result, 0, 0).ptr[0], (uint8_t)i);
		db_call_done(&calls[i]);
	}
	free(calls);
	free(data);
}

static void put(struct db_call *call, int32_t k)
{
	db_call_init(call, &put_stmt);
	db_bind_int(call, k);
}

static void one_bad_call_does_not_spoil_its_neighbours(void **state)
{
	struct db_call calls[5] = {0};
	struct db_call *list[] = {&calls[0], &calls[1], &calls[2], &calls[3], &calls[4]};

	put(&calls[0], 1);
	put(&calls[1], 2);
	put(&calls[2], 1);
	db_call_init(&calls[3], &raise_stmt);
	db_bind_str(&calls[3], "40P01");
	put(&calls[4], 3);
	assert_int_equal(db_run(db, list, 5), ERR_CONFLICT);
	assert_int_equal(calls[0].err, OK);
	assert_int_equal(calls[1].err, OK);
	assert_int_equal(calls[2].err, ERR_CONFLICT);
	assert_int_equal(calls[3].err, ERR_BUSY);
	assert_int_equal(calls[4].err, OK);
	assert_int_equal(rows(), 3);
	forget_rows();
	for (size_t i = 0; i < 5; i++)
		db_call_done(&calls[i]);
}

static void each_sqlstate_means_what_it_should(void **state)
{
	static const struct {
		const char *state;
		int err;
	} CASES[] = {{"40001", ERR_BUSY}, {"40P01", ERR_BUSY}, {"55P03", ERR_BUSY},
		{"57014", ERR_BUSY}, {"23505", ERR_CONFLICT}, {"23514", ERR_DB}, {"P0001", ERR_DB}};
	struct db_call call = {0};

	for (size_t i = 0; i < ARRAY_LEN(CASES); i++) {
		db_call_init(&call, &raise_stmt);
		db_bind_str(&call, CASES[i].state);
		assert_int_equal(db_run_one(db, &call), CASES[i].err);
		assert_non_null(strstr(db_error(db), "asked for"));
	}
	/* A server that turned into a standby: the next db_ensure looks for the one that takes
	 * writes. */
	db_call_init(&call, &raise_stmt);
	db_bind_str(&call, "25006");
	assert_int_equal(db_run_one(db, &call), ERR_DB);
	assert_int_equal(db_run_one(db, &call), ERR_DB);
	assert_int_equal(db_ensure(db), OK);
	put(&call, 9);
	assert_int_equal(db_run_one(db, &call), OK);
	forget_rows();
	db_call_done(&call);
}

static void a_backend_that_dies_before_the_commit_commits_nothing(void **state)
{
	struct db_call calls[3] = {0};
	struct db_call *list[] = {&calls[0], &calls[1], &calls[2]};

	put(&calls[0], 1);
	db_call_init(&calls[1], &die_stmt);
	put(&calls[2], 2);
	assert_int_equal(db_run(db, list, 3), ERR_DB);
	for (size_t i = 0; i < 3; i++) {
		assert_int_equal(calls[i].err, ERR_DB);
		assert_null(calls[i].result);
		db_call_done(&calls[i]);
	}
	assert_int_equal(db_ensure(db), OK);
	assert_int_equal(rows(), 0);
}

static void an_idle_connection_that_was_closed_is_noticed(void **state)
{
	struct db_call call = {0};

	free(sql("SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE "
		 "application_name = 'postgres'"));
	usleep(100 * 1000);
	assert_int_equal(db_ensure(db), OK);
	put(&call, 1);
	assert_int_equal(db_run_one(db, &call), OK);
	db_call_done(&call);
	forget_rows();
}

static void drift_between_code_and_schema_fails_at_open(void **state)
{
	struct db *other = NULL;

	assert_int_equal(db_open("", "postgres", NULL, drifted, &other), ERR_DB);
	assert_null(other);
	assert_int_equal(db_open("host=/nonexistent", "postgres", NULL, table, &other), ERR_DB);
}

/* ---- a connection that dies around the commit ---- */

/* A Unix-socket proxy in front of the server that can fall silent in one direction and hang up. */
static struct proxy {
	pthread_t thread;
	int listener;
	char dir[64];
	atomic_int cut; /* 0 pass all, 1 swallow the server's answers and hang up after the next
			   request, 2 swallow requests */
} proxy;

static int dial(void)
{
	struct sockaddr_un addr = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	snprintf(addr.sun_path, sizeof(addr.sun_path), "%s/.s.PGSQL.5432", getenv("PGHOST"));
	return connect(fd, (struct sockaddr *)&addr, sizeof(addr)) == 0 ? fd : -1;
}

static void relay(int client, int server)
{
	struct pollfd fds[2] = {{.fd = client, .events = POLLIN}, {.fd = server, .events = POLLIN}};
	char data[65536];
	ssize_t n;

	for (;;) {
		poll(fds, 2, -1);
		if (fds[0].revents != 0) {
			n = read(client, data, sizeof(data));
			if (n <= 0 || proxy.cut == 2 || write(server, data, (size_t)n) != n)
				return;
		}
		if (fds[1].revents != 0) {
			n = read(server, data, sizeof(data));
			if (n <= 0 || proxy.cut == 1 || write(client, data, (size_t)n) != n)
				return;
		}
	}
}

static void *proxy_main(void *arg)
{
	int client;

	while ((client = accept(proxy.listener, NULL, NULL)) >= 0) {
		int server = dial();

		if (server >= 0)
			relay(client, server);
		close(client);
		close(server);
	}
	return NULL;
}

static void proxy_start(void)
{
	struct sockaddr_un addr = {.sun_family = AF_UNIX};

	strcpy(proxy.dir, "/tmp/assay-proxy.XXXXXX");
	assert_non_null(mkdtemp(proxy.dir));
	snprintf(addr.sun_path, sizeof(addr.sun_path), "%s/.s.PGSQL.5432", proxy.dir);
	proxy.listener = socket(AF_UNIX, SOCK_STREAM, 0);
	assert_int_equal(bind(proxy.listener, (struct sockaddr *)&addr, sizeof(addr)), 0);
	assert_int_equal(listen(proxy.listener, 5), 0);
	assert_int_equal(pthread_create(&proxy.thread, NULL, proxy_main, NULL), 0);
}

static void proxy_stop(void)
{
	char path[128];

	shutdown(proxy.listener, SHUT_RDWR);
	pthread_join(proxy.thread, NULL);
	close(proxy.listener);
	snprintf(path, sizeof(path), "%s/.s.PGSQL.5432", proxy.dir);
	unlink(path);
	rmdir(proxy.dir);
}

static void a_connection_lost_around_the_commit_is_uncertain(void **state)
{
	char conninfo[128];
	struct db *through = NULL;
	struct db_call calls[2] = {0};
	struct db_call *list[] = {&calls[0], &calls[1]};

	proxy_start();
	snprintf(conninfo, sizeof(conninfo), "host=%s", proxy.dir);
	for (int cut = 1; cut <= 2; cut++) {
		proxy.cut = 0;
		assert_int_equal(db_open(conninfo, "postgres", NULL, table, &through), OK);
		proxy.cut = cut;
		put(&calls[0], 100 * cut);
		put(&calls[1], 100 * cut + 1);
		assert_int_equal(db_run(through, list, 2), ERR_DB_UNCERTAIN);
		assert_int_equal(calls[0].err, ERR_DB_UNCERTAIN);
		assert_int_equal(calls[1].err, ERR_DB_UNCERTAIN);
		/* The caller cannot tell these two cases apart; reading back can. */
		assert_int_equal(rows(), cut == 1 ? 2 : 0);
		forget_rows();
		proxy.cut = 0;
		assert_int_equal(db_ensure(through), OK);
		put(&calls[0], 1);
		put(&calls[1], 2);
		assert_int_equal(db_run(through, list, 2), OK);
		forget_rows();
		db_close(through);
		through = NULL;
	}
	db_call_done(&calls[0]);
	db_call_done(&calls[1]);
	proxy_stop();
}

static void a_commit_that_fails_is_no_success(void **state)
{
	static const struct db_stmt late_stmt = {"late",
		"INSERT INTO public.t (k, late) VALUES ($1, 7)", DB_NOTHING, 1, {DB_T_INT}};
	static const struct db_stmt *const late_table[] = {&late_stmt, NULL};
	struct db *other = NULL;
	struct db_call calls[2] = {0};
	struct db_call *list[] = {&calls[0], &calls[1]};

	assert_int_equal(db_open("", "postgres", NULL, late_table, &other), OK);
	for (int i = 0; i < 2; i++) {
		db_call_init(&calls[i], &late_stmt);
		db_bind_int(&calls[i], i);
	}
	/* Deferred: both inserts pass, the commit does not; one by one the first does. */
	assert_int_equal(db_run(other, list, 2), ERR_CONFLICT);
	assert_int_equal(calls[0].err, OK);
	assert_int_equal(calls[1].err, ERR_CONFLICT);
	assert_int_equal(rows(), 1);
	forget_rows();
	db_call_done(&calls[0]);
	db_call_done(&calls[1]);
	db_close(other);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_scalar_type_comes_back_as_it_went),
		cmocka_unit_test(every_array_type_comes_back_as_it_went),
		cmocka_unit_test(a_batch_larger_than_every_buffer_does_not_stall),
		cmocka_unit_test(one_bad_call_does_not_spoil_its_neighbours),
		cmocka_unit_test(each_sqlstate_means_what_it_should),
		cmocka_unit_test(a_backend_that_dies_before_the_commit_commits_nothing),
		cmocka_unit_test(an_idle_connection_that_was_closed_is_noticed),
		cmocka_unit_test(drift_between_code_and_schema_fails_at_open),
		cmocka_unit_test(a_connection_lost_around_the_commit_is_uncertain),
		cmocka_unit_test(a_commit_that_fails_is_no_success),
	};

	fixture_server(argv);
	return cmocka_run_group_tests(tests, setup, teardown);
}
