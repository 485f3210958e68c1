/* rnd.c — random bytes from OpenSSL's CSPRNG, which seeds itself again after fork. */
#include "lib/base/rnd.h"

#include <assert.h>
#include <limits.h>
#include <openssl/rand.h>

#include "lib/base/log.h"

void rnd_bytes(void *out, size_t len)
{
	assert(len <= INT_MAX);
	if (RAND_bytes(out, (int)len) != 1)
		die("the random number generator of OpenSSL failed");
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
