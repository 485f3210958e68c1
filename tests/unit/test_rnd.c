/* test_rnd.c — bytes drawn ahead are given away once: not again in this thread, in another thread,
 * or on both sides of a fork. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#include "lib/base/rnd.h"

#define DRAWS 4096

struct draw {
	uint8_t bytes[16];
};

static int compare(const void *a, const void *b)
{
	return memcmp(a, b, sizeof(struct draw));
}

static void assert_all_differ(struct draw *draws, size_t count)
{
	qsort(draws, count, sizeof(*draws), compare);
	for (size_t i = 1; i < count; i++)
		assert_memory_not_equal(&draws[i - 1], &draws[i], sizeof(*draws));
}

static void *fill(void *arg)
{
	struct draw *draws = arg;

	for (size_t i = 0; i < DRAWS; i++)
		rnd_bytes(draws[i].bytes, sizeof(draws[i].bytes));
	return NULL;
}

static void test_threads_share_nothing(void **state)
{
	static struct draw draws[4 * DRAWS];
	pthread_t threads[4];

	(void)state;
	for (size_t i = 0; i < 4; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, fill, draws + i * DRAWS), 0);
	for (size_t i = 0; i < 4; i++)
		assert_int_equal(pthread_join(threads[i], NULL), 0);
	assert_all_differ(draws, 4 * DRAWS);
}

static void test_a_fork_shares_nothing(void **state)
{
	static struct draw draws[64];
	int ends[2], status = -1;
	pid_t child;

	(void)state;
	rnd_bytes(draws[0].bytes, 1); /* so that there is something ahead */
	assert_int_equal(pipe(ends), 0);
	child = fork();
	assert_true(child >= 0);
	if (child == 0) {
		for (size_t i = 0; i < 32; i++)
			rnd_bytes(draws[i].bytes, sizeof(draws[i].bytes));
		_exit(write(ends[1], draws, sizeof(draws) / 2) == sizeof(draws) / 2 ? 0 : 1);
	}
	for (size_t i = 32; i < 64; i++)
		rnd_bytes(draws[i].bytes, sizeof(draws[i].bytes));
	assert_int_equal(read(ends[0], draws, sizeof(draws) / 2), sizeof(draws) / 2);
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
	close(ends[0]);
	close(ends[1]);
	assert_all_differ(draws, 64);
}

/* Every bit of every length is drawn: of 64 draws none is always 0 or always 1. */
static void test_every_length_is_filled(void **state)
{
	(void)state;
	for (size_t len = 1; len <= 600; len += len < 70 ? 1 : 53) {
		uint8_t ones[600] = {0}, zeros[600] = {0};

		for (int i = 0; i < 64; i++) {
			uint8_t got[601];

			memset(got, 0xa5, sizeof(got));
			rnd_bytes(got, len);
			assert_int_equal(got[len], 0xa5);
			for (size_t at = 0; at < len; at++) {
				ones[at] |= got[at];
				zeros[at] |= (uint8_t)~got[at];
			}
		}
		for (size_t at = 0; at < len; at++) {
			assert_int_equal(ones[at], 0xff);
			assert_int_equal(zeros[at], 0xff);
		}
	}
}

static void test_below_stays_below(void **state)
{
	unsigned seen = 0;

	(void)state;
	for (int i = 0; i < 1000; i++) {
		uint32_t value = rnd_below(7);

		assert_true(value < 7);
		seen |= 1u << value;
	}
	assert_int_equal(seen, 0x7f);
	assert_int_equal(rnd_below(1), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_threads_share_nothing),
		cmocka_unit_test(test_a_fork_shares_nothing),
		cmocka_unit_test(test_every_length_is_filled),
		cmocka_unit_test(test_below_stays_below),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
