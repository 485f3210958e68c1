/* test_decide.c — the table of what makes the signer refuse: one good order, and one change to it
 * in each case. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "lib/base/clock.h"
#include "tests/unit/signer_pki.h"
#include "tools/authority.h"
#include "workers/signer/decide.h"

#define NOW (1800000000LL * USEC_PER_SEC + 250000)
#define NOW_SECS 1800000000LL
#define HOUR (3600 * USEC_PER_SEC)
#define DAY (24 * HOUR)
#define DAYS_90 (90 * 86400LL)
#define NEVER INT64_MIN

/* Everything a case may change. */
struct world {
	struct issuance_job job;
	struct bytes names[3];
	struct issuance_authz authzs[3];
	struct conf_profile profile;
	struct conf conf;
	struct issuer issuers[2];
	struct issuer *items[2];
	struct issuer_set set;
	struct buf csr;
};

static EVP_PKEY *p256, *p384;
static struct buf good_csr;
static char *words_p256[] = {(char *)"p256"};
static char *words_main[] = {(char *)"main"};
static char *words_second[] = {(char *)"second"};
static char *words_blocked[] = {(char *)".example.org"};

static const char *const order_names[] = {"*.example.org", "a.example.org", "b.example.org"};

static int make(void **state)
{
	if (authority_key_new("p256", &p256) != OK || authority_key_new("p384", &p384) != OK)
		return -1;
	test_csr(p256, order_names, 3, &good_csr);
	return 0;
}

static int drop(void **state)
{
	EVP_PKEY_free(p256);
	EVP_PKEY_free(p384);
	buf_done(&good_csr);
	return 0;
}

static struct issuer issuer_named(const char *name)
{
	static const struct conf_list all;

	return (struct issuer){.name = (char *)name,
		.not_before_us = NOW - 365 * DAY,
		.not_after_us = NOW + 3650 * DAY,
		.active_from_us = INT64_MIN,
		.active_until_us = INT64_MAX,
		.key_types = &all,
		.ecdsa = true};
}

static void world_make(struct world *w)
{
	*w = (struct world){
		.profile = {.name = (char *)"default",
			.validity_secs = DAYS_90,
			.names_max = 100,
			.key_types = {words_p256, 1}},
		.issuers = {issuer_named("main"), issuer_named("second")},
		.job = {.account_status = ACCOUNT_VALID,
			.status = ORDER_PROCESSING,
			.expires_us = NOW + DAY,
			.now_us = NOW,
			.profile = bytes_str("default"),
			.not_before_us = NEVER,
			.not_after_us = NEVER,
			.nnames = 3,
			.nauthzs = 3},
	};
	for (size_t i = 0; i < 3; i++) {
		w->names[i] = bytes_str(order_names[i]);
		w->authzs[i] = (struct issuance_authz){.status = AUTHZ_VALID,
			.same_account = true,
			.name = w->names[i],
			.expires_us = NOW + DAY,
			.method = CHALLENGE_HTTP_01,
			.validated_us = NOW - HOUR,
			.caa_us = NOW - HOUR};
	}
	w->authzs[0].name = bytes_str("example.org");
	w->authzs[0].wildcard = true;
	w->authzs[0].method = CHALLENGE_DNS_01;
	w->job.names = w->names;
	w->job.authzs = w->authzs;
	w->job.csr = buf_bytes(&good_csr);
	w->items[0] = &w->issuers[0];
	w->items[1] = &w->issuers[1];
	w->set = (struct issuer_set){.items = w->items, .count = 2};
	w->conf.profiles = &w->profile;
	w->conf.nprofiles = 1;
	w->conf.orders.names_max = 100;
	w->conf.validation.caa_secs = 7 * 3600;
}

/* The changes. */
#define CHANGE(name, ...)                                                                          \
	static void name(struct world *w)                                                          \
	{                                                                                          \
		__VA_ARGS__;                                                                       \
	}
CHANGE(nothing, (void)w)
CHANGE(order_ready, w->job.status = ORDER_READY)
CHANGE(order_valid, w->job.status = ORDER_VALID)
CHANGE(order_invalid, w->job.status = ORDER_INVALID)
CHANGE(order_expired, w->job.expires_us = NOW)
CHANGE(account_deactivated, w->job.account_status = ACCOUNT_DEACTIVATED)
CHANGE(account_revoked, w->job.account_status = ACCOUNT_REVOKED)
CHANGE(authz_pending, w->authzs[1].status = AUTHZ_PENDING)
CHANGE(authz_invalid, w->authzs[1].status = AUTHZ_INVALID)
CHANGE(authz_deactivated, w->authzs[1].status = AUTHZ_DEACTIVATED)
CHANGE(authz_revoked, w->authzs[1].status = AUTHZ_REVOKED)
CHANGE(authz_expired, w->authzs[1].expires_us = NOW)
CHANGE(authz_foreign, w->authzs[1].same_account = false)
CHANGE(authz_other_name, w->authzs[1].name = bytes_str("b.example.org"))
CHANGE(authz_parent_name, w->authzs[1].name = bytes_str("example.org"))
CHANGE(authz_missing, w->job.nauthzs = 2)
CHANGE(authz_extra, w->job.nnames = 2)
CHANGE(authz_never_validated, w->authzs[1].validated_us = NEVER)
CHANGE(authz_from_the_future, w->authzs[1].validated_us = NOW + HOUR)
CHANGE(authz_no_method, w->authzs[1].method = CHALLENGE_NONE)
CHANGE(authz_strange_method, w->authzs[1].method = (enum challenge_type)9)
CHANGE(wildcard_by_http, w->authzs[0].method = CHALLENGE_HTTP_01)
CHANGE(wildcard_by_tls, w->authzs[0].method = CHALLENGE_TLS_ALPN_01)
CHANGE(wildcard_by_plain_authz, w->authzs[0].wildcard = false)
CHANGE(plain_by_wildcard_authz, w->authzs[1].wildcard = true;
	w->authzs[1].method = CHALLENGE_DNS_01)
CHANGE(no_names, w->job.nnames = 0; w->job.nauthzs = 0)
CHANGE(names_twice, w->names[2] = w->names[1]; w->authzs[2] = w->authzs[1])
CHANGE(names_unsorted, w->names[1] = bytes_str("b.example.org");
	w->names[2] = bytes_str("a.example.org"))
CHANGE(names_upper_case, w->names[1] = bytes_str("A.example.org"))
CHANGE(names_with_nul, w->names[1] = bytes_of("a.example.org\0.evil.test", 24))
CHANGE(names_blocked_now, w->conf.orders.blocked_names = (struct conf_list){words_blocked, 1})
CHANGE(no_suffix_list, w->conf.orders.public_suffixes = (char *)"/dev/null")
CHANGE(profile_gone, w->job.profile = bytes_str("retired"))
CHANGE(profile_too_small, w->profile.names_max = 2)
CHANGE(caa_never, w->authzs[2].caa_us = NEVER)
CHANGE(caa_old, w->authzs[2].caa_us = NOW - 7 * HOUR - 1)
CHANGE(caa_just_fresh, w->authzs[2].caa_us = NOW - 7 * HOUR)
CHANGE(caa_from_the_future, w->authzs[2].caa_us = NOW + HOUR)
CHANGE(caa_limit_above_the_law, w->conf.validation.caa_secs = 24 * 3600;
	w->authzs[0].caa_us = NOW - 8 * HOUR - 1)
CHANGE(csr_junk, w->job.csr = bytes_str("junk"))
CHANGE(csr_empty, w->job.csr = bytes_of("", 0))
CHANGE(key_blocked, w->job.key_blocked = true)
CHANGE(key_is_account, w->job.key_is_account = true)
CHANGE(not_before_ancient, w->job.not_before_us = NOW - 49 * HOUR)
CHANGE(not_before_far, w->job.not_before_us = NOW + 49 * HOUR)
CHANGE(not_before_soon, w->job.not_before_us = NOW + 10 * HOUR)
CHANGE(not_after_passed, w->job.not_after_us = NOW - 1)
CHANGE(not_after_far, w->job.not_after_us = NOW + 91 * DAY)
CHANGE(not_after_near, w->job.not_after_us = NOW + DAY)
CHANGE(not_after_before_not_before, w->job.not_before_us = NOW + 5 * HOUR;
	w->job.not_after_us = NOW + 4 * HOUR)
CHANGE(both_too_long, w->job.not_before_us = NOW;
	w->job.not_after_us = NOW + DAYS_90 * USEC_PER_SEC)
CHANGE(both_exact, w->job.not_before_us = NOW;
	w->job.not_after_us = NOW + (DAYS_90 - 1) * USEC_PER_SEC)
CHANGE(issuers_too_old, w->issuers[0].not_after_us = w->issuers[1].not_after_us = NOW + 80 * DAY)
CHANGE(issuers_too_young, w->issuers[0].not_before_us = w->issuers[1].not_before_us = NOW + HOUR)
CHANGE(issuer_unknown, w->issuers[0].name = (char *)"other"; w->set.count = 1;
	w->profile.issuers = (struct conf_list){words_main, 1})

static void csr_fewer_names(struct world *w)
{
	test_csr(p256, order_names, 2, &w->csr);
	w->job.csr = buf_bytes(&w->csr);
}

static void csr_other_names(struct world *w)
{
	static const char *const names[] = {"*.example.org", "a.example.org", "c.example.org"};

	test_csr(p256, names, 3, &w->csr);
	w->job.csr = buf_bytes(&w->csr);
}

/* CVE-like: a duplicate in the CSR must not make up for a missing name. */
static void csr_repeated_name(struct world *w)
{
	static const char *const names[] = {"*.example.org", "a.example.org", "a.example.org"};

	test_csr(p256, names, 3, &w->csr);
	w->job.csr = buf_bytes(&w->csr);
}

static void csr_key_not_in_profile(struct world *w)
{
	test_csr(p384, order_names, 3, &w->csr);
	w->job.csr = buf_bytes(&w->csr);
}

static void csr_tampered(struct world *w)
{
	buf_add(&w->csr, good_csr.ptr, good_csr.len);
	w->csr.ptr[w->csr.len - 1] ^= 1;
	w->job.csr = buf_bytes(&w->csr);
}

static void csr_trailing_byte(struct world *w)
{
	buf_add(&w->csr, good_csr.ptr, good_csr.len);
	buf_add_byte(&w->csr, 0);
	w->job.csr = buf_bytes(&w->csr);
}

static const struct {
	const char *name;
	void (*change)(struct world *w);
	enum verdict_action action;
	enum problem_type problem;
} cases[] = {
#define CASE(change, action, problem)                                                              \
	{                                                                                          \
#change, change, action, problem                                                   \
	}
#define ISSUES(change) CASE(change, VERDICT_ISSUE, PROBLEM_NONE)
#define DROPS(change) CASE(change, VERDICT_DROP, PROBLEM_NONE)
#define CAA(change) CASE(change, VERDICT_CAA, PROBLEM_NONE)
#define REFUSES(change, problem) CASE(change, VERDICT_REFUSE, problem)
	ISSUES(nothing),
	DROPS(order_ready),
	DROPS(order_valid),
	DROPS(order_invalid),
	REFUSES(order_expired, PROBLEM_MALFORMED),
	REFUSES(account_deactivated, PROBLEM_UNAUTHORIZED),
	REFUSES(account_revoked, PROBLEM_UNAUTHORIZED),
	REFUSES(authz_pending, PROBLEM_UNAUTHORIZED),
	REFUSES(authz_invalid, PROBLEM_UNAUTHORIZED),
	REFUSES(authz_deactivated, PROBLEM_UNAUTHORIZED),
	REFUSES(authz_revoked, PROBLEM_UNAUTHORIZED),
	REFUSES(authz_expired, PROBLEM_UNAUTHORIZED),
	REFUSES(authz_foreign, PROBLEM_UNAUTHORIZED),
	REFUSES(authz_other_name, PROBLEM_UNAUTHORIZED),
	REFUSES(authz_parent_name, PROBLEM_UNAUTHORIZED),
	REFUSES(authz_missing, PROBLEM_UNAUTHORIZED),
	REFUSES(authz_extra, PROBLEM_UNAUTHORIZED),
	REFUSES(authz_never_validated, PROBLEM_UNAUTHORIZED),
	REFUSES(authz_from_the_future, PROBLEM_UNAUTHORIZED),
	REFUSES(authz_no_method, PROBLEM_UNAUTHORIZED),
	REFUSES(authz_strange_method, PROBLEM_UNAUTHORIZED),
	REFUSES(wildcard_by_http, PROBLEM_UNAUTHORIZED),
	REFUSES(wildcard_by_tls, PROBLEM_UNAUTHORIZED),
	REFUSES(wildcard_by_plain_authz, PROBLEM_UNAUTHORIZED),
	REFUSES(plain_by_wildcard_authz, PROBLEM_UNAUTHORIZED),
	REFUSES(no_names, PROBLEM_MALFORMED),
	REFUSES(names_twice, PROBLEM_MALFORMED),
	REFUSES(names_unsorted, PROBLEM_MALFORMED),
	REFUSES(names_upper_case, PROBLEM_REJECTED_IDENTIFIER),
	REFUSES(names_with_nul, PROBLEM_MALFORMED),
	REFUSES(names_blocked_now, PROBLEM_REJECTED_IDENTIFIER),
	/* Our fault, and one that passes: no order ends by it. */
	DROPS(no_suffix_list),
	REFUSES(profile_gone, PROBLEM_INVALID_PROFILE),
	REFUSES(profile_too_small, PROBLEM_REJECTED_IDENTIFIER),
	CAA(caa_never),
	CAA(caa_old),
	ISSUES(caa_just_fresh),
	CAA(caa_from_the_future),
	CAA(caa_limit_above_the_law),
	REFUSES(csr_junk, PROBLEM_BAD_CSR),
	REFUSES(csr_empty, PROBLEM_BAD_CSR),
	REFUSES(csr_fewer_names, PROBLEM_BAD_CSR),
	REFUSES(csr_other_names, PROBLEM_BAD_CSR),
	REFUSES(csr_repeated_name, PROBLEM_BAD_CSR),
	REFUSES(csr_key_not_in_profile, PROBLEM_BAD_CSR),
	REFUSES(csr_tampered, PROBLEM_BAD_CSR),
	REFUSES(csr_trailing_byte, PROBLEM_BAD_CSR),
	REFUSES(key_blocked, PROBLEM_BAD_CSR),
	REFUSES(key_is_account, PROBLEM_BAD_CSR),
	REFUSES(not_before_ancient, PROBLEM_MALFORMED),
	REFUSES(not_before_far, PROBLEM_MALFORMED),
	ISSUES(not_before_soon),
	REFUSES(not_after_passed, PROBLEM_MALFORMED),
	REFUSES(not_after_far, PROBLEM_MALFORMED),
	ISSUES(not_after_near),
	REFUSES(not_after_before_not_before, PROBLEM_MALFORMED),
	REFUSES(both_too_long, PROBLEM_MALFORMED),
	ISSUES(both_exact),
	REFUSES(issuers_too_old, PROBLEM_SERVER_INTERNAL),
	REFUSES(issuers_too_young, PROBLEM_SERVER_INTERNAL),
	REFUSES(issuer_unknown, PROBLEM_SERVER_INTERNAL),
};

static struct verdict decide_in(struct world *w, struct problem *pb)
{
	struct verdict verdict;

	decide(&w->conf, &w->set, &w->job, pb, &verdict);
	return verdict;
}

static void every_change_gets_its_verdict(void **state)
{
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct world w;
		struct problem pb = {0};
		struct verdict verdict;

		world_make(&w);
		cases[i].change(&w);
		verdict = decide_in(&w, &pb);
		if (verdict.action != cases[i].action || pb.type != cases[i].problem)
			fail_msg("%s: verdict %d, problem %s (%s)", cases[i].name, verdict.action,
				pb.type != PROBLEM_NONE ? problem_type_name(pb.type) : "none",
				pb.detail != NULL ? pb.detail : "");
		verdict_done(&verdict);
		problem_done(&pb);
		buf_done(&w.csr);
	}
}

/* What was chosen, for orders that are signed. */
struct choice {
	void (*change)(struct world *w);
	int64_t not_before;
	int64_t not_after;
};

CHANGE(one_hour_profile, w->profile.validity_secs = 3600)
CHANGE(issuer_is_young,
	w->issuers[0].not_before_us = w->issuers[1].not_before_us = (NOW_SECS - 60) * USEC_PER_SEC)
CHANGE(not_after_needs_later_begin, w->job.not_after_us = NOW + (DAYS_90 - 1000) * USEC_PER_SEC)

static void validity_is_exact_to_the_second(void **state)
{
	static const struct choice choices[] = {
		{nothing, NOW_SECS - 3600, NOW_SECS - 3600 + DAYS_90 - 1},
		{one_hour_profile, NOW_SECS - 150, NOW_SECS - 150 + 3600 - 1},
		{issuer_is_young, NOW_SECS - 60, NOW_SECS - 60 + DAYS_90 - 1},
		{not_before_soon, NOW_SECS + 36000, NOW_SECS + 36000 + DAYS_90 - 1},
		{not_after_near, NOW_SECS - 3600, NOW_SECS + 86400},
		{not_after_needs_later_begin, NOW_SECS - 999, NOW_SECS + DAYS_90 - 1000},
		{both_exact, NOW_SECS, NOW_SECS + DAYS_90 - 1},
	};

	for (size_t i = 0; i < ARRAY_LEN(choices); i++) {
		struct world w;
		struct problem pb = {0};
		struct verdict verdict;

		world_make(&w);
		choices[i].change(&w);
		verdict = decide_in(&w, &pb);
		assert_int_equal(verdict.action, VERDICT_ISSUE);
		assert_int_equal(verdict.not_before_us, choices[i].not_before * USEC_PER_SEC);
		assert_int_equal(verdict.not_after_us, choices[i].not_after * USEC_PER_SEC);
		verdict_done(&verdict);
		problem_done(&pb);
	}
}

static void the_profile_chooses_the_issuer(void **state)
{
	struct world w;
	struct problem pb = {0};
	struct verdict verdict;

	world_make(&w);
	verdict = decide_in(&w, &pb);
	assert_ptr_equal(verdict.issuer, &w.issuers[0]);
	verdict_done(&verdict);

	w.profile.issuers = (struct conf_list){words_second, 1};
	verdict = decide_in(&w, &pb);
	assert_ptr_equal(verdict.issuer, &w.issuers[1]);
	verdict_done(&verdict);

	/* The first one ends too early: the next takes over, without a day's pause. */
	w.profile.issuers = (struct conf_list){0};
	w.issuers[0].not_after_us = NOW + 30 * DAY;
	verdict = decide_in(&w, &pb);
	assert_ptr_equal(verdict.issuer, &w.issuers[1]);
	verdict_done(&verdict);
}

/* Two issuers, what is changed, the leaf's kind of key, and who signs: 0 or 1; REFUSED, WAITS. */
enum { REFUSED = -1, WAITS = -2 };
static char *words_rsa[] = {(char *)"rsa2048", (char *)"rsa3072"};
static char *words_both[] = {(char *)"p256", (char *)"rsa2048"};
static char *words_second_main[] = {(char *)"second", (char *)"main"};
static char *words_second_gone[] = {(char *)"gone", (char *)"second"};
static const struct conf_list only_rsa = {words_rsa, 2}, only_p256 = {words_p256, 1};

CHANGE(second_is_rsa, w->issuers[1].ecdsa = false)
CHANGE(first_is_rsa, w->issuers[0].ecdsa = false)
CHANGE(both_are_rsa, w->issuers[0].ecdsa = w->issuers[1].ecdsa = false)
CHANGE(other_order, w->profile.issuers = (struct conf_list){words_second_main, 2})
CHANGE(other_order_and_rsa, other_order(w); w->issuers[1].ecdsa = false)
CHANGE(one_is_not_loaded, w->profile.issuers = (struct conf_list){words_second_gone, 2})
CHANGE(first_retired, w->issuers[0].retired = true)
CHANGE(both_retired, w->issuers[0].retired = w->issuers[1].retired = true)
CHANGE(first_not_yet, w->issuers[0].active_from_us = NOW + 1)
CHANGE(first_from_now, w->issuers[0].active_from_us = NOW)
CHANGE(first_no_more, w->issuers[0].active_until_us = NOW)
CHANGE(first_until_soon, w->issuers[0].active_until_us = NOW + 1)
CHANGE(first_for_rsa, w->issuers[0].key_types = &only_rsa)
CHANGE(first_for_p256, w->issuers[0].key_types = &only_p256)
CHANGE(both_for_rsa, w->issuers[0].key_types = w->issuers[1].key_types = &only_rsa)
CHANGE(first_ends_early, w->issuers[0].not_after_us = NOW + 89 * DAY)
CHANGE(first_ends_just_right,
	w->issuers[0].not_after_us = (NOW_SECS - 3600 + DAYS_90 - 1) * USEC_PER_SEC)
CHANGE(first_ends_a_second_early,
	w->issuers[0].not_after_us = (NOW_SECS - 3600 + DAYS_90 - 2) * USEC_PER_SEC)
CHANGE(first_not_valid_yet, w->issuers[0].not_before_us = NOW + DAY)
CHANGE(first_unreachable, w->issuers[0].unreachable = true)
CHANGE(first_unreachable_second_rsa, w->issuers[0].unreachable = true; w->issuers[1].ecdsa = false)
CHANGE(both_unreachable, w->issuers[0].unreachable = w->issuers[1].unreachable = true)
CHANGE(one_unreachable_one_retired, w->issuers[0].unreachable = true; w->issuers[1].retired = true)
CHANGE(unreachable_and_retired, w->issuers[0].unreachable = w->issuers[0].retired = true;
	w->issuers[1].retired = true)

static void each_key_gets_its_issuer(void **state)
{
	static const struct {
		const char *name;
		void (*change)(struct world *w);
		int p256, rsa;
	} rows[] = {
#define ROW(change, p256, rsa) {#change, change, p256, rsa}
		ROW(nothing, 0, 0),
		ROW(second_is_rsa, 0, 1),
		ROW(first_is_rsa, 1, 0),
		ROW(both_are_rsa, 0, 0),
		ROW(other_order, 1, 1),
		ROW(other_order_and_rsa, 0, 1),
		ROW(one_is_not_loaded, 1, 1),
		ROW(first_retired, 1, 1),
		ROW(both_retired, REFUSED, REFUSED),
		ROW(first_not_yet, 1, 1),
		ROW(first_from_now, 0, 0),
		ROW(first_no_more, 1, 1),
		ROW(first_until_soon, 0, 0),
		ROW(first_for_rsa, 1, 0),
		ROW(first_for_p256, 0, 1),
		ROW(both_for_rsa, REFUSED, 0),
		ROW(first_ends_early, 1, 1),
		ROW(first_ends_just_right, 0, 0),
		ROW(first_ends_a_second_early, 1, 1),
		ROW(first_not_valid_yet, 1, 1),
		ROW(first_unreachable, 1, 1),
		ROW(first_unreachable_second_rsa, 1, 1),
		ROW(both_unreachable, WAITS, WAITS),
		ROW(one_unreachable_one_retired, WAITS, WAITS),
		ROW(unreachable_and_retired, REFUSED, REFUSED),
	};
	CLEANUP(EVP_PKEY_free) EVP_PKEY *rsa = NULL;
	CLEANUP_BUF struct buf rsa_csr = {0};

	assert_int_equal(authority_key_new("rsa2048", &rsa), OK);
	test_csr(rsa, order_names, 3, &rsa_csr);
	for (size_t i = 0; i < 2 * ARRAY_LEN(rows); i++) {
		int expected = i % 2 == 0 ? rows[i / 2].p256 : rows[i / 2].rsa;
		struct world w;
		struct problem pb = {0};
		struct verdict v;

		world_make(&w);
		w.profile.key_types = (struct conf_list){words_both, 2};
		rows[i / 2].change(&w);
		if (i % 2 == 1)
			w.job.csr = buf_bytes(&rsa_csr);
		v = decide_in(&w, &pb);
		if (v.action !=
				(expected == REFUSED                ? VERDICT_REFUSE
						: expected == WAITS ? VERDICT_WAIT
								    : VERDICT_ISSUE) ||
			(expected >= 0 && v.issuer != &w.issuers[expected]) ||
			(expected == REFUSED && pb.type != PROBLEM_SERVER_INTERNAL))
			fail_msg("%s, %s: verdict %d by %s", rows[i / 2].name,
				i % 2 == 0 ? "p256" : "rsa2048", v.action,
				v.issuer != NULL ? v.issuer->name : "nobody");
		/* Whoever signs: nothing outlives it. */
		if (v.issuer != NULL)
			assert_true(v.not_after_us <= v.issuer->not_after_us);
		verdict_done(&v);
		problem_done(&pb);
	}
}

static void a_refusal_names_each_name_at_fault(void **state)
{
	struct world w;
	struct problem pb = {0};
	struct verdict verdict;

	world_make(&w);
	w.authzs[0].expires_us = NOW - 1;
	w.authzs[2].status = AUTHZ_DEACTIVATED;
	verdict = decide_in(&w, &pb);
	assert_int_equal(verdict.action, VERDICT_REFUSE);
	assert_int_equal(pb.nsubs, 2);
	assert_string_equal(pb.subs[0].identifier, "*.example.org");
	assert_string_equal(pb.subs[1].identifier, "b.example.org");
	verdict_done(&verdict);
	problem_done(&pb);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_change_gets_its_verdict),
		cmocka_unit_test(validity_is_exact_to_the_second),
		cmocka_unit_test(the_profile_chooses_the_issuer),
		cmocka_unit_test(each_key_gets_its_issuer),
		cmocka_unit_test(a_refusal_names_each_name_at_fault),
	};

	return cmocka_run_group_tests_name("decide", tests, make, drop);
}
