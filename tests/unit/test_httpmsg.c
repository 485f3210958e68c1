/* test_httpmsg.c — HTTP/1.1 responses give the same result however they are cut, and nothing
 * unbounded is kept. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>

#include "lib/net/httpmsg.h"

#define BODY_MAX 16
#define OK_LINE "HTTP/1.1 200 OK\r\n"

enum ending { OPEN, CLOSED };

static const struct {
	const char *text;
	enum ending ending;
	int rc; /* of feeding, or of ending when that failed */
	int status;
	const char *body;
} cases[] = {
	{OK_LINE "Content-Length: 5\r\n\r\nhello", OPEN, OK, 200, "hello"},
	{OK_LINE "content-length:5\r\n\r\nhello and more that is ignored", OPEN, OK, 200, "hello"},
	{OK_LINE "\r\nhello", CLOSED, OK, 200, "hello"},
	{OK_LINE "\r\n", CLOSED, OK, 200, ""},
	{OK_LINE "Content-Length: 0\r\n\r\n", OPEN, OK, 200, ""},
	{OK_LINE "Content-Length: 5\r\nContent-Length: 5\r\n\r\nhello", OPEN, OK, 200, "hello"},
	{"HTTP/1.0 200\r\n\r\nhi", CLOSED, OK, 200, "hi"},
	{"HTTP/1.1 200 \r\n\r\nhi", CLOSED, OK, 200, "hi"},
	{"HTTP/1.1 200 OK\nContent-Length: 2\n\nhi", OPEN, OK, 200, "hi"},
	{"HTTP/1.1 206 Partial\r\nContent-Length: 2\r\n\r\nhi", OPEN, OK, 206, "hi"},
	{"HTTP/1.1 204 No Content\r\n\r\n", OPEN, OK, 204, ""},
	{"HTTP/1.1 404 Not Found\r\nContent-Length: 99999999\r\n\r\n", OPEN, OK, 404, ""},
	{"HTTP/1.1 302 Found\r\nLocation:  /next \r\nContent-Length: "
	 "9999\r\n\r\nxxxxxxxxxxxxxxxxxxxxx",
		OPEN, OK, 302, ""},
	{"HTTP/1.1 100 Continue\r\n\r\n" OK_LINE "Content-Length: 2\r\n\r\nhi", OPEN, OK, 200,
		"hi"},
	{"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n" OK_LINE "Content-Length: 2\r\n\r\nhi",
		OPEN, OK, 200, "hi"},
	{OK_LINE "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n", OPEN, OK, 200,
		"hello"},
	{OK_LINE "Transfer-Encoding: Chunked\r\n\r\n2\r\nhe\r\n00003;x=y\r\nllo\r\n0\r\n", OPEN, OK,
		200, "hello"},
	{OK_LINE "Transfer-Encoding: chunked\r\n\r\na\nhellohello\n0\n\n", OPEN, OK, 200,
		"hellohello"},
	{OK_LINE "Transfer-Encoding: chunked\r\n\r\n0\r\nTrailer: x\r\n\r\n", OPEN, OK, 200, ""},

	{"", CLOSED, ERR_SYNTAX, 0, ""},
	{"HTTP/1.1 200 OK\r\n", CLOSED, ERR_SYNTAX, 0, ""},
	{OK_LINE "Content-Length: 5\r\n\r\nhell", CLOSED, ERR_SYNTAX, 200, "hell"},
	{OK_LINE "Transfer-Encoding: chunked\r\n\r\n5\r\nhello", CLOSED, ERR_SYNTAX, 200, "hello"},
	{"SSH-2.0-OpenSSH_9.2\r\n\r\n", OPEN, ERR_SYNTAX, 0, ""},
	{"HTTP/2.0 200 OK\r\n\r\n", OPEN, ERR_SYNTAX, 0, ""},
	{"HTTP/1.1 20 OK\r\n\r\n", OPEN, ERR_SYNTAX, 0, ""},
	{"HTTP/1.1 2000 OK\r\n\r\n", OPEN, ERR_SYNTAX, 0, ""},
	{"HTTP/1.1 600 OK\r\n\r\n", OPEN, ERR_SYNTAX, 600, ""},
	{"HTTP/1.1 099 OK\r\n\r\n", OPEN, ERR_SYNTAX, 99, ""},
	{"HTTP/1.1  200 OK\r\n\r\n", OPEN, ERR_SYNTAX, 0, ""},
	{"http/1.1 200 OK\r\n\r\n", OPEN, ERR_SYNTAX, 0, ""},
	{"HTTP/1.1 101 Switching\r\n\r\n", OPEN, ERR_SYNTAX, 101, ""},
	{OK_LINE "Bad header\r\n\r\n", OPEN, ERR_SYNTAX, 200, ""},
	{OK_LINE "X : y\r\n\r\n", OPEN, ERR_SYNTAX, 200, ""},
	{OK_LINE ": y\r\n\r\n", OPEN, ERR_SYNTAX, 200, ""},
	{OK_LINE "X: y\r\n folded\r\n\r\n", OPEN, ERR_SYNTAX, 200, ""},
	{OK_LINE "X: a\rb\r\n\r\n", OPEN, ERR_SYNTAX, 200, ""},
	{OK_LINE "Content-Length: -1\r\n\r\n", OPEN, ERR_SYNTAX, 200, ""},
	{OK_LINE "Content-Length: 0x5\r\n\r\n", OPEN, ERR_SYNTAX, 200, ""},
	{OK_LINE "Content-Length: 5, 5\r\n\r\n", OPEN, ERR_SYNTAX, 200, ""},
	{OK_LINE "Content-Length:\r\n\r\n", OPEN, ERR_SYNTAX, 200, ""},
	{OK_LINE "Content-Length: 99999999999999999999\r\n\r\n", OPEN, ERR_SYNTAX, 200, ""},
	{OK_LINE "Content-Length: 5\r\nContent-Length: 6\r\n\r\n", OPEN, ERR_SYNTAX, 200, ""},
	{OK_LINE "Transfer-Encoding: gzip\r\n\r\n", OPEN, ERR_SYNTAX, 200, ""},
	{OK_LINE "Transfer-Encoding: gzip, chunked\r\n\r\n", OPEN, ERR_SYNTAX, 200, ""},
	{OK_LINE "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n", OPEN,
		ERR_SYNTAX, 200, ""},
	{OK_LINE "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n", OPEN, ERR_SYNTAX, 200,
		""},
	{OK_LINE "Transfer-Encoding: chunked\r\n\r\nxyz\r\n", OPEN, ERR_SYNTAX, 200, ""},
	{OK_LINE "Transfer-Encoding: chunked\r\n\r\n\r\n", OPEN, ERR_SYNTAX, 200, ""},
	{OK_LINE "Transfer-Encoding: chunked\r\n\r\n;x\r\n", OPEN, ERR_SYNTAX, 200, ""},
	{OK_LINE "Transfer-Encoding: chunked\r\n\r\n-5\r\n", OPEN, ERR_SYNTAX, 200, ""},
	{OK_LINE "Transfer-Encoding: chunked\r\n\r\n000000001\r\n", OPEN, ERR_SYNTAX, 200, ""},
	{OK_LINE "Transfer-Encoding: chunked\r\n\r\n2\r\nhixx\r\n", OPEN, ERR_SYNTAX, 200, "hi"},
	{OK_LINE "Transfer-Encoding: chunked\r\n\r\n2\rx\nhi", OPEN, ERR_SYNTAX, 200, ""},
	{"HTTP/1.1 302 Found\r\nLocation: /a\r\nLocation: /b\r\n\r\n", OPEN, ERR_SYNTAX, 302, ""},

	{OK_LINE "Content-Length: 17\r\n\r\n", OPEN, ERR_LIMIT, 200, ""},
	{OK_LINE "\r\n12345678901234567", OPEN, ERR_LIMIT, 200, NULL},
	{OK_LINE "Transfer-Encoding: chunked\r\n\r\n11\r\n", OPEN, ERR_LIMIT, 200, ""},
	{OK_LINE "Transfer-Encoding: chunked\r\n\r\nf\r\n123456789012345\r\n2\r\n", OPEN, ERR_LIMIT,
		200, NULL},
	{OK_LINE "Transfer-Encoding: chunked\r\n\r\nffffffff\r\n", OPEN, ERR_LIMIT, 200, ""},
	{"HTTP/1.1 100 C\r\n\r\nHTTP/1.1 100 C\r\n\r\nHTTP/1.1 100 C\r\n\r\nHTTP/1.1 100 C\r\n\r\n"
	 "HTTP/1.1 100 C\r\n\r\n",
		OPEN, ERR_LIMIT, 100, ""},
};

static void check_case(size_t i, size_t step)
{
	struct bytes text = bytes_str(cases[i].text);
	struct httpmsg m;
	int rc = OK;

	httpmsg_init(&m, BODY_MAX);
	for (size_t at = 0; rc == OK && at < text.len; at += step)
		rc = httpmsg_feed(&m,
			bytes_of(text.ptr + at, step < text.len - at ? step : text.len - at));
	if (rc == OK && cases[i].ending == CLOSED)
		rc = httpmsg_end(&m);
	if (rc != cases[i].rc || m.status != cases[i].status)
		fail_msg("case %zu in steps of %zu: rc %d, status %d: %s", i, step, rc, m.status,
			cases[i].text);
	if (rc == OK && m.state != HTTPMSG_COMPLETE)
		fail_msg("case %zu is not complete: %s", i, cases[i].text);
	assert_true((rc != OK) == (m.fault != NULL));
	if (cases[i].body != NULL)
		assert_string_equal(buf_str(&m.body), cases[i].body);
	assert_true(m.body.len <= BODY_MAX);
	httpmsg_done(&m);
}

static void responses_are_read_however_they_are_cut(void **state)
{
	static const size_t steps[] = {1, 2, 3, 7, 100000};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++)
		for (size_t s = 0; s < ARRAY_LEN(steps); s++)
			check_case(i, steps[s]);
}

static void the_location_is_trimmed_and_kept(void **state)
{
	struct httpmsg m;

	httpmsg_init(&m, BODY_MAX);
	assert_int_equal(
		httpmsg_feed(&m,
			bytes_str("HTTP/1.1 301 Moved\r\nLOCATION: \t http://x/ \t\r\n\r\n")),
		OK);
	assert_int_equal(m.status, 301);
	assert_string_equal(m.location, "http://x/");
	httpmsg_done(&m);
}

static void a_nul_in_the_head_is_refused(void **state)
{
	static const char text[] = "HTTP/1.1 301 Moved\r\nLocation: http://a\0.b/\r\n\r\n";
	struct httpmsg m;

	httpmsg_init(&m, BODY_MAX);
	assert_int_equal(httpmsg_feed(&m, bytes_of(text, sizeof(text) - 1)), ERR_SYNTAX);
	httpmsg_done(&m);
}

static void a_head_over_the_cap_is_refused(void **state)
{
	struct httpmsg m;
	int rc;

	httpmsg_init(&m, BODY_MAX);
	rc = httpmsg_feed(&m, bytes_str(OK_LINE));
	for (int i = 0; rc == OK && i < 10000; i++)
		rc = httpmsg_feed(&m, bytes_str("X: y\r\n"));
	assert_int_equal(rc, ERR_LIMIT);
	assert_true(m.head.len <= HTTPMSG_HEAD_MAX_BYTES);
	httpmsg_done(&m);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(responses_are_read_however_they_are_cut),
		cmocka_unit_test(the_location_is_trimmed_and_kept),
		cmocka_unit_test(a_nul_in_the_head_is_refused),
		cmocka_unit_test(a_head_over_the_cap_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
