/* process.c — see process.h. */
#include "workers/process.h"

#include <errno.h>
#include <getopt.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "lib/base/clock.h"
#include "lib/base/log.h"
#include "lib/base/notify.h"
#include "lib/base/stop.h"
#include "lib/store/sweep.h"

#define RETRY_MIN_MS 100
#define RETRY_MAX_MS 5000
#define HEARTBEAT_MS 10000

bool outage_may_try(const struct outage *o)
{
	return o->since_ms == 0 || clock_mono_ms() >= o->retry_ms;
}

void outage_failed(struct outage *o, const char *cause)
{
	int64_t now = clock_mono_ms();

	if (o->since_ms == 0) {
		o->since_ms = now;
		o->pause_ms = RETRY_MIN_MS;
		if (o->server != NULL)
			log_event(LOG_LEVEL_ERROR, "server is away, trying again until it is back",
				F_STR("server", o->server), F_STR("cause", cause));
	}
	o->retry_ms = now + o->pause_ms;
	o->pause_ms = o->pause_ms * 2 < RETRY_MAX_MS ? o->pause_ms * 2 : RETRY_MAX_MS;
}

void outage_over(struct outage *o)
{
	if (o->since_ms == 0)
		return;
	if (o->server != NULL)
		log_event(LOG_LEVEL_INFO, "server is back", F_STR("server", o->server),
			F_INT("away_ms", clock_mono_ms() - o->since_ms));
	o->since_ms = 0;
}

static void print_help(const char *program, const char *summary)
{
	printf("Usage: %s [-c FILE]\n"
	       "%s\n\n"
	       "  -c, --config FILE  the configuration (default %s)\n"
	       "      --version      print the version\n"
	       "      --help         print this\n\n"
	       "SIGTERM finishes what is in flight and ends; SIGHUP reads the configuration "
	       "again.\n"
	       "Any number of instances may run side by side, on any number of machines.\n",
		program, summary, SYSCONFDIR "/assay.conf");
}

static const char *parse_options(int argc, char **argv, const char *program, const char *summary)
{
	static const struct option known[] = {
		{"config", required_argument, NULL, 'c'},
		{"version", no_argument, NULL, 'V'},
		{"help", no_argument, NULL, 'h'},
		{0},
	};
	const char *conf_path = SYSCONFDIR "/assay.conf";
	int c;

	while ((c = getopt_long(argc, argv, "c:", known, NULL)) != -1) {
		switch (c) {
		case 'c':
			conf_path = optarg;
			break;
		case 'V':
			printf("%s %s\n", program, PACKAGE_VERSION);
			exit(EXIT_SUCCESS);
		case 'h':
			print_help(program, summary);
			exit(EXIT_SUCCESS);
		default:
			fprintf(stderr, "Try '%s --help'.\n", program);
			exit(EXIT_FAILURE);
		}
	}
	if (optind < argc)
		die("unexpected argument '%s'", argv[optind]);
	return conf_path;
}

/* NULL when the folder is not configured: the server knows us by our socket (peer), or has no
 * users. */
static char *load_secret(const char *folder, const char *program)
{
	char *secret = NULL;

	if (folder == NULL)
		return NULL;
	if (conf_secret_load(folder, program, &secret) != OK)
		die("%s/%s: must exist, be readable by %s and by nobody else", folder, program,
			program);
	return secret;
}

/* The program's statements and the heartbeat's, NULL-terminated. */
static const struct db_stmt **with_heartbeat(const struct db_stmt *const *stmts)
{
	const struct db_stmt **all;
	size_t n = 0;

	while (stmts[n] != NULL)
		n++;
	all = xcalloc(n + 2, sizeof(*all));
	for (size_t i = 0; i < n; i++)
		all[i] = stmts[i];
	all[n] = &heartbeat_stmt;
	return all;
}

void process_init(struct process *p, int argc, char **argv, const char *program,
	const char *summary, const struct db_stmt *const *stmts)
{
	CLEANUP_STR char *error = NULL;
	struct rlimit no_core = {0};

	memset(p, 0, sizeof(*p));
	p->program = program;
	log_init(program, LOG_LEVEL_INFO);
	p->conf_path = parse_options(argc, argv, program, summary);
	if (conf_load(p->conf_path, &p->conf, &error) != OK)
		die("%s", error);
	log_set_level(log_level_named(p->conf->log.level));
	/* Secrets never reach a core file. */
	(void)setrlimit(RLIMIT_CORE, &no_core);
	notify_init();
	stop_init();
	if (gethostname(p->host, sizeof(p->host) - 1) != 0)
		die("gethostname: %s", strerror(errno));
	p->db_password = load_secret(p->conf->database.passwords, program);
	p->rds_password = load_secret(p->conf->redis.passwords, program);
	p->stmts = with_heartbeat(stmts);
	p->rds = process_new_rds(p);
	p->db_outage.server = "postgresql";
	p->rds_outage.server = "redis";
	/* Not when its servers answer: the machine must come up whatever they do. */
	notify_ready();
}

void process_done(struct process *p)
{
	rds_close(p->rds);
	db_close(p->db);
	conf_secret_free(p->db_password);
	conf_secret_free(p->rds_password);
	free(p->stmts);
	for (size_t i = 0; i < p->nretired; i++)
		conf_free(p->retired[i]);
	free(p->retired);
	conf_free(p->conf);
}

struct db *process_new_db(const struct process *p, const struct db_stmt *const stmts[])
{
	return db_new(p->conf->database.uri, p->program, p->db_password, stmts);
}

struct rds *process_new_rds(const struct process *p)
{
	return rds_new(conf_redis(p->conf), p->program, p->rds_password);
}

bool process_db_ready(struct process *p)
{
	int err;

	notify_alive();
	if (!outage_may_try(&p->db_outage))
		return false;
	if (p->db == NULL) {
		p->db = db_new(p->conf->database.uri, p->program, p->db_password, p->stmts);
		if (p->listen_sql != NULL)
			db_listen(p->db, p->listen_sql);
	}
	err = db_ensure(p->db);
	if (err == OK)
		outage_over(&p->db_outage);
	else
		outage_failed(&p->db_outage, db_error(p->db));
	return err == OK;
}

int process_db_fd(const struct process *p)
{
	return p->db != NULL && p->listen_sql != NULL ? db_fd(p->db) : -1;
}

bool process_rds_ready(struct process *p)
{
	if (!outage_may_try(&p->rds_outage))
		return false;
	if (rds_ensure(p->rds, NULL) != OK) {
		outage_failed(&p->rds_outage, rds_error(p->rds));
		return false;
	}
	outage_over(&p->rds_outage);
	return true;
}

bool process_both_ready(struct process *p)
{
	bool db = process_db_ready(p);

	return process_rds_ready(p) && db;
}

void process_heartbeat(struct process *p)
{
	struct db_call call = {0};

	if (clock_mono_ms() < p->heartbeat_ms)
		return;
	p->heartbeat_ms = clock_mono_ms() + HEARTBEAT_MS;
	heartbeat_call(&call, p->program, p->host, getpid());
	if (db_run_one(p->db, &call) != OK)
		log_event(LOG_LEVEL_WARNING, "heartbeat not recorded",
			F_STR("cause", db_error(p->db)));
	db_call_done(&call);
}

bool process_reload(struct process *p)
{
	CLEANUP_STR char *error = NULL;
	struct conf *conf = NULL;

	if (!stop_reload_take())
		return false;
	if (conf_load(p->conf_path, &conf, &error) != OK) {
		log_event(LOG_LEVEL_ERROR, "configuration not taken over, the old one stays",
			F_STR("cause", error));
		return false;
	}
	p->retired = xrealloc(p->retired, (p->nretired + 1) * sizeof(*p->retired));
	p->retired[p->nretired++] = p->conf;
	p->conf = conf;
	log_set_level(log_level_named(conf->log.level));
	log_event(LOG_LEVEL_INFO, "configuration read again", F_STR("file", p->conf_path));
	return true;
}

/* How long until the next try to connect, if that is sooner. */
static int64_t earlier(int64_t timeout_ms, const struct outage *o)
{
	int64_t left = o->retry_ms - clock_mono_ms();

	if (o->since_ms == 0 || left >= timeout_ms)
		return timeout_ms;
	return left > 0 ? left : 0;
}

void process_wait(const struct process *p, int fd, int64_t timeout_ms)
{
	struct pollfd fds[] = {
		{.fd = stop_fd(), .events = POLLIN},
		{.fd = stop_reload_fd(), .events = POLLIN},
		{.fd = fd, .events = POLLIN},
	};

	notify_alive();
	timeout_ms = earlier(earlier(timeout_ms, &p->db_outage), &p->rds_outage);
	if (poll(fds, ARRAY_LEN(fds), (int)timeout_ms) < 0 && errno != EINTR)
		die("poll: %s", strerror(errno));
}
