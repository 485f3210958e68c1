/* test_renewal_rules.c — certificate ids (RFC 9773 section 4.1) and suggested windows. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <stdlib.h>
#include <cmocka.h>

#include "lib/acme/renewal_rules.h"
#include "lib/base/clock.h"

#define T0 1790000000LL /* any moment, in seconds */
#define HOURS 3600LL
#define DAYS (24 * HOURS)

/* ---- ids ---- */

static void the_example_of_the_rfc_is_read(void **state)
{
	static const uint8_t key_id[] = {0x69, 0x88, 0x5b, 0x6b, 0x87, 0x46, 0x40, 0x41, 0xe1, 0xb3,
		0x7b, 0x84, 0x7b, 0xa0, 0xae, 0x2c, 0xde, 0x01, 0xc8, 0xd4};
	static const uint8_t serial[] = {0x00, 0x87, 0x65, 0x43, 0x21};
	struct bytes text = bytes_str("aYhba4dGQEHhs3uEe6CuLN4ByNQ.AIdlQyE");
	struct renewal_id id = {0};

	assert_int_equal(renewal_id_parse(text, &id), OK);
	assert_int_equal(id.key_id_len, sizeof(key_id));
	assert_memory_equal(id.key_id, key_id, sizeof(key_id));
	assert_int_equal(id.serial_len, sizeof(serial));
	assert_memory_equal(id.serial, serial, sizeof(serial));
	assert_true(bytes_equal(id.text, text));
}

static void what_is_no_id_is_refused(void **state)
{
	static const char key_id_of_65_octets[] =
		"AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQ"
		"EBAQE.AQ";
	static const char *const texts[] = {
		"",
		".",
		"AA",
		"AA.",
		".AQ",
		"AA.AQ.",
		"AA.AQ.AQ",
		"AA..AQ",
		"aYhba4dGQEHhs3uEe6CuLN4ByNQ=.AIdlQyE=", /* padding */
		"aYhba4dGQEHhs3uEe6CuLN4ByNQ.AIdlQyE=",
		"aYhba4dGQEHhs3uEe6CuLN4ByNR.AIdlQyE", /* bits behind the last byte */
		"AA.AIdlQyF",
		"A+.AQ",
		"A/.AQ",
		"A .AQ",
		"A.AQ",
		"AA.AA",                           /* zero */
		"AA.AAE",                          /* 00 01: not the shortest form */
		"AA.gA",                           /* 80: negative */
		"AA.AQEBAQEBAQEBAQEBAQEBAQEBAQEB", /* 21 octets */
		key_id_of_65_octets,
	};

	for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
		struct renewal_id id = {.key_id_len = 99};

		if (renewal_id_parse(bytes_str(texts[i]), &id) != ERR_SYNTAX || id.key_id_len != 99)
			fail_msg("\"%s\" was taken", texts[i]);
	}
}

static void the_longest_serial_number_is_read(void **state)
{
	struct renewal_id id;

	assert_int_equal(renewal_id_parse(bytes_str("AA.AQEBAQEBAQEBAQEBAQEBAQEBAQE"), &id), OK);
	assert_int_equal(id.serial_len, 20);
	assert_int_equal(renewal_id_parse(bytes_str("AA.AIA"), &id), OK);
	assert_int_equal(id.serial_len, 2);
}

/* ---- windows ---- */

static struct renewal_facts valid_for(int64_t secs)
{
	return (struct renewal_facts){
		.not_before_us = T0 * USEC_PER_SEC,
		.not_after_us = (T0 + secs - 1) * USEC_PER_SEC,
		.revoked_us = INT64_MIN,
		.incident_start_us = INT64_MIN,
	};
}

/* Start and end in seconds from notBefore. */
static void assert_window(const struct conf_profile *profile, const struct renewal_facts *facts,
	int64_t start, int64_t end)
{
	struct renewal_window w = renewal_rules_window(profile, facts);

	assert_int_equal(w.start_us % USEC_PER_SEC, 0);
	assert_int_equal(w.start_us / USEC_PER_SEC - T0, start);
	assert_int_equal(w.end_us / USEC_PER_SEC - T0, end);
}

static void ninety_days_are_renewed_around_the_sixtieth(void **state)
{
	struct conf_profile profile = {.validity_secs = 90 * DAYS};
	struct renewal_facts facts = valid_for(90 * DAYS);

	assert_window(&profile, &facts, 59 * DAYS, 61 * DAYS);
	assert_window(NULL, &facts, 59 * DAYS, 61 * DAYS);
	facts = valid_for(180 * DAYS);
	assert_window(NULL, &facts, 119 * DAYS, 121 * DAYS); /* not wider than two days */
}

static void short_ones_are_renewed_at_half_their_life(void **state)
{
	struct renewal_facts facts = valid_for(9 * DAYS);

	assert_window(NULL, &facts, 4 * DAYS + 12 * HOURS - 8640, 4 * DAYS + 12 * HOURS + 8640);
	facts = valid_for(60);
	assert_window(NULL, &facts, 29, 31);
	facts = valid_for(10 * DAYS);
	assert_window(NULL, &facts, 576000 - 9600, 576000 + 9600);
}

static void a_profile_says_where_the_window_lies(void **state)
{
	struct conf_profile profile = {.validity_secs = 90 * DAYS, .renewal = {.percent = 50}};
	struct renewal_facts facts = valid_for(90 * DAYS);

	assert_window(&profile, &facts, 44 * DAYS, 46 * DAYS);
	profile.renewal = (struct conf_span){.secs = 20 * DAYS};
	assert_window(&profile, &facts, 69 * DAYS, 71 * DAYS);
	/* At the edges it stays within the validity. */
	profile.renewal = (struct conf_span){.secs = 1};
	assert_window(&profile, &facts, 88 * DAYS - 1, 90 * DAYS - 1);
	profile.renewal = (struct conf_span){.secs = 90 * DAYS - 1};
	assert_window(&profile, &facts, 0, 2 * DAYS);
	/* A certificate from before the setting. */
	facts = valid_for(9 * DAYS);
	assert_window(&profile, &facts, 4 * DAYS + 12 * HOURS - 8640, 4 * DAYS + 12 * HOURS + 8640);
}

static void the_window_of_a_revoked_one_is_over(void **state)
{
	struct renewal_facts facts = valid_for(90 * DAYS);

	facts.revoked_us = (T0 + 5 * DAYS) * USEC_PER_SEC + 123;
	facts.incident_start_us = (T0 + 6 * DAYS) * USEC_PER_SEC;
	facts.incident_end_us = (T0 + 7 * DAYS) * USEC_PER_SEC;
	assert_window(NULL, &facts, 4 * DAYS - HOURS, 5 * DAYS - HOURS);
}

static void an_incident_comes_before_the_ordinary_window(void **state)
{
	struct renewal_facts facts = valid_for(90 * DAYS);

	facts.incident_start_us = (T0 + 2 * HOURS) * USEC_PER_SEC + 999999;
	facts.incident_end_us = (T0 + 3 * HOURS) * USEC_PER_SEC + 999999;
	assert_window(NULL, &facts, 2 * HOURS, 3 * HOURS);
	facts.incident_end_us = facts.incident_start_us + 1;
	assert_window(NULL, &facts, 2 * HOURS, 2 * HOURS + 1); /* never empty */
	facts.incident_start_us = (T0 + 59 * DAYS) * USEC_PER_SEC;
	facts.incident_end_us = (T0 + 60 * DAYS) * USEC_PER_SEC;
	assert_window(NULL, &facts, 59 * DAYS, 61 * DAYS);
}

/* RFC 9773 section 4.2: the end is later than the start, for every validity and setting. */
static void no_window_is_empty_or_outside(void **state)
{
	for (int64_t validity = 2; validity < 400 * DAYS; validity += 1 + validity / 7) {
		struct renewal_facts facts = valid_for(validity);

		for (int percent = 0; percent < 100; percent++) {
			struct conf_profile profile = {.renewal = {.percent = percent}};
			struct renewal_window w = renewal_rules_window(&profile, &facts);

			assert_true(w.start_us < w.end_us);
			assert_true(w.start_us >= facts.not_before_us);
			assert_true(validity < 4 || w.end_us <= facts.not_after_us);
		}
	}
}

/* ---- Retry-After ---- */

static void clients_come_back_in_about_the_time_configured(void **state)
{
	struct conf conf = {.orders = {.renewal_check_secs = 6 * HOURS}};
	struct renewal_facts facts = valid_for(90 * DAYS);
	struct renewal_id id = {.serial = {7}, .serial_len = 1};
	int first = renewal_rules_retry_secs(&conf, &id, &facts);

	assert_int_equal(renewal_rules_retry_secs(&conf, &id, &facts), first);
	for (int i = 0; i < 256; i++) {
		int secs;

		id.serial[0] = (uint8_t)i;
		secs = renewal_rules_retry_secs(&conf, &id, &facts);
		assert_in_range(secs, 6 * HOURS * 9 / 10, 6 * HOURS * 11 / 10);
	}
	facts.incident_start_us = 0;
	assert_in_range(renewal_rules_retry_secs(&conf, &id, &facts), 54 * 60, 66 * 60);
	conf.orders.renewal_check_secs = 60;
	assert_int_equal(renewal_rules_retry_secs(&conf, &id, &facts), 60);
	facts.incident_start_us = INT64_MIN;
	conf.orders.renewal_check_secs = DAYS;
	assert_int_equal(renewal_rules_retry_secs(&conf, &id, &facts), DAYS);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_example_of_the_rfc_is_read),
		cmocka_unit_test(what_is_no_id_is_refused),
		cmocka_unit_test(the_longest_serial_number_is_read),
		cmocka_unit_test(ninety_days_are_renewed_around_the_sixtieth),
		cmocka_unit_test(short_ones_are_renewed_at_half_their_life),
		cmocka_unit_test(a_profile_says_where_the_window_lies),
		cmocka_unit_test(the_window_of_a_revoked_one_is_over),
		cmocka_unit_test(an_incident_comes_before_the_ordinary_window),
		cmocka_unit_test(no_window_is_empty_or_outside),
		cmocka_unit_test(clients_come_back_in_about_the_time_configured),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
