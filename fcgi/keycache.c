/* keycache.c — see keycache.h. A fixed array of entries, chained into a hash table by account and
 * into a ring by use, so that nothing is allocated after keycache_new; keys are released outside
 * the lock. */
#include "fcgi/keycache.h"

#include <assert.h>
#include <pthread.h>

#define NONE UINT32_MAX

struct entry {
	struct ident account;
	struct jwk *key;       /* NULL: free */
	uint32_t chain;        /* next in the hash chain */
	uint32_t newer, older; /* the ring of use; entry 0 is its head */
};

struct keycache {
	pthread_mutex_t mutex;
	struct entry *entries; /* [0] is the ring's head, never a key */
	uint32_t *buckets;
	uint32_t mask;
};

struct keycache *keycache_new(size_t capacity)
{
	struct keycache *cache = xcalloc(1, sizeof(*cache));
	uint32_t count = (uint32_t)capacity + 1, buckets = 1;

	assert(capacity > 0 && capacity < (1u << 24));
	while (buckets < capacity)
		buckets *= 2;
	pthread_mutex_init(&cache->mutex, NULL);
	cache->mask = buckets - 1;
	cache->buckets = xmalloc(buckets * sizeof(*cache->buckets));
	for (uint32_t i = 0; i < buckets; i++)
		cache->buckets[i] = NONE;
	cache->entries = xcalloc(count, sizeof(*cache->entries));
	for (uint32_t i = 0; i < count; i++) {
		cache->entries[i].chain = NONE;
		cache->entries[i].newer = i == 0 ? count - 1 : i - 1;
		cache->entries[i].older = i == count - 1 ? 0 : i + 1;
	}
	return cache;
}

void keycache_free(struct keycache *cache)
{
	if (cache == NULL)
		return;
	for (uint32_t i = cache->entries[0].older; i != 0; i = cache->entries[i].older)
		jwk_free(cache->entries[i].key);
	pthread_mutex_destroy(&cache->mutex);
	free(cache->entries);
	free(cache->buckets);
	free(cache);
}

static uint32_t *bucket_of(struct keycache *cache, const struct ident *account)
{
	uint32_t hash;

	/* The last bytes of a UUIDv7 are random. */
	memcpy(&hash, account->b + sizeof(account->b) - sizeof(hash), sizeof(hash));
	return &cache->buckets[hash & cache->mask];
}

/* Where the account's index is kept: a bucket or a chain field; the value there is NONE when it is
 * absent. */
static uint32_t *find(struct keycache *cache, const struct ident *account)
{
	uint32_t *at = bucket_of(cache, account);

	while (*at != NONE && !ident_equal(&cache->entries[*at].account, account))
		at = &cache->entries[*at].chain;
	return at;
}

static void ring_move(struct keycache *cache, uint32_t i, bool to_newest)
{
	struct entry *e = &cache->entries[i];
	uint32_t newer, older;

	cache->entries[e->newer].older = e->older;
	cache->entries[e->older].newer = e->newer;
	newer = to_newest ? 0 : cache->entries[0].newer;
	older = to_newest ? cache->entries[0].older : 0;
	e->newer = newer;
	e->older = older;
	cache->entries[newer].older = i;
	cache->entries[older].newer = i;
}

struct jwk *keycache_get(struct keycache *cache, const struct ident *account)
{
	struct jwk *key = NULL;
	uint32_t i;

	pthread_mutex_lock(&cache->mutex);
	i = *find(cache, account);
	if (i != NONE) {
		key = jwk_ref(cache->entries[i].key);
		ring_move(cache, i, true);
	}
	pthread_mutex_unlock(&cache->mutex);
	return key;
}

/* Empties the entry at *at and hands out its key. */
static struct jwk *unlink_entry(struct keycache *cache, uint32_t *at)
{
	uint32_t i = *at;
	struct entry *e = &cache->entries[i];

	*at = e->chain;
	e->chain = NONE;
	ring_move(cache, i, false);
	return TAKE(e->key);
}

void keycache_put(struct keycache *cache, const struct ident *account, struct jwk *key)
{
	struct jwk *old = NULL;
	struct entry *e;
	uint32_t i, *at;

	pthread_mutex_lock(&cache->mutex);
	i = *find(cache, account);
	if (i == NONE) {
		i = cache->entries[0].newer; /* the least recently used, or a free one */
		e = &cache->entries[i];
		if (e->key != NULL)
			old = unlink_entry(cache, find(cache, &e->account));
		e->account = *account;
		at = bucket_of(cache, account);
		e->chain = *at;
		*at = i;
	} else {
		e = &cache->entries[i];
		old = e->key;
	}
	e->key = jwk_ref(key);
	ring_move(cache, i, true);
	pthread_mutex_unlock(&cache->mutex);
	jwk_free(old);
}

void keycache_drop(struct keycache *cache, const struct ident *account, const struct jwk *stale)
{
	struct jwk *old = NULL;
	uint32_t *at;

	pthread_mutex_lock(&cache->mutex);
	at = find(cache, account);
	if (*at != NONE && cache->entries[*at].key == stale)
		old = unlink_entry(cache, at);
	pthread_mutex_unlock(&cache->mutex);
	jwk_free(old);
}
