/* test_b64url.c — the vectors of RFC 4648 without padding, and every way to spell the same bytes
 * differently. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "lib/base/b64url.h"

static const struct {
	const char *bytes;
	const char *text;
} vectors[] = {
	{"", ""},
	{"f", "Zg"},
	{"fo", "Zm8"},
	{"foo", "Zm9v"},
	{"foob", "Zm9vYg"},
	{"fooba", "Zm9vYmE"},
	{"foobar", "Zm9vYmFy"},
	{"\xfb\xff\xbf", "-_-_"},
};

static void assert_refused(struct bytes text)
{
	CLEANUP_BUF struct buf out = {0};

	buf_add_str(&out, "before");
	assert_int_equal(b64url_parse_buf(text, &out), ERR_SYNTAX);
	assert_string_equal(buf_str(&out), "before");
}

static void the_vectors_of_rfc_4648_are_written(void **state)
{
	for (size_t i = 0; i < ARRAY_LEN(vectors); i++) {
		struct bytes in = bytes_str(vectors[i].bytes);
		char text[16];

		b64url_format(in, text);
		assert_string_equal(text, vectors[i].text);
		assert_int_equal(strlen(text), B64URL_LEN(in.len));
	}
}

static void the_vectors_of_rfc_4648_are_read(void **state)
{
	for (size_t i = 0; i < ARRAY_LEN(vectors); i++) {
		CLEANUP_BUF struct buf out = {0};

		assert_int_equal(b64url_parse_buf(bytes_str(vectors[i].text), &out), OK);
		assert_true(bytes_is(buf_bytes(&out), vectors[i].bytes));
	}
}

static void every_byte_survives_the_way_there_and_back(void **state)
{
	uint8_t all[256], back[256];
	char text[B64URL_LEN(sizeof(all)) + 1];

	for (size_t i = 0; i < sizeof(all); i++)
		all[i] = (uint8_t)(255 - i);
	for (size_t len = 0; len <= sizeof(all); len++) {
		size_t back_len;

		b64url_format(bytes_of(all, len), text);
		assert_int_equal(b64url_parse(bytes_str(text), back, &back_len), OK);
		assert_true(bytes_equal(bytes_of(all, len), bytes_of(back, back_len)));
	}
}

static void padding_is_refused(void **state)
{
	assert_refused(bytes_str("Zg=="));
	assert_refused(bytes_str("Zm8="));
	assert_refused(bytes_str("Zm9v="));
}

static void white_space_is_refused(void **state)
{
	assert_refused(bytes_str("Zm9v\n"));
	assert_refused(bytes_str(" Zm9v"));
	assert_refused(bytes_str("Zm9v YmFy"));
}

static void the_other_alphabet_is_refused(void **state)
{
	assert_refused(bytes_str("+/+/"));
	assert_refused(bytes_str("a+b_"));
	assert_refused(bytes_str("a-b/"));
}

static void only_the_64_characters_are_accepted(void **state)
{
	int accepted = 0;

	for (int c = 0; c < 256; c++) {
		uint8_t text[4] = {'A', 'A', (uint8_t)c, 'A'}, out[3];
		size_t len;

		if (b64url_parse(bytes_of(text, 4), out, &len) == OK)
			accepted++;
	}
	assert_int_equal(accepted, 64);
}

static void a_single_character_is_no_byte(void **state)
{
	assert_refused(bytes_str("A"));
	assert_refused(bytes_str("AAAAA"));
}

static void unused_bits_must_be_zero(void **state)
{
	assert_refused(bytes_str("Zh"));
	assert_refused(bytes_str("Zm9"));
	assert_refused(bytes_str("AB"));
}

static void an_embedded_nul_is_refused(void **state)
{
	assert_refused(bytes_of("Zm\0v", 4));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_vectors_of_rfc_4648_are_written),
		cmocka_unit_test(the_vectors_of_rfc_4648_are_read),
		cmocka_unit_test(every_byte_survives_the_way_there_and_back),
		cmocka_unit_test(padding_is_refused),
		cmocka_unit_test(white_space_is_refused),
		cmocka_unit_test(the_other_alphabet_is_refused),
		cmocka_unit_test(only_the_64_characters_are_accepted),
		cmocka_unit_test(a_single_character_is_no_byte),
		cmocka_unit_test(unused_bits_must_be_zero),
		cmocka_unit_test(an_embedded_nul_is_refused),
	};

	return cmocka_run_group_tests_name("b64url", tests, NULL, NULL);
}
