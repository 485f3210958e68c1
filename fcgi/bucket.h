/* bucket.h — a token bucket: so many acts a second, and as many at once after a quiet second. Any
 * thread. */
#pragma once

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

struct bucket {
	pthread_mutex_t mutex;
	int64_t tokens_us; /* a token is a second's worth: rate tokens a second */
	int64_t filled_us; /* monotonic clock; 0: never */
};
#define BUCKET_INIT                                                                                \
	{                                                                                          \
		.mutex = PTHREAD_MUTEX_INITIALIZER                                                 \
	}

/* True when an act may be done now; per_sec may change from call to call, and 0 allows none. */
bool bucket_take(struct bucket *bucket, int per_sec);
