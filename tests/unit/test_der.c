/* test_der.c — reading refuses everything that is not DER; writing produces what reading takes. */
#include "tests/unit/pki_fixture.h"

#include "lib/pki/der.h"

static int read_all(struct bytes in)
{
	return der_read(&in, NULL, NULL, NULL);
}

#define READ(literal) read_all(bytes_of((literal), sizeof(literal) - 1))

static void reads_an_element_and_moves_behind_it(void **state)
{
	struct bytes in = bytes_of("\x04\x02hi\x05\x00", 6), content, whole;
	uint8_t tag;

	assert_int_equal(der_read(&in, &tag, &content, &whole), OK);
	assert_int_equal(tag, DER_OCTET_STRING);
	assert_true(bytes_is(content, "hi"));
	assert_int_equal(whole.len, 4);
	assert_int_equal(in.len, 2);
	assert_int_equal(der_peek(in), DER_NULL);
	assert_int_equal(der_expect(&in, DER_INTEGER, &content), ERR_SYNTAX);
	assert_int_equal(der_expect(&in, DER_NULL, &content), OK);
	assert_int_equal(content.len, 0);
	assert_int_equal(der_peek(in), 0);
}

static void refuses_what_is_not_der(void **state)
{
	assert_int_equal(READ(""), ERR_SYNTAX);
	assert_int_equal(READ("\x30"), ERR_SYNTAX);
	assert_int_equal(READ("\x30\x01"), ERR_SYNTAX);         /* cut off */
	assert_int_equal(READ("\x30\x80\x00\x00"), ERR_SYNTAX); /* indefinite length */
	assert_int_equal(READ("\x04\x81\x01x"), ERR_SYNTAX);    /* long form of a short length */
	assert_int_equal(READ("\x04\x82\x00\x80"), ERR_SYNTAX); /* leading zero */
	assert_int_equal(READ("\x04\x81"), ERR_SYNTAX);
	assert_int_equal(READ("\x04\x84\xff\xff\xff\xff"), ERR_SYNTAX);
	assert_int_equal(READ("\x04\x85\x01\x00\x00\x00\x00"), ERR_SYNTAX);
	assert_int_equal(READ("\x04\xff"), ERR_SYNTAX);
	assert_int_equal(READ("\x1f\x81\x01\x00"), ERR_SYNTAX); /* high tag number */
	assert_int_equal(READ("\x00\x00"), ERR_SYNTAX);         /* end of contents */
}

static void leaves_the_input_alone_on_failure(void **state)
{
	struct bytes in = bytes_of("\x30\x05\x01", 3);

	assert_int_equal(der_read(&in, NULL, NULL, NULL), ERR_SYNTAX);
	assert_int_equal(in.len, 3);
}

static void lengths_of_every_form_round_trip(void **state)
{
	static const size_t sizes[] = {0, 1, 127, 128, 255, 256, 65535, 65536};

	for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
		CLEANUP_BUF struct buf content = {0};
		CLEANUP_BUF struct buf out = {0};
		struct bytes in, outer, inner;
		size_t mark;

		for (size_t j = 0; j < sizes[i]; j++)
			buf_add_byte(&content, (uint8_t)j);
		mark = der_begin(&out, DER_SEQUENCE);
		der_put(&out, DER_OCTET_STRING, buf_bytes(&content));
		der_end(&out, mark);
		in = buf_bytes(&out);
		assert_int_equal(der_expect(&in, DER_SEQUENCE, &outer), OK);
		assert_int_equal(in.len, 0);
		assert_int_equal(der_expect(&outer, DER_OCTET_STRING, &inner), OK);
		assert_int_equal(outer.len, 0);
		assert_true(bytes_equal(inner, buf_bytes(&content)));
	}
}

static void assert_uint(struct bytes big_endian, struct bytes expected)
{
	CLEANUP_BUF struct buf out = {0};

	der_put_uint(&out, big_endian);
	assert_true(bytes_equal(buf_bytes(&out), expected));
}

static void integers_are_minimal_and_positive(void **state)
{
	assert_uint(bytes_of("", 0), bytes_of("\x02\x01\x00", 3));
	assert_uint(bytes_of("\0\0", 2), bytes_of("\x02\x01\x00", 3));
	assert_uint(bytes_of("\0\x7f", 2), bytes_of("\x02\x01\x7f", 3));
	assert_uint(bytes_of("\x80", 1), bytes_of("\x02\x02\x00\x80", 4));
	assert_uint(bytes_of("\x01\x00\x01", 3), bytes_of("\x02\x03\x01\x00\x01", 5));
}

static void assert_time(int64_t secs, int64_t us, const char *expected)
{
	CLEANUP_BUF struct buf out = {0};

	der_put_time(&out, secs * 1000000 + us);
	assert_int_equal(out.ptr[1], out.len - 2);
	assert_int_equal(out.ptr[0], out.len == 15 ? DER_UTC_TIME : DER_GENERALIZED_TIME);
	assert_string_equal(buf_str(&out) + 2, expected);
}

static void times_change_their_type_in_2050(void **state)
{
	assert_time(0, 0, "700101000000Z");
	assert_time(1795291200, 999999, "261121200000Z");
	assert_time(2524607999, 0, "491231235959Z");
	assert_time(2524608000, 0, "20500101000000Z");
	assert_time(-1, 500000, "691231235959Z");
	assert_time(0, -1, "691231235959Z");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads_an_element_and_moves_behind_it),
		cmocka_unit_test(refuses_what_is_not_der),
		cmocka_unit_test(leaves_the_input_alone_on_failure),
		cmocka_unit_test(lengths_of_every_form_round_trip),
		cmocka_unit_test(integers_are_minimal_and_positive),
		cmocka_unit_test(times_change_their_type_in_2050),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
