/* test_bucket.c — a rate is kept over any time, and a quiet second is worth no more than one. */
#include "fcgi/bucket.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "lib/base/clock.h"

static int64_t now_us;

int64_t __wrap_clock_mono_us(void);
int64_t __wrap_clock_mono_us(void)
{
	return now_us;
}

static int taken(struct bucket *bucket, int per_sec, int tries)
{
	int count = 0;

	for (int i = 0; i < tries; i++)
		count += bucket_take(bucket, per_sec);
	return count;
}

static int setup(void **state)
{
	now_us = 1000 * USEC_PER_SEC;
	return 0;
}

static void a_seconds_worth_is_there_at_once_and_no_more(void **state)
{
	struct bucket bucket = BUCKET_INIT;

	assert_int_equal(taken(&bucket, 10, 100), 10);
	now_us += USEC_PER_SEC / 10 - 1;
	assert_int_equal(taken(&bucket, 10, 100), 0);
	now_us += 1;
	assert_int_equal(taken(&bucket, 10, 100), 1);
	now_us += 3600 * USEC_PER_SEC;
	assert_int_equal(taken(&bucket, 10, 100), 10);
}

static void over_a_long_time_the_rate_is_exact(void **state)
{
	struct bucket bucket = BUCKET_INIT;
	int count = taken(&bucket, 7, 100);

	for (int i = 0; i < 100000; i++) {
		now_us += 137; /* 13.7 seconds in all */
		count += taken(&bucket, 7, 3);
	}
	assert_int_equal(count, 7 + 95);
}

static void none_is_none(void **state)
{
	struct bucket bucket = BUCKET_INIT;

	assert_int_equal(taken(&bucket, 0, 10), 0);
	now_us += 10 * USEC_PER_SEC;
	assert_int_equal(taken(&bucket, 0, 10), 0);
}

static void a_new_rate_counts_from_now_on(void **state)
{
	struct bucket bucket = BUCKET_INIT;

	assert_int_equal(taken(&bucket, 1000000, 1000), 1000);
	assert_int_equal(taken(&bucket, 2, 100), 2);
	now_us += USEC_PER_SEC / 2;
	assert_int_equal(taken(&bucket, 2, 100), 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(a_seconds_worth_is_there_at_once_and_no_more, setup),
		cmocka_unit_test_setup(over_a_long_time_the_rate_is_exact, setup),
		cmocka_unit_test_setup(none_is_none, setup),
		cmocka_unit_test_setup(a_new_rate_counts_from_now_on, setup),
	};

	return cmocka_run_group_tests_name("bucket", tests, NULL, NULL);
}
