/* validator.c — see validator.h. */
#include "workers/validator/validator.h"

#include <sys/resource.h>
#include <time.h>

#include "lib/base/clock.h"
#include "lib/base/log.h"
#include "lib/store/validation.h"
#include "workers/validator/state.h"

#define DRAIN_MS 5000
#define DRAIN_STEP_MS 20
/* Beside one socket for each validation: resolver, database, Redis, epoll and the like. */
#define OTHER_FILES 256

static const struct db_stmt *const validator_stmts[] = {
	&validation_claim_stmt,
	&validation_renew_stmt,
	&validation_finish_stmt,
	&caa_claim_stmt,
	&caa_finish_stmt,
	NULL,
};

/* Each validation in flight needs a socket, and the usual soft limit is 1,024 files. */
static void raise_file_limit(int in_flight)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
		return;
	limit.rlim_cur = limit.rlim_max;
	if (setrlimit(RLIMIT_NOFILE, &limit) != 0 ||
		limit.rlim_cur < (rlim_t)in_flight + OTHER_FILES)
		log_event(LOG_LEVEL_WARNING, "LimitNOFILE is too low for validation.in_flight",
			F_INT("files", (int64_t)limit.rlim_cur), F_INT("in_flight", in_flight));
}

static void wake(void *arg)
{
	worker_wake(arg);
}

static int validator_start(struct worker *w)
{
	struct validator *v = xcalloc(1, sizeof(*v));
	const struct conf *conf = worker_conf(w);
	CLEANUP_STR char *error = NULL;
	int err;

	worker_set_state(w, v);
	worker_set_in_flight_max(w, (size_t)conf->validation.in_flight);
	raise_file_limit(conf->validation.in_flight);
	v->shares = shares_new((size_t)conf->validation.in_flight);
	err = network_start(conf, wake, w, &error, &v->net);
	if (err != OK)
		log_event(LOG_LEVEL_ERROR, "the network cannot be set up", F_STR("cause", error));
	else
		lease_timer_start(w, v);
	return err;
}

static void validator_batch(struct worker *w, const struct job *jobs, size_t count)
{
	struct validator *v = worker_state(w);

	claim_jobs(w, v, jobs, count);
}

static void validator_flush(struct worker *w)
{
	save_results(w, worker_state(w));
}

static void validator_reload(struct worker *w)
{
	struct validator *v = worker_state(w);
	const struct conf *conf = worker_conf(w);

	network_reload(v->net, conf);
}

/* Most validations end within moments; what does not is left: its lease runs out and another
 * validator takes over. */
static void validator_drain(struct worker *w)
{
	struct validator *v = worker_state(w);
	int64_t end_ms = clock_mono_ms() + DRAIN_MS;
	struct timespec step = {.tv_nsec = DRAIN_STEP_MS * 1000000L};
	size_t left;

	save_results(w, v);
	while (v->in_network > 0 && clock_mono_ms() < end_ms) {
		nanosleep(&step, NULL);
		save_results(w, v);
	}
	left = drop_tasks(network_stop(v->net)) + drop_tasks(v->unsaved);
	worker_leave(w, left);
	shares_free(v->shares);
	free(v);
	worker_set_state(w, NULL);
}

const struct worker_ops validator_ops = {
	.program = "assay-validator",
	.stream = STREAM_VALIDATION,
	.stmts = validator_stmts,
	.start = validator_start,
	.batch = validator_batch,
	.flush = validator_flush,
	.drain = validator_drain,
	.reload = validator_reload,
};
