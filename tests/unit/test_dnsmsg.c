/* test_dnsmsg.c — DNS answers: records are those of the question, at the end of its aliases;
 * anything malformed spoils all. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>

#include "lib/net/dnsmsg.h"

#define NAME "www.example.test"

static void put16(struct buf *out, unsigned v)
{
	buf_add_byte(out, (uint8_t)(v >> 8));
	buf_add_byte(out, (uint8_t)v);
}

static void put_name(struct buf *out, const char *name)
{
	for (const char *label = name; *label != '\0';) {
		size_t len = strcspn(label, ".");

		buf_add_byte(out, (uint8_t)len);
		buf_add(out, label, len);
		label += len + (label[len] == '.');
	}
	buf_add_byte(out, 0);
}

static void put_record(struct buf *out, const char *owner, unsigned type, struct bytes rdata)
{
	put_name(out, owner);
	put16(out, type);
	put16(out, 1);
	put16(out, 0);
	put16(out, 300);
	put16(out, (unsigned)rdata.len);
	buf_add(out, rdata.ptr, rdata.len);
}

static void put_cname(struct buf *out, const char *owner, const char *target)
{
	CLEANUP_BUF struct buf rdata = {0};

	put_name(&rdata, target);
	put_record(out, owner, DNS_CNAME, buf_bytes(&rdata));
}

/* Header and question; the counts follow what is appended afterwards. */
static void begin(struct buf *out, unsigned flags, unsigned nanswers, unsigned nauthority,
	unsigned nadditional)
{
	put16(out, 0x1234);
	put16(out, 0x8000 | flags);
	put16(out, 1);
	put16(out, nanswers);
	put16(out, nauthority);
	put16(out, nadditional);
	put_name(out, NAME);
	put16(out, DNS_TXT);
	put16(out, 1);
}

static const struct bytes hello = {(const uint8_t *)"\5hello", 6};
static const struct bytes other = {(const uint8_t *)"\5other", 6};

static void a_query_asks_for_authentication(void **state)
{
	CLEANUP_BUF struct buf q = {0};

	assert_int_equal(dnsmsg_query(0xabcd, "_x.Example.test", DNS_CAA, &q), OK);
	assert_memory_equal(q.ptr, "\xab\xcd\x01\x20\0\1\0\0\0\0\0\1\2_x\7example\4test\0\1\1\0\1",
		33);
	/* OPT at the end: 1232 bytes, DO. */
	assert_memory_equal(q.ptr + q.len - 11, "\0\0\x29\x04\xd0\0\0\x80\0\0\0", 11);
}

static void the_root_can_be_asked(void **state)
{
	CLEANUP_BUF struct buf q = {0};

	assert_int_equal(dnsmsg_query(1, ".", DNS_SOA, &q), OK);
	assert_memory_equal(q.ptr + 12, "\0\0\6\0\1", 5);
}

static void odd_names_are_not_asked(void **state)
{
	static const char *const bad[] = {"", "..", "a..b", ".a", "a.", "a b", "a\\.b", "*.a",
		"a/b", "0123456789012345678901234567890123456789012345678901234567890123.test"};
	CLEANUP_BUF struct buf q = {0};

	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		assert_int_equal(dnsmsg_query(1, bad[i], DNS_A, &q), ERR_SYNTAX);
	assert_int_equal(q.len, 0);
}

static void records_of_the_name_are_collected(void **state)
{
	CLEANUP_BUF struct buf p = {0};
	struct dnsmsg msg;

	begin(&p, 0x0180 | 0x0020, 4, 0, 0);
	put_record(&p, NAME, DNS_TXT, hello);
	put_record(&p, "evil.test", DNS_TXT, other);
	put_record(&p, NAME, DNS_A, bytes_of("\1\2\3\4", 4));
	put_record(&p, "WWW.EXAMPLE.TEST", DNS_TXT, other);
	assert_int_equal(dnsmsg_parse(buf_bytes(&p), NAME, DNS_TXT, &msg), OK);
	assert_int_equal(msg.rcode, DNS_RCODE_NOERROR);
	assert_true(msg.authenticated);
	assert_false(msg.truncated);
	assert_int_equal(msg.nrecords, 2);
	assert_true(bytes_equal(msg.records[0], hello) && bytes_equal(msg.records[1], other));
}

static void aliases_are_followed_in_any_order(void **state)
{
	CLEANUP_BUF struct buf p = {0};
	struct dnsmsg msg;

	begin(&p, 0x0180, 4, 0, 0);
	put_record(&p, "c.test", DNS_TXT, hello);
	put_cname(&p, "b.test", "C.test");
	put_cname(&p, NAME, "b.test");
	put_record(&p, "b2.test", DNS_TXT, other);
	assert_int_equal(dnsmsg_parse(buf_bytes(&p), NAME, DNS_TXT, &msg), OK);
	assert_int_equal(msg.nrecords, 1);
	assert_true(bytes_equal(msg.records[0], hello));
}

static void an_alias_without_records_at_its_end_is_empty(void **state)
{
	CLEANUP_BUF struct buf p = {0};
	struct dnsmsg msg;

	begin(&p, 0x0183, 1, 0, 0);
	put_cname(&p, NAME, "gone.test");
	assert_int_equal(dnsmsg_parse(buf_bytes(&p), NAME, DNS_TXT, &msg), OK);
	assert_int_equal(msg.rcode, DNS_RCODE_NXDOMAIN);
	assert_int_equal(msg.nrecords, 0);
}

static void alias_loops_and_forks_are_refused(void **state)
{
	CLEANUP_BUF struct buf loop = {0}, fork = {0}, longer = {0};
	struct dnsmsg msg;

	begin(&loop, 0x0180, 2, 0, 0);
	put_cname(&loop, NAME, "b.test");
	put_cname(&loop, "b.test", NAME);
	assert_int_equal(dnsmsg_parse(buf_bytes(&loop), NAME, DNS_TXT, &msg), ERR_LIMIT);

	begin(&fork, 0x0180, 2, 0, 0);
	put_cname(&fork, NAME, "b.test");
	put_cname(&fork, NAME, "c.test");
	assert_int_equal(dnsmsg_parse(buf_bytes(&fork), NAME, DNS_TXT, &msg), ERR_SYNTAX);

	begin(&longer, 0x0180, 20, 0, 0);
	put_cname(&longer, NAME, "a00.test");
	for (int i = 0; i < 19; i++) {
		char from[32], to[32];

		snprintf(from, sizeof(from), "a%02d.test", i);
		snprintf(to, sizeof(to), "a%02d.test", i + 1);
		put_cname(&longer, from, to);
	}
	assert_int_equal(dnsmsg_parse(buf_bytes(&longer), NAME, DNS_TXT, &msg), ERR_LIMIT);
}

static void answers_to_other_questions_are_refused(void **state)
{
	CLEANUP_BUF struct buf p = {0};
	struct dnsmsg msg;

	begin(&p, 0x0180, 0, 0, 0);
	assert_int_equal(dnsmsg_parse(buf_bytes(&p), NAME, DNS_TXT, &msg), OK);
	assert_int_equal(dnsmsg_parse(buf_bytes(&p), "example.test", DNS_TXT, &msg), ERR_SYNTAX);
	assert_int_equal(dnsmsg_parse(buf_bytes(&p), NAME, DNS_CAA, &msg), ERR_SYNTAX);
	p.ptr[2] &= 0x7f; /* a query */
	assert_int_equal(dnsmsg_parse(buf_bytes(&p), NAME, DNS_TXT, &msg), ERR_SYNTAX);
}

static void extended_errors_are_read_from_opt(void **state)
{
	CLEANUP_BUF struct buf p = {0};
	struct dnsmsg msg;

	begin(&p, 0x0182, 0, 0, 1);
	buf_add(&p,
		"\0\0\x29\x04\xd0\0\0\0\0\0\x0e\0\x0f\0\x0a\0\x06"
		"no good!",
		25);
	assert_int_equal(dnsmsg_parse(buf_bytes(&p), NAME, DNS_TXT, &msg), OK);
	assert_int_equal(msg.rcode, DNS_RCODE_SERVFAIL);
	assert_int_equal(msg.ede_code, 6);
	assert_true(bytes_is(msg.ede_text, "no good!"));
	assert_string_equal(dns_ede_name(6), "DNSSEC bogus");
}

static void compression_works_backwards_only(void **state)
{
	CLEANUP_BUF struct buf p = {0};
	struct dnsmsg msg;
	size_t at;

	begin(&p, 0x0180, 1, 0, 0);
	at = p.len;
	buf_add(&p, "\xc0\x0c\0\x10\0\1\0\0\0\0\0\6\5hello", 18);
	assert_int_equal(dnsmsg_parse(buf_bytes(&p), NAME, DNS_TXT, &msg), OK);
	assert_int_equal(msg.nrecords, 1);
	for (unsigned target = (unsigned)at; target < 0x4000; target += 7) {
		p.ptr[at] = (uint8_t)(0xc0 | target >> 8);
		p.ptr[at + 1] = (uint8_t)target;
		assert_int_equal(dnsmsg_parse(buf_bytes(&p), NAME, DNS_TXT, &msg), ERR_SYNTAX);
	}
	p.ptr[at] = 0x80; /* reserved label kind */
	assert_int_equal(dnsmsg_parse(buf_bytes(&p), NAME, DNS_TXT, &msg), ERR_SYNTAX);
}

static void cut_and_lengthened_messages_are_refused(void **state)
{
	CLEANUP_BUF struct buf p = {0};
	struct dnsmsg msg;

	begin(&p, 0x0180, 2, 0, 1);
	put_cname(&p, NAME, "b.test");
	put_record(&p, "b.test", DNS_TXT, hello);
	buf_add(&p, "\0\0\x29\x04\xd0\0\0\0\0\0\0", 11);
	assert_int_equal(dnsmsg_parse(buf_bytes(&p), NAME, DNS_TXT, &msg), OK);
	for (size_t len = 0; len < p.len; len++)
		assert_int_equal(dnsmsg_parse(bytes_of(p.ptr, len), NAME, DNS_TXT, &msg),
			ERR_SYNTAX);
	buf_add_byte(&p, 0);
	assert_int_equal(dnsmsg_parse(buf_bytes(&p), NAME, DNS_TXT, &msg), ERR_SYNTAX);
}

static void too_many_records_are_refused(void **state)
{
	CLEANUP_BUF struct buf p = {0};
	struct dnsmsg msg;

	begin(&p, 0x0180, DNSMSG_RECORDS_MAX + 1, 0, 0);
	for (int i = 0; i < DNSMSG_RECORDS_MAX + 1; i++)
		put_record(&p, NAME, DNS_TXT, hello);
	assert_int_equal(dnsmsg_parse(buf_bytes(&p), NAME, DNS_TXT, &msg), ERR_LIMIT);
}

static void character_strings_are_joined(void **state)
{
	CLEANUP_BUF struct buf out = {0};

	assert_int_equal(dnsmsg_txt_join(bytes_of("\3abc\0\2de", 8), &out), OK);
	assert_string_equal(buf_str(&out), "abcde");
	assert_int_equal(dnsmsg_txt_join(bytes_of("", 0), &out), ERR_SYNTAX);
	assert_int_equal(dnsmsg_txt_join(bytes_of("\3ab", 3), &out), ERR_SYNTAX);
	assert_int_equal(dnsmsg_txt_join(bytes_of("\1a\5", 3), &out), ERR_SYNTAX);
	assert_string_equal(buf_str(&out), "abcde");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_query_asks_for_authentication),
		cmocka_unit_test(the_root_can_be_asked),
		cmocka_unit_test(odd_names_are_not_asked),
		cmocka_unit_test(records_of_the_name_are_collected),
		cmocka_unit_test(aliases_are_followed_in_any_order),
		cmocka_unit_test(an_alias_without_records_at_its_end_is_empty),
		cmocka_unit_test(alias_loops_and_forks_are_refused),
		cmocka_unit_test(answers_to_other_questions_are_refused),
		cmocka_unit_test(extended_errors_are_read_from_opt),
		cmocka_unit_test(compression_works_backwards_only),
		cmocka_unit_test(cut_and_lengthened_messages_are_refused),
		cmocka_unit_test(too_many_records_are_refused),
		cmocka_unit_test(character_strings_are_joined),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
