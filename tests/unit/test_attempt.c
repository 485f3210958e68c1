/* test_attempt.c — whole attempts by dns-01, and CAA after the challenge: the climb, its failures,
 * its evidence. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>

#include "lib/base/clock.h"
#include "lib/net/dns01.h"
#include "tests/unit/net_world.h"

#define NAME "www.example.test"

static int setup(void **state)
{
	struct world *w = xcalloc(1, sizeof(*w));
	CLEANUP_BUF struct buf want = {0};

	world_init(w);
	world_open(w);
	dns01_expected(WORLD_KEY_AUTHORIZATION, &want);
	fake_dns_add_txt(w->dns, "_acme-challenge." NAME, buf_str(&want));
	*state = w;
	return 0;
}

static int teardown(void **state)
{
	world_done(*state);
	free(*state);
	return 0;
}

static void the_expected_value_is_that_of_the_rfc(void **state)
{
	CLEANUP_BUF struct buf want = {0}, name = {0};

	/* The key authorization of RFC 8555 section 8.1, hashed independently. */
	dns01_expected("evaGxfADs6pSRb2LAv9IZf17Dt3juxGJ-PCt92wr-oA."
		       "nP1qzpXGymHBrUEepNY9HCsQk7K8KhOypzEt62jcerQ",
		&want);
	assert_string_equal(buf_str(&want), "NGwKoXBgCT8JhEa0bK7AwfSqHyu_ZWeugV07fLGIVq0");
	dns01_name("example.test", &name);
	assert_string_equal(buf_str(&name), "_acme-challenge.example.test");
}

static void a_matching_record_proves_the_name(void **state)
{
	struct world *w = *state;

	world_attempt(w, &dns01_method, NAME, false);
	world_expect(w, PROBLEM_NONE, NULL);
	world_expect_evidence(w, "\"br_method\":\"3.2.2.4.7\",\"br_version\":\"2.2.6\"");
	world_expect_evidence(w, "\"result\":\"valid\"");
	world_expect_evidence(w, "\"permitted\":true");
	assert_int_equal(fake_dns_count(w->dns, NAME, DNS_CAA), 1);
	assert_int_equal(fake_dns_count(w->dns, "example.test", DNS_CAA), 1);
	assert_int_equal(fake_dns_count(w->dns, "test", DNS_CAA), 1);
}

static void every_record_is_looked_at_and_its_strings_joined(void **state)
{
	struct world *w = *state;
	CLEANUP_BUF struct buf want = {0}, rdata = {0};

	dns01_expected(WORLD_KEY_AUTHORIZATION, &want);
	fake_dns_clear(w->dns);
	fake_dns_add(w->dns, "_acme-challenge." NAME, DNS_TXT, bytes_of("\xff", 1)); /* malformed */
	fake_dns_add_txt(w->dns, "_acme-challenge." NAME, "something else");
	buf_add_byte(&rdata, 10);
	buf_add(&rdata, want.ptr, 10);
	buf_add_byte(&rdata, 0);
	buf_add_byte(&rdata, 33);
	buf_add(&rdata, want.ptr + 10, 33);
	fake_dns_add(w->dns, "_acme-challenge." NAME, DNS_TXT, buf_bytes(&rdata));
	world_attempt(w, &dns01_method, NAME, true);
	world_expect(w, PROBLEM_NONE, NULL);
}

static void wrong_missing_and_failing_records_are_told_apart(void **state)
{
	struct world *w = *state;

	fake_dns_clear(w->dns);
	world_attempt(w, &dns01_method, NAME, false);
	world_expect(w, PROBLEM_DNS, "no TXT record at _acme-challenge." NAME " (NXDOMAIN");
	assert_false(w->result.hopeless);
	fake_dns_add_txt(w->dns, "_acme-challenge." NAME, "some\x01thing");
	world_attempt(w, &dns01_method, NAME, false);
	world_expect(w, PROBLEM_INCORRECT_RESPONSE, "the first is \"some?thing\"");
	fake_dns_fail(w->dns, "_acme-challenge." NAME, DNS_TXT, DNS_RCODE_SERVFAIL);
	world_attempt(w, &dns01_method, NAME, false);
	world_expect(w, PROBLEM_DNS, "SERVFAIL");
	assert_int_equal(fake_dns_count(w->dns, NAME, DNS_CAA), 0);
}

static void the_deadline_ends_a_lookup_that_hangs(void **state)
{
	struct world *w = *state;
	int64_t begin_ms = clock_mono_ms();

	fake_dns_set_mode(w->dns, "_acme-challenge." NAME, DNS_TXT, FAKE_SILENT);
	world_attempt(w, &dns01_method, NAME, false);
	world_expect(w, PROBLEM_DNS, "timeout");
	world_expect_evidence(w, "\"result\":\"dns\"");
	assert_true(clock_mono_ms() - begin_ms < 3000);
}

static void the_nearest_caa_set_decides(void **state)
{
	struct world *w = *state;

	fake_dns_add_caa(w->dns, "test", 0, "issue", ";");
	world_attempt(w, &dns01_method, NAME, false);
	world_expect(w, PROBLEM_CAA, "the CAA record at test forbids every CA");
	assert_true(w->result.hopeless);
	fake_dns_add_caa(w->dns, "example.test", 0, "issue", "ca.test");
	world_attempt(w, &dns01_method, NAME, false);
	world_expect(w, PROBLEM_NONE, NULL);
	assert_int_equal(fake_dns_count(w->dns, "test", DNS_CAA), 1);
	fake_dns_add_caa(w->dns, NAME, 0, "issue", "other.test");
	world_attempt(w, &dns01_method, NAME, false);
	world_expect(w, PROBLEM_CAA, "permits another CA: 0 issue \"other.test\"");
	world_expect_evidence(w, "\"permitted\":false");
}

static void wildcards_heed_issuewild(void **state)
{
	struct world *w = *state;

	fake_dns_add_caa(w->dns, "example.test", 0, "issue", "ca.test");
	fake_dns_add_caa(w->dns, "example.test", 0, "issuewild", ";");
	world_attempt(w, &dns01_method, NAME, false);
	world_expect(w, PROBLEM_NONE, NULL);
	world_attempt(w, &dns01_method, NAME, true);
	world_expect(w, PROBLEM_CAA, "issuewild");
}

static void account_and_method_are_those_of_the_attempt(void **state)
{
	struct world *w = *state;
	CLEANUP_BUF struct buf want = {0};

	fake_dns_add_caa(w->dns, NAME, 0, "issue",
		"ca.test; accounturi=" WORLD_ACCOUNT "; validationmethods=dns-01");
	world_attempt(w, &dns01_method, NAME, false);
	world_expect(w, PROBLEM_NONE, NULL);
	fake_dns_clear(w->dns);
	fake_dns_add_caa(w->dns, NAME, 0, "issue", "ca.test; validationmethods=http-01");
	dns01_expected(WORLD_KEY_AUTHORIZATION, &want);
	fake_dns_add_txt(w->dns, "_acme-challenge." NAME, buf_str(&want));
	world_attempt(w, &dns01_method, NAME, false);
	world_expect(w, PROBLEM_CAA, "validationmethods");
}

static void a_failing_lookup_anywhere_on_the_climb_is_no_permission(void **state)
{
	static const char *const steps[] = {NAME, "example.test", "test"};
	struct world *w = *state;

	for (size_t i = 0; i < ARRAY_LEN(steps); i++) {
		fake_dns_fail(w->dns, steps[i], DNS_CAA, DNS_RCODE_SERVFAIL);
		world_attempt(w, &dns01_method, NAME, false);
		world_expect(w, PROBLEM_DNS, "CAA");
		assert_non_null(strstr(w->result.problem.detail, steps[i]));
		assert_false(w->result.hopeless);
		fake_dns_fail(w->dns, steps[i], DNS_CAA, 0);
	}
	fake_dns_set_mode(w->dns, "example.test", DNS_CAA, FAKE_SILENT);
	world_attempt(w, &dns01_method, NAME, false);
	world_expect(w, PROBLEM_DNS, "timeout");
	fake_dns_set_mode(w->dns, "example.test", DNS_CAA, FAKE_ALWAYS_TC);
	world_attempt(w, &dns01_method, NAME, false);
	world_expect(w, PROBLEM_DNS, "truncated");
	fake_dns_add_caa(w->dns, "example.test", 0, "issue", "ca.test");
	fake_dns_set_mode(w->dns, "example.test", DNS_CAA, FAKE_GARBAGE);
	world_attempt(w, &dns01_method, NAME, false);
	world_expect(w, PROBLEM_DNS, "malformed");
	fake_dns_set_mode(w->dns, "example.test", DNS_CAA, FAKE_ANSWER);
	world_attempt(w, &dns01_method, NAME, false);
	world_expect(w, PROBLEM_NONE, NULL);
}

static void never_done(void *arg, struct attempt_result *result_take)
{
	fail_msg("a cancelled attempt has a result");
}

static void cancelled_attempts_leave_nothing_behind(void **state)
{
	struct world *w = *state;
	struct attempt_request rq = {.method = &dns01_method,
		.name = NAME,
		.token = WORLD_TOKEN,
		.key_authorization = WORLD_KEY_AUTHORIZATION,
		.account_uri = WORLD_ACCOUNT};
	struct attempt *early = attempt_start(w->px, &rq, never_done, NULL);
	struct attempt *late = attempt_start(w->px, &rq, never_done, NULL);

	attempt_cancel(early);
	fake_dns_set_mode(w->dns, NAME, DNS_CAA, FAKE_SILENT);
	while (fake_dns_count(w->dns, NAME, DNS_CAA) == 0)
		assert_int_equal(loop_once(w->loop, 100), OK);
	attempt_cancel(late);
	assert_int_equal(loop_once(w->loop, 50), OK);
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_expected_value_is_that_of_the_rfc),
		TEST(a_matching_record_proves_the_name),
		TEST(every_record_is_looked_at_and_its_strings_joined),
		TEST(wrong_missing_and_failing_records_are_told_apart),
		TEST(the_deadline_ends_a_lookup_that_hangs),
		TEST(the_nearest_caa_set_decides),
		TEST(wildcards_heed_issuewild),
		TEST(account_and_method_are_those_of_the_attempt),
		TEST(a_failing_lookup_anywhere_on_the_climb_is_no_permission),
		TEST(cancelled_attempts_leave_nothing_behind),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
