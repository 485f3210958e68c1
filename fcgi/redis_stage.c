/* redis_stage.c — see redis_stage.h.
 *
 * A batch that meets a broken connection is repeated once on a new one: a nonce that the first try
 * consumed reads as used (badNonce, the client tries again), a job may be queued twice (the row
 * decides): both are harmless. */
#include "fcgi/redis_stage.h"

#include <pthread.h>
#include <time.h>

#include "fcgi/pipeline.h"
#include "lib/base/clock.h"
#include "lib/base/log.h"

#define BATCH_MAX 256
#define TICK_MS (NONCE_CHECK_SECS * 1000)
#define RETRY_MS 250
/* As in db_stage.c. */
#define PATIENCE_MS 1500
#define NAP_MS 25

static struct {
	pthread_t thread;
	pthread_mutex_t lock; /* held by the thread that runs the stage */
	struct rds *rds;
	bool greeted; /* the nonce pool knows this connection */
	int64_t retry_ms;
	int64_t down_ms; /* since when it is not up */
	atomic_bool up;
	bool told; /* the log has heard of the connection's state */
} stage = {.lock = PTHREAD_MUTEX_INITIALIZER};

struct rds *redis_stage_rds(void)
{
	struct snapshot *settings = settings_hold();
	const struct conf *conf = settings->conf;
	CLEANUP(conf_secret_free) char *password = NULL;
	struct rds *rds;

	if (conf->redis.passwords != NULL &&
		conf_secret_load(conf->redis.passwords, pipeline.app->role, &password) != OK)
		die("no usable password for Redis: %s/%s", conf->redis.passwords,
			pipeline.app->role);
	rds = rds_new(conf_redis(conf), pipeline.app->role, password);
	settings_drop(settings);
	return rds;
}

static int connect_now(void)
{
	bool fresh = false;
	int err = rds_ensure(stage.rds, &fresh);

	if (err != OK)
		return err;
	if (fresh)
		stage.greeted = false;
	if (!stage.greeted && !pipeline.app->plain) {
		err = nonce_pool_connect(pipeline.nonces, stage.rds);
		stage.greeted = err == OK;
	}
	return err;
}

/* OK when the connection is usable. While it is not, a new try is made only now and then, so that
 * requests fail fast. */
static int ready(void)
{
	int64_t now = clock_mono_ms();
	bool was_up;
	int err;

	if (now < stage.retry_ms)
		return ERR_QUEUE;
	err = connect_now();
	if (err != OK)
		stage.retry_ms = now + RETRY_MS;
	was_up = atomic_exchange(&stage.up, err == OK);
	if (was_up && err != OK)
		stage.down_ms = now;
	if (was_up == (err == OK) && stage.told)
		return err;
	stage.told = true;
	if (err == OK)
		log_event(LOG_LEVEL_INFO, "redis connection stands");
	else
		log_event(LOG_LEVEL_ERROR, "redis is away", F_STR("error", rds_error(stage.rds)));
	return err;
}

static void append(const struct exchange *x)
{
	if (x->step == STEP_NONCE)
		nonce_append(stage.rds, &x->nonce);
	else if (x->step == STEP_ASK)
		x->r.route->ask(&x->r, stage.rds);
	else
		job_append(stage.rds, x->r.job, &x->r.job_id);
}

/* An error reply (no memory, no permission) is no verdict on the nonce. */
static void settle(struct exchange *x, const struct rds_reply *reply)
{
	if (rds_is_error(reply, NULL)) {
		CLEANUP_BUF struct buf shown = {0};

		problem_quote(&shown, rds_str(reply), 200);
		log_event(LOG_LEVEL_ERROR, "redis refused", F_STR("trace", x->r.trace),
			F_STR("error", buf_str(&shown)));
		return;
	}
	x->redis_err = OK;
	x->accepted = x->step == STEP_NONCE && nonce_accepted(pipeline.nonces, &x->nonce, reply);
}

static int ready_soon(void)
{
	struct timespec nap = {.tv_nsec = NAP_MS * 1000000L};
	int err;

	while ((err = ready()) != OK && clock_mono_ms() < stage.down_ms + PATIENCE_MS)
		nanosleep(&nap, NULL);
	return err;
}

/* One pipeline. Returns what is not settled because the connection broke, NULL when all is. */
static struct exchange *run(struct exchange *list)
{
	if (ready_soon() != OK)
		return list;
	for (struct exchange *x = list; x != NULL; x = x->next)
		append(x);
	for (; list != NULL; list = list->next) {
		CLEANUP(rds_reply_free) struct rds_reply *reply = NULL;

		if (rds_read(stage.rds, &reply) != OK)
			return list;
		settle(list, reply);
	}
	return NULL;
}

/* Before answers are made, so that a badNonce carries a good nonce; when idle it notices that Redis
 * went away or came back. */
static void tend(void)
{
	if (!pipeline.app->plain && !nonce_pool_low(pipeline.nonces))
		return;
	if (ready() != OK || pipeline.app->plain)
		return;
	if (nonce_pool_refill(pipeline.nonces, stage.rds) != OK)
		log_event(LOG_LEVEL_WARNING, "no fresh nonces",
			F_STR("error", rds_error(stage.rds)));
}

static void run_batch(struct exchange *list)
{
	struct exchange *rest = list, *next;

	for (struct exchange *x = list; x != NULL; x = x->next)
		x->redis_err = ERR_QUEUE;
	for (int tries = 0; rest != NULL && tries < 2; tries++)
		rest = run(rest);
	tend();
	for (; list != NULL; list = next) {
		next = list->next;
		pipeline_redis(list);
	}
}

bool redis_stage_help(void)
{
	bool ran = false;

	/* As in db_stage_help. */
	while (!lane_is_empty(&pipeline.redis) && pthread_mutex_trylock(&stage.lock) == 0) {
		struct exchange *list = lane_take(&pipeline.redis, BATCH_MAX);

		if (list != NULL)
			run_batch(list);
		ran |= list != NULL;
		pthread_mutex_unlock(&stage.lock);
	}
	return ran;
}

static void *redis_thread(void *arg)
{
	while (!lane_is_over(&pipeline.redis)) {
		lane_rest(&pipeline.redis, TICK_MS);
		pthread_mutex_lock(&stage.lock);
		tend();
		pthread_mutex_unlock(&stage.lock);
		pipeline_help();
	}
	return NULL;
}

void redis_stage_start(void)
{
	stage.rds = redis_stage_rds();
	/* The first requests should find nonces. */
	(void)ready();
	if (pthread_create(&stage.thread, NULL, redis_thread, NULL) != 0)
		die("cannot start a thread");
}

void redis_stage_stop(void)
{
	pthread_join(stage.thread, NULL);
	rds_close(stage.rds);
}

bool redis_stage_up(void)
{
	return atomic_load(&stage.up);
}
