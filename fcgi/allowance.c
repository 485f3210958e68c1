/* allowance.c — see allowance.h. A table of sets with a few places each; who comes into a full set
 * takes the place of whoever has the most left, and so loses least. */
#include "fcgi/allowance.h"

#include <pthread.h>

#include "lib/base/bytes.h"

#define SETS 4096 /* a power of two */
#define PLACES 8
#define HOUR_MS 3600000LL

struct bucket {
	struct ident account;
	int64_t spent; /* thousandths; 0: full, or nobody's */
	int64_t at_ms; /* when that was so */
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct bucket table[SETS][PLACES];

static int64_t spent_now(const struct bucket *b, int hourly, int64_t now_ms)
{
	int64_t gained = (now_ms - b->at_ms) * 1000 * hourly / HOUR_MS;

	return b->spent > gained ? b->spent - gained : 0;
}

/* The account's place, or the one that is easiest to give away. */
static struct bucket *find(const struct ident *account, int hourly, int64_t now_ms)
{
	struct bucket *set, *best = NULL;
	uint32_t hash;

	/* The last bytes of a UUIDv7 are random. */
	memcpy(&hash, account->b + sizeof(account->b) - sizeof(hash), sizeof(hash));
	set = table[hash & (SETS - 1)];
	for (size_t i = 0; i < PLACES; i++) {
		if (ident_equal(&set[i].account, account))
			return &set[i];
		if (best == NULL ||
			spent_now(&set[i], hourly, now_ms) < spent_now(best, hourly, now_ms))
			best = &set[i];
	}
	*best = (struct bucket){.account = *account, .at_ms = now_ms};
	return best;
}

int allowance_take(const struct ident *account, int amount, int hourly, int64_t now_ms)
{
	int64_t cost = (amount < hourly ? amount : hourly) * 1000LL, room = hourly * 1000LL;
	int64_t spent, missing;
	struct bucket *b;

	(void)pthread_mutex_lock(&lock);
	b = find(account, hourly, now_ms);
	spent = spent_now(b, hourly, now_ms);
	missing = spent + cost - room;
	if (missing <= 0)
		*b = (struct bucket){.account = *account, .spent = spent + cost, .at_ms = now_ms};
	(void)pthread_mutex_unlock(&lock);
	return missing > 0 ? (int)((missing * 3600 + room - 1) / room) : 0;
}
