/* park.h — requests that wait without a thread until a worker has finished an object, or for a
 * bounded time.
 *
 * A seat is taken (park_watch) before the database call, so that a wake-up between the call and
 * park_wait is not lost. Bounded by the number of seats; never needed for correctness: without a
 * seat the client polls. Thread safe. The callbacks run without the lock, in the thread that called
 * park_wake, park_expire or park_close. */
#pragma once

#include "lib/base/buf.h"
#include "lib/base/ident.h"

struct park;

enum park_state { PARK_FREE, PARK_WATCHING, PARK_WAITING };

struct park_seat { /* embedded; zero-initialise */
	enum park_state state;
	bool woken; /* while watching: the wake-up came already */
	struct ident id;
	struct buf note;                   /* what the waker said; see park_note */
	int64_t deadline_ms;               /* of the whole wait, 0 before the first park_wait */
	struct park_seat *chain;           /* same bucket */
	struct park_seat *earlier, *later; /* waiting seats by deadline */
};

enum park_verdict {
	PARK_ANSWER, /* no seat, no time left, or stopping: answer what there is */
	PARK_REREAD, /* woken already: read again now; the seat stays taken */
	PARK_TAKEN,  /* parked: a callback gets the seat back; the caller no longer touches it */
};

struct park_calls {
	void (*woken)(struct park_seat *seat);   /* read again; the seat is watching again */
	void (*expired)(struct park_seat *seat); /* answer what there is; the seat is free */
};

struct park *park_new(const struct park_calls *calls);
void park_free(struct park *park);
DEFINE_CLEANUP(park_free, struct park *)
/* Takes a seat for id, if fewer than max are taken. */
void park_watch(struct park *park, struct park_seat *seat, const struct ident *id, int max);
/* Gives a seat back; a free one is left alone. */
void park_leave(struct park *park, struct park_seat *seat);
/* PARK_ANSWER frees the seat. */
enum park_verdict park_wait(struct park *park, struct park_seat *seat, int64_t wait_ms);
/* note may be empty; the seat gets a copy of the first that is not. */
void park_wake(struct park *park, const struct ident *id, struct bytes note);
/* Hands out what the waker said, if anything: free it. */
void park_note(struct park *park, struct park_seat *seat, struct buf *ret);
void park_wake_all(struct park *park); /* messages may have been lost */
/* Ends the waits whose deadline has come. Returns the milliseconds to the next one, at most
 * limit_ms. */
int park_expire(struct park *park, int limit_ms);
/* Nobody waits any more from now on; those who do are expired. */
void park_close(struct park *park);
