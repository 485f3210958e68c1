/* rnd.c — random bytes from OpenSSL's CSPRNG, which seeds itself again after fork.
 *
 * A draw costs microseconds however little is wanted, so each thread draws ahead, and wipes what it
 * gives away. What was drawn before a fork is given to neither side twice: the child forgets it. */
#include "lib/base/rnd.h"

#include <assert.h>
#include <limits.h>
#include <openssl/crypto.h>
#include <openssl/rand.h>
#include <pthread.h>
#include <string.h>

#include "lib/base/log.h"

#define AHEAD_BYTES 512
#define SMALL_MAX 64 /* what is larger is drawn for itself */

static _Thread_local struct {
	size_t left;
	uint8_t bytes[AHEAD_BYTES];
} ahead;

static pthread_once_t once = PTHREAD_ONCE_INIT;

static void forget(void)
{
	ahead.left = 0;
	OPENSSL_cleanse(ahead.bytes, sizeof(ahead.bytes));
}

static void forget_after_fork(void)
{
	if (pthread_atfork(NULL, NULL, forget) != 0)
		die("no memory for a fork handler");
}

static void draw(void *out, size_t len)
{
	assert(len <= INT_MAX);
	if (RAND_bytes(out, (int)len) != 1)
		die("the random number generator of OpenSSL failed");
}

void rnd_bytes(void *out, size_t len)
{
	if (len > SMALL_MAX) {
		draw(out, len);
		return;
	}
	if (ahead.left < len) {
		pthread_once(&once, forget_after_fork);
		draw(ahead.bytes, sizeof(ahead.bytes));
		ahead.left = sizeof(ahead.bytes);
	}
	ahead.left -= len;
	memcpy(out, ahead.bytes + ahead.left, len);
	OPENSSL_cleanse(ahead.bytes + ahead.left, len);
}

uint32_t rnd_below(uint32_t bound)
{
	uint32_t value, reject;

	assert(bound > 0);
	/* 2^32 mod bound values at the low end would make some results likelier: draw again. */
	reject = -bound % bound;
	do {
		rnd_bytes(&value, sizeof(value));
	} while (value < reject);
	return value % bound;
}
