/* test_rds.c — Redis connections: against a real server, and against a peer that answers whatever
 * it likes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "lib/base/buf.h"
#include "lib/base/clock.h"
#include "tests/unit/private_redis.h"

static struct private_redis server;

static int start_server(void **state)
{
	private_redis_start_tcp(&server);
	return 0;
}

static int stop_server(void **state)
{
	private_redis_stop(&server);
	return 0;
}

static void a_command_gets_its_reply(void **state)
{
	CLEANUP(rds_close) struct rds *rds = private_redis_connect(&server);
	CLEANUP(rds_reply_free) struct rds_reply *set = private_redis_do(rds, "SET k v");
	CLEANUP(rds_reply_free) struct rds_reply *get = private_redis_do(rds, "GET k");
	CLEANUP(rds_reply_free) struct rds_reply *none = private_redis_do(rds, "GET none");
	CLEANUP(rds_reply_free) struct rds_reply *list = private_redis_do(rds, "MGET k none");

	assert_true(bytes_is(rds_str(set), "OK"));
	assert_true(bytes_is(rds_str(get), "v"));
	assert_true(rds_is_nil(none));
	assert_true(rds_is_array(list));
	assert_int_equal(rds_count(list), 2);
	assert_true(bytes_is(rds_str(rds_at(list, 0)), "v"));
	assert_true(rds_is_nil(rds_at(list, 1)));
	assert_null(rds_at(list, 2));
	assert_int_equal(private_redis_int(rds, "INCR n"), 1);
	assert_int_equal(strlen(rds_run_id(rds)), 40);
}

static void arguments_are_binary_safe(void **state)
{
	CLEANUP(rds_close) struct rds *rds = private_redis_connect(&server);
	CLEANUP(rds_reply_free) struct rds_reply *set = NULL;
	CLEANUP(rds_reply_free) struct rds_reply *get = NULL;
	struct bytes value = bytes_of("\0\r\n*1\r\n", 7);

	assert_int_equal(rds_command(rds, 3,
				 (struct bytes[]){bytes_str("SET"), bytes_str("b"), value}, &set),
		OK);
	assert_int_equal(rds_command(rds, 2, (struct bytes[]){bytes_str("GET"), bytes_str("b")},
				 &get),
		OK);
	assert_true(bytes_equal(rds_str(get), value));
}

static void a_pipeline_of_many_thousands_keeps_its_order(void **state)
{
	CLEANUP(rds_close) struct rds *rds = private_redis_connect(&server);

	for (int i = 0; i < 20000; i++)
		rds_append(rds, 2, (struct bytes[]){bytes_str("INCR"), bytes_str("order")});
	for (int i = 0; i < 20000; i++) {
		CLEANUP(rds_reply_free) struct rds_reply *reply = NULL;

		assert_int_equal(rds_read(rds, &reply), OK);
		assert_int_equal(rds_int(reply), i + 1);
	}
}

static void an_error_reply_is_a_reply(void **state)
{
	CLEANUP(rds_close) struct rds *rds = private_redis_connect(&server);
	CLEANUP(rds_reply_free) struct rds_reply *reply = private_redis_do(rds, "NOSUCHCOMMAND");
	struct rds_reply *unset = NULL;

	assert_true(rds_is_error(reply, NULL));
	assert_true(rds_is_error(reply, "ERR"));
	assert_false(rds_is_error(reply, "NOPERM"));
	rds_append(rds, 1, (struct bytes[]){bytes_str("NOSUCHCOMMAND")});
	assert_int_equal(rds_read_ok(rds, &unset), ERR_QUEUE);
	assert_null(unset);
	assert_non_null(strstr(rds_error(rds), "unknown command"));
	assert_int_equal(private_redis_int(rds, "INCR in-step"), 1);
}

static void replies_left_unread_do_not_answer_the_next_command(void **state)
{
	CLEANUP(rds_close) struct rds *rds = private_redis_connect(&server);
	CLEANUP(rds_reply_free) struct rds_reply *first = NULL;
	bool is_new = false;

	assert_int_equal(rds_ensure(rds, &is_new), OK);
	assert_true(is_new);
	assert_int_equal(rds_ensure(rds, &is_new), OK);
	assert_false(is_new);
	rds_append(rds, 2, (struct bytes[]){bytes_str("ECHO"), bytes_str("one")});
	rds_append(rds, 2, (struct bytes[]){bytes_str("ECHO"), bytes_str("two")});
	assert_int_equal(rds_read(rds, &first), OK);
	assert_int_equal(rds_ensure(rds, &is_new), OK);
	assert_true(is_new);
	CLEANUP(rds_reply_free) struct rds_reply *third = private_redis_do(rds, "ECHO three");
	assert_true(bytes_is(rds_str(third), "three"));
}

static void a_restart_is_noticed_and_changes_the_run_id(void **state)
{
	CLEANUP(rds_close) struct rds *rds = private_redis_connect(&server);
	struct rds_reply *reply = NULL;
	char before[41];
	bool is_new = false;

	snprintf(before, sizeof(before), "%s", rds_run_id(rds));
	private_redis_kill(&server, SIGKILL);
	assert_int_equal(rds_command(rds, 1, (struct bytes[]){bytes_str("PING")}, &reply),
		ERR_QUEUE);
	assert_int_equal(rds_ensure(rds, NULL), ERR_QUEUE);
	assert_non_null(strstr(rds_error(rds), "connect"));
	assert_int_equal(rds_fd(rds), -1);
	assert_int_equal(rds_command(rds, 1, (struct bytes[]){bytes_str("PING")}, &reply),
		ERR_QUEUE);

	private_redis_again(&server);
	rds_close(private_redis_connect(&server));
	assert_int_equal(rds_ensure(rds, &is_new), OK);
	assert_true(is_new);
	assert_string_not_equal(rds_run_id(rds), before);
}

static void an_idle_connection_closed_by_the_server_is_replaced(void **state)
{
	CLEANUP(rds_close) struct rds *rds = private_redis_connect(&server);
	CLEANUP(rds_close) struct rds *other = private_redis_connect(&server);
	bool is_new = false;

	assert_int_equal(rds_ensure(rds, &is_new), OK);
	rds_reply_free(private_redis_do(other, "CLIENT KILL TYPE normal SKIPME yes"));
	assert_int_equal(rds_ensure(rds, &is_new), OK);
	assert_true(is_new);
	assert_int_equal(private_redis_int(rds, "DEL x"), 0);
}

static void users_need_their_password(void **state)
{
	CLEANUP(rds_close) struct rds *admin = private_redis_connect(&server);
	CLEANUP(rds_close) struct rds *wrong = rds_new(server.socket, "assay-test", "wrong");
	struct rds *rds = NULL;

	rds_reply_free(
		private_redis_do(admin, "ACL SETUSER assay-test on >secret ~k:* +get +info +ping"));
	assert_int_equal(rds_ensure(wrong, NULL), ERR_QUEUE);
	assert_non_null(strstr(rds_error(wrong), "WRONGPASS"));
	assert_int_equal(rds_open(server.socket, "assay-test", "secret", &rds), OK);
	CLEANUP(rds_reply_free) struct rds_reply *reply = private_redis_do(rds, "SET k:1 v");
	assert_true(rds_is_error(reply, "NOPERM"));
	rds_close(rds);
}

static void over_tcp_a_restart_is_survived_and_users_need_their_password(void **state)
{
	CLEANUP(rds_close) struct rds *admin = private_redis_connect(&server);
	CLEANUP(rds_close) struct rds *wrong = rds_new(server.address, "assay-tcp", "wrong");
	CLEANUP(rds_close) struct rds *rds = rds_new(server.address, NULL, NULL);
	CLEANUP(rds_close) struct rds *user = rds_new(server.address, "assay-tcp", "secret");
	int one = 0;
	socklen_t len = sizeof(one);
	bool is_new = false;

	rds_reply_free(
		private_redis_do(admin, "ACL SETUSER assay-tcp on >secret ~k:* +get +info +ping"));
	assert_int_equal(rds_ensure(wrong, NULL), ERR_QUEUE);
	assert_non_null(strstr(rds_error(wrong), "WRONGPASS"));
	assert_int_equal(rds_ensure(user, NULL), OK);
	CLEANUP(rds_reply_free) struct rds_reply *refused = private_redis_do(user, "SET k:1 v");
	assert_true(rds_is_error(refused, "NOPERM"));

	assert_int_equal(rds_ensure(rds, NULL), OK);
	assert_int_equal(private_redis_int(rds, "INCR tcp"), 1);
	/* Without these, pipelines wait for each other and a dead machine for ever. */
	assert_int_equal(getsockopt(rds_fd(rds), IPPROTO_TCP, TCP_NODELAY, &one, &len), 0);
	assert_int_not_equal(one, 0);
	assert_int_equal(getsockopt(rds_fd(rds), SOL_SOCKET, SO_KEEPALIVE, &one, &len), 0);
	assert_int_not_equal(one, 0);

	private_redis_kill(&server, SIGKILL);
	assert_int_equal(rds_ensure(rds, NULL), ERR_QUEUE);
	assert_non_null(strstr(rds_error(rds), "Connection refused"));
	private_redis_again(&server);
	rds_close(private_redis_connect(&server));
	assert_int_equal(rds_ensure(rds, &is_new), OK);
	assert_true(is_new);
	assert_int_equal(private_redis_int(rds, "INCR again"), 1);
}

static void a_slow_command_ends_at_the_timeout(void **state)
{
	CLEANUP(rds_close) struct rds *rds = private_redis_connect(&server);
	struct rds_reply *reply = NULL;
	int64_t started = clock_mono_ms();

	rds_set_timeout(rds, 100);
	assert_int_equal(rds_command(rds, 3,
				 (struct bytes[]){bytes_str("BLPOP"), bytes_str("none"),
					 bytes_str("5")},
				 &reply),
		ERR_QUEUE);
	assert_in_range(clock_mono_ms() - started, 90, 1000);
	assert_non_null(strstr(rds_error(rds), "timeout"));
	assert_int_equal(rds_ensure(rds, NULL), OK);
}

static void a_string_over_the_limit_is_cut_off_and_the_connection_stays(void **state)
{
	CLEANUP(rds_close) struct rds *rds = private_redis_connect(&server);

	assert_int_equal(private_redis_int(rds, "SETBIT big 9000000 1"), 0);
	CLEANUP(rds_reply_free) struct rds_reply *reply = private_redis_do(rds, "GET big");
	assert_int_equal(rds_str(reply).len, RDS_STRING_MAX_BYTES);
	assert_int_equal(private_redis_int(rds, "DEL big"), 1);
}

/* A peer that answers the greeting properly and the next command with bytes of our choice. */
struct fake {
	char socket[64];
	int listener;
	pthread_t thread;
	struct bytes answer;
	int trickle_ms; /* between single bytes; 0 = all at once */
	bool endless;   /* repeats the answer until the peer hangs up */
};

#define GREETING                                                                                   \
	"$56\r\nrun_id:0123456789abcdef0123456789abcdef01234567\r\nx:y\r\n--\r\n"                  \
	"$13\r\nrole:master\r\n\r\n+PONG\r\n"

static void *fake_serve(void *arg)
{
	struct fake *f = arg;
	int fd = accept(f->listener, NULL, NULL);
	char in[4096];

	if (fd < 0 || recv(fd, in, sizeof(in), 0) <= 0 ||
		send(fd, GREETING, strlen(GREETING), MSG_NOSIGNAL) <= 0 ||
		recv(fd, in, sizeof(in), 0) <= 0) {
		close(fd);
		return NULL;
	}
	do {
		for (size_t at = 0; at < f->answer.len;) {
			size_t want = f->trickle_ms > 0 ? 1 : f->answer.len - at;
			ssize_t n = send(fd, f->answer.ptr + at, want, MSG_NOSIGNAL);

			if (n <= 0) {
				close(fd);
				return NULL;
			}
			at += (size_t)n;
			usleep((useconds_t)f->trickle_ms * 1000);
		}
	} while (f->endless);
	/* Waits for the peer to hang up, so that only the bytes decide. */
	(void)!recv(fd, in, sizeof(in), 0);
	close(fd);
	return NULL;
}

static void fake_start(struct fake *f)
{
	struct sockaddr_un addr = {.sun_family = AF_UNIX};

	snprintf(f->socket, sizeof(f->socket), "/tmp/assay-fake-%d.sock", getpid());
	snprintf(addr.sun_path, sizeof(addr.sun_path), "%s", f->socket);
	unlink(f->socket);
	f->listener = socket(AF_UNIX, SOCK_STREAM, 0);
	assert_int_equal(bind(f->listener, (struct sockaddr *)&addr, sizeof(addr)), 0);
	assert_int_equal(listen(f->listener, 1), 0);
	assert_int_equal(pthread_create(&f->thread, NULL, fake_serve, f), 0);
}

static void fake_stop(struct fake *f)
{
	shutdown(f->listener, SHUT_RDWR);
	pthread_join(f->thread, NULL);
	close(f->listener);
	unlink(f->socket);
}

/* What rds_command makes of an answer. */
static int verdict(struct fake f, struct rds_reply **ret)
{
	struct rds *rds = NULL;
	int err;

	fake_start(&f);
	assert_int_equal(rds_open(f.socket, NULL, NULL, &rds), OK);
	rds_set_timeout(rds, 300);
	err = rds_command(rds, 1, (struct bytes[]){bytes_str("PING")}, ret);
	if (err != OK)
		assert_int_equal(rds_fd(rds), -1);
	rds_close(rds);
	fake_stop(&f);
	return err;
}

static void hostile_replies_end_the_connection(void **state)
{
	static const char *const answers[] = {
		"*4294967295\r\n",
		"*2147483647\r\n",
		"*2000000000\r\n$1\r\na\r\n",
		"*65537\r\n",
		"*-2\r\n",
		"$-2\r\n",
		"$99999999999999999999\r\n",
		"*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n:1\r\n",
		"%1\r\n+a\r\n+b\r\n",
		"\0\0\0\0",
		"HTTP/1.1 400 Bad Request\r\n\r\n",
		"-LOADING Redis is loading the dataset in memory\r\n",
		"-READONLY You can't write against a read only replica.\r\n",
	};

	for (size_t i = 0; i < ARRAY_LEN(answers); i++) {
		struct rds_reply *reply = NULL;
		struct fake f = {.answer = bytes_str(answers[i])};

		if (f.answer.len == 0)
			f.answer = bytes_of(answers[i], 4);
		assert_int_equal(verdict(f, &reply), ERR_QUEUE);
		assert_null(reply);
	}
}

static void deeply_nested_arrays_within_the_limits_are_read(void **state)
{
	CLEANUP(rds_reply_free) struct rds_reply *reply = NULL;
	struct fake f = {.answer = bytes_str("*1\r\n*1\r\n*2\r\n:7\r\n$-1\r\n")};

	assert_int_equal(verdict(f, &reply), OK);
	assert_int_equal(rds_int(rds_at(rds_at(rds_at(reply, 0), 0), 0)), 7);
}

static void an_endless_line_or_array_is_given_up(void **state)
{
	struct rds_reply *reply = NULL;
	static uint8_t junk[65536];
	CLEANUP_BUF struct buf nested = {0};

	memset(junk, 'x', sizeof(junk));
	junk[0] = '+';
	assert_int_equal(verdict((struct fake){.answer = bytes_of(junk, sizeof(junk)),
					 .endless = true},
				 &reply),
		ERR_QUEUE);
	/* Arrays in arrays: each within its limit, together above. */
	buf_add_str(&nested, "*60000\r\n");
	for (int i = 0; i < 60000; i++)
		buf_add_str(&nested, "*2\r\n:1\r\n:2\r\n");
	assert_int_equal(verdict((struct fake){.answer = buf_bytes(&nested)}, &reply), ERR_QUEUE);
}

static void a_trickle_of_bytes_does_not_hold_the_thread(void **state)
{
	struct rds_reply *reply = NULL;
	int64_t started = clock_mono_ms();
	struct fake f = {.answer = bytes_str("$40\r\n0123456789012345678901234567890123456789\r\n"),
		.trickle_ms = 50};

	assert_int_equal(verdict(f, &reply), ERR_QUEUE);
	assert_in_range(clock_mono_ms() - started, 250, 1500);
}

static void a_path_that_does_not_fit_is_refused(void **state)
{
	struct rds *rds = NULL;
	char path[200];

	memset(path, 'p', sizeof(path) - 1);
	path[0] = '/';
	path[sizeof(path) - 1] = '\0';
	assert_int_equal(rds_open(path, NULL, NULL, &rds), ERR_QUEUE);
	assert_null(rds);
}

static void what_is_no_address_is_refused(void **state)
{
	static const char *const wrong[] = {"127.0.0.1", "127.0.0.1:", ":6379", "127.0.0.1:0",
		"127.0.0.1:65536", "127.0.0.1:6379x", "127.0.0.1:-1", "::1:6379", "[::1]",
		"[::1:6379", "[127.0.0.1]:6379", "localhost:6379", ""};

	for (size_t i = 0; i < ARRAY_LEN(wrong); i++) {
		CLEANUP(rds_close) struct rds *rds = rds_new(wrong[i], NULL, NULL);

		assert_int_equal(rds_ensure(rds, NULL), ERR_QUEUE);
		assert_non_null(strstr(rds_error(rds), "not an address and port"));
	}
}

/* A listener whose queue is full answers no SYN, like a machine that is off. */
static void a_machine_that_does_not_answer_is_given_up_in_time(void **state)
{
	struct sockaddr_in place = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
	socklen_t len = sizeof(place);
	int listener = socket(AF_INET, SOCK_STREAM, 0), fill[4];
	char address[32];
	int64_t started;

	assert_int_equal(bind(listener, (struct sockaddr *)&place, len), 0);
	assert_int_equal(listen(listener, 0), 0);
	assert_int_equal(getsockname(listener, (struct sockaddr *)&place, &len), 0);
	for (size_t i = 0; i < ARRAY_LEN(fill); i++) {
		fill[i] = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
		(void)connect(fill[i], (struct sockaddr *)&place, len);
	}
	snprintf(address, sizeof(address), "127.0.0.1:%d", ntohs(place.sin_port));
	CLEANUP(rds_close) struct rds *rds = rds_new(address, NULL, NULL);

	rds_set_timeout(rds, 200);
	started = clock_mono_ms();
	assert_int_equal(rds_ensure(rds, NULL), ERR_QUEUE);
	assert_in_range(clock_mono_ms() - started, 150, 2000);
	assert_non_null(strstr(rds_error(rds), "timeout"));
	for (size_t i = 0; i < ARRAY_LEN(fill); i++)
		close(fill[i]);
	close(listener);
}

int main(void)
{
	const struct CMUnitTest fakes[] = {
		cmocka_unit_test(hostile_replies_end_the_connection),
		cmocka_unit_test(deeply_nested_arrays_within_the_limits_are_read),
		cmocka_unit_test(an_endless_line_or_array_is_given_up),
		cmocka_unit_test(a_trickle_of_bytes_does_not_hold_the_thread),
		cmocka_unit_test(a_path_that_does_not_fit_is_refused),
		cmocka_unit_test(what_is_no_address_is_refused),
		cmocka_unit_test(a_machine_that_does_not_answer_is_given_up_in_time),
	};
	const struct CMUnitTest real[] = {
		cmocka_unit_test(a_command_gets_its_reply),
		cmocka_unit_test(arguments_are_binary_safe),
		cmocka_unit_test(a_pipeline_of_many_thousands_keeps_its_order),
		cmocka_unit_test(an_error_reply_is_a_reply),
		cmocka_unit_test(replies_left_unread_do_not_answer_the_next_command),
		cmocka_unit_test(an_idle_connection_closed_by_the_server_is_replaced),
		cmocka_unit_test(users_need_their_password),
		cmocka_unit_test(over_tcp_a_restart_is_survived_and_users_need_their_password),
		cmocka_unit_test(a_slow_command_ends_at_the_timeout),
		cmocka_unit_test(a_string_over_the_limit_is_cut_off_and_the_connection_stays),
		cmocka_unit_test(a_restart_is_noticed_and_changes_the_run_id),
	};
	int failed = cmocka_run_group_tests_name("rds against a hostile peer", fakes, NULL, NULL);

	private_redis_require();
	return failed + cmocka_run_group_tests_name("rds", real, start_server, stop_server);
}
