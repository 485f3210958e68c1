/* test_policy.c — names we take and names we refuse. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "lib/acme/policy.h"
#include "lib/acme/suffixes.h"
#include "tests/unit/acme_make.h"
#include "tests/unit/scratch_folder.h"

#define LABEL_63 "a23456789012345678901234567890123456789012345678901234567890123"

static void expect_taken(const struct conf *conf, const char *value, const char *canonical)
{
	CLEANUP_PROBLEM struct problem pb = {0};
	char out[NAME_MAX_BYTES + 1] = "";
	int err = policy_name(conf, bytes_str(value), out, &pb);

	if (err != OK)
		print_error("%s: %s\n", value, pb.detail);
	assert_int_equal(err, OK);
	assert_string_equal(out, canonical);
	assert_int_equal(pb.type, PROBLEM_NONE);
}

static void expect_refused(const struct conf *conf, struct bytes value, enum problem_type type)
{
	CLEANUP_PROBLEM struct problem pb = {0};
	char out[NAME_MAX_BYTES + 1] = "untouched";
	int err = policy_name(conf, value, out, &pb);

	if (err != ERR_PROBLEM || pb.type != type)
		print_error("\"%.*s\": err %d, %s\n", (int)value.len, (const char *)value.ptr, err,
			pb.detail);
	assert_int_equal(err, ERR_PROBLEM);
	assert_int_equal(pb.type, type);
	assert_true(pb.detail != NULL && pb.detail[0] != '\0');
	assert_string_equal(out, "untouched");
}

static void ordinary_names_are_taken_in_lower_case(void **state)
{
	CLEANUP(conf_free) struct conf *conf = make_conf(MAKE_SERVER);
	static const struct {
		const char *value;
		const char *canonical;
	} rows[] = {
		{"example.org", "example.org"},
		{"WWW.Example.ORG", "www.example.org"},
		{"*.example.org", "*.example.org"},
		{"*.A.example.org", "*.a.example.org"},
		{"a-b.c--d.example.org", "a-b.c--d.example.org"},
		{"3com.example", "3com.example"},
		{"1.2.3.example.org", "1.2.3.example.org"},
		{"127.0.0.1.nip.io", "127.0.0.1.nip.io"},
		{"0x7f.example", "0x7f.example"},
		{LABEL_63 ".example", LABEL_63 ".example"},
		{"a.b.c.d.e.f.g.h.i.test", "a.b.c.d.e.f.g.h.i.test"},
		/* fleets: names under top-level domains that no list knows */
		{"host.test", "host.test"},
		{"db1.prod.internal", "db1.prod.internal"},
		{"x.example", "x.example"},
		{"nas.home.arpa", "nas.home.arpa"},
		{"*.svc.internal", "*.svc.internal"},
		{"*.fleet.test", "*.fleet.test"},
		/* below public suffixes, and private-section suffixes, which have an owner */
		{"example.co.uk", "example.co.uk"},
		{"*.example.co.uk", "*.example.co.uk"},
		{"www.ck", "www.ck"},
		{"github.io", "github.io"},
		{"*.github.io", "*.github.io"},
		/* IDNA2008 */
		{"xn--bcher-kva.example", "xn--bcher-kva.example"},
		{"XN--BCHER-KVA.example", "xn--bcher-kva.example"},
		{"xn--fa-hia.example", "xn--fa-hia.example"},
		{"xn--mgba3gch31f060k.example", "xn--mgba3gch31f060k.example"},
		{"xn--ll-0ea.example", "xn--ll-0ea.example"},
		{"x.xn--p1ai", "x.xn--p1ai"},
		{"*.xn--bcher-kva.example", "*.xn--bcher-kva.example"},
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		expect_taken(conf, rows[i].value, rows[i].canonical);
}

/* No DNS names, or none that we certify. */
static const char *const no_names[] = {
	/* addresses, in any notation */
	"127.0.0.1", "10.1", "0x7f.1", "0x7f000001", "2130706433", "017700000001", "1.2.3.4.5",
	"0x7f.0x1", "a.0x", "example.127", "[::1]", "::1", "[2001:db8::1]", "2001:db8::1",
	"::ffff:10.0.0.1", "fe80::1%eth0",
	/* dots and labels */
	"example.org.", ".", "..", ".example.org", "a..b.example.org", "localhost", "test",
	"*.test", "org", "*.org",
	("a23456789012345678901234567890123456789012345678901234567890"
	 "1234.example"),
	"a.b.c.d.e.f.g.h.i.j.test",
	/* characters */
	"a_b.example.org", "_acme-challenge.example.org", "a!b.example.org", "user@example.org",
	"example.org:443", "https://example.org", "example.org/path", "a\\.example.org",
	("b\xc3\xbc"
	 "cher.example"),
	("ex\xe2\x80\x8e"
	 "ample.org"),
	"-a.example.org", "a-.example.org", "a.-.example.org",
	/* wildcards */
	"*", "*.", "*.*.example.org", "a.*.example.org", "*a.example.org", "a*.example.org",
	"**.example.org", "*.*", "*..example.org", "*.127.0.0.1",
	/* hyphens in third and fourth place */
	"ab--c.example", "zz--.example", "a1--b.example", "XM--a.example",
	/* xn-- labels that are no A-labels */
	"xn--.example", "xn---.example", "xn--0.example", "xn--99999999.example",
	"xn--abc-.example", "xn--example.org", "xn--a.example", "xn--ls8h.example",
	"xn--e28h.example", "xn--u-ccb.example", "xn--et-8tb.example", "xn--a-wgn.example",
	"xn--2ug.example", "xn--ab-m1t.example", "xn--1-0hc.example", "xn--7ba.example",
	"xn----0fa.example", "xn----zfa.example", "xn--a-wbb.example", "xn--ab-0ea.example",
	"*.xn--u-ccb.example",
	/* public suffixes */
	"co.uk", "*.co.uk", "CO.UK", "foo.ck", "*.foo.ck", "foo.kawasaki.jp", "*.foo.kawasaki.jp",
	"xn--55qx5d.cn",
	/* names nobody may have */
	"1.0.0.127.in-addr.arpa", "in-addr.arpa", "8.b.d.0.1.0.0.2.ip6.arpa", "abcdef.onion",
	"*.abcdef.onion"};

static void what_is_no_dns_name_is_refused(void **state)
{
	CLEANUP(conf_free) struct conf *conf = make_conf(MAKE_SERVER);

	for (size_t i = 0; i < ARRAY_LEN(no_names); i++)
		expect_refused(conf, bytes_str(no_names[i]), PROBLEM_REJECTED_IDENTIFIER);
}

static void what_is_no_text_of_a_name_is_malformed(void **state)
{
	CLEANUP(conf_free) struct conf *conf = make_conf(MAKE_SERVER);

	expect_refused(conf, bytes_str(""), PROBLEM_MALFORMED);
	expect_refused(conf, bytes_str(" example.org"), PROBLEM_MALFORMED);
	expect_refused(conf, bytes_str("example.org\n"), PROBLEM_MALFORMED);
	expect_refused(conf, bytes_of("example.org\0.evil.test", 22), PROBLEM_MALFORMED);
	expect_refused(conf, bytes_str("a\x7f.example.org"), PROBLEM_MALFORMED);
}

static void length_is_bounded_to_the_byte(void **state)
{
	CLEANUP(conf_free) struct conf *conf = make_conf(MAKE_SERVER);
	CLEANUP_BUF struct buf name = {0};
	CLEANUP_BUF struct buf longest = {0};

	/* 3 x 64 + 61 = 253 */
	for (int i = 0; i < 3; i++)
		buf_add_str(&name, LABEL_63 ".");
	buf_add(&name, LABEL_63, 56);
	buf_add_str(&name, ".test");
	assert_int_equal(name.len, NAME_MAX_BYTES);
	expect_taken(conf, buf_str(&name), buf_str(&name));

	buf_add_str(&longest, "b");
	buf_add(&longest, name.ptr, name.len);
	expect_refused(conf, buf_bytes(&longest), PROBLEM_REJECTED_IDENTIFIER);
	buf_reserve(&longest, 65536);
	for (int i = 0; i < 10000; i++)
		buf_add_str(&longest, ".a");
	expect_refused(conf, buf_bytes(&longest), PROBLEM_REJECTED_IDENTIFIER);
}

static void blocked_names_and_what_covers_them_are_refused(void **state)
{
	CLEANUP(conf_free)
	struct conf *conf = make_conf(
		MAKE_SERVER "[orders]\nblocked_names = exact.test www.bank.test .corp.test\n");
	static const char *const refused[] = {"exact.test", "EXACT.test", "*.exact.test",
		"www.bank.test", "*.bank.test", "corp.test", "a.corp.test", "*.corp.test",
		"x.y.corp.test", "*.x.corp.test"};
	static const char *const taken[] = {"a.exact.test", "notexact.test", "bank.test",
		"a.www.bank.test", "xcorp.test", "corp.test.example"};

	for (size_t i = 0; i < ARRAY_LEN(refused); i++)
		expect_refused(conf, bytes_str(refused[i]), PROBLEM_REJECTED_IDENTIFIER);
	for (size_t i = 0; i < ARRAY_LEN(taken); i++)
		expect_taken(conf, taken[i], taken[i]);
}

static void a_broken_suffix_list_is_never_taken_for_an_empty_one(void **state)
{
	CLEANUP(conf_free)
	struct conf *missing =
		make_conf(MAKE_SERVER "[orders]\npublic_suffixes = /nonexistent/list.dat\n");
	CLEANUP(conf_free)
	struct conf *empty = make_conf(MAKE_SERVER "[orders]\npublic_suffixes = /dev/null\n");
	CLEANUP_PROBLEM struct problem pb = {0};
	char out[NAME_MAX_BYTES + 1];

	assert_int_equal(suffixes_load(missing), ERR_INTERNAL);
	assert_int_equal(suffixes_load(empty), ERR_INTERNAL);
	assert_int_equal(policy_name(missing, bytes_str("example.org"), out, &pb), ERR_INTERNAL);
	assert_int_equal(pb.type, PROBLEM_NONE);
}

/* A list of many rules, one of them of our choice. */
static char *write_list(const char *rule)
{
	CLEANUP_BUF struct buf text = {0};

	buf_addf(&text, "// ===BEGIN ICANN DOMAINS===\n%s\n", rule);
	for (int i = 0; i < 1200; i++)
		buf_addf(&text, "rule%d.test\n", i);
	buf_add_str(&text, "// ===END ICANN DOMAINS===\n");
	return scratch_write("list.dat", buf_bytes(&text), 0644);
}

static bool is_public(const struct conf *conf, const char *name)
{
	bool found = false;

	assert_int_equal(suffixes_is_public(conf, name, &found), OK);
	return found;
}

static void a_changed_list_is_read_again_and_a_broken_one_leaves_the_old(void **state)
{
	CLEANUP_STR char *path = write_list("one.test");
	CLEANUP_STR char *again = NULL, *broken = NULL;
	CLEANUP_BUF struct buf text = {0};

	buf_addf(&text, MAKE_SERVER "[orders]\npublic_suffixes = %s\n", path);
	CLEANUP(conf_free) struct conf *conf = make_conf(buf_str(&text));

	assert_true(is_public(conf, "one.test") && !is_public(conf, "twofold.test"));
	again = write_list("twofold.test");
	assert_string_equal(again, path);
	assert_true(is_public(conf, "one.test")); /* until it is asked for */
	assert_int_equal(suffixes_load(conf), OK);
	assert_true(!is_public(conf, "one.test") && is_public(conf, "twofold.test"));
	broken = scratch_write("list.dat", bytes_str("one.test\n"), 0644);
	assert_string_equal(broken, path);
	assert_int_equal(suffixes_load(conf), ERR_INTERNAL);
	assert_true(is_public(conf, "twofold.test"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_changed_list_is_read_again_and_a_broken_one_leaves_the_old),
		cmocka_unit_test(ordinary_names_are_taken_in_lower_case),
		cmocka_unit_test(what_is_no_dns_name_is_refused),
		cmocka_unit_test(what_is_no_text_of_a_name_is_malformed),
		cmocka_unit_test(length_is_bounded_to_the_byte),
		cmocka_unit_test(blocked_names_and_what_covers_them_are_refused),
		cmocka_unit_test(a_broken_suffix_list_is_never_taken_for_an_empty_one),
	};

	return cmocka_run_group_tests(tests, scratch_folder_make, scratch_folder_remove);
}
