/* test_serial.c — 100,000 serial numbers: length, sign, time, randomness, no duplicates. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "lib/base/clock.h"
#include "lib/base/err.h"
#include "workers/signer/serial.h"

#define COUNT 100000
#define RANDOM_BITS (8 * (SERIAL_LEN - 5))

static uint8_t (*serials)[SERIAL_LEN];

static int make(void **state)
{
	serials = xcalloc(COUNT, SERIAL_LEN);
	for (size_t i = 0; i < COUNT; i++)
		serial_new(1800000000 * USEC_PER_SEC + 999999, serials[i]);
	return 0;
}

static int drop(void **state)
{
	free(serials);
	return 0;
}

static void is_positive_and_never_needs_padding(void **state)
{
	for (size_t i = 0; i < COUNT; i++)
		assert_int_equal(serials[i][0], 0x40);
}

static void begins_with_whole_seconds_of_its_time(void **state)
{
	const uint8_t secs[] = {0x6b, 0x49, 0xd2, 0x00}; /* 1800000000 */

	for (size_t i = 0; i < COUNT; i++)
		assert_memory_equal(serials[i] + 1, secs, sizeof(secs));
}

static int compare(const void *a, const void *b)
{
	return memcmp(a, b, SERIAL_LEN);
}

static void never_repeats(void **state)
{
	qsort(serials, COUNT, SERIAL_LEN, compare);
	for (size_t i = 1; i < COUNT; i++)
		assert_true(memcmp(serials[i - 1], serials[i], SERIAL_LEN) < 0);
}

/* Each of the 104 bits is set in half of them: six standard deviations is once in five million
 * runs, for all bits. */
static void has_a_fair_coin_in_every_bit(void **state)
{
	double limit = 6 * sqrt(COUNT * 0.25);

	for (int bit = 0; bit < RANDOM_BITS; bit++) {
		long set = 0;

		for (size_t i = 0; i < COUNT; i++)
			set += serials[i][5 + bit / 8] >> (7 - bit % 8) & 1;
		assert_true(fabs((double)set - COUNT / 2.0) < limit);
	}
}

/* 256 values in each byte, 255 degrees of freedom: the normal approximation, six deviations. */
static void has_evenly_spread_bytes(void **state)
{
	for (int byte = 5; byte < SERIAL_LEN; byte++) {
		double expected = COUNT / 256.0, chi = 0;
		long seen[256] = {0};

		for (size_t i = 0; i < COUNT; i++)
			seen[serials[i][byte]]++;
		for (int v = 0; v < 256; v++)
			chi += ((double)seen[v] - expected) * ((double)seen[v] - expected) /
				expected;
		assert_true(chi < 255 + 6 * sqrt(2 * 255.0));
	}
}

static void spreads_evenly_over_shards(void **state)
{
	const int shards = 7;
	double expected = (double)COUNT / shards, chi = 0;
	long seen[8] = {0};

	for (size_t i = 0; i < COUNT; i++) {
		int shard = serial_crl_shard(serials[i], shards);

		assert_in_range(shard, 1, shards);
		assert_int_equal(shard, serial_crl_shard(serials[i], shards));
		seen[shard]++;
	}
	for (int s = 1; s <= shards; s++)
		chi += ((double)seen[s] - expected) * ((double)seen[s] - expected) / expected;
	assert_true(chi < 6 + 6 * sqrt(2 * 6.0));
	assert_int_equal(serial_crl_shard(serials[0], 1), 1);
}

static void reads_as_lower_case_hexadecimal(void **state)
{
	uint8_t serial[SERIAL_LEN] = {0x40, 0x00, 0xff, 0x0a};
	char text[2 * SERIAL_LEN + 1];

	serial_format(bytes_of(serial, sizeof(serial)), text);
	assert_string_equal(text, "4000ff0a0000000000000000000000000000");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(is_positive_and_never_needs_padding),
		cmocka_unit_test(begins_with_whole_seconds_of_its_time),
		cmocka_unit_test(never_repeats),
		cmocka_unit_test(has_a_fair_coin_in_every_bit),
		cmocka_unit_test(has_evenly_spread_bytes),
		cmocka_unit_test(spreads_evenly_over_shards),
		cmocka_unit_test(reads_as_lower_case_hexadecimal),
	};

	return cmocka_run_group_tests_name("serial", tests, make, drop);
}
