/* test_allowance.c — how much each account may still ask for. */
#include "fcgi/allowance.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "lib/base/bytes.h"

#define HOUR_MS 3600000LL
#define ANY_TIME 1000000LL

static void a_full_bucket_is_spent_and_refills_evenly(void **state)
{
	struct ident a = ident_new(), b = ident_new();
	int64_t now = ANY_TIME;

	for (int i = 0; i < 100; i++)
		assert_int_equal(allowance_take(&a, 1, 100, now), 0);
	assert_int_equal(allowance_take(&a, 1, 100, now), 36);
	assert_int_equal(allowance_take(&a, 50, 100, now), 1800);
	assert_int_equal(allowance_take(&b, 100, 100, now), 0); /* another's is his own */
	assert_int_equal(allowance_take(&a, 1, 100, now + 35900), 1);
	assert_int_equal(allowance_take(&a, 1, 100, now + 36000), 0);
	assert_int_equal(allowance_take(&a, 1, 100, now + 36000), 36);
	assert_int_equal(allowance_take(&a, 100, 100, now + 36000 + HOUR_MS), 0);
}

static void refusals_cost_nothing(void **state)
{
	struct ident a = ident_new();

	assert_int_equal(allowance_take(&a, 60, 100, ANY_TIME), 0);
	for (int i = 0; i < 10; i++)
		assert_int_not_equal(allowance_take(&a, 60, 100, ANY_TIME), 0);
	assert_int_equal(allowance_take(&a, 40, 100, ANY_TIME), 0);
}

static void more_than_a_bucket_holds_wants_a_full_one(void **state)
{
	struct ident a = ident_new();

	assert_int_equal(allowance_take(&a, 500, 100, ANY_TIME), 0);
	assert_int_equal(allowance_take(&a, 500, 100, ANY_TIME), 3600);
	assert_int_equal(allowance_take(&a, 500, 100, ANY_TIME + HOUR_MS), 0);
}

static void a_smaller_limit_counts_what_was_spent(void **state)
{
	struct ident a = ident_new();

	assert_int_equal(allowance_take(&a, 50, 100, ANY_TIME), 0);
	assert_int_not_equal(allowance_take(&a, 1, 10, ANY_TIME), 0);
}

static void who_has_spent_much_is_not_forgotten_for_many_others(void **state)
{
	struct ident busy = ident_new();

	assert_int_equal(allowance_take(&busy, 100, 100, ANY_TIME), 0);
	for (int i = 0; i < 200000; i++) {
		struct ident other = ident_new();

		assert_int_equal(allowance_take(&other, 1, 100, ANY_TIME), 0);
	}
	assert_int_not_equal(allowance_take(&busy, 1, 100, ANY_TIME), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_full_bucket_is_spent_and_refills_evenly),
		cmocka_unit_test(refusals_cost_nothing),
		cmocka_unit_test(more_than_a_bucket_holds_wants_a_full_one),
		cmocka_unit_test(a_smaller_limit_counts_what_was_spent),
		cmocka_unit_test(who_has_spent_much_is_not_forgotten_for_many_others),
	};

	return cmocka_run_group_tests_name("allowance", tests, NULL, NULL);
}
