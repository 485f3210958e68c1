/* test_ident.c — random numbers and the UUIDv7 identifiers made from them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "lib/base/clock.h"
#include "lib/base/ident.h"
#include "lib/base/rnd.h"

#define DRAWS 4096

static int64_t milliseconds_of(const struct ident *id)
{
	int64_t ms = 0;

	for (int i = 0; i < 6; i++)
		ms = ms << 8 | id->b[i];
	return ms;
}

static void an_identifier_carries_its_time_version_and_variant(void **state)
{
	int64_t before = clock_wall_us() / 1000;
	struct ident id = ident_new();
	int64_t after = clock_wall_us() / 1000;

	assert_true(milliseconds_of(&id) >= before && milliseconds_of(&id) <= after);
	assert_int_equal(id.b[6] >> 4, 7);
	assert_int_equal(id.b[8] >> 6, 2);
}

static void no_two_identifiers_are_alike(void **state)
{
	static struct ident ids[DRAWS];

	for (size_t i = 0; i < DRAWS; i++)
		ids[i] = ident_new();
	qsort(ids, DRAWS, sizeof(ids[0]), ident_compare);
	for (size_t i = 1; i < DRAWS; i++)
		assert_false(ident_equal(&ids[i - 1], &ids[i]));
}

static void identifiers_sort_by_time(void **state)
{
	struct ident old = {.b = {0x01, 0x90, 0, 0, 0, 0, 0x7f, 0xff, 0xbf, 0xff}};
	struct ident new = {.b = {0x01, 0x90, 0, 0, 0, 1, 0x70, 0x00, 0x80, 0x00}};

	assert_true(ident_compare(&old, &new) < 0);
	assert_true(ident_compare(&new, &old) > 0);
	assert_int_equal(ident_compare(&new, &new), 0);
}

static void an_identifier_is_22_characters_and_comes_back(void **state)
{
	struct ident id = ident_new(), back;
	char text[IDENT_TEXT_LEN + 1];

	ident_format(&id, text);
	assert_int_equal(strlen(text), IDENT_TEXT_LEN);
	assert_int_equal(ident_parse(bytes_str(text), &back), OK);
	assert_true(ident_equal(&id, &back));
}

static void texts_that_are_no_identifier_are_refused(void **state)
{
	static const char *const texts[] = {
		"",
		"AZLZ3r3Xc8iX0vHqkHqkA",   /* 21 characters */
		"AZLZ3r3Xc8iX0vHqkHqkAAA", /* 23 characters */
		"AZLZ3r3Xc8iX0vHqkHqkAB",  /* unused bits set */
		"AZLZ3r3Xc8iX0vHqkHqk+A",
		"AZLZ3r3Xc8iX0vHqkHqk=A",
		"../../../../etc/passwd",
	};
	struct ident id;

	for (size_t i = 0; i < ARRAY_LEN(texts); i++)
		assert_int_equal(ident_parse(bytes_str(texts[i]), &id), ERR_SYNTAX);
}

static void numbers_below_a_bound_stay_below_and_reach_all(void **state)
{
	unsigned int seen = 0;

	for (int i = 0; i < DRAWS; i++) {
		uint32_t n = rnd_below(10);

		assert_true(n < 10);
		seen |= 1U << n;
	}
	assert_int_equal(seen, 0x3ff);
	assert_int_equal(rnd_below(1), 0);
}

static void large_bounds_are_not_skewed(void **state)
{
	/* With a plain remainder, two thirds of the draws would fall into the lower half. */
	uint32_t bound = 0xC0000000U, low = 0;

	for (int i = 0; i < DRAWS; i++)
		low += rnd_below(bound) < bound / 2 ? 1 : 0;
	assert_in_range(low, DRAWS * 45 / 100, DRAWS * 55 / 100);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_identifier_carries_its_time_version_and_variant),
		cmocka_unit_test(no_two_identifiers_are_alike),
		cmocka_unit_test(identifiers_sort_by_time),
		cmocka_unit_test(an_identifier_is_22_characters_and_comes_back),
		cmocka_unit_test(texts_that_are_no_identifier_are_refused),
		cmocka_unit_test(numbers_below_a_bound_stay_below_and_reach_all),
		cmocka_unit_test(large_bounds_are_not_skewed),
	};

	return cmocka_run_group_tests_name("ident", tests, NULL, NULL);
}
