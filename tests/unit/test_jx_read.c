/* test_jx_read.c — JSON from strangers: everything that RFC 8259 allows within our limits, and
 * nothing else. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "lib/base/jx.h"

static int parse(struct bytes text)
{
	CLEANUP(jx_free) struct jx *root = NULL;

	return jx_parse(text, &root);
}

static void assert_accepted(const char *text)
{
	if (parse(bytes_str(text)) != OK)
		fail_msg("refused: %s", text);
}

static void assert_refused(const char *text)
{
	struct jx *root = NULL;

	if (jx_parse(bytes_str(text), &root) != ERR_SYNTAX)
		fail_msg("not a syntax error: %s", text);
	assert_null(root);
}

static void assert_over_the_limit(const char *text)
{
	if (parse(bytes_str(text)) != ERR_LIMIT)
		fail_msg("not over the limit: %s", text);
}

static struct jx *parsed(const char *text)
{
	struct jx *root = NULL;

	assert_int_equal(jx_parse(bytes_str(text), &root), OK);
	return root;
}

static void every_kind_of_value_may_stand_alone(void **state)
{
	static const char *const texts[] = {"{}", "[]", "\"\"", "0", "-1.5e+3", "true", "false",
		"null", " \t\r\n{ } \n", "[ ]"};

	for (size_t i = 0; i < ARRAY_LEN(texts); i++)
		assert_accepted(texts[i]);
}

static void texts_without_a_value_are_refused(void **state)
{
	assert_refused("");
	assert_refused(" \n");
	assert_int_equal(parse(bytes_of(NULL, 0)), ERR_SYNTAX);
}

static void bytes_behind_the_value_are_refused(void **state)
{
	assert_refused("{}{}");
	assert_refused("{} x");
	assert_refused("1 2");
	assert_refused("nullnull");
	assert_int_equal(parse(bytes_of("{}\0", 3)), ERR_SYNTAX);
	assert_int_equal(parse(bytes_of("{}\0{}", 5)), ERR_SYNTAX);
}

static void a_byte_order_mark_is_refused(void **state)
{
	assert_refused("\xef\xbb\xbf{}");
}

static void broken_structure_is_refused(void **state)
{
	static const char *const texts[] = {
		"{",
		"}",
		"[",
		"]",
		"[1",
		"[1}",
		"{]",
		"[1,]",
		"[,1]",
		"[1 2]",
		"[,]",
		"{,}",
		"{\"a\"}",
		"{\"a\":}",
		"{\"a\" 1}",
		"{\"a\":1,}",
		"{a:1}",
		"{'a':1}",
		"{1:2}",
		"{null:1}",
		"{[]:1}",
		"{\"a\":1 \"b\":2}",
		"[1]]",
		"{\"a\":1}}",
		"[/**/]",
		"[1]//",
		"[1]#",
		",",
		":",
		"[\"a\":1]",
		"{\"a\",1}",
	};

	for (size_t i = 0; i < ARRAY_LEN(texts); i++)
		assert_refused(texts[i]);
}

static void words_are_spelled_exactly(void **state)
{
	static const char *const texts[] = {"True", "TRUE", "tru", "truE", "nul", "NULL", "nil",
		"undefined", "fals"};

	for (size_t i = 0; i < ARRAY_LEN(texts); i++)
		assert_refused(texts[i]);
}

static void numbers_follow_their_grammar(void **state)
{
	static const char *const good[] = {"0", "-0", "10", "-10", "0.5", "1e5", "1E-5", "1.25e+10",
		"0e0", "-0.0"};
	static const char *const bad[] = {"01", "-01", "+1", "-", "--1", ".5", "1.", "1.e1", "-.5",
		"1e", "1e+", "1e5.0", "0x10", "1_000", "1,000", "NaN", "-NaN", "Infinity",
		"-Infinity", "1e1e1", "1 .5", "\xef\xbc\x91"};

	for (size_t i = 0; i < ARRAY_LEN(good); i++)
		assert_accepted(good[i]);
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		assert_refused(bad[i]);
}

static void numbers_out_of_range_are_refused_instead_of_clamped(void **state)
{
	assert_accepted("9223372036854775807");
	assert_accepted("-9223372036854775808");
	assert_over_the_limit("9223372036854775808");
	assert_over_the_limit("-9223372036854775809");
	assert_over_the_limit("[1,{\"a\":18446744073709551616}]");
	assert_over_the_limit("1e999");
	assert_over_the_limit("{\"a\":[-1e400]}");
}

static void strings_follow_their_grammar(void **state)
{
	static const char *const bad[] = {
		"\"",
		"\"a",
		"'a'",
		"\"\\\"",
		"\"\\",
		"\"\\u",
		"\"\\u00",
		"\"\\u12\"",
		"\"\\u12g4\"",
		"\"\\u{41}\"",
		"\"\\x41\"",
		"\"\\a\"",
		"\"\\U0041\"",
		"\"\\'\"",
		"\"\\\\\\\"",
		"\"a\nb\"",
		"\"a\tb\"",
		"\"\x1f\"",
	};

	assert_accepted("\"\\\"\\\\\\/\\b\\f\\n\\r\\t\\u00e9\\u00E9\"");
	assert_accepted("\"\x7f\"");
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		assert_refused(bad[i]);
	assert_int_equal(parse(bytes_of("\"a\0b\"", 5)), ERR_SYNTAX);
}

static void only_utf8_is_text(void **state)
{
	assert_accepted("\"d\xc3\xa9j\xc3\xa0 \xe2\x82\xac \xf0\x9f\x98\x80\"");
	assert_refused("\"\xe9\"");
	assert_refused("\"\xc0\xaf\"");
	assert_refused("\"\xed\xa0\x80\"");
	assert_refused("\"\xf4\x90\x80\x80\"");
	assert_refused("\"\xe2\x82\"");
	assert_refused("{\"\xff\":1}");
}

static void escaped_surrogates_come_in_pairs(void **state)
{
	assert_accepted("\"\\ud83d\\ude00\"");
	assert_refused("\"\\ud800\"");
	assert_refused("\"\\udc00\"");
	assert_refused("\"\\ud800x\"");
	assert_refused("\"\\ud800\\n\"");
	assert_refused("\"\\ud800\\u0041\"");
	assert_refused("\"\\ud800\\ud800\"");
	assert_refused("\"\\udc00\\ud800\"");
}

static void a_member_may_occur_once(void **state)
{
	assert_refused("{\"a\":1,\"a\":1}");
	assert_refused("{\"a\":1,\"b\":2,\"a\":3}");
	assert_refused("{\"\":1,\"\":2}");
	assert_refused("[0,{\"x\":{\"a\":null,\"a\":null}}]");
	assert_refused("{\"a\":{\"b\":1},\"a\":{}}");
	assert_accepted("{\"a\":{\"a\":1},\"b\":{\"a\":1},\"A\":1}");
}

static void spelling_a_member_otherwise_does_not_hide_that_it_is_the_same(void **state)
{
	assert_refused("{\"alg\":1,\"\\u0061lg\":2}");
	assert_refused("{\"\\u00e9\":1,\"\xc3\xa9\":2}");
	assert_refused("{\"\\ud83d\\ude00\":1,\"\xf0\x9f\x98\x80\":2}");
	assert_refused("{\"a/b\":1,\"a\\/b\":2}");
}

static void a_nul_cannot_cut_a_member_name(void **state)
{
	assert_refused("{\"alg\\u0000x\":1}");
	assert_refused("{\"alg\":1,\"alg\\u0000\":2}");
}

static void a_nul_in_a_string_is_data(void **state)
{
	CLEANUP(jx_free) struct jx *root = parsed("{\"a\":\"x\\u0000y\"}");
	struct bytes text;

	assert_int_equal(jx_get_str(root, "a", &text), OK);
	assert_true(bytes_equal(text, bytes_of("x\0y", 3)));
}

static void depth_is_bounded(void **state)
{
	CLEANUP_BUF struct buf deep = {0};

	assert_accepted("[[[[[[[[]]]]]]]]");
	assert_accepted("{\"a\":{\"a\":{\"a\":{\"a\":{\"a\":{\"a\":{\"a\":{}}}}}}}}");
	assert_over_the_limit("[[[[[[[[[]]]]]]]]]");
	assert_over_the_limit("{\"a\":[{\"a\":[{\"a\":[{\"a\":[[]]}]}]}]}");
	for (int i = 0; i < 1000000; i++)
		buf_add_byte(&deep, '[');
	assert_int_equal(parse(buf_bytes(&deep)), ERR_LIMIT);
}

static void siblings_do_not_count_as_depth(void **state)
{
	assert_accepted("[[],[],[],[],[],[],[],[],[],[],[],[]]");
}

static void an_object_of_many_members_is_read_in_linear_time(void **state)
{
	CLEANUP_BUF struct buf text = {0};

	for (int i = 0; i < 100000; i++)
		buf_addf(&text, "%s\"%d\":0", i == 0 ? "{" : ",", i);
	buf_add_str(&text, "}");
	assert_int_equal(parse(buf_bytes(&text)), OK);
	text.ptr[text.len - 1] = ',';
	buf_add_str(&text, "\"0\":0}");
	assert_int_equal(parse(buf_bytes(&text)), ERR_SYNTAX);
}

static void every_text_cut_short_is_refused(void **state)
{
	static const char whole[] =
		"{\"a\":[1.5e3,true,null,\"\\u00e9\\ud83d\\ude00\xe2\x82\xac\"],\"b\":{}}";

	assert_accepted(whole);
	for (size_t len = 0; len < sizeof(whole) - 1; len++) {
		/* A block of exactly that size, so that sanitizers see reads behind it. */
		CLEANUP(free) uint8_t *exact = xmalloc(len);

		memcpy(exact, whole, len);
		assert_int_equal(parse(bytes_of(exact, len)), ERR_SYNTAX);
	}
}

static void getters_give_members_of_their_type(void **state)
{
	CLEANUP(jx_free)
	struct jx *root = parsed(
		"{\"o\":{\"x\":1},\"a\":[\"e\"],\"s\":\"text\",\"b\":true,\"i\":-7,\"n\":null}");
	const struct jx *child;
	struct bytes text;
	int64_t number;
	bool flag;

	assert_true(jx_is_object(root));
	assert_int_equal(jx_count(root), 6);
	assert_int_equal(jx_get_object(root, "o", &child), OK);
	assert_int_equal(jx_get_int(child, "x", &number), OK);
	assert_int_equal(number, 1);
	assert_int_equal(jx_get_array(root, "a", &child), OK);
	assert_int_equal(jx_count(child), 1);
	assert_int_equal(jx_str(jx_at(child, 0), &text), OK);
	assert_true(bytes_is(text, "e"));
	assert_int_equal(jx_get_str(root, "s", &text), OK);
	assert_true(bytes_is(text, "text"));
	assert_int_equal(jx_get_bool(root, "b", &flag), OK);
	assert_true(flag);
	assert_int_equal(jx_get_int(root, "i", &number), OK);
	assert_int_equal(number, -7);
}

static void an_absent_member_and_one_of_another_type_are_told_apart(void **state)
{
	CLEANUP(jx_free) struct jx *root = parsed("{\"s\":\"1\",\"f\":1.0,\"n\":null,\"b\":true}");
	const struct jx *child = NULL;
	struct bytes text;
	int64_t number;
	bool flag;

	assert_int_equal(jx_get(root, "x", &child), ERR_NOENT);
	assert_int_equal(jx_get_str(root, "x", &text), ERR_NOENT);
	assert_int_equal(jx_get_int(root, "s", &number), ERR_SYNTAX);
	assert_int_equal(jx_get_int(root, "f", &number), ERR_SYNTAX);
	assert_int_equal(jx_get_int(root, "b", &number), ERR_SYNTAX);
	assert_int_equal(jx_get_str(root, "f", &text), ERR_SYNTAX);
	assert_int_equal(jx_get_bool(root, "s", &flag), ERR_SYNTAX);
	assert_int_equal(jx_get_object(root, "n", &child), ERR_SYNTAX);
	assert_int_equal(jx_get_array(root, "s", &child), ERR_SYNTAX);
	assert_null(child);
}

static void null_is_a_value_and_not_absence(void **state)
{
	CLEANUP(jx_free) struct jx *root = parsed("{\"n\":null}");
	CLEANUP(jx_free) struct jx *alone = parsed("null");
	const struct jx *child = NULL;

	assert_int_equal(jx_get(root, "n", &child), OK);
	assert_non_null(child);
	assert_false(jx_is_object(child) || jx_is_array(child) || jx_is_string(child));
	assert_non_null(alone);
	assert_int_equal(jx_count(alone), 0);
}

static void asking_a_non_object_for_members_is_a_syntax_error(void **state)
{
	CLEANUP(jx_free) struct jx *root = parsed("[1]");
	const struct jx *child;
	struct bytes text;

	assert_int_equal(jx_get(root, "a", &child), ERR_SYNTAX);
	assert_int_equal(jx_get_str(root, "a", &text), ERR_SYNTAX);
	assert_int_equal(jx_str(root, &text), ERR_SYNTAX);
}

static void members_beyond_a_list_are_noticed(void **state)
{
	static const char *const names[] = {"protected", "payload", "signature", NULL};
	CLEANUP(jx_free) struct jx *all = parsed("{\"payload\":1,\"protected\":2,\"signature\":3}");
	CLEANUP(jx_free) struct jx *more = parsed("{\"payload\":1,\"header\":{}}");
	CLEANUP(jx_free) struct jx *none = parsed("{}");
	CLEANUP(jx_free) struct jx *array = parsed("[]");

	assert_true(jx_has_only(all, names));
	assert_false(jx_has_only(more, names));
	assert_true(jx_has_only(none, names));
	assert_false(jx_has_only(array, names));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_kind_of_value_may_stand_alone),
		cmocka_unit_test(texts_without_a_value_are_refused),
		cmocka_unit_test(bytes_behind_the_value_are_refused),
		cmocka_unit_test(a_byte_order_mark_is_refused),
		cmocka_unit_test(broken_structure_is_refused),
		cmocka_unit_test(words_are_spelled_exactly),
		cmocka_unit_test(numbers_follow_their_grammar),
		cmocka_unit_test(numbers_out_of_range_are_refused_instead_of_clamped),
		cmocka_unit_test(strings_follow_their_grammar),
		cmocka_unit_test(only_utf8_is_text),
		cmocka_unit_test(escaped_surrogates_come_in_pairs),
		cmocka_unit_test(a_member_may_occur_once),
		cmocka_unit_test(spelling_a_member_otherwise_does_not_hide_that_it_is_the_same),
		cmocka_unit_test(a_nul_cannot_cut_a_member_name),
		cmocka_unit_test(a_nul_in_a_string_is_data),
		cmocka_unit_test(depth_is_bounded),
		cmocka_unit_test(siblings_do_not_count_as_depth),
		cmocka_unit_test(an_object_of_many_members_is_read_in_linear_time),
		cmocka_unit_test(every_text_cut_short_is_refused),
		cmocka_unit_test(getters_give_members_of_their_type),
		cmocka_unit_test(an_absent_member_and_one_of_another_type_are_told_apart),
		cmocka_unit_test(null_is_a_value_and_not_absence),
		cmocka_unit_test(asking_a_non_object_for_members_is_a_syntax_error),
		cmocka_unit_test(members_beyond_a_list_are_noticed),
	};

	return cmocka_run_group_tests_name("jx_read", tests, NULL, NULL);
}
