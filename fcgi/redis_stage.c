/* redis_stage.c — see redis_stage.h.
 *
 * A batch that meets a broken connection is repeated once on a new one: a nonce that was consumed by the first try reads as
 * used (badNonce, the client tries again), a job may be queued twice (the row decides): both harmless. */
#include "fcgi/redis_stage.h"

#include <pthread.h>

#include "fcgi/pipeline.h"
#include "lib/base/clock.h"
#include "lib/base/log.h"

#define BATCH_MAX 256
#define TICK_MS 1000
#define PING_MS 5000
#define RETRY_MS 250

static struct {
	pthread_t thread;
	struct rds *rds;
	bool greeted; /* the nonce pool knows this connection */
	int64_t retry_ms, ping_ms;
	atomic_bool up;
} stage;

struct rds *redis_stage_connect(void)
{
	struct snapshot *settings = settings_hold();
	const struct conf *conf = settings->conf;
	CLEANUP_STR char *password = NULL;
	struct rds *rds = NULL;
	int err = OK;

	if (conf->redis.passwords != NULL)
		err = conf_secret_load(conf->redis.passwords, pipeline.app->role, &password);
	if (err == OK)
		err = rds_open(conf->redis.socket, pipeline.app->role, password, &rds);
	if (password != NULL)
		explicit_bzero(password, strlen(password));
	settings_drop(settings);
	return err == OK ? rds : NULL;
}

static int connect_now(void)
{
	bool fresh = false;
	int err;

	if (stage.rds == NULL) {
		stage.rds = redis_stage_connect();
		if (stage.rds == NULL)
			return ERR_QUEUE;
	} else {
		err = rds_ensure(stage.rds, &fresh);
		if (err != OK)
			return err;
	}
	if (fresh)
		stage.greeted = false;
	if (!stage.greeted) {
		err = nonce_pool_connect(pipeline.nonces, stage.rds);
		if (err != OK)
			return err;
		stage.greeted = true;
	}
	return OK;
}

static void set_up(bool up)
{
	if (atomic_exchange(&stage.up, up) != up)
		log_event(up ? LOG_LEVEL_INFO : LOG_LEVEL_ERROR, up ? "redis is back" : "redis is away",
			F_STR("error", stage.rds != NULL ? rds_error(stage.rds) : "cannot connect"));
}

/* OK when the connection is usable. While Redis is away a new try is made only now and then, so that requests fail fast. */
static int ready(void)
{
	int64_t now = clock_mono_ms();
	int err;

	if (now < stage.retry_ms)
		return ERR_QUEUE;
	err = connect_now();
	if (err != OK)
		stage.retry_ms = now + RETRY_MS;
	set_up(err == OK);
	return err;
}

static void hand_on(struct exchange *x, int err, const struct rds_reply *reply)
{
	if (err == OK && rds_is_error(reply, NULL)) {
		struct bytes text = rds_str(reply);
		CLEANUP_BUF struct buf shown = {0};

		problem_quote(&shown, text, 200);
		log_event(LOG_LEVEL_ERROR, "redis refused", F_STR("trace", x->r.trace), F_STR("error", buf_str(&shown)));
		err = ERR_QUEUE;
	}
	if (x->step == STEP_NONCE)
		pipeline_nonce(x, err, err == OK && nonce_accepted(pipeline.nonces, &x->nonce, reply));
	else
		pipeline_job(x, err);
}

/* Returns what was not settled because the connection broke. */
static struct exchange *run(struct exchange *list)
{
	struct exchange *next;

	if (ready() != OK)
		return list;
	for (struct exchange *x = list; x != NULL; x = x->next) {
		if (x->step == STEP_NONCE)
			nonce_append(stage.rds, &x->nonce);
		else
			job_append(stage.rds, x->r.job, &x->r.job_id);
	}
	for (; list != NULL; list = next) {
		CLEANUP(rds_reply_free) struct rds_reply *reply = NULL;

		if (rds_read(stage.rds, &reply) != OK)
			return list;
		next = list->next;
		hand_on(list, OK, reply);
	}
	return NULL;
}

static void tend(void)
{
	int64_t now = clock_mono_ms();

	if (now >= stage.ping_ms) {
		CLEANUP(rds_reply_free) struct rds_reply *reply = NULL;
		const struct bytes ping = bytes_str("PING");

		stage.ping_ms = now + PING_MS;
		if (ready() == OK && rds_command(stage.rds, 1, &ping, &reply) != OK)
			(void)ready(); /* reconnects, or says that Redis is away */
	}
	if (stage.greeted && nonce_pool_low(pipeline.nonces) && ready() == OK &&
	    nonce_pool_refill(pipeline.nonces, stage.rds) != OK)
		log_event(LOG_LEVEL_WARNING, "no fresh nonces", F_STR("error", rds_error(stage.rds)));
}

static void *redis_thread(void *arg)
{
	while (!lane_is_over(&pipeline.redis)) {
		struct exchange *list = lane_take(&pipeline.redis, BATCH_MAX, TICK_MS), *next;

		for (int tries = 0; list != NULL && tries < 2; tries++)
			list = run(list);
		for (; list != NULL; list = next) {
			next = list->next;
			hand_on(list, ERR_QUEUE, NULL);
		}
		tend();
	}
	return NULL;
}

void redis_stage_start(void)
{
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
