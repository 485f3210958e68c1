/* private_redis.c — see private_redis.h. */
#include "tests/unit/private_redis.h"

#include <arpa/inet.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "lib/base/clock.h"

#define START_MS 10000
#define ARGS_MAX 32

void private_redis_require(void)
{
	if (system("redis-server --version >/dev/null 2>&1") != 0) {
		fprintf(stderr, "redis-server is not installed: skipped\n");
		exit(77);
	}
}

static void exec_server(const struct private_redis *server)
{
	/* The last word counts: ours come behind the test's, which may include a configuration. */
	const char *const ours[] = {"--bind", "127.0.0.1", "--port", server->port, "--unixsocket",
		server->socket, "--dir", server->dir, "--save", "", "--loglevel", "warning",
		"--logfile", "redis.log"};
	const char *argv[ARGS_MAX] = {"redis-server"};
	int argc = 1;

	/* A test that dies takes its server along. */
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	for (const char *const *arg = server->extra; arg != NULL && *arg != NULL; arg++)
		argv[argc++] = *arg;
	for (size_t i = 0; i < ARRAY_LEN(ours); i++)
		argv[argc++] = ours[i];
	execvp(argv[0], (char *const *)argv);
	_exit(127);
}

void private_redis_again(struct private_redis *server)
{
	int64_t deadline = clock_mono_ms() + START_MS;

	unlink(server->socket);
	server->pid = fork();
	assert_true(server->pid >= 0);
	if (server->pid == 0)
		exec_server(server);
	for (;;) {
		struct stat st;

		if (stat(server->socket, &st) == 0 && S_ISSOCK(st.st_mode))
			return;
		assert_true(clock_mono_ms() < deadline);
		assert_int_equal(waitpid(server->pid, NULL, WNOHANG), 0);
		usleep(2000);
	}
}

/* A port that nobody uses now: the kernel gives others for a while. */
static void choose_port(struct private_redis *server)
{
	struct sockaddr_in place = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
	socklen_t len = sizeof(place);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_int_equal(bind(fd, (struct sockaddr *)&place, len), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&place, &len), 0);
	close(fd);
	snprintf(server->port, sizeof(server->port), "%d", ntohs(place.sin_port));
	snprintf(server->address, sizeof(server->address), "127.0.0.1:%s", server->port);
}

static void prepare(struct private_redis *server)
{
	const char *tmp = getenv("TMPDIR");

	memset(server, 0, sizeof(*server));
	snprintf(server->dir, sizeof(server->dir), "%.40s/assay-redis-XXXXXX",
		tmp != NULL ? tmp : "/tmp");
	assert_non_null(mkdtemp(server->dir));
	snprintf(server->socket, sizeof(server->socket), "%s/redis.sock", server->dir);
	snprintf(server->port, sizeof(server->port), "0");
}

void private_redis_start(struct private_redis *server, const char *const *extra)
{
	prepare(server);
	server->extra = extra;
	private_redis_again(server);
}

void private_redis_start_tcp(struct private_redis *server)
{
	prepare(server);
	choose_port(server);
	private_redis_again(server);
}

void private_redis_kill(struct private_redis *server, int sig)
{
	if (server->pid <= 0)
		return;
	kill(server->pid, sig);
	waitpid(server->pid, NULL, 0);
	server->pid = 0;
}

void private_redis_stop(struct private_redis *server)
{
	char command[128];

	private_redis_kill(server, SIGKILL);
	snprintf(command, sizeof(command), "rm -rf '%s'", server->dir);
	assert_int_equal(system(command), 0);
}

struct rds *private_redis_connect(const struct private_redis *server)
{
	int64_t deadline = clock_mono_ms() + START_MS;
	struct rds *rds = NULL;

	/* The socket exists a moment before it listens, and a data set may be loading. */
	while (rds_open(server->socket, NULL, NULL, &rds) != OK) {
		assert_true(clock_mono_ms() < deadline);
		usleep(2000);
	}
	return rds;
}

struct rds_reply *private_redis_do(struct rds *rds, const char *words)
{
	struct rds_reply *reply = NULL;
	struct bytes argv[64];
	int argc = 0;

	for (const char *p = words; argc < 64; p += argv[argc - 1].len + 1) {
		argv[argc++] = bytes_of(p, strcspn(p, " "));
		if (p[argv[argc - 1].len] == '\0')
			break;
	}
	assert_int_equal(rds_command(rds, argc, argv, &reply), OK);
	return reply;
}

int64_t private_redis_int(struct rds *rds, const char *words)
{
	CLEANUP(rds_reply_free) struct rds_reply *reply = private_redis_do(rds, words);

	assert_false(rds_is_error(reply, NULL));
	return rds_int(reply);
}
