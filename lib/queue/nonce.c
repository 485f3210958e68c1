/* nonce.c — see nonce.h. Sealing runs on any thread, each with cipher contexts of its own; key and
 * chunks change under a small lock, and only the Redis thread talks to Redis.
 *
 * The block is epoch (8 bytes), chunk (6), index (2, top bit zero), all big-endian. A chunk number
 * is 32 bits of wall-clock seconds and 16 random bits: never used again in an epoch, even after
 * FLUSHALL, and an expired nonce is refused without asking Redis. */
#include "lib/queue/nonce.h"

#include <assert.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#include "lib/base/b64url.h"
#include "lib/base/clock.h"
#include "lib/base/rnd.h"

#define BLOCK_BYTES 16
#define KEY_BYTES 32
#define KEY_SECS (7 * 86400) /* expiry of a run's key; renewed with each chunk */
#define SKEW_SECS 600        /* between the clocks of handlers */
#define CHUNK_EXPIRY_SECS (NONCE_CHUNK_SECS + NONCE_LIFE_SECS + SKEW_SECS)
#define CHUNK_LOW (NONCE_CHUNK / 4)               /* fewer indexes left: take the next chunk */
#define CHUNK_OLD_SECS (NONCE_CHUNK_SECS * 2 / 3) /* older: take the next chunk */
#define CHUNK_TRIES 4
#define DOUBT_MS 100 /* unreadable nonces cause no more than one look in this time */
#define ORPHANS_MAX 8
#define ORPHAN_SECS "60"
#define NAME_MAX_BYTES 64

struct chunk {
	uint64_t number;
	uint32_t next; /* NONCE_CHUNK: used up, or no chunk */
	int64_t taken_ms;
};

struct nonce_pool {
	pthread_mutex_t lock;
	/* Under the lock: */
	uint64_t epoch;
	uint8_t key[KEY_BYTES];
	struct chunk current, spare;
	/* Read anywhere, written under the lock: names the key in all threads and pools; 0 = no key
	 * yet. */
	_Atomic uint64_t generation;
	_Atomic bool doubt; /* somebody brought a nonce that the key does not open */
	/* Of the Redis thread: */
	bool lost; /* a bitmap was missing */
	int64_t looked_ms;
	struct nonce orphans[ORPHANS_MAX]; /* bitmaps that a nonce of a lost chunk made: no
					      sentinel, no expiry */
	size_t norphans;
};

/* One per thread: contexts keyed with the key of that generation. */
struct sealer {
	EVP_CIPHER_CTX *seal, *open;
	uint64_t generation;
	uint64_t epoch;
};

static _Thread_local struct sealer *thread_sealer;
static pthread_key_t sealer_key;
static pthread_once_t sealer_once = PTHREAD_ONCE_INIT;
static _Atomic uint64_t last_generation;

static void sealer_free(void *arg)
{
	struct sealer *s = arg;

	EVP_CIPHER_CTX_free(s->seal);
	EVP_CIPHER_CTX_free(s->open);
	free(s);
}

static void sealer_key_make(void)
{
	int err = pthread_key_create(&sealer_key, sealer_free);

	assert(err == 0);
}

static struct sealer *sealer_of_thread(void)
{
	if (thread_sealer == NULL) {
		thread_sealer = xcalloc(1, sizeof(*thread_sealer));
		thread_sealer->seal = EVP_CIPHER_CTX_new();
		thread_sealer->open = EVP_CIPHER_CTX_new();
		pthread_once(&sealer_once, sealer_key_make);
		/* Only so that the thread's end frees it. */
		(void)pthread_setspecific(sealer_key, thread_sealer);
	}
	return thread_sealer;
}

/* Under the lock: gives the thread's contexts the pool's key, if they have another one. */
static void sealer_follow(struct sealer *s, const struct nonce_pool *pool)
{
	uint64_t generation = atomic_load(&pool->generation);
	int ok;

	if (s->generation == generation)
		return;
	ok = EVP_EncryptInit_ex2(s->seal, EVP_aes_256_ecb(), pool->key, NULL, NULL) == 1 &&
		EVP_DecryptInit_ex2(s->open, EVP_aes_256_ecb(), pool->key, NULL, NULL) == 1 &&
		EVP_CIPHER_CTX_set_padding(s->seal, 0) == 1 &&
		EVP_CIPHER_CTX_set_padding(s->open, 0) == 1;
	assert(ok);
	s->generation = generation;
	s->epoch = pool->epoch;
}

static void put_be(uint8_t *out, uint64_t value, size_t len)
{
	while (len-- > 0) {
		out[len] = (uint8_t)value;
		value >>= 8;
	}
}

static uint64_t get_be(const uint8_t *in, size_t len)
{
	uint64_t value = 0;

	for (size_t i = 0; i < len; i++)
		value = value << 8 | in[i];
	return value;
}

/* The epoch of a run: the first 64 bits of its id. */
static uint64_t epoch_of(const char *run_id)
{
	char hex[17] = {0};

	memcpy(hex, run_id, 16);
	return strtoull(hex, NULL, 16);
}

static struct bytes chunk_name(char out[NAME_MAX_BYTES], uint64_t epoch, uint64_t chunk)
{
	int len = snprintf(out, NAME_MAX_BYTES, "nonce:%016llx:%012llx", (unsigned long long)epoch,
		(unsigned long long)chunk);

	return bytes_of(out, (size_t)len);
}

struct nonce_pool *nonce_pool_new(void)
{
	struct nonce_pool *pool = xcalloc(1, sizeof(*pool));

	pthread_mutex_init(&pool->lock, NULL);
	pool->current.next = NONCE_CHUNK;
	pool->spare.next = NONCE_CHUNK;
	pool->looked_ms = INT64_MIN / 2;
	return pool;
}

void nonce_pool_free(struct nonce_pool *pool)
{
	if (pool == NULL)
		return;
	pthread_mutex_destroy(&pool->lock);
	OPENSSL_cleanse(pool->key, sizeof(pool->key));
	free(pool);
}

static bool chunk_usable(const struct chunk *c, int64_t now_ms)
{
	return c->next < NONCE_CHUNK && now_ms - c->taken_ms < NONCE_CHUNK_SECS * 1000LL;
}

/* Under the lock. False: no usable chunk. */
static bool take_index(struct nonce_pool *pool, uint64_t *ret_chunk, uint32_t *ret_index)
{
	int64_t now = clock_mono_ms();

	if (!chunk_usable(&pool->current, now)) {
		pool->current = pool->spare;
		pool->spare.next = NONCE_CHUNK;
	}
	if (!chunk_usable(&pool->current, now))
		return false;
	*ret_chunk = pool->current.number;
	*ret_index = pool->current.next++;
	return true;
}

void nonce_issue(struct nonce_pool *pool, char out[NONCE_TEXT_LEN + 1])
{
	struct sealer *s = sealer_of_thread();
	uint8_t block[BLOCK_BYTES];
	uint64_t chunk = 0;
	uint32_t index = 0;
	bool have;

	pthread_mutex_lock(&pool->lock);
	have = take_index(pool, &chunk, &index);
	if (have)
		sealer_follow(s, pool);
	pthread_mutex_unlock(&pool->lock);

	if (have) {
		int len = 0, ok;

		put_be(block, s->epoch, 8);
		put_be(block + 8, chunk, 6);
		put_be(block + 14, index, 2);
		ok = EVP_EncryptUpdate(s->seal, block, &len, block, BLOCK_BYTES);
		assert(ok == 1 && len == BLOCK_BYTES);
	} else {
		rnd_bytes(block, sizeof(block));
	}
	b64url_format(bytes_of(block, sizeof(block)), out);
}

/* Text that is no nonce of ours: still the client's mistake of two different kinds (RFC 8555
 * sections 6.5 and 6.5.2). */
static int judge_foreign(struct bytes text)
{
	CLEANUP_BUF struct buf scratch = {0};

	return b64url_parse_buf(text, &scratch) == OK && text.len > 0 ? ERR_NOENT : ERR_SYNTAX;
}

int nonce_open(struct nonce_pool *pool, struct bytes text, struct nonce *ret)
{
	struct sealer *s = sealer_of_thread();
	uint8_t block[BLOCK_BYTES];
	struct nonce nonce;
	size_t got;
	int len = 0, ok;

	if (text.len != NONCE_TEXT_LEN)
		return judge_foreign(text);
	if (b64url_parse(text, block, &got) != OK || got != BLOCK_BYTES)
		return ERR_SYNTAX;
	if (atomic_load(&pool->generation) == 0)
		return ERR_NOENT;
	if (s->generation != atomic_load(&pool->generation)) {
		pthread_mutex_lock(&pool->lock);
		sealer_follow(s, pool);
		pthread_mutex_unlock(&pool->lock);
	}
	ok = EVP_DecryptUpdate(s->open, block, &len, block, BLOCK_BYTES);
	assert(ok == 1 && len == BLOCK_BYTES);

	nonce.epoch = get_be(block, 8);
	nonce.chunk = get_be(block + 8, 6);
	nonce.index = (uint32_t)get_be(block + 14, 2);
	if (nonce.epoch != s->epoch || nonce.index >= NONCE_CHUNK) {
		atomic_store(&pool->doubt, true);
		return ERR_NOENT;
	}
	/* Its bitmap has expired: asking Redis would only make a new one. */
	if ((int64_t)(nonce.chunk >> 16) + CHUNK_EXPIRY_SECS <= clock_wall_us() / USEC_PER_SEC)
		return ERR_NOENT;
	*ret = nonce;
	return OK;
}

/* Under the lock: a key that was not ours until now; nonces of the old one are gone with it. */
static void install_key(struct nonce_pool *pool, uint64_t epoch, struct bytes key)
{
	assert(key.len == KEY_BYTES);
	if (atomic_load(&pool->generation) != 0 && pool->epoch == epoch &&
		CRYPTO_memcmp(pool->key, key.ptr, KEY_BYTES) == 0)
		return;
	memcpy(pool->key, key.ptr, KEY_BYTES);
	pool->epoch = epoch;
	pool->current.next = NONCE_CHUNK;
	pool->spare.next = NONCE_CHUNK;
	atomic_store(&pool->generation, atomic_fetch_add(&last_generation, 1) + 1);
}

/* Under the lock: Redis no longer has the bitmap of this chunk. */
static void forget_chunk(struct nonce_pool *pool, uint64_t number)
{
	if (pool->current.number == number)
		pool->current.next = NONCE_CHUNK;
	if (pool->spare.number == number)
		pool->spare.next = NONCE_CHUNK;
}

/* Asks Redis for the key of the run, offering ours (or a new one) should it have none: two handlers
 * that come at once both end up with the key of the first. */
static void append_key(struct nonce_pool *pool, struct rds *rds, struct bytes name)
{
	uint8_t offer[KEY_BYTES];
	char secs[16];

	rnd_bytes(offer, sizeof(offer));
	pthread_mutex_lock(&pool->lock);
	if (atomic_load(&pool->generation) != 0 && pool->epoch == epoch_of(rds_run_id(rds)))
		memcpy(offer, pool->key, sizeof(offer));
	pthread_mutex_unlock(&pool->lock);
	snprintf(secs, sizeof(secs), "%d", KEY_SECS);
	rds_append(rds, 6,
		(struct bytes[]){bytes_str("SET"), name, bytes_of(offer, sizeof(offer)),
			bytes_str("NX"), bytes_str("EX"), bytes_str(secs)});
	rds_append(rds, 2, (struct bytes[]){bytes_str("GET"), name});
	OPENSSL_cleanse(offer, sizeof(offer));
}

static int read_key(struct nonce_pool *pool, struct rds *rds)
{
	CLEANUP(rds_reply_free) struct rds_reply *set = NULL;
	CLEANUP(rds_reply_free) struct rds_reply *key = NULL;
	int err;

	if ((err = rds_read(rds, &set)) != OK || (err = rds_read_ok(rds, &key)) != OK)
		return err;
	if (rds_str(key).len != KEY_BYTES)
		return ERR_QUEUE;
	pthread_mutex_lock(&pool->lock);
	install_key(pool, epoch_of(rds_run_id(rds)), rds_str(key));
	pthread_mutex_unlock(&pool->lock);
	return OK;
}

static void append_sentinel(struct rds *rds, uint64_t epoch, uint64_t chunk)
{
	char name[NAME_MAX_BYTES];

	rds_append(rds, 3,
		(struct bytes[]){bytes_str("GETBIT"), chunk_name(name, epoch, chunk),
			bytes_str("0")});
}

static int read_sentinel(struct nonce_pool *pool, struct rds *rds, uint64_t chunk)
{
	CLEANUP(rds_reply_free) struct rds_reply *reply = NULL;
	int err = rds_read_ok(rds, &reply);

	if (err != OK || rds_int(reply) == 1)
		return err;
	pthread_mutex_lock(&pool->lock);
	forget_chunk(pool, chunk);
	pthread_mutex_unlock(&pool->lock);
	return OK;
}

static void append_orphans(struct nonce_pool *pool, struct rds *rds)
{
	char name[NAME_MAX_BYTES];

	for (size_t i = 0; i < pool->norphans; i++)
		rds_append(rds, 3,
			(struct bytes[]){bytes_str("EXPIRE"),
				chunk_name(name, pool->orphans[i].epoch, pool->orphans[i].chunk),
				bytes_str(ORPHAN_SECS)});
}

static int read_orphans(struct nonce_pool *pool, struct rds *rds)
{
	for (; pool->norphans > 0; pool->norphans--) {
		CLEANUP(rds_reply_free) struct rds_reply *reply = NULL;
		int err = rds_read(rds, &reply);

		if (err != OK)
			return err;
	}
	return OK;
}

/* One round trip: have Redis and we the same key, and has it our bitmaps? */
static int look(struct nonce_pool *pool, struct rds *rds, struct bytes key_name)
{
	uint64_t epoch, current, spare;
	int err;

	pthread_mutex_lock(&pool->lock);
	epoch = pool->epoch;
	current = pool->current.number;
	spare = pool->spare.number;
	pthread_mutex_unlock(&pool->lock);

	append_key(pool, rds, key_name);
	append_sentinel(rds, epoch, current);
	append_sentinel(rds, epoch, spare);
	append_orphans(pool, rds);
	if ((err = read_key(pool, rds)) != OK || (err = read_sentinel(pool, rds, current)) != OK ||
		(err = read_sentinel(pool, rds, spare)) != OK)
		return err;
	return read_orphans(pool, rds);
}

/* Makes a bitmap that is nobody else's: only its sentinel (bit 0) set, with its expiry, in one
 * command. */
static int take_chunk(struct nonce_pool *pool, struct rds *rds, struct bytes key_name)
{
	char name[NAME_MAX_BYTES], expiry[16], key_expiry[16];
	uint64_t epoch = epoch_of(rds_run_id(rds));

	snprintf(expiry, sizeof(expiry), "%d", CHUNK_EXPIRY_SECS);
	snprintf(key_expiry, sizeof(key_expiry), "%d", KEY_SECS);
	for (int i = 0; i < CHUNK_TRIES; i++) {
		CLEANUP(rds_reply_free) struct rds_reply *made = NULL;
		CLEANUP(rds_reply_free) struct rds_reply *renewed = NULL;
		struct chunk chunk = {.taken_ms = clock_mono_ms()};
		int err;

		chunk.number =
			(uint64_t)(clock_wall_us() / USEC_PER_SEC) << 16 | rnd_below(1 << 16);
		rds_append(rds, 6,
			(struct bytes[]){bytes_str("SET"), chunk_name(name, epoch, chunk.number),
				bytes_of("\x80", 1), bytes_str("NX"), bytes_str("EX"),
				bytes_str(expiry)});
		rds_append(rds, 3,
			(struct bytes[]){bytes_str("EXPIRE"), key_name, bytes_str(key_expiry)});
		if ((err = rds_read_ok(rds, &made)) != OK ||
			(err = rds_read_ok(rds, &renewed)) != OK)
			return err;
		if (rds_is_nil(made))
			continue; /* another handler took this number in this second */
		pthread_mutex_lock(&pool->lock);
		pool->spare = chunk;
		pthread_mutex_unlock(&pool->lock);
		return OK;
	}
	return ERR_QUEUE;
}

static bool wants_chunk(struct nonce_pool *pool)
{
	int64_t now = clock_mono_ms();
	bool wants;

	pthread_mutex_lock(&pool->lock);
	wants = !chunk_usable(&pool->spare, now) &&
		(NONCE_CHUNK - pool->current.next < CHUNK_LOW ||
			now - pool->current.taken_ms > CHUNK_OLD_SECS * 1000LL);
	pthread_mutex_unlock(&pool->lock);
	return wants;
}

bool nonce_pool_low(const struct nonce_pool *pool)
{
	int64_t since = clock_mono_ms() - pool->looked_ms;

	return pool->lost || since >= NONCE_CHECK_SECS * 1000LL ||
		(atomic_load(&pool->doubt) && since >= DOUBT_MS) ||
		wants_chunk((struct nonce_pool *)pool); /* cast: for the lock alone */
}

int nonce_pool_refill(struct nonce_pool *pool, struct rds *rds)
{
	char text[NAME_MAX_BYTES];
	struct bytes key_name;
	int err;

	key_name = bytes_of(text,
		(size_t)snprintf(text, sizeof(text), "nonce:key:%s", rds_run_id(rds)));
	pool->looked_ms = clock_mono_ms();
	pool->lost = false;
	atomic_store(&pool->doubt, false);
	err = look(pool, rds, key_name);
	if (err != OK || !wants_chunk(pool))
		return err;
	return take_chunk(pool, rds, key_name);
}

int nonce_pool_connect(struct nonce_pool *pool, struct rds *rds)
{
	return nonce_pool_refill(pool, rds);
}

void nonce_append(struct rds *rds, const struct nonce *nonce)
{
	char name[NAME_MAX_BYTES], bit[16];

	/* Opened under a run that has ended since: its bitmap may have lost bits, and
	 * nonce_accepted says no to PONG. */
	if (nonce->epoch != epoch_of(rds_run_id(rds))) {
		rds_append(rds, 1, (struct bytes[]){bytes_str("PING")});
		return;
	}
	snprintf(bit, sizeof(bit), "%u", nonce->index + 1);
	rds_append(rds, 9,
		(struct bytes[]){bytes_str("BITFIELD"),
			chunk_name(name, nonce->epoch, nonce->chunk), bytes_str("SET"),
			bytes_str("u1"), bytes_str(bit), bytes_str("1"), bytes_str("GET"),
			bytes_str("u1"), bytes_str("0")});
}

/* The command has just made a bitmap that has neither sentinel nor expiry: the next look gives it
 * one. */
static void remember_orphan(struct nonce_pool *pool, const struct nonce *nonce)
{
	pool->lost = true;
	for (size_t i = 0; i < pool->norphans; i++)
		if (pool->orphans[i].chunk == nonce->chunk)
			return;
	if (pool->norphans < ORPHANS_MAX)
		pool->orphans[pool->norphans++] = *nonce;
}

bool nonce_accepted(struct nonce_pool *pool, const struct nonce *nonce,
	const struct rds_reply *reply)
{
	if (rds_count(reply) != 2)
		return false;
	if (rds_int(rds_at(reply, 1)) != 1) {
		remember_orphan(pool, nonce);
		return false;
	}
	return rds_int(rds_at(reply, 0)) == 0;
}
