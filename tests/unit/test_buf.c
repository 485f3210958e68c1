/* test_buf.c — growing buffers and borrowed bytes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "lib/base/buf.h"

static void an_empty_buffer_is_the_empty_text(void **state)
{
	CLEANUP_BUF struct buf buf = {0};

	assert_string_equal(buf_str(&buf), "");
	assert_int_equal(buf_bytes(&buf).len, 0);
}

static void the_text_always_ends_with_a_nul(void **state)
{
	CLEANUP_BUF struct buf buf = {0};

	for (size_t i = 1; i <= 1000; i++) {
		buf_add_byte(&buf, 'x');
		assert_int_equal(buf.len, i);
		assert_int_equal(strlen(buf_str(&buf)), i);
	}
}

static void bytes_with_a_nul_inside_are_kept_whole(void **state)
{
	CLEANUP_BUF struct buf buf = {0};

	buf_add(&buf, "a\0b", 3);
	buf_add_str(&buf, "c");
	assert_true(bytes_equal(buf_bytes(&buf), bytes_of("a\0bc", 4)));
}

static void nothing_can_be_added_from_nowhere(void **state)
{
	CLEANUP_BUF struct buf buf = {0};

	buf_add(&buf, NULL, 0);
	assert_int_equal(buf.len, 0);
	assert_string_equal(buf_str(&buf), "");
}

static void formatted_text_of_any_length_fits(void **state)
{
	for (int width = 0; width < 300; width++) {
		CLEANUP_BUF struct buf buf = {0};

		buf_add_str(&buf, "<");
		buf_addf(&buf, "%*s>", width, "");
		assert_int_equal(buf.len, width + 2);
		assert_int_equal(strlen(buf_str(&buf)), width + 2);
		assert_int_equal(buf.ptr[width + 1], '>');
	}
}

static void reset_empties_and_keeps_the_memory(void **state)
{
	CLEANUP_BUF struct buf buf = {0};
	const uint8_t *memory;

	buf_add_str(&buf, "secret");
	memory = buf.ptr;
	buf_reset(&buf);
	assert_ptr_equal(buf.ptr, memory);
	assert_string_equal(buf_str(&buf), "");
}

static void taking_the_text_leaves_the_buffer_empty(void **state)
{
	CLEANUP_BUF struct buf buf = {0};
	CLEANUP_STR char *none = buf_take_str(&buf);
	CLEANUP_STR char *text = NULL;

	buf_add_str(&buf, "text");
	text = buf_take_str(&buf);
	assert_string_equal(none, "");
	assert_string_equal(text, "text");
	assert_null(buf.ptr);
	assert_int_equal(buf.len, 0);
}

static void bytes_are_equal_only_with_the_same_length(void **state)
{
	assert_true(bytes_is(bytes_of("abc", 3), "abc"));
	assert_false(bytes_is(bytes_of("abc", 2), "abc"));
	assert_false(bytes_is(bytes_of("abc\0", 4), "abc"));
	assert_true(bytes_equal(bytes_of(NULL, 0), bytes_of("", 0)));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_empty_buffer_is_the_empty_text),
		cmocka_unit_test(the_text_always_ends_with_a_nul),
		cmocka_unit_test(bytes_with_a_nul_inside_are_kept_whole),
		cmocka_unit_test(nothing_can_be_added_from_nowhere),
		cmocka_unit_test(formatted_text_of_any_length_fits),
		cmocka_unit_test(reset_empties_and_keeps_the_memory),
		cmocka_unit_test(taking_the_text_leaves_the_buffer_empty),
		cmocka_unit_test(bytes_are_equal_only_with_the_same_length),
	};

	return cmocka_run_group_tests_name("buf", tests, NULL, NULL);
}
