/* reader.c — see reader.h. in_flight counts deliveries: from the moment Redis handed a job out
 * until reader_settle. */
#include "workers/reader.h"

#include <assert.h>
#include <pthread.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#include "lib/base/clock.h"
#include "lib/base/log.h"
#include "lib/base/rnd.h"

#define BLOCK_MS 500       /* bounds how long a stop waits for the thread */
#define READ_MAX 256       /* jobs in one reply */
#define IDLE_MARGIN_MS 500 /* redelivery: the lease and this */
#define RECLAIM_MS 1000    /* how often to look for entries to redeliver */
#define PULSE_MS 3000      /* the main thread works, if it was heard of since */
#define WAIT_MS 60000      /* with nothing to do */

struct reader {
	pthread_t thread;
	struct rds *rds;
	enum job_stream stream;
	char consumer[128];
	int wake_fd;
	int64_t idle_ms;    /* entries of others idle for longer are claimed */
	int64_t reclaim_ms; /* when to look for them next */
	struct outage outage;
	pthread_mutex_t lock;
	pthread_cond_t change;
	/* Under the lock: */
	bool stopping, open;
	int64_t pulse_ms; /* when the main thread was last heard of */
	struct job *ring;
	size_t cap, first, waiting;
	size_t in_flight;  /* waiting ones included */
	int64_t first_ms;  /* since when the first of them waits */
	int64_t pushed_us; /* when the last one came */
	int64_t gap_us;    /* between two, on average of late */
};

/* An average that follows within a few dozen jobs; a pause counts as no more than a second. */
static void note_gap(struct reader *r, size_t count)
{
	int64_t now = clock_mono_us(), gap = now - r->pushed_us;

	if (gap > USEC_PER_SEC)
		gap = USEC_PER_SEC;
	for (size_t i = 0; i < count; i++)
		r->gap_us += (gap / (int64_t)count - r->gap_us) / 8;
	r->pushed_us = now;
}

static void push(struct reader *r, const struct job *jobs, size_t count)
{
	uint64_t one = 1;
	bool was_empty;

	if (count == 0)
		return;
	pthread_mutex_lock(&r->lock);
	was_empty = r->waiting == 0;
	if (was_empty)
		r->first_ms = clock_mono_ms();
	assert(r->waiting + count <= r->cap);
	note_gap(r, count);
	for (size_t i = 0; i < count; i++)
		r->ring[(r->first + r->waiting++) % r->cap] = jobs[i];
	r->in_flight += count;
	pthread_mutex_unlock(&r->lock);
	/* An eventfd's counter cannot fill up here, and a second wake-up while jobs wait does no
	 * harm. */
	if (write(r->wake_fd, &one, sizeof(one)) < 0)
		log_event(LOG_LEVEL_DEBUG, "wake-up not written");
}

/* Waits until jobs may be taken; how many, 0 = stop. A main thread that hangs in the database needs
 * no more of them, and taking over its own jobs again and again would make them look poisonous. */
static size_t wait_for_room(struct reader *r, bool *ret_may_reclaim)
{
	int64_t now;
	size_t room;

	pthread_mutex_lock(&r->lock);
	while (!r->stopping && (!r->open || r->in_flight >= r->cap))
		pthread_cond_wait(&r->change, &r->lock);
	room = r->stopping ? 0 : r->cap - r->in_flight;
	now = clock_mono_ms();
	*ret_may_reclaim = now >= r->reclaim_ms && now < r->pulse_ms + PULSE_MS;
	pthread_mutex_unlock(&r->lock);
	return room < READ_MAX ? room : READ_MAX;
}

/* Sleeps through an outage, unless a stop comes. */
static void pause_until_retry(struct reader *r)
{
	int64_t left_ms = r->outage.retry_ms - clock_mono_ms();
	struct timespec until;

	if (left_ms <= 0)
		return;
	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_nsec += (long)(left_ms % 1000) * 1000000;
	until.tv_sec += left_ms / 1000 + until.tv_nsec / 1000000000;
	until.tv_nsec %= 1000000000;
	pthread_mutex_lock(&r->lock);
	while (!r->stopping && pthread_cond_timedwait(&r->change, &r->lock, &until) == 0)
		continue;
	pthread_mutex_unlock(&r->lock);
}

static int connect_now(struct reader *r)
{
	bool is_new = false;
	int err = rds_ensure(r->rds, &is_new);

	if (err == OK && is_new)
		err = jobs_ensure_group(r->rds, r->stream);
	return err;
}

/* What dead workers left behind. */
static int reclaim(struct reader *r, size_t room)
{
	struct job jobs[READ_MAX], dead[READ_MAX];
	size_t count = 0, ndead = 0;
	int err = jobs_reclaim(r->rds, r->stream, r->consumer, r->idle_ms, jobs, room, &count, dead,
		READ_MAX, &ndead);

	/* Also after an error: what was counted is ours now. */
	push(r, jobs, count);
	if (count > 0)
		log_event(LOG_LEVEL_INFO, "took over jobs that were not finished",
			F_INT("jobs", (int64_t)count));
	for (size_t i = 0; i < ndead; i++) {
		char id[IDENT_TEXT_LEN + 1];

		ident_format(&dead[i].id, id);
		log_event(LOG_LEVEL_ERROR, "job was delivered too often, now a dead letter",
			F_STR("id", id));
	}
	/* A full house may have left some behind. */
	if (err == OK && count < room)
		r->reclaim_ms = clock_mono_ms() + RECLAIM_MS;
	return err;
}

static int read_new(struct reader *r, size_t room)
{
	struct job jobs[READ_MAX];
	size_t count = 0;
	int err = jobs_read(r->rds, r->stream, r->consumer, BLOCK_MS, jobs, room, &count);

	push(r, jobs, count);
	return err;
}

static void *reader_thread(void *arg)
{
	struct reader *r = arg;
	bool may_reclaim;
	size_t room;

	while ((room = wait_for_room(r, &may_reclaim)) > 0) {
		int err = connect_now(r);

		if (err == OK)
			err = may_reclaim ? reclaim(r, room) : read_new(r, room);
		if (err == OK) {
			outage_over(&r->outage);
			continue;
		}
		log_event(LOG_LEVEL_DEBUG, "no jobs from redis", F_STR("cause", rds_error(r->rds)));
		outage_failed(&r->outage, rds_error(r->rds));
		pause_until_retry(r);
	}
	return NULL;
}

struct reader *reader_start(const struct process *p, enum job_stream stream, size_t in_flight_max,
	int wake_fd)
{
	struct reader *r = xcalloc(1, sizeof(*r));
	pthread_condattr_t monotonic;
	uint16_t tag;

	assert(in_flight_max > 0);
	rnd_bytes(&tag, sizeof(tag));
	snprintf(r->consumer, sizeof(r->consumer), "%s-%d-%04x", p->host, getpid(), tag);
	r->rds = process_new_rds(p);
	r->stream = stream;
	r->wake_fd = wake_fd;
	r->idle_ms = p->conf->workers.lease_secs * 1000 + IDLE_MARGIN_MS;
	r->cap = in_flight_max;
	r->gap_us = USEC_PER_SEC;
	r->ring = xcalloc(r->cap, sizeof(*r->ring));
	pthread_mutex_init(&r->lock, NULL);
	pthread_condattr_init(&monotonic);
	pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
	pthread_cond_init(&r->change, &monotonic);
	pthread_condattr_destroy(&monotonic);
	if (pthread_create(&r->thread, NULL, reader_thread, r) != 0)
		die("cannot start a thread");
	return r;
}

void reader_stop(struct reader *r)
{
	pthread_mutex_lock(&r->lock);
	r->stopping = true;
	pthread_cond_signal(&r->change);
	pthread_mutex_unlock(&r->lock);
	pthread_join(r->thread, NULL);
}

void reader_free(struct reader *r)
{
	rds_close(r->rds);
	pthread_cond_destroy(&r->change);
	pthread_mutex_destroy(&r->lock);
	free(r->ring);
	free(r);
}

void reader_open_gate(struct reader *r, bool open)
{
	pthread_mutex_lock(&r->lock);
	r->pulse_ms = clock_mono_ms();
	if (r->open != open) {
		r->open = open;
		pthread_cond_signal(&r->change);
	}
	pthread_mutex_unlock(&r->lock);
}

size_t reader_take(struct reader *r, struct job *jobs, size_t max, int64_t linger_ms,
	int64_t *ret_wait_ms)
{
	int64_t now = clock_mono_ms(), left;
	size_t count = 0;

	pthread_mutex_lock(&r->lock);
	/* Nobody else is likely to come in time: then waiting would only cost the client. */
	if (r->gap_us > linger_ms * 1000)
		linger_ms = 0;
	left = r->first_ms + linger_ms - now;
	if (r->waiting >= max || (r->waiting > 0 && left <= 0)) {
		count = r->waiting < max ? r->waiting : max;
		for (size_t i = 0; i < count; i++)
			jobs[i] = r->ring[(r->first + i) % r->cap];
		r->first = (r->first + count) % r->cap;
		r->waiting -= count;
		/* What is left has come in the meantime: it waits from now on. */
		r->first_ms = now;
	}
	*ret_wait_ms = r->waiting > 0 ? left : WAIT_MS;
	pthread_mutex_unlock(&r->lock);
	return count;
}

void reader_settle(struct reader *r, size_t count)
{
	pthread_mutex_lock(&r->lock);
	assert(count <= r->in_flight - r->waiting);
	r->in_flight -= count;
	pthread_cond_signal(&r->change);
	pthread_mutex_unlock(&r->lock);
}
