/* app.c — see app.h: options, start, reload and drain of a FastCGI program. The main thread does
 * nothing else. */
#include "fcgi/app.h"

#include <errno.h>
#include <fcgiapp.h>
#include <getopt.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "fcgi/conn.h"
#include "fcgi/db_stage.h"
#include "fcgi/listen.h"
#include "fcgi/pipeline.h"
#include "fcgi/redis_stage.h"
#include "fcgi/wakeups.h"
#include "lib/base/clock.h"
#include "lib/base/log.h"
#include "lib/base/notify.h"
#include "lib/base/stop.h"

#define DRAIN_MS 9000

struct options {
	const char *conf_path;
	const char *socket_path; /* NULL: from the configuration */
};

static void print_help(const struct app *app)
{
	printf("Usage: %s [-c FILE] [-l SOCKET]\n"
	       "One of the FastCGI programs of assay, an ACME certificate authority.\n\n"
	       "  -c, --config FILE    the configuration (default %s)\n"
	       "  -l, --listen SOCKET  the Unix socket to make, unless systemd passes one\n"
	       "                       (default %s in handlers.socket_dir)\n"
	       "      --version        print the version\n"
	       "      --help           print this\n\n"
	       "SIGTERM finishes what is in flight and ends; SIGHUP reads the configuration "
	       "again.\n",
		app->program, SYSCONFDIR "/assay.conf", app->socket_name);
}

static struct options parse_options(int argc, char **argv, const struct app *app)
{
	static const struct option known[] = {
		{"config", required_argument, NULL, 'c'},
		{"listen", required_argument, NULL, 'l'},
		{"version", no_argument, NULL, 'V'},
		{"help", no_argument, NULL, 'h'},
		{0},
	};
	struct options options = {.conf_path = SYSCONFDIR "/assay.conf"};
	int c;

	while ((c = getopt_long(argc, argv, "c:l:", known, NULL)) != -1) {
		switch (c) {
		case 'c':
			options.conf_path = optarg;
			break;
		case 'l':
			options.socket_path = optarg;
			break;
		case 'V':
			printf("%s %s\n", app->program, PACKAGE_VERSION);
			exit(EXIT_SUCCESS);
		case 'h':
			print_help(app);
			exit(EXIT_SUCCESS);
		default:
			fprintf(stderr, "Try '%s --help'.\n", app->program);
			exit(EXIT_FAILURE);
		}
	}
	if (optind < argc)
		die("unexpected argument '%s'", argv[optind]);
	return options;
}

/* A parked request holds a connection each: use all the descriptors we may have. */
static void raise_descriptor_limit(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < limit.rlim_max) {
		limit.rlim_cur = limit.rlim_max;
		(void)setrlimit(RLIMIT_NOFILE, &limit);
	}
}

/* libfcgi: no two-second wait for the peer when closing; its signal handlers (SIGUSR1 would make
 * every read fail) give way to ours. */
static void init_libraries(void)
{
	if (setenv("LIBFCGI_OS_CLOSE_POLL_TIMEOUT", "0", 1) != 0 || FCGX_Init() != 0)
		die("cannot initialise libfcgi");
	signal(SIGUSR1, SIG_IGN);
	notify_init();
	stop_init();
}

static bool waits(const struct app *app)
{
	for (size_t i = 0; i < app->nroutes; i++) {
		if (app->routes[i].reread != NULL || app->routes[i].ask != NULL)
			return true;
	}
	return false;
}

static int open_socket(const struct options *options, const struct conf *conf,
	const struct app *app)
{
	CLEANUP_BUF struct buf path = {0};

	if (options->socket_path != NULL)
		return listen_open(options->socket_path);
	buf_addf(&path, "%s/%s", conf->handlers.socket_dir, app->socket_name);
	return listen_open(buf_str(&path));
}

static void reload(const char *path, const struct app *app)
{
	CLEANUP_STR char *error = NULL;
	struct snapshot *settings;

	if (settings_reload(path, app->check_conf, &error) != OK) {
		log_event(LOG_LEVEL_ERROR, "configuration not taken over, the old one stays",
			F_STR("error", error));
		return;
	}
	settings = settings_hold();
	log_set_level(log_level_named(settings->conf->log.level));
	settings_drop(settings);
	log_event(LOG_LEVEL_INFO, "configuration read again", F_STR("file", path));
}

static void serve_until_stopped(const char *conf_path, const struct app *app)
{
	struct pollfd fds[] = {{.fd = stop_fd(), .events = POLLIN},
		{.fd = stop_reload_fd(), .events = POLLIN}};

	while (!stop_requested()) {
		if (poll(fds, ARRAY_LEN(fds), -1) < 0 && errno != EINTR)
			die("poll: %s", strerror(errno));
		if (stop_reload_take())
			reload(conf_path, app);
	}
}

/* Everything in flight and everyone parked is answered; then the idle connections are closed. */
static void drain(void)
{
	const struct timespec pause = {.tv_nsec = 5000000};
	int64_t patience_ms = clock_mono_ms() + DRAIN_MS;

	conn_stop_accepting();
	park_close(pipeline.park);
	conn_close_idle();
	while (conn_live() > 0 && clock_mono_ms() < patience_ms) {
		nanosleep(&pause, NULL);
		conn_close_idle();
	}
	if (conn_live() > 0) {
		/* Threads may hang in what is left: there is nothing to tidy up that the next start
		 * would miss. */
		log_event(LOG_LEVEL_WARNING, "stopping with requests in flight",
			F_INT("connections", (int64_t)conn_live()));
		_exit(EXIT_FAILURE);
	}
}

struct app_health app_health(void)
{
	return (struct app_health){.database = db_stage_up(),
		.redis = redis_stage_up(),
		.workers = db_stage_workers()};
}

int app_main(int argc, char **argv, const struct app *app)
{
	struct options options = parse_options(argc, argv, app);
	CLEANUP_STR char *error = NULL;
	struct conf *conf = NULL;
	int listener;

	log_init(app->program, LOG_LEVEL_INFO);
	if (settings_read(options.conf_path, app->check_conf, &conf, &error) != OK)
		die("%s", error);
	log_set_level(log_level_named(conf->log.level));
	raise_descriptor_limit();
	init_libraries();
	listener = open_socket(&options, conf, app);
	settings_init(conf);
	pipeline_init(app);
	redis_stage_start();
	if (app->stmts != NULL)
		db_stage_start();
	if (waits(app))
		wakeups_start();
	conn_start(listener, conf->handlers.threads);
	log_event(LOG_LEVEL_INFO, "ready", F_STR("version", PACKAGE_VERSION));
	notify_ready();

	serve_until_stopped(options.conf_path, app);

	notify_stopping();
	drain();
	conn_stop();
	wakeups_stop();
	lane_close(&pipeline.database);
	lane_close(&pipeline.redis);
	if (app->stmts != NULL)
		db_stage_stop();
	redis_stage_stop();
	conn_done();
	pipeline_done();
	settings_done();
	listen_remove();
	log_event(LOG_LEVEL_INFO, "stopped");
	return EXIT_SUCCESS;
}
