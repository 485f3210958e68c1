/* test_problem.c — what a refused client reads (RFC 8555 section 6.7, RFC 9457). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "lib/base/jx.h"
#include "lib/base/problem.h"

static struct jx *rendered(const struct problem *pb)
{
	CLEANUP_BUF struct buf text = {0};
	struct jx *root = NULL;

	problem_render(pb, &text);
	assert_int_equal(jx_parse(buf_bytes(&text), &root), OK);
	return root;
}

static void assert_member(const struct jx *object, const char *name, const char *want)
{
	struct bytes text;

	assert_int_equal(jx_get_str(object, name, &text), OK);
	assert_true(bytes_is(text, want));
}

static void a_refusal_carries_type_detail_and_status(void **state)
{
	CLEANUP_PROBLEM struct problem pb = {0};
	CLEANUP(jx_free) struct jx *root = NULL;
	int64_t status;

	assert_int_equal(problem_set(&pb, PROBLEM_BAD_CSR, "has %d names", 7), ERR_PROBLEM);
	root = rendered(&pb);
	assert_member(root, "type", "urn:ietf:params:acme:error:badCSR");
	assert_member(root, "detail", "has 7 names");
	assert_int_equal(jx_get_int(root, "status", &status), OK);
	assert_int_equal(status, 400);
	assert_int_equal(jx_count(root), 3);
}

static void every_type_has_a_name_that_is_understood(void **state)
{
	for (int type = PROBLEM_NONE + 1; type < PROBLEM_TYPE_COUNT; type++) {
		struct problem pb = {.type = (enum problem_type)type};

		assert_int_equal(problem_type_parse(bytes_str(problem_type_name(pb.type))), type);
		assert_in_range(problem_status(&pb), 400, 599);
	}
}

static void unknown_types_are_none(void **state)
{
	assert_int_equal(problem_type_parse(bytes_str("")), PROBLEM_NONE);
	assert_int_equal(problem_type_parse(bytes_str("none")), PROBLEM_NONE);
	assert_int_equal(problem_type_parse(bytes_str("Malformed")), PROBLEM_NONE);
	assert_int_equal(problem_type_parse(bytes_of("malformed\0", 10)), PROBLEM_NONE);
	assert_int_equal(problem_type_parse(bytes_str("urn:ietf:params:acme:error:dns")),
		PROBLEM_NONE);
}

static void a_status_of_its_own_replaces_the_types(void **state)
{
	CLEANUP_PROBLEM struct problem pb = {0};

	assert_int_equal(problem_set_status(&pb, 401, PROBLEM_UNAUTHORIZED, "deactivated"),
		ERR_PROBLEM);
	assert_int_equal(problem_status(&pb), 401);
	assert_int_equal(problem_set(&pb, PROBLEM_UNAUTHORIZED, "not yours"), ERR_PROBLEM);
	assert_int_equal(problem_status(&pb), 403);
}

static void a_new_problem_may_quote_the_old_one(void **state)
{
	CLEANUP_PROBLEM struct problem pb = {0};

	assert_int_equal(problem_set(&pb, PROBLEM_DNS, "SERVFAIL"), ERR_PROBLEM);
	assert_int_equal(problem_set(&pb, PROBLEM_CAA, "while checking CAA: %s", pb.detail),
		ERR_PROBLEM);
	assert_string_equal(pb.detail, "while checking CAA: SERVFAIL");
}

static void a_refused_algorithm_lists_what_is_accepted(void **state)
{
	CLEANUP_PROBLEM struct problem pb = {0};
	CLEANUP(jx_free) struct jx *root = NULL;
	const struct jx *algorithms;
	struct bytes first;

	assert_int_equal(problem_set(&pb, PROBLEM_BAD_SIGNATURE_ALGORITHM, "none"), ERR_PROBLEM);
	root = rendered(&pb);
	assert_int_equal(jx_get_array(root, "algorithms", &algorithms), OK);
	assert_int_equal(jx_count(algorithms), 5);
	assert_int_equal(jx_str(jx_at(algorithms, 0), &first), OK);
	assert_true(bytes_is(first, "ES256"));
}

static void several_subproblems_make_a_compound(void **state)
{
	CLEANUP_PROBLEM struct problem pb = {0};
	CLEANUP(jx_free) struct jx *root = NULL;
	const struct jx *subs, *identifier;

	problem_add_sub(&pb, "a.example", PROBLEM_CAA, "forbidden by %s", "CAA");
	problem_add_sub(&pb, "b.example", PROBLEM_REJECTED_IDENTIFIER, "blocked");
	assert_int_equal(problem_seal(&pb, "two names are refused"), ERR_PROBLEM);
	root = rendered(&pb);
	assert_member(root, "type", "urn:ietf:params:acme:error:compound");
	assert_member(root, "detail", "two names are refused");
	assert_int_equal(jx_get_array(root, "subproblems", &subs), OK);
	assert_int_equal(jx_count(subs), 2);
	assert_member(jx_at(subs, 0), "type", "urn:ietf:params:acme:error:caa");
	assert_member(jx_at(subs, 0), "detail", "forbidden by CAA");
	assert_int_equal(jx_get_object(jx_at(subs, 1), "identifier", &identifier), OK);
	assert_member(identifier, "type", "dns");
	assert_member(identifier, "value", "b.example");
}

static void a_single_subproblem_is_the_problem_and_keeps_its_name(void **state)
{
	CLEANUP_PROBLEM struct problem pb = {0};

	problem_add_sub(&pb, "a.example", PROBLEM_CAA, "forbidden");
	assert_int_equal(problem_seal(&pb, "unused"), ERR_PROBLEM);
	assert_int_equal(pb.type, PROBLEM_CAA);
	assert_int_equal(problem_status(&pb), 403);
	assert_string_equal(pb.detail, "forbidden");
	assert_string_equal(pb.subs[0].identifier, "a.example");
}

static void a_subproblem_need_not_name_anything(void **state)
{
	CLEANUP_PROBLEM struct problem pb = {0};
	CLEANUP(jx_free) struct jx *root = NULL;
	const struct jx *subs, *identifier;

	problem_add_sub(&pb, NULL, PROBLEM_UNSUPPORTED_IDENTIFIER, "no such type");
	assert_int_equal(problem_seal(&pb, "unused"), ERR_PROBLEM);
	root = rendered(&pb);
	assert_int_equal(jx_get_array(root, "subproblems", &subs), OK);
	assert_member(jx_at(subs, 0), "detail", "no such type");
	assert_int_equal(jx_get(jx_at(subs, 0), "identifier", &identifier), ERR_NOENT);
}

static void nothing_to_seal_is_no_problem(void **state)
{
	CLEANUP_PROBLEM struct problem pb = {0};

	assert_int_equal(problem_seal(&pb, "unused"), OK);
	assert_int_equal(pb.type, PROBLEM_NONE);
}

static void a_problem_that_was_never_set_tells_nothing_but_500(void **state)
{
	struct problem pb = {0};
	CLEANUP(jx_free) struct jx *root = rendered(&pb);

	assert_member(root, "type", "urn:ietf:params:acme:error:serverInternal");
	assert_int_equal(problem_status(&pb), 500);
}

static void an_instance_is_shown(void **state)
{
	CLEANUP_PROBLEM struct problem pb = {0};
	CLEANUP(jx_free) struct jx *root = NULL;

	assert_int_equal(problem_set(&pb, PROBLEM_USER_ACTION_REQUIRED, "new terms"), ERR_PROBLEM);
	pb.instance = xstrdup("https://acme.example/terms");
	root = rendered(&pb);
	assert_member(root, "instance", "https://acme.example/terms");
}

static void text_of_peers_is_cut_and_cleaned(void **state)
{
	CLEANUP_BUF struct buf out = {0};

	problem_quote(&out, bytes_of("ok\n\x1b[31m\xc3\xa9\0~", 12), 11);
	assert_string_equal(buf_str(&out), "ok??[31m???");
	buf_reset(&out);
	problem_quote(&out, bytes_of(NULL, 0), 10);
	assert_string_equal(buf_str(&out), "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_refusal_carries_type_detail_and_status),
		cmocka_unit_test(every_type_has_a_name_that_is_understood),
		cmocka_unit_test(unknown_types_are_none),
		cmocka_unit_test(a_status_of_its_own_replaces_the_types),
		cmocka_unit_test(a_new_problem_may_quote_the_old_one),
		cmocka_unit_test(a_refused_algorithm_lists_what_is_accepted),
		cmocka_unit_test(several_subproblems_make_a_compound),
		cmocka_unit_test(a_single_subproblem_is_the_problem_and_keeps_its_name),
		cmocka_unit_test(a_subproblem_need_not_name_anything),
		cmocka_unit_test(nothing_to_seal_is_no_problem),
		cmocka_unit_test(a_problem_that_was_never_set_tells_nothing_but_500),
		cmocka_unit_test(an_instance_is_shown),
		cmocka_unit_test(text_of_peers_is_cut_and_cleaned),
	};

	return cmocka_run_group_tests_name("problem", tests, NULL, NULL);
}
