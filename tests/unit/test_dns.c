/* test_dns.c — asking a resolver: every way an answer can fail is a failure, and none is taken for
 * "nothing there". */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>

#include "lib/base/clock.h"
#include "tests/unit/net_world.h"

struct seen {
	bool done;
	enum dns_status status;
	bool authenticated;
	size_t nrecords;
	char reason[DNS_REASON_LEN];
};

static void on_answer(void *arg, const struct dns_answer *answer)
{
	struct seen *seen = arg;

	seen->done = true;
	seen->status = answer->status;
	seen->authenticated = answer->authenticated;
	seen->nrecords = answer->nrecords;
	snprintf(seen->reason, sizeof(seen->reason), "%s", answer->reason);
}

static struct seen ask(struct world *w, const char *name, enum dns_type type)
{
	struct seen seen = {.done = false};

	dns_ask(w->px->dns, name, type, on_answer, &seen);
	assert_false(seen.done);
	run_until(w->loop, &seen.done, 15000);
	return seen;
}

static int setup(void **state)
{
	struct world *w = xcalloc(1, sizeof(*w));

	world_init(w);
	world_open(w);
	*state = w;
	return 0;
}

static int teardown(void **state)
{
	world_done(*state);
	free(*state);
	return 0;
}

static void records_names_and_nothing_are_told_apart(void **state)
{
	struct world *w = *state;

	fake_dns_add_txt(w->dns, "a.test", "hello");
	fake_dns_add_txt(w->dns, "a.test", "again");
	assert_int_equal(ask(w, "a.test", DNS_TXT).nrecords, 2);
	assert_int_equal(ask(w, "a.test", DNS_TXT).status, DNS_FOUND);
	assert_int_equal(ask(w, "A.TEST", DNS_CAA).status, DNS_NODATA);
	assert_int_equal(ask(w, "b.test", DNS_TXT).status, DNS_NXDOMAIN);
}

static void refusals_of_the_resolver_are_failures(void **state)
{
	static const int rcodes[] = {DNS_RCODE_FORMERR, DNS_RCODE_SERVFAIL, DNS_RCODE_NOTIMP,
		DNS_RCODE_REFUSED, 9};
	struct world *w = *state;

	for (size_t i = 0; i < ARRAY_LEN(rcodes); i++) {
		fake_dns_fail(w->dns, "a.test", DNS_CAA, rcodes[i]);
		assert_int_equal(ask(w, "a.test", DNS_CAA).status, DNS_FAILED);
	}
	assert_int_equal(fake_dns_count(w->dns, "a.test", DNS_CAA), (int)ARRAY_LEN(rcodes));
	fake_dns_fail(w->dns, "a.test", DNS_CAA, DNS_RCODE_SERVFAIL);
	assert_string_equal(ask(w, "a.test", DNS_CAA).reason, "SERVFAIL");
}

static void the_ad_bit_is_read(void **state)
{
	struct world *w = *state;

	assert_false(ask(w, "a.test", DNS_CAA).authenticated);
	fake_dns_set_authenticated(w->dns, true);
	assert_true(ask(w, "a.test", DNS_CAA).authenticated);
}

static void malformed_answers_are_failures(void **state)
{
	struct world *w = *state;

	fake_dns_add_txt(w->dns, "a.test", "hello");
	fake_dns_set_mode(w->dns, "a.test", DNS_TXT, FAKE_GARBAGE);
	assert_int_equal(ask(w, "a.test", DNS_TXT).status, DNS_FAILED);
}

static void an_empty_datagram_does_not_stop_the_resolver(void **state)
{
	struct world *w = *state;

	fake_dns_add_txt(w->dns, "a.test", "hello");
	fake_dns_set_mode(w->dns, "a.test", DNS_TXT, FAKE_EMPTY);
	assert_int_equal(ask(w, "a.test", DNS_TXT).status, DNS_FOUND);
	assert_int_equal(ask(w, "a.test", DNS_TXT).status, DNS_FOUND);
}

static void truncated_answers_are_fetched_over_tcp(void **state)
{
	struct world *w = *state;

	for (int i = 0; i < 60; i++)
		fake_dns_add_txt(w->dns, "a.test",
			"sixty records of some length make more than fits in one datagram");
	fake_dns_set_mode(w->dns, "a.test", DNS_TXT, FAKE_TRUNCATED);
	assert_int_equal(ask(w, "a.test", DNS_TXT).nrecords, 60);
	fake_dns_set_mode(w->dns, "a.test", DNS_TXT, FAKE_ALWAYS_TC);
	assert_int_equal(ask(w, "a.test", DNS_TXT).status, DNS_FAILED);
}

static void silence_is_a_failure_in_bounded_time(void **state)
{
	struct world *w = *state;
	int64_t begin_ms = clock_mono_ms();

	fake_dns_set_mode(w->dns, "a.test", DNS_CAA, FAKE_SILENT);
	assert_int_equal(ask(w, "a.test", DNS_CAA).status, DNS_FAILED);
	assert_true(clock_mono_ms() - begin_ms < 12000);
	assert_int_equal(fake_dns_count(w->dns, "a.test", DNS_CAA), 2);
}

static void names_that_cannot_be_asked_fail_without_a_query(void **state)
{
	struct world *w = *state;

	assert_int_equal(ask(w, "a..test", DNS_A).status, DNS_FAILED);
	assert_int_equal(ask(w, "", DNS_A).status, DNS_FAILED);
}

static void a_cancelled_query_is_never_answered(void **state)
{
	struct world *w = *state;
	struct seen cancelled = {.done = false};
	struct dns_query *q = dns_ask(w->px->dns, "a.test", DNS_A, on_answer, &cancelled);

	dns_cancel(q);
	(void)ask(w, "b.test", DNS_A);
	assert_false(cancelled.done);
	/* Left under way for teardown: */
	dns_ask(w->px->dns, "c.test", DNS_A, on_answer, &cancelled);
	dns_ask(w->px->dns, "..", DNS_A, on_answer, &cancelled);
}

static void a_dead_resolver_is_a_failure(void **state)
{
	struct world w;

	world_init(&w);
	snprintf(w.texts[1], sizeof(w.texts[1]), "127.0.0.1:1");
	world_open(&w);
	assert_string_equal(dns_resolvers(w.px->dns), "127.0.0.1:1");
	assert_int_equal(ask(&w, "a.test", DNS_A).status, DNS_FAILED);
	world_done(&w);
}

static void a_resolver_that_does_not_validate_fails_where_dnssec_is_required(void **state)
{
	struct world w;

	world_init(&w);
	w.conf.validation.dnssec_require = true;
	world_open(&w);
	fake_dns_add_txt(w.dns, "a.test", "hello");
	while (fake_dns_count(w.dns, "", DNS_SOA) == 0)
		assert_int_equal(loop_once(w.loop, 100), OK);
	assert_int_equal(ask(&w, "a.test", DNS_TXT).status, DNS_FAILED);
	assert_int_equal(ask(&w, "b.test", DNS_TXT).status, DNS_FAILED);
	fake_dns_set_mode(w.dns, "a.test", DNS_TXT, FAKE_SIGNED);
	assert_int_equal(ask(&w, "a.test", DNS_TXT).status, DNS_FOUND);
	world_done(&w);
}

static void unsigned_zones_are_fine_behind_a_resolver_that_validates(void **state)
{
	struct world w;

	world_init(&w);
	w.conf.validation.dnssec_require = true;
	fake_dns_set_mode(w.dns, "", DNS_SOA, FAKE_SIGNED);
	fake_dns_add_txt(w.dns, "a.test", "hello");
	world_open(&w);
	while (fake_dns_count(w.dns, "", DNS_SOA) == 0)
		assert_int_equal(loop_once(w.loop, 100), OK);
	assert_int_equal(ask(&w, "a.test", DNS_TXT).status, DNS_FOUND);
	assert_int_equal(ask(&w, "b.test", DNS_TXT).status, DNS_NXDOMAIN);
	fake_dns_fail(w.dns, "a.test", DNS_TXT, DNS_RCODE_SERVFAIL);
	assert_int_equal(ask(&w, "a.test", DNS_TXT).status, DNS_FAILED);
	world_done(&w);
}

static void resolvers_must_be_addresses(void **state)
{
	struct world w;
	CLEANUP_STR char *error = NULL;

	world_init(&w);
	snprintf(w.texts[1], sizeof(w.texts[1]), "resolver.test:53");
	assert_int_equal(perspective_new(w.loop, &w.conf, &error, &w.px), ERR_SYNTAX);
	assert_non_null(error);
	w.px = NULL;
	world_done(&w);
}

static void without_a_list_the_systems_resolver_is_taken(void **state)
{
	struct world w;

	world_init(&w);
	w.conf.validation.resolvers.count = 0;
	world_open(&w);
	assert_non_null(strstr(dns_resolvers(w.px->dns), ":53"));
	world_done(&w);
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(records_names_and_nothing_are_told_apart),
		TEST(refusals_of_the_resolver_are_failures),
		TEST(the_ad_bit_is_read),
		TEST(malformed_answers_are_failures),
		TEST(an_empty_datagram_does_not_stop_the_resolver),
		TEST(truncated_answers_are_fetched_over_tcp),
		TEST(silence_is_a_failure_in_bounded_time),
		TEST(names_that_cannot_be_asked_fail_without_a_query),
		TEST(a_cancelled_query_is_never_answered),
		cmocka_unit_test(a_dead_resolver_is_a_failure),
		cmocka_unit_test(a_resolver_that_does_not_validate_fails_where_dnssec_is_required),
		cmocka_unit_test(unsigned_zones_are_fine_behind_a_resolver_that_validates),
		cmocka_unit_test(resolvers_must_be_addresses),
		cmocka_unit_test(without_a_list_the_systems_resolver_is_taken),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
