/* test_weburl.c — redirect targets: what resolves to what (RFC 3986 section 5), and what is
 * refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>

#include "lib/net/weburl.h"

#define BASE_TARGET "/b/c/d;p?q"

static const struct {
	const char *reference;
	const char *url; /* NULL: refused */
} cases[] = {
	{"http://x.test/", "http://x.test/"},
	{"HTTP://X.Test:80/A", "http://x.test/A"},
	{"https://x.test", "https://x.test/"},
	{"https://x.test:443/a?b=c#frag", "https://x.test/a?b=c"},
	{"https://x.test:8443/", "https://x.test:8443/"},
	{"http://x.test?q", "http://x.test/?q"},
	{"http://x.test#f", "http://x.test/"},
	{"//y.test/z", "http://y.test/z"},
	{"//y.test:81", "http://y.test:81/"},
	{"http://192.0.2.1/", "http://192.0.2.1/"},
	{"http://[2001:db8::1]:80/", "http://[2001:db8::1]/"},
	{"http://[2001:DB8::1]:8080/", "http://[2001:db8::1]:8080/"},
	{"http://x_y.test/", "http://x_y.test/"},
	{"http://localhost/", "http://localhost/"},
	{"/g", "http://a.test/g"},
	{"g", "http://a.test/b/c/g"},
	{"./g", "http://a.test/b/c/g"},
	{"g/", "http://a.test/b/c/g/"},
	{"?y", "http://a.test/b/c/d;p?y"},
	{"g?y", "http://a.test/b/c/g?y"},
	{"", "http://a.test/b/c/d;p?q"},
	{"#s", "http://a.test/b/c/d;p?q"},
	{"g;x", "http://a.test/b/c/g;x"},
	{".", "http://a.test/b/c/"},
	{"./", "http://a.test/b/c/"},
	{"..", "http://a.test/b/"},
	{"../", "http://a.test/b/"},
	{"../g", "http://a.test/b/g"},
	{"../..", "http://a.test/"},
	{"../../g", "http://a.test/g"},
	{"../../../g", "http://a.test/g"},
	{"/./g", "http://a.test/g"},
	{"/../g", "http://a.test/g"},
	{"g.", "http://a.test/b/c/g."},
	{"..g", "http://a.test/b/c/..g"},
	{"./g/.", "http://a.test/b/c/g/"},
	{"g/../h", "http://a.test/b/c/h"},
	{"g?y/../x", "http://a.test/b/c/g?y/../x"},
	{"/a//b", "http://a.test/a//b"},

	{"http:g", NULL},
	{"http:/g", NULL},
	{"ftp://x.test/", NULL},
	{"gopher://x.test/", NULL},
	{"file:///etc/passwd", NULL},
	{"javascript:alert(1)", NULL},
	{"x.test:80/", NULL},
	{"http://", NULL},
	{"http:///x", NULL},
	{"http://x.test:/", NULL},
	{"http://x.test:0/", NULL},
	{"http://x.test:65536/", NULL},
	{"http://x.test:+80/", NULL},
	{"http://x.test:80:80/", NULL},
	{"http://user@x.test/", NULL},
	{"http://user:pw@x.test/", NULL},
	{"http://x.test\\@y.test/", NULL},
	{"http://x.test./", NULL},
	{"http://.x.test/", NULL},
	{"http://x..test/", NULL},
	{"http://127.1/", NULL},
	{"http://0x7f.1/", NULL},
	{"http://0x7f000001/", NULL},
	{"http://2130706433/", NULL},
	{"http://0177.0.0.1/", NULL},
	{"http://1.2.3.4.5/", NULL},
	{"http://[::1%25lo]/", NULL},
	{"http://[::1/", NULL},
	{"http://::1/", NULL},
	{"http://[127.0.0.1]/", NULL},
	{"http://x.test.well-known/a", NULL},
	{"http://x%2etest/", NULL},
	{"http://x test/", NULL},
	{"http://x.test/a b", NULL},
	{"http://x.test/\r\nX: y", NULL},
	{"http://x.test/\t", NULL},
	{"http://b\xc3\xbc"
	 "cher.test/",
		NULL},
	{"http://x.test/\xff", NULL},
};

static void references_resolve_or_are_refused(void **state)
{
	struct weburl base;

	weburl_init_http(&base, "a.test", 80, BASE_TARGET);
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct weburl url = {0};
		const char *fault = NULL;
		CLEANUP_BUF struct buf text = {0};
		int rc = weburl_resolve(&base, bytes_str(cases[i].reference), &fault, &url);

		if ((rc == OK) != (cases[i].url != NULL))
			fail_msg("\"%s\": %d", cases[i].reference, rc);
		if (rc != OK) {
			assert_non_null(fault);
			continue;
		}
		weburl_format(&url, &text);
		assert_string_equal(buf_str(&text), cases[i].url);
		weburl_done(&url);
	}
	weburl_done(&base);
}

static void long_targets_are_refused(void **state)
{
	CLEANUP_BUF struct buf ref = {0};
	const char *fault = NULL;
	struct weburl base, url = {0};

	weburl_init_http(&base, "a.test", 80, "/");
	buf_add_byte(&ref, '/');
	while (ref.len < WEBURL_TARGET_MAX_LEN)
		buf_add_byte(&ref, 'x');
	assert_int_equal(weburl_resolve(&base, buf_bytes(&ref), &fault, &url), OK);
	weburl_done(&url);
	buf_add_byte(&ref, 'x');
	assert_int_equal(weburl_resolve(&base, buf_bytes(&ref), &fault, &url), ERR_SYNTAX);
	weburl_done(&base);
}

static void relative_references_keep_scheme_port_and_address(void **state)
{
	struct weburl base, next = {0}, last = {0};
	const char *fault = NULL;
	CLEANUP_BUF struct buf text = {0};

	weburl_init_http(&base, "a.test", 80, "/");
	assert_int_equal(weburl_resolve(&base, bytes_str("https://[2001:db8::2]:8443/x"), &fault,
				 &next),
		OK);
	assert_int_equal(weburl_resolve(&next, bytes_str("y"), &fault, &last), OK);
	assert_true(last.is_address);
	weburl_format(&last, &text);
	assert_string_equal(buf_str(&text), "https://[2001:db8::2]:8443/y");
	weburl_done(&base);
	weburl_done(&next);
	weburl_done(&last);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(references_resolve_or_are_refused),
		cmocka_unit_test(long_targets_are_refused),
		cmocka_unit_test(relative_references_keep_scheme_port_and_address),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
