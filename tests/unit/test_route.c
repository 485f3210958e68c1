/* test_route.c — matching paths, and the checks of a request's head. */
#include "fcgi/route.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <cmocka.h>

static const struct route routes[] = {
	{.path = "/directory", .auth = AUTH_NONE, .get = true, .post = true},
	{.path = "/health", .auth = AUTH_NONE, .get = true},
	{.path = "/acme/new-order", .auth = AUTH_KID, .payload = PAYLOAD_JSON},
	{.path = "/acme/order/{}", .auth = AUTH_KID, .payload = PAYLOAD_EMPTY},
	{.path = "/acme/order/{}/finalize", .auth = AUTH_KID, .payload = PAYLOAD_JSON},
	{.path = "/documents/{*}",
		.auth = AUTH_NONE,
		.get = true,
		.post_type = "application/test",
		.post_max_bytes = 10},
	{.path = "/acme/challenge/{}/{}", .auth = AUTH_KID, .payload = PAYLOAD_ANY},
};

static bool matches(const char *pattern, const char *path)
{
	struct bytes args[PATH_ARGS_MAX];

	return route_matches(pattern, bytes_str(path), args);
}

static void a_path_matches_its_pattern_and_nothing_else(void **state)
{
	assert_true(matches("/directory", "/directory"));
	assert_false(matches("/directory", "/directory/"));
	assert_false(matches("/directory", "/director"));
	assert_false(matches("/directory", "//directory"));
	assert_false(matches("/directory", "/Directory"));
	assert_false(matches("/directory", ""));
	assert_true(matches("/", "/"));
	assert_false(matches("/", ""));
}

static void a_placeholder_is_exactly_one_segment(void **state)
{
	struct bytes args[PATH_ARGS_MAX];

	assert_true(route_matches("/o/{}/finalize", bytes_str("/o/abc/finalize"), args));
	assert_true(bytes_is(args[0], "abc"));
	assert_true(route_matches("/c/{}/{}", bytes_str("/c/x/http-01"), args));
	assert_true(bytes_is(args[0], "x"));
	assert_true(bytes_is(args[1], "http-01"));
	assert_false(matches("/o/{}", "/o/"));
	assert_false(matches("/o/{}", "/o/a/b"));
	assert_false(matches("/o/{}", "/o/a/"));
	assert_false(matches("/c/{}/{}", "/c//b"));
	assert_false(matches("/c/{}/{}", "/c/a"));
}

static void the_rest_of_a_path_is_whatever_it_is(void **state)
{
	struct bytes args[PATH_ARGS_MAX];

	assert_true(route_matches("/{*}", bytes_str("/a//b/%2f?"), args));
	assert_true(bytes_is(args[0], "a//b/%2f?"));
	assert_true(route_matches("/{*}", bytes_str("/"), args));
	assert_int_equal(args[0].len, 0);
	assert_true(route_matches("/x/{}/{*}", bytes_str("/x/y/z/"), args));
	assert_true(bytes_is(args[1], "z/"));
	assert_false(matches("/x/{*}", "/x"));
	assert_false(matches("/{*}", ""));
}

static void a_nul_byte_in_the_path_is_a_byte(void **state)
{
	struct bytes args[PATH_ARGS_MAX];

	assert_false(route_matches("/directory", bytes_of("/directory\0", 11), args));
}

struct outcome {
	int status; /* 0: accepted */
	const char *path;
	char allow[64];
};

static struct outcome check(const struct http_request *in)
{
	CLEANUP_PROBLEM struct problem pb = {0};
	struct request r = {0};
	struct outcome outcome = {0};

	if (route_check(routes, ARRAY_LEN(routes), in, &r, &pb) != OK)
		outcome.status = problem_status(&pb);
	outcome.path = r.route != NULL ? r.route->path : NULL;
	strncpy(outcome.allow, buf_str(&r.answer.headers), sizeof(outcome.allow) - 1);
	buf_done(&r.answer.headers);
	return outcome;
}

static struct http_request post(const char *path)
{
	return (struct http_request){.method = "POST",
		.uri = path,
		.path = bytes_str(path),
		.user_agent = "test",
		.content_type = "application/jose+json"};
}

static struct http_request get(const char *method, const char *path)
{
	return (struct http_request){.method = method, .uri = path, .path = bytes_str(path)};
}

static int status_of(struct http_request in)
{
	return check(&in).status;
}

static void a_signed_request_is_let_through_to_its_route(void **state)
{
	struct http_request in = post("/acme/order/abc/finalize");

	assert_int_equal(check(&in).status, 0);
	assert_string_equal(check(&in).path, "/acme/order/{}/finalize");
}

static void an_unknown_path_is_404_whatever_the_method(void **state)
{
	assert_int_equal(status_of(post("/acme/unknown")), 404);
	assert_int_equal(status_of(get("GET", "/acme/order")), 404);
	assert_int_equal(status_of(get("BREW", "/")), 404);
	assert_int_equal(status_of(get("GET", "")), 404);
}

static void a_wrong_method_is_405_and_names_the_right_ones(void **state)
{
	struct http_request in = get("GET", "/acme/order/abc");

	assert_int_equal(check(&in).status, 405);
	assert_string_equal(check(&in).allow, "Allow: POST, OPTIONS\r\n");
	in = get("DELETE", "/directory");
	assert_int_equal(check(&in).status, 405);
	assert_string_equal(check(&in).allow, "Allow: GET, HEAD, POST, OPTIONS\r\n");
	in = post("/health");
	assert_int_equal(check(&in).status, 405);
	assert_string_equal(check(&in).allow, "Allow: GET, HEAD, OPTIONS\r\n");
	assert_int_equal(status_of(get("get", "/directory")), 405);
}

static void public_resources_are_read_by_get_head_and_post(void **state)
{
	assert_int_equal(status_of(get("GET", "/directory")), 0);
	assert_int_equal(status_of(get("HEAD", "/directory")), 0);
	assert_int_equal(status_of(post("/directory")), 0);
}

static void the_content_type_is_exactly_jose_json(void **state)
{
	static const char *const wrong[] = {"application/json",
		"application/jose+json; charset=utf-8", "application/jose+json ",
		"application/jose", "text/plain"};
	struct http_request in = post("/acme/new-order");

	for (size_t i = 0; i < ARRAY_LEN(wrong); i++) {
		in.content_type = wrong[i];
		assert_int_equal(check(&in).status, 415);
	}
	in.content_type = NULL;
	assert_int_equal(check(&in).status, 415);
}

static void a_post_needs_a_user_agent_and_no_replay_nonce(void **state)
{
	struct http_request in = post("/acme/new-order");

	in.user_agent = NULL;
	assert_int_equal(check(&in).status, 400);
	in = post("/acme/new-order");
	in.replay_nonce = true;
	assert_int_equal(check(&in).status, 400);
}

static void bodies_too_large_or_cut_off_are_refused(void **state)
{
	struct http_request in = post("/acme/new-order");

	in.body_state = HTTP_BODY_LARGE;
	assert_int_equal(check(&in).status, 413);
	in.body_state = HTTP_BODY_BROKEN;
	assert_int_equal(check(&in).status, 400);
}

static void method_comes_before_content_type_and_that_before_size(void **state)
{
	struct http_request in = post("/health");

	in.content_type = "text/plain";
	in.body_state = HTTP_BODY_LARGE;
	assert_int_equal(check(&in).status, 405);
	in.path = bytes_str("/acme/new-order");
	assert_int_equal(check(&in).status, 415);
	in.content_type = "application/jose+json";
	assert_int_equal(check(&in).status, 413);
}

static void an_endless_path_is_414(void **state)
{
	static char path[URI_MAX_BYTES + 2];

	memset(path, 'a', sizeof(path) - 1);
	path[0] = '/';
	assert_int_equal(status_of(get("GET", path)), 414);
}

static void a_document_needs_its_type_and_size_and_no_jws(void **state)
{
	uint8_t body[11] = {0};
	struct http_request in = post("/documents/a");

	in.user_agent = NULL;
	assert_int_equal(check(&in).status, 415);
	in.content_type = "Application/TEST";
	in.body = (struct buf){.ptr = body, .len = 10};
	assert_int_equal(check(&in).status, 0);
	in.body.len = 11;
	assert_int_equal(check(&in).status, 413);
	in.body.len = 10;
	in.body_state = HTTP_BODY_BROKEN;
	assert_int_equal(check(&in).status, 400);
	assert_int_equal(status_of(get("GET", "/documents/")), 0);
	in = get("PATCH", "/documents/x");
	assert_int_equal(check(&in).status, 405);
	assert_string_equal(check(&in).allow, "Allow: GET, HEAD, POST, OPTIONS\r\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_rest_of_a_path_is_whatever_it_is),
		cmocka_unit_test(a_document_needs_its_type_and_size_and_no_jws),
		cmocka_unit_test(a_path_matches_its_pattern_and_nothing_else),
		cmocka_unit_test(a_placeholder_is_exactly_one_segment),
		cmocka_unit_test(a_nul_byte_in_the_path_is_a_byte),
		cmocka_unit_test(a_signed_request_is_let_through_to_its_route),
		cmocka_unit_test(an_unknown_path_is_404_whatever_the_method),
		cmocka_unit_test(a_wrong_method_is_405_and_names_the_right_ones),
		cmocka_unit_test(public_resources_are_read_by_get_head_and_post),
		cmocka_unit_test(the_content_type_is_exactly_jose_json),
		cmocka_unit_test(a_post_needs_a_user_agent_and_no_replay_nonce),
		cmocka_unit_test(bodies_too_large_or_cut_off_are_refused),
		cmocka_unit_test(method_comes_before_content_type_and_that_before_size),
		cmocka_unit_test(an_endless_path_is_414),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
