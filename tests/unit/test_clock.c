/* test_clock.c — the clocks, and date-times of RFC 3339. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <time.h>

#include "lib/base/clock.h"

static void assert_parses(const char *text, int64_t want_us)
{
	int64_t us;

	assert_int_equal(clock_rfc3339_parse(bytes_str(text), &us), OK);
	assert_true(us == want_us);
}

static void assert_refused(const char *text)
{
	int64_t us = 42;

	if (clock_rfc3339_parse(bytes_str(text), &us) != ERR_SYNTAX)
		fail_msg("accepted: %s", text);
	assert_true(us == 42);
}

static void the_monotonic_clock_never_goes_back(void **state)
{
	int64_t last = clock_mono_us();

	for (int i = 0; i < 1000; i++) {
		int64_t now = clock_mono_us();

		assert_true(now >= last);
		last = now;
	}
	assert_true(clock_mono_ms() >= last / 1000);
}

static void the_wall_clock_is_the_systems(void **state)
{
	int64_t before = (int64_t)time(NULL);
	int64_t now = clock_wall_us() / USEC_PER_SEC;

	/* time(2) may lag a tick behind. */
	assert_true(now >= before && now <= (int64_t)time(NULL) + 1);
}

static void times_are_written_in_utc_with_whole_seconds(void **state)
{
	char text[CLOCK_RFC3339_LEN + 1];

	clock_rfc3339_format(0, text);
	assert_string_equal(text, "1970-01-01T00:00:00Z");
	clock_rfc3339_format(1795291200999999, text);
	assert_string_equal(text, "2026-11-21T20:00:00Z");
	clock_rfc3339_format(951782400000000, text);
	assert_string_equal(text, "2000-02-29T00:00:00Z");
	clock_rfc3339_format(-1, text);
	assert_string_equal(text, "1969-12-31T23:59:59Z");
}

static void times_beyond_four_digit_years_are_clamped(void **state)
{
	char text[CLOCK_RFC3339_LEN + 1];

	clock_rfc3339_format(INT64_MAX, text);
	assert_string_equal(text, "9999-12-31T23:59:59Z");
	clock_rfc3339_format(INT64_MIN, text);
	assert_string_equal(text, "0000-01-01T00:00:00Z");
}

static void the_examples_of_rfc_3339_are_read(void **state)
{
	assert_parses("1985-04-12T23:20:50.52Z", 482196050520000);
	assert_parses("1996-12-19T16:39:57-08:00", 851042397000000);
	assert_parses("1990-12-31T23:59:60Z", 662688000000000);
	assert_parses("1990-12-31T15:59:60-08:00", 662688000000000);
	assert_parses("1937-01-01T12:00:27.87+00:20", -1041337172130000);
}

static void lower_case_letters_are_read(void **state)
{
	assert_parses("1970-01-01t00:00:01z", 1000000);
}

static void fractions_finer_than_a_microsecond_are_cut_off(void **state)
{
	assert_parses("1970-01-01T00:00:00.1234569Z", 123456);
	assert_parses("1970-01-01T00:00:00.0000000000000000000000001Z", 0);
}

static void what_is_written_is_read_back(void **state)
{
	/* Every ninth day and a bit of the years 1800 to 2300. */
	for (int64_t secs = -5364662400; secs < 10413792000; secs += 9 * 86400 + 12345) {
		char text[CLOCK_RFC3339_LEN + 1];

		clock_rfc3339_format(secs * USEC_PER_SEC, text);
		assert_parses(text, secs * USEC_PER_SEC);
	}
}

static void days_that_do_not_exist_are_refused(void **state)
{
	assert_refused("2026-02-29T00:00:00Z");
	assert_refused("1900-02-29T00:00:00Z");
	assert_refused("2026-04-31T00:00:00Z");
	assert_refused("2026-00-01T00:00:00Z");
	assert_refused("2026-13-01T00:00:00Z");
	assert_refused("2026-01-00T00:00:00Z");
}

static void times_that_do_not_exist_are_refused(void **state)
{
	assert_refused("2026-01-01T24:00:00Z");
	assert_refused("2026-01-01T00:60:00Z");
	assert_refused("2026-01-01T00:00:61Z");
	assert_refused("2026-01-01T12:00:60Z"); /* a leap second ends a UTC day */
	assert_refused("2026-01-01T00:00:00+24:00");
	assert_refused("2026-01-01T00:00:00+01:60");
}

static void other_shapes_are_refused(void **state)
{
	static const char *const texts[] = {"", "2026", "2026-01-01", "2026-01-01 00:00:00Z",
		"2026-01-01T00:00:00", "2026-01-01T00:00Z", "2026-01-01T00:00:00.Z",
		"2026-01-01T00:00:00,5Z", "2026-01-01T00:00:00+0100", "2026-01-01T00:00:00+01",
		"2026-01-01T00:00:00ZZ", "2026-01-01T00:00:00Z ", " 2026-01-01T00:00:00Z",
		"20260101T000000Z", "+2026-01-01T00:00:00Z", "2026-1-01T00:00:00Z",
		"2026-01-01T00:00:0 Z", "2026-01-01T00:00:-1Z"};

	for (size_t i = 0; i < ARRAY_LEN(texts); i++)
		assert_refused(texts[i]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_monotonic_clock_never_goes_back),
		cmocka_unit_test(the_wall_clock_is_the_systems),
		cmocka_unit_test(times_are_written_in_utc_with_whole_seconds),
		cmocka_unit_test(times_beyond_four_digit_years_are_clamped),
		cmocka_unit_test(the_examples_of_rfc_3339_are_read),
		cmocka_unit_test(lower_case_letters_are_read),
		cmocka_unit_test(fractions_finer_than_a_microsecond_are_cut_off),
		cmocka_unit_test(what_is_written_is_read_back),
		cmocka_unit_test(days_that_do_not_exist_are_refused),
		cmocka_unit_test(times_that_do_not_exist_are_refused),
		cmocka_unit_test(other_shapes_are_refused),
	};

	return cmocka_run_group_tests_name("clock", tests, NULL, NULL);
}
