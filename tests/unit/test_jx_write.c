/* test_jx_write.c — the JSON we send: commas, escapes, and valid whatever is put in. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "lib/base/jx.h"

static void assert_string_is_written(struct bytes value, const char *want)
{
	CLEANUP_BUF struct buf text = {0};
	struct jx_out o = {.buf = &text};

	jx_put_bytes(&o, NULL, value);
	assert_string_equal(buf_str(&text), want);
}

static void commas_stand_between_and_nowhere_else(void **state)
{
	CLEANUP_BUF struct buf text = {0};
	struct jx_out o = {.buf = &text};

	jx_begin_object(&o, NULL);
	jx_put_str(&o, "status", "valid");
	jx_begin_array(&o, "list");
	jx_begin_object(&o, NULL);
	jx_end_object(&o);
	jx_begin_array(&o, NULL);
	jx_end_array(&o);
	jx_put_int(&o, NULL, INT64_MIN);
	jx_end_array(&o);
	jx_put_bool(&o, "yes", true);
	jx_put_bool(&o, "no", false);
	jx_put_raw(&o, "error", bytes_str("{\"a\":1}"));
	jx_end_object(&o);
	assert_string_equal(buf_str(&text),
		"{\"status\":\"valid\",\"list\":[{},[],-9223372036854775808],"
		"\"yes\":true,\"no\":false,\"error\":{\"a\":1}}");
}

static void a_string_that_is_not_there_is_left_out(void **state)
{
	CLEANUP_BUF struct buf text = {0};
	struct jx_out o = {.buf = &text};

	jx_begin_object(&o, NULL);
	jx_put_str(&o, "none", NULL);
	jx_put_str(&o, "one", "1");
	jx_put_str(&o, "none", NULL);
	jx_end_object(&o);
	assert_string_equal(buf_str(&text), "{\"one\":\"1\"}");
}

static void what_json_reserves_is_escaped(void **state)
{
	assert_string_is_written(bytes_str("\"\\\b\f\n\r\t"),
		"\"\\\"\\\\\\u0008\\u000c\\n\\r\\t\"");
	assert_string_is_written(bytes_of("\0\x01\x1f", 3), "\"\\u0000\\u0001\\u001f\"");
}

static void slashes_and_other_characters_stay_as_they_are(void **state)
{
	assert_string_is_written(bytes_str("https://a/b"), "\"https://a/b\"");
	assert_string_is_written(bytes_str("\x7f d\xc3\xa9j\xc3\xa0 \xf0\x9f\x98\x80"),
		"\"\x7f d\xc3\xa9j\xc3\xa0 \xf0\x9f\x98\x80\"");
}

static void bytes_that_are_no_text_become_the_replacement_character(void **state)
{
	assert_string_is_written(bytes_str("a\xff\xc0z"), "\"a\xef\xbf\xbd\xef\xbf\xbdz\"");
	assert_string_is_written(bytes_str("\xe2\x82"), "\"\xef\xbf\xbd\xef\xbf\xbd\"");
}

static void every_byte_that_is_written_can_be_read_again(void **state)
{
	CLEANUP_BUF struct buf text = {0};
	CLEANUP(jx_free) struct jx *back = NULL;
	struct jx_out o = {.buf = &text};
	uint8_t all[0x80];
	struct bytes value;

	for (size_t i = 0; i < sizeof(all); i++)
		all[i] = (uint8_t)i;
	jx_put_bytes(&o, NULL, bytes_of(all, sizeof(all)));
	assert_int_equal(jx_parse(buf_bytes(&text), &back), OK);
	assert_int_equal(jx_str(back, &value), OK);
	assert_true(bytes_equal(value, bytes_of(all, sizeof(all))));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(commas_stand_between_and_nowhere_else),
		cmocka_unit_test(a_string_that_is_not_there_is_left_out),
		cmocka_unit_test(what_json_reserves_is_escaped),
		cmocka_unit_test(slashes_and_other_characters_stay_as_they_are),
		cmocka_unit_test(bytes_that_are_no_text_become_the_replacement_character),
		cmocka_unit_test(every_byte_that_is_written_can_be_read_again),
	};

	return cmocka_run_group_tests_name("jx_write", tests, NULL, NULL);
}
