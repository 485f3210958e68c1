/* park.c — see park.h. A hash table of seats by id and a list of the waiting ones by deadline,
 * under one lock that is held for pointer work only. */
#include "fcgi/park.h"

#include <assert.h>
#include <pthread.h>

#include "lib/base/clock.h"

#define BUCKETS 1024

struct park {
	pthread_mutex_t mutex;
	struct park_calls calls;
	struct park_seat *buckets[BUCKETS];
	struct park_seat *first, *last; /* waiting, by deadline */
	int taken;
	bool closed;
};

struct park *park_new(const struct park_calls *calls)
{
	struct park *park = xcalloc(1, sizeof(*park));

	pthread_mutex_init(&park->mutex, NULL);
	park->calls = *calls;
	return park;
}

void park_free(struct park *park)
{
	if (park == NULL)
		return;
	assert(park->taken == 0);
	pthread_mutex_destroy(&park->mutex);
	free(park);
}

static struct park_seat **bucket_of(struct park *park, const struct ident *id)
{
	/* The last bytes of a UUIDv7 are random. */
	return &park->buckets[(id->b[14] << 8 | id->b[15]) % BUCKETS];
}

/* Into the list, behind those with the same deadline: almost always at the end. */
static void queue_in(struct park *park, struct park_seat *seat)
{
	struct park_seat *before = park->last;

	while (before != NULL && before->deadline_ms > seat->deadline_ms)
		before = before->earlier;
	seat->earlier = before;
	seat->later = before != NULL ? before->later : park->first;
	if (seat->earlier != NULL)
		seat->earlier->later = seat;
	else
		park->first = seat;
	if (seat->later != NULL)
		seat->later->earlier = seat;
	else
		park->last = seat;
	seat->state = PARK_WAITING;
}

static void queue_out(struct park *park, struct park_seat *seat)
{
	if (seat->earlier != NULL)
		seat->earlier->later = seat->later;
	else
		park->first = seat->later;
	if (seat->later != NULL)
		seat->later->earlier = seat->earlier;
	else
		park->last = seat->earlier;
	seat->earlier = seat->later = NULL;
	seat->state = PARK_WATCHING;
}

static void give_back(struct park *park, struct park_seat *seat)
{
	struct park_seat **at = bucket_of(park, &seat->id);

	while (*at != seat)
		at = &(*at)->chain;
	*at = seat->chain;
	buf_done(&seat->note);
	*seat = (struct park_seat){.state = PARK_FREE};
	park->taken--;
}

void park_watch(struct park *park, struct park_seat *seat, const struct ident *id, int max)
{
	assert(seat->state == PARK_FREE);
	pthread_mutex_lock(&park->mutex);
	if (!park->closed && park->taken < max) {
		struct park_seat **at = bucket_of(park, id);

		*seat = (struct park_seat){.state = PARK_WATCHING, .id = *id, .chain = *at};
		*at = seat;
		park->taken++;
	}
	pthread_mutex_unlock(&park->mutex);
}

void park_leave(struct park *park, struct park_seat *seat)
{
	/* The caller owns the seat, and a free one is in no list: no lock needed to see that. */
	if (seat->state == PARK_FREE)
		return;
	pthread_mutex_lock(&park->mutex);
	assert(seat->state == PARK_WATCHING);
	give_back(park, seat);
	pthread_mutex_unlock(&park->mutex);
}

enum park_verdict park_wait(struct park *park, struct park_seat *seat, int64_t wait_ms)
{
	enum park_verdict verdict = PARK_ANSWER;
	int64_t now = clock_mono_ms();

	if (seat->state == PARK_FREE)
		return PARK_ANSWER;
	pthread_mutex_lock(&park->mutex);
	assert(seat->state == PARK_WATCHING);
	if (seat->deadline_ms == 0)
		seat->deadline_ms = now + wait_ms;
	if (park->closed || seat->deadline_ms <= now) {
		give_back(park, seat);
	} else if (seat->woken) {
		seat->woken = false;
		verdict = PARK_REREAD;
	} else {
		queue_in(park, seat);
		verdict = PARK_TAKEN;
	}
	pthread_mutex_unlock(&park->mutex);
	return verdict;
}

/* Under the lock: a waiting seat leaves the list and joins *woken (chained by ->later), a watching
 * one remembers. */
static void wake(struct park *park, struct park_seat *seat, struct park_seat **woken)
{
	if (seat->state == PARK_WAITING) {
		queue_out(park, seat);
		seat->later = *woken;
		*woken = seat;
	} else {
		seat->woken = true;
	}
}

static void call_each(struct park_seat *seat, void (*fn)(struct park_seat *seat))
{
	struct park_seat *next;

	for (; seat != NULL; seat = next) {
		next = seat->later;
		seat->later = NULL;
		fn(seat);
	}
}

void park_wake(struct park *park, const struct ident *id, struct bytes note)
{
	struct park_seat *woken = NULL;

	pthread_mutex_lock(&park->mutex);
	for (struct park_seat *seat = *bucket_of(park, id); seat != NULL; seat = seat->chain) {
		if (!ident_equal(&seat->id, id))
			continue;
		if (seat->note.len == 0)
			buf_add(&seat->note, note.ptr, note.len);
		wake(park, seat, &woken);
	}
	pthread_mutex_unlock(&park->mutex);
	call_each(woken, park->calls.woken);
}

void park_note(struct park *park, struct park_seat *seat, struct buf *ret)
{
	pthread_mutex_lock(&park->mutex);
	*ret = seat->note;
	seat->note = (struct buf){0};
	pthread_mutex_unlock(&park->mutex);
}

void park_wake_all(struct park *park)
{
	struct park_seat *woken = NULL;

	pthread_mutex_lock(&park->mutex);
	for (size_t i = 0; i < BUCKETS; i++) {
		for (struct park_seat *seat = park->buckets[i]; seat != NULL; seat = seat->chain)
			wake(park, seat, &woken);
	}
	pthread_mutex_unlock(&park->mutex);
	call_each(woken, park->calls.woken);
}

/* Under the lock: the first waiting seat, freed, onto *expired. */
static void expire_first(struct park *park, struct park_seat **expired)
{
	struct park_seat *seat = park->first;

	queue_out(park, seat);
	give_back(park, seat);
	seat->later = *expired;
	*expired = seat;
}

int park_expire(struct park *park, int limit_ms)
{
	struct park_seat *expired = NULL;
	int64_t now = clock_mono_ms();

	pthread_mutex_lock(&park->mutex);
	while (park->first != NULL && park->first->deadline_ms <= now)
		expire_first(park, &expired);
	if (park->first != NULL && park->first->deadline_ms - now < limit_ms)
		limit_ms = (int)(park->first->deadline_ms - now);
	pthread_mutex_unlock(&park->mutex);
	call_each(expired, park->calls.expired);
	return limit_ms;
}

void park_close(struct park *park)
{
	struct park_seat *expired = NULL;

	pthread_mutex_lock(&park->mutex);
	park->closed = true;
	while (park->first != NULL)
		expire_first(park, &expired);
	pthread_mutex_unlock(&park->mutex);
	call_each(expired, park->calls.expired);
}
