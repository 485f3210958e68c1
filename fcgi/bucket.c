/* bucket.c — see bucket.h. Tokens are counted in microseconds of the rate, so that nothing is lost
 * to rounding. */
#include "fcgi/bucket.h"

#include "lib/base/clock.h"

#define TOKEN_US USEC_PER_SEC

bool bucket_take(struct bucket *bucket, int per_sec)
{
	int64_t full = (int64_t)per_sec * TOKEN_US, now = clock_mono_us(), idle;
	bool taken = false;

	pthread_mutex_lock(&bucket->mutex);
	idle = now - bucket->filled_us;
	if (bucket->filled_us == 0 || idle >= USEC_PER_SEC)
		bucket->tokens_us = full;
	else if (idle > 0)
		bucket->tokens_us += idle * per_sec;
	if (bucket->tokens_us > full)
		bucket->tokens_us = full;
	bucket->filled_us = now;
	if (bucket->tokens_us >= TOKEN_US) {
		bucket->tokens_us -= TOKEN_US;
		taken = true;
	}
	pthread_mutex_unlock(&bucket->mutex);
	return taken;
}
