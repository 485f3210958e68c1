/* test_utf8.c — the borders of RFC 3629. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "lib/base/err.h"
#include "lib/base/utf8.h"

static void the_borders_of_each_length_are_accepted(void **state)
{
	static const char *const texts[] = {"\x01", "\x7f", "\xc2\x80", "\xdf\xbf", "\xe0\xa0\x80",
		"\xed\x9f\xbf", "\xee\x80\x80", "\xef\xbf\xbf", "\xf0\x90\x80\x80",
		"\xf4\x8f\xbf\xbf"};

	for (size_t i = 0; i < ARRAY_LEN(texts); i++)
		assert_int_equal(utf8_char_len(bytes_str(texts[i])), strlen(texts[i]));
}

static void what_lies_beyond_the_borders_is_refused(void **state)
{
	static const char *const texts[] = {
		"\x80", "\xbf", "\xc0\x80", "\xc1\xbf",         /* no or overlong lead */
		"\xe0\x9f\xbf", "\xf0\x8f\xbf\xbf",             /* overlong */
		"\xed\xa0\x80", "\xed\xbf\xbf",                 /* surrogates */
		"\xf4\x90\x80\x80", "\xf5\x80\x80\x80", "\xff", /* above U+10FFFF */
		"\xc2", "\xe2\x82", "\xf0\x90\x80",             /* cut off */
		"\xc2\x41", "\xe2\x82\x41", "\xf0\x90\x80\x41", /* no tail */
	};

	for (size_t i = 0; i < ARRAY_LEN(texts); i++)
		assert_int_equal(utf8_char_len(bytes_str(texts[i])), 0);
}

static void nothing_is_read_behind_the_end(void **state)
{
	assert_int_equal(utf8_char_len(bytes_of("\xe2\x82\xac", 2)), 0);
	assert_int_equal(utf8_char_len(bytes_of(NULL, 0)), 0);
}

static void a_text_is_valid_when_all_of_it_is(void **state)
{
	assert_true(utf8_is_valid(bytes_str("")));
	assert_true(utf8_is_valid(bytes_str("d\xc3\xa9j\xc3\xa0 vu \xf0\x9f\x98\x80")));
	assert_false(utf8_is_valid(bytes_str("ok\xff")));
	assert_true(utf8_is_valid(bytes_of("a\0b", 3)));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_borders_of_each_length_are_accepted),
		cmocka_unit_test(what_lies_beyond_the_borders_is_refused),
		cmocka_unit_test(nothing_is_read_behind_the_end),
		cmocka_unit_test(a_text_is_valid_when_all_of_it_is),
	};

	return cmocka_run_group_tests_name("utf8", tests, NULL, NULL);
}
