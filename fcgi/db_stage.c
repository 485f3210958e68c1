/* db_stage.c — see db_stage.h. */
#include "fcgi/db_stage.h"

#include <pthread.h>
#include <time.h>
#include <unistd.h>

#include "fcgi/pipeline.h"
#include "lib/base/clock.h"
#include "lib/base/log.h"
#include "lib/store/sweep.h"

#define BATCH_MAX 64
#define TICK_MS 1000
#define HEARTBEAT_MS 10000
#define LOOK_MS 2000
/* Three heartbeats missed. */
#define WORKER_SILENT_SECS 30
#define RETRY_MS 250
/* A server that is restarted is back within moments: for so long after it went away, requests wait
 * for it; from then on they fail fast. */
#define PATIENCE_MS 1500
#define NAP_MS 25
#define UNANSWERED_MS 3000 /* asked so long ago and not answered: not up */

struct link { /* one connection */
	pthread_t thread;
	pthread_mutex_t lock; /* held by the thread that runs it; guards what is not atomic here */
	struct db *db;
	atomic_bool up;
	_Atomic int64_t asked_ms; /* since when its answer is awaited; 0: nothing was asked */
	bool told;                /* the log has heard of the connection's state */
	int64_t retry_ms;
	int64_t down_ms;      /* since when it is not up */
	int64_t heartbeat_ms; /* when the next one is due */
	int64_t look_ms;      /* when the workers' are looked at again */
	int64_t repeat_ms;    /* when the program's own statement is due */
};

static struct {
	struct link *links;
	int count;
	bool heartbeat;
	bool looks; /* at the workers' heartbeats */
	/* As they were when they were last looked at, by whichever link. */
	atomic_bool validator, signer, keeper;
} stage;

static struct db *new_db(void)
{
	struct snapshot *settings = settings_hold();
	const struct conf *conf = settings->conf;
	CLEANUP(conf_secret_free) char *password = NULL;
	struct db *db;

	if (conf->database.passwords != NULL &&
		conf_secret_load(conf->database.passwords, pipeline.app->role, &password) != OK)
		die("no usable password for PostgreSQL: %s/%s", conf->database.passwords,
			pipeline.app->role);
	db = db_new(conf->database.uri, pipeline.app->role, password, pipeline.app->stmts);
	settings_drop(settings);
	return db;
}

static void set_up(struct link *link, bool up)
{
	if (link->up == up && link->told)
		return;
	if (link->up && !up)
		link->down_ms = clock_mono_ms();
	link->up = up;
	link->told = true;
	if (up)
		log_event(LOG_LEVEL_INFO, "database connection stands");
	else
		log_event(LOG_LEVEL_ERROR, "database is away", F_STR("error", db_error(link->db)));
}

/* OK when the connection is usable. While it is not, a new try is made only now and then, so that
 * requests fail fast. */
static int ready(struct link *link)
{
	int64_t now = clock_mono_ms();
	int err;

	if (now < link->retry_ms)
		return ERR_DB;
	link->asked_ms = now;
	err = db_ensure(link->db);
	link->asked_ms = 0;
	if (err != OK)
		link->retry_ms = now + RETRY_MS;
	set_up(link, err == OK);
	return err;
}

static int ready_soon(struct link *link)
{
	struct timespec nap = {.tv_nsec = NAP_MS * 1000000L};
	int err;

	while ((err = ready(link)) != OK && clock_mono_ms() < link->down_ms + PATIENCE_MS)
		nanosleep(&nap, NULL);
	return err;
}

static int ask(struct link *link, struct db_call *const calls[], size_t count)
{
	int err;

	link->asked_ms = clock_mono_ms();
	err = db_run(link->db, calls, count);
	link->asked_ms = 0;
	return err;
}

/* Runs the calls; those that certainly left nothing behind because the connection was gone get a
 * second chance on a new one. */
static void run(struct link *link, struct db_call *const calls[], size_t count)
{
	struct db_call *again[BATCH_MAX];
	size_t nagain = 0;

	if (ready_soon(link) != OK) {
		for (size_t i = 0; i < count; i++)
			calls[i]->err = ERR_DB;
		return;
	}
	if (ask(link, calls, count) == OK)
		return;
	log_event(LOG_LEVEL_WARNING, "database batch failed", F_STR("error", db_error(link->db)),
		F_INT("calls", (int64_t)count));
	for (size_t i = 0; i < count; i++) {
		if (calls[i]->err == ERR_DB)
			again[nagain++] = calls[i];
	}
	/* What fails again carries its error to the client. */
	if (nagain > 0 && ready_soon(link) == OK && ask(link, again, nagain) != OK)
		(void)ready(link);
}

static void run_batch(struct link *link, struct exchange *list)
{
	struct db_call *calls[BATCH_MAX] = {NULL};
	struct exchange *next;
	size_t count = 0;

	for (struct exchange *x = list; x != NULL; x = x->next)
		calls[count++] = pipeline_call(x);
	run(link, calls, count);
	for (struct exchange *x = list; x != NULL; x = next) {
		next = x->next;
		pipeline_row(x);
	}
}

static bool has_stmt(const struct db_stmt *stmt)
{
	for (size_t i = 0; pipeline.app->stmts[i] != NULL; i++) {
		if (pipeline.app->stmts[i] == stmt)
			return true;
	}
	return false;
}

/* Also what notices between requests that the database went away or came back. */
static void beat(struct link *link)
{
	int64_t now = clock_mono_ms();
	struct db_call call = {0}, *calls[] = {&call};
	char host[256] = "";

	if (!stage.heartbeat || now < link->heartbeat_ms)
		return;
	link->heartbeat_ms = now + HEARTBEAT_MS;
	(void)gethostname(host, sizeof(host) - 1);
	heartbeat_call(&call, pipeline.app->program, host, getpid());
	run(link, calls, 1);
	db_call_done(&call);
}

/* For /ready, which thereby costs no statement of its own. */
static void look_at_workers(struct link *link)
{
	int64_t now = clock_mono_ms();
	struct db_call call = {0}, *calls[] = {&call};

	if (!stage.looks || now < link->look_ms)
		return;
	link->look_ms = now + LOOK_MS;
	workers_alive_call(&call, WORKER_SILENT_SECS);
	run(link, calls, 1);
	if (call.err == OK) {
		struct workers_alive alive = workers_alive_result(&call);

		stage.validator = alive.validator;
		stage.signer = alive.signer;
		stage.keeper = alive.keeper;
	}
	db_call_done(&call);
}

/* The first connection repeats the program's own statement; sooner after it has failed. */
static void repeat(struct link *link)
{
	const struct app *app = pipeline.app;
	int64_t now = clock_mono_ms();
	struct db_call call = {0}, *calls[] = {&call};

	if (app->tick.bind == NULL || link != stage.links || now < link->repeat_ms)
		return;
	app->tick.bind(&call);
	run(link, calls, 1);
	if (call.err == OK)
		app->tick.take(&call);
	link->repeat_ms = now + (call.err == OK ? app->tick.secs * 1000 : TICK_MS);
	db_call_done(&call);
}

/* Between batches as well: under a load that never ends, the link's thread might never get the
 * lock. */
static void do_what_is_due(struct link *link)
{
	beat(link);
	look_at_workers(link);
	repeat(link);
}

/* One batch; false when nobody waits. */
static bool run_waiting(struct link *link)
{
	struct exchange *list = lane_take(&pipeline.database, BATCH_MAX);

	if (list != NULL)
		run_batch(link, list);
	do_what_is_due(link);
	return list != NULL;
}

bool db_stage_help(void)
{
	bool ran = false;

	for (int i = 0; i < stage.count; i++) {
		struct link *link = &stage.links[i];

		/* Looked at again once the lock is given back: who pushed meanwhile and could not
		 * get it relies on that. */
		while (!lane_is_empty(&pipeline.database) &&
			pthread_mutex_trylock(&link->lock) == 0) {
			ran |= run_waiting(link);
			pthread_mutex_unlock(&link->lock);
		}
	}
	return ran;
}

static void tick(struct link *link)
{
	pthread_mutex_lock(&link->lock);
	if (!link->up)
		(void)ready(link);
	do_what_is_due(link);
	pthread_mutex_unlock(&link->lock);
}

static void *link_thread(void *arg)
{
	struct link *link = arg;

	while (!lane_is_over(&pipeline.database)) {
		tick(link);
		pipeline_help();
		lane_rest(&pipeline.database, TICK_MS);
	}
	return NULL;
}

void db_stage_start(void)
{
	struct snapshot *settings = settings_hold();

	stage.count = settings->conf->database.connections;
	settings_drop(settings);
	stage.heartbeat = has_stmt(&heartbeat_stmt);
	stage.looks = has_stmt(&workers_alive_stmt);
	stage.links = xcalloc((size_t)stage.count, sizeof(*stage.links));
	for (int i = 0; i < stage.count; i++) {
		stage.links[i].db = new_db();
		pthread_mutex_init(&stage.links[i].lock, NULL);
	}
	for (int i = 0; i < stage.count; i++) {
		if (pthread_create(&stage.links[i].thread, NULL, link_thread, &stage.links[i]) != 0)
			die("cannot start a thread");
	}
}

void db_stage_stop(void)
{
	for (int i = 0; i < stage.count; i++) {
		pthread_join(stage.links[i].thread, NULL);
	}
	for (int i = 0; i < stage.count; i++) {
		pthread_mutex_destroy(&stage.links[i].lock);
		db_close(stage.links[i].db);
	}
	free(stage.links);
}

/* A server that hangs breaks no connection, but it answers nobody. */
bool db_stage_up(void)
{
	int64_t now = clock_mono_ms();

	for (int i = 0; i < stage.count; i++) {
		int64_t asked_ms = stage.links[i].asked_ms;

		if (stage.links[i].up && (asked_ms == 0 || now - asked_ms < UNANSWERED_MS))
			return true;
	}
	return false;
}

struct workers_alive db_stage_workers(void)
{
	return (struct workers_alive){.validator = stage.validator,
		.signer = stage.signer,
		.keeper = stage.keeper};
}
