/* test_order_rules.c — newOrder payloads: what comes out, and every way to be refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "lib/acme/order_rules.h"
#include "lib/base/clock.h"
#include "tests/unit/acme_make.h"

#define PROFILES                                                                                   \
	MAKE_SERVER "[orders]\nnames_max = 4\n[profile classic]\nvalidity = 90d\n"                 \
		    "[profile short]\nvalidity = 6d\nnames_max = 2\n"
#define DNS(name) "{\"type\":\"dns\",\"value\":\"" name "\"}"

/* 2026-11-21T12:00:00Z */
static const int64_t now = 1795262400LL * USEC_PER_SEC;

static int run(const struct conf *conf, const char *text, struct problem *pb,
	struct order_wish **ret)
{
	CLEANUP(jx_free) struct jx *payload = make_json(text);

	return order_rules_new(conf, payload, now, pb, ret);
}

static void expect_refused(const struct conf *conf, const char *text, enum problem_type type)
{
	CLEANUP_PROBLEM struct problem pb = {0};
	CLEANUP(order_rules_free) struct order_wish *wish = NULL;
	int err = run(conf, text, &pb, &wish);

	if (err != ERR_PROBLEM || pb.type != type)
		print_error("%s: err %d, %s: %s\n", text, err, problem_type_name(pb.type),
			pb.detail);
	assert_int_equal(err, ERR_PROBLEM);
	assert_int_equal(pb.type, type);
	assert_null(wish);
}

static struct order_wish *expect_taken(const struct conf *conf, const char *text)
{
	CLEANUP_PROBLEM struct problem pb = {0};
	struct order_wish *wish = NULL;
	int err = run(conf, text, &pb, &wish);

	if (err != OK)
		print_error("%s: %s\n", text, pb.detail);
	assert_int_equal(err, OK);
	return wish;
}

static void names_come_out_canonical_sorted_and_once(void **state)
{
	CLEANUP(conf_free) struct conf *conf = make_conf(PROFILES);
	CLEANUP(order_rules_free)
	struct order_wish *wish = expect_taken(conf,
		"{\"identifiers\":[" DNS("b.test.example") "," DNS("A.test.example") "," DNS(
			"B.TEST.example") "," DNS("*.test.example") "],\"replaced\":\"x\","
								    "\"unknown\":{\"a\":[1]}}");

	assert_int_equal(wish->count, 3);
	assert_true(bytes_is(wish->names[0], "*.test.example"));
	assert_true(bytes_is(wish->names[1], "a.test.example"));
	assert_true(bytes_is(wish->names[2], "b.test.example"));
	assert_string_equal(wish->profile->name, "classic");
	assert_true(wish->not_before_us == INT64_MIN && wish->not_after_us == INT64_MIN);
}

static void redundant_names_are_taken_both(void **state)
{
	CLEANUP(conf_free) struct conf *conf = make_conf(PROFILES);
	CLEANUP(order_rules_free)
	struct order_wish *wish =
		expect_taken(conf, "{\"identifiers\":[" DNS("*.x.test") "," DNS("www.x.test") "]}");

	assert_int_equal(wish->count, 2);
}

static void malformed_payloads_are_refused(void **state)
{
	CLEANUP(conf_free) struct conf *conf = make_conf(PROFILES);
	static const char *const rows[] = {
		"{}",
		"{\"identifiers\":null}",
		"{\"identifiers\":{}}",
		"{\"identifiers\":\"x.test\"}",
		"{\"identifiers\":[]}",
		"{\"identifiers\":[null]}",
		"{\"identifiers\":[\"x.test\"]}",
		"{\"identifiers\":[{\"type\":\"dns\"}]}",
		"{\"identifiers\":[{\"value\":\"x.test\"}]}",
		"{\"identifiers\":[{\"type\":1,\"value\":\"x.test\"}]}",
		"{\"identifiers\":[{\"type\":\"dns\",\"value\":7}]}",
		"{\"identifiers\":[{\"type\":\"dns\",\"value\":[\"x.test\"]}]}",
		"{\"identifiers\":[" DNS("") "]}",
		"{\"identifiers\":[" DNS("x.test\\u0000") "]}",
		"{\"identifiers\":[" DNS("a.test.x") "," DNS("b.test.x") "," DNS(
			"c.test.x") "," DNS("d.test.x") "," DNS("e.test.x") "]}",
		"{\"identifiers\":[" DNS("x.test") "],\"profile\":7}",
		"{\"identifiers\":[" DNS("x.test") "],\"profile\":null}",
		"{\"identifiers\":[" DNS("x.test") "],\"notBefore\":1}",
		"{\"identifiers\":[" DNS("x.test") "],\"notBefore\":\"\"}",
		"{\"identifiers\":[" DNS("x.test") "],\"notBefore\":\"tomorrow\"}",
		"{\"identifiers\":[" DNS("x.test") "],\"notAfter\":\"2026-12-01\"}",
		"{\"identifiers\":[" DNS("x.test") "],\"notAfter\":\"2026-12-01 00:00:00Z\"}",
		"{\"identifiers\":[" DNS("x.test") "],\"notAfter\":\"2026-12-01T00:00:00\"}",
		"{\"identifiers\":[" DNS("x.test") "],\"notAfter\":\"2026-02-30T00:00:00Z\"}",
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		expect_refused(conf, rows[i], PROBLEM_MALFORMED);
}

static void other_types_are_unsupported(void **state)
{
	CLEANUP(conf_free) struct conf *conf = make_conf(PROFILES);

	expect_refused(conf, "{\"identifiers\":[{\"type\":\"ip\",\"value\":\"192.0.2.1\"}]}",
		PROBLEM_UNSUPPORTED_IDENTIFIER);
	expect_refused(conf, "{\"identifiers\":[{\"type\":\"DNS\",\"value\":\"x.test\"}]}",
		PROBLEM_UNSUPPORTED_IDENTIFIER);
	expect_refused(conf, "{\"identifiers\":[{\"type\":\"\",\"value\":\"x.test\"}]}",
		PROBLEM_UNSUPPORTED_IDENTIFIER);
	expect_refused(conf, "{\"identifiers\":[{\"type\":\"dns\\u0000\",\"value\":\"x.test\"}]}",
		PROBLEM_UNSUPPORTED_IDENTIFIER);
	expect_refused(conf, "{\"identifiers\":[" DNS("127.0.0.1") "]}",
		PROBLEM_REJECTED_IDENTIFIER);
	expect_refused(conf, "{\"identifiers\":[" DNS("x.test") "],\"profile\":\"none\"}",
		PROBLEM_INVALID_PROFILE);
	expect_refused(conf, "{\"identifiers\":[" DNS("x.test") "],\"profile\":\"\"}",
		PROBLEM_INVALID_PROFILE);
}

static void several_bad_names_make_a_compound(void **state)
{
	CLEANUP(conf_free) struct conf *conf = make_conf(PROFILES);
	CLEANUP_PROBLEM struct problem pb = {0};
	CLEANUP(order_rules_free) struct order_wish *wish = NULL;

	assert_int_equal(run(conf,
				 "{\"identifiers\":[" DNS("co.uk") "," DNS("good.test") "," DNS(
					 "a_b.test") ",{\"type\":\"ip\","
						     "\"value\":\"192.0.2.1\"}]}",
				 &pb, &wish),
		ERR_PROBLEM);
	assert_int_equal(pb.type, PROBLEM_COMPOUND);
	assert_int_equal(pb.nsubs, 3);
	assert_int_equal(pb.subs[0].type, PROBLEM_REJECTED_IDENTIFIER);
	assert_string_equal(pb.subs[0].identifier, "co.uk");
	assert_string_equal(pb.subs[1].identifier, "a_b.test");
	assert_int_equal(pb.subs[2].type, PROBLEM_UNSUPPORTED_IDENTIFIER);
	assert_null(pb.subs[2].identifier);
}

static void the_profile_bounds_names_too(void **state)
{
	CLEANUP(conf_free) struct conf *conf = make_conf(PROFILES);
	CLEANUP(order_rules_free)
	struct order_wish *wish = expect_taken(conf,
		"{\"identifiers\":[" DNS("a.test") "," DNS("b.test") "],\"profile\":\"short\"}");

	assert_string_equal(wish->profile->name, "short");
	expect_refused(conf,
		"{\"identifiers\":[" DNS("a.test") "," DNS("b.test") "," DNS(
			"c.test") "],\"profile\":\"short\"}",
		PROBLEM_MALFORMED);
}

static void dates_are_kept_to_the_second(void **state)
{
	CLEANUP(conf_free) struct conf *conf = make_conf(PROFILES);
	CLEANUP(order_rules_free)
	struct order_wish *wish = expect_taken(conf,
		"{\"identifiers\":[" DNS("a.test") "],\"notBefore\":\"2026-11-21T14:00:00+01:00\","
						   "\"notAfter\":\"2026-12-21T13:00:00.75Z\"}");

	assert_true(wish->not_before_us == now + 3600 * USEC_PER_SEC);
	assert_true(wish->not_after_us == now + (30 * 86400 + 3600) * USEC_PER_SEC);
}

/* Offsets in seconds from now; NONE = not asked. */
#define NONE INT64_MIN
static int64_t at(int64_t offset)
{
	return offset == NONE ? INT64_MIN : now + offset * USEC_PER_SEC;
}

static void dates_outside_the_policy_are_refused(void **state)
{
	const struct conf_profile profile = {.name = (char *)"p", .validity_secs = 90 * 86400};
	const int64_t day = 86400;
	const struct {
		int64_t before;
		int64_t after;
		bool taken;
	} rows[] = {
		{NONE, NONE, true},
		{0, NONE, true},
		{-2 * day, NONE, true},
		{-2 * day - 1, NONE, false},
		{2 * day, NONE, true},
		{2 * day + 1, NONE, false},
		{NONE, 1, true},
		{NONE, 0, false},
		{NONE, -1, false},
		{NONE, 90 * day - 1, true},
		{NONE, 90 * day, false},
		{NONE, 10000 * day, false},
		{day, 91 * day - 1, true},
		{day, 91 * day, false},
		{day, day, false},
		{day, day - 1, false},
		{-day, -1, false},
		{-day, 89 * day - 1, true},
		{-day, 89 * day, false},
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		CLEANUP_PROBLEM struct problem pb = {0};
		int err = order_rules_check_dates(&profile, at(rows[i].before), at(rows[i].after),
			now, &pb);

		if ((err == OK) != rows[i].taken)
			print_error("row %zu: %d\n", i, err);
		assert_int_equal(err, rows[i].taken ? OK : ERR_PROBLEM);
		assert_int_equal(pb.type, rows[i].taken ? PROBLEM_NONE : PROBLEM_MALFORMED);
	}
}

/* RFC 9773 section 5. */
static void a_predecessor_is_named_by_its_id(void **state)
{
	CLEANUP(conf_free) struct conf *conf = make_conf(PROFILES);
	CLEANUP(order_rules_free)
	struct order_wish *wish = expect_taken(conf,
		"{\"identifiers\":[" DNS("a.test.example") "],\"replaces\":\"AQI.Aw\"}");
	CLEANUP(order_rules_free)
	struct order_wish *other =
		expect_taken(conf, "{\"identifiers\":[" DNS("a.test.example") "]}");

	assert_int_equal(wish->replaces.key_id_len, 2);
	assert_int_equal(wish->replaces.serial_len, 1);
	assert_int_equal(wish->replaces.serial[0], 3);
	assert_null(other->replaces.text.ptr);
	expect_refused(conf, "{\"identifiers\":[" DNS("a.test.example") "],\"replaces\":\"AQI\"}",
		PROBLEM_MALFORMED);
	expect_refused(conf, "{\"identifiers\":[" DNS("a.test.example") "],\"replaces\":\"\"}",
		PROBLEM_MALFORMED);
	expect_refused(conf, "{\"identifiers\":[" DNS("a.test.example") "],\"replaces\":null}",
		PROBLEM_MALFORMED);
	expect_refused(conf,
		"{\"identifiers\":[" DNS("a.test.example") "],\"replaces\":[\"AQI.Aw\"]}",
		PROBLEM_MALFORMED);
}

static void reuse_needs_a_remaining_life(void **state)
{
	struct conf conf = {0};

	conf.orders.order_secs = 7 * 86400;
	assert_true(order_rules_min_reuse(&conf, now) == now + 7 * 86400 / 8 * USEC_PER_SEC);
	conf.orders.order_secs = 60;
	assert_true(order_rules_min_reuse(&conf, now) == now + 3600 * USEC_PER_SEC);
	conf.orders.order_secs = 90 * 86400;
	assert_true(order_rules_min_reuse(&conf, now) == now + 86400 * USEC_PER_SEC);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names_come_out_canonical_sorted_and_once),
		cmocka_unit_test(redundant_names_are_taken_both),
		cmocka_unit_test(malformed_payloads_are_refused),
		cmocka_unit_test(other_types_are_unsupported),
		cmocka_unit_test(several_bad_names_make_a_compound),
		cmocka_unit_test(the_profile_bounds_names_too),
		cmocka_unit_test(dates_are_kept_to_the_second),
		cmocka_unit_test(dates_outside_the_policy_are_refused),
		cmocka_unit_test(a_predecessor_is_named_by_its_id),
		cmocka_unit_test(reuse_needs_a_remaining_life),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
