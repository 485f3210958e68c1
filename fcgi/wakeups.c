/* wakeups.c — see wakeups.h. A connection of its own: a subscribed one can do nothing else. */
#include "fcgi/wakeups.h"

#include <pthread.h>
#include <time.h>

#include "fcgi/pipeline.h"
#include "fcgi/redis_stage.h"
#include "lib/base/clock.h"
#include "lib/base/log.h"

#define TICK_MS 200
#define RETRY_MS 500

static struct {
	pthread_t thread;
	atomic_bool running;
	struct rds *rds;
	bool subscribed;
	int64_t retry_ms;
} ears;

static int subscribe(void)
{
	bool fresh = false;
	int err;

	if (clock_mono_ms() < ears.retry_ms)
		return ERR_QUEUE;
	err = rds_ensure(ears.rds, &fresh);
	if (fresh)
		ears.subscribed = false;
	if (err == OK && !ears.subscribed) {
		err = pipeline.app->subscribe != NULL ? pipeline.app->subscribe(ears.rds)
						      : jobs_subscribe(ears.rds);
		ears.subscribed = err == OK;
		/* What was published before is lost: everyone looks for themselves. */
		if (ears.subscribed)
			park_wake_all(pipeline.park);
	}
	if (err != OK)
		ears.retry_ms = clock_mono_ms() + RETRY_MS;
	return err;
}

static void heard(void *arg, const struct ident *id)
{
	park_wake(pipeline.park, id, bytes_of(NULL, 0));
}

static void heard_note(void *arg, const struct ident *id, struct bytes note)
{
	park_wake(pipeline.park, id, note);
}

static int listen_once(int timeout_ms)
{
	return pipeline.app->listen != NULL
		? pipeline.app->listen(ears.rds, timeout_ms, heard_note, NULL)
		: jobs_listen(ears.rds, timeout_ms, heard, NULL);
}

/* What was woken goes on, but not in this thread, which has to listen. */
static void hand_on(void)
{
	if (!lane_is_empty(&pipeline.database))
		lane_ring(&pipeline.database);
}

static void *listen_thread(void *arg)
{
	while (atomic_load(&ears.running)) {
		int timeout_ms = park_expire(pipeline.park, TICK_MS);
		int err = subscribe();

		hand_on();
		if (err == OK)
			err = listen_once(timeout_ms);
		hand_on();
		if (err != OK) {
			const struct timespec pause = {.tv_nsec = (long)timeout_ms * 1000000};

			nanosleep(&pause, NULL);
		}
	}
	return NULL;
}

void wakeups_start(void)
{
	ears.rds = redis_stage_rds();
	atomic_store(&ears.running, true);
	if (pthread_create(&ears.thread, NULL, listen_thread, NULL) != 0)
		die("cannot start a thread");
}

void wakeups_stop(void)
{
	if (!atomic_exchange(&ears.running, false))
		return;
	pthread_join(ears.thread, NULL);
	rds_close(ears.rds);
}
