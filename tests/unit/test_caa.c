/* test_caa.c — what CAA sets permit: the matrix of RFC 8659 and RFC 8657, and the ways past it that
 * other CAs let open. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>

#include "lib/net/caa.h"

#define ACCOUNT "https://acme.test/acme/account/AZq1wz3Gd8CrVTqBn0fWqg"

static const char *const our_names[] = {"ca.test", "old-ca.test"};

/* RDATA of one record. */
static void add_record(struct buf *out, int flags, const char *tag, const char *value)
{
	buf_add_byte(out, (uint8_t)flags);
	buf_add_byte(out, (uint8_t)strlen(tag));
	buf_add_str(out, tag);
	buf_add_str(out, value);
}

/* Issue values that stand alone in a set: the name is not a wildcard, the method is http-01. */
static const struct {
	const char *value;
	enum caa_answer answer;
} values[] = {
	{"ca.test", CAA_PERMITS},
	{"CA.TEST", CAA_PERMITS},
	{"Ca.TesT", CAA_PERMITS},
	{"old-ca.test", CAA_PERMITS},
	{" ca.test", CAA_PERMITS},
	{"\tca.test\t ", CAA_PERMITS},
	{"ca.test;", CAA_PERMITS},
	{"ca.test ; ", CAA_PERMITS},
	{"ca.test; policy=ev", CAA_PERMITS},
	{"ca.test; a=1; b=2", CAA_PERMITS},
	{"ca.test;a=1;b=2 ", CAA_PERMITS},
	{"ca.test; a = 1 ; b = 2", CAA_PERMITS},
	{"ca.test; a=", CAA_PERMITS},
	{"ca.test; a==:/?,@", CAA_PERMITS},
	{"", CAA_NOBODY},
	{" ", CAA_NOBODY},
	{";", CAA_NOBODY},
	{" ; ", CAA_NOBODY},
	{"; policy=ev", CAA_NOBODY},
	{"; accounturi=" ACCOUNT, CAA_NOBODY},
	{"%", CAA_MALFORMED},
	{"xca.test", CAA_OTHER_CA},
	{"ca.testx", CAA_OTHER_CA},
	{"ca.test.evil", CAA_OTHER_CA},
	{"evil.ca.test", CAA_OTHER_CA},
	{"ca", CAA_OTHER_CA},
	{"test", CAA_OTHER_CA},
	{"other.test; x=ca.test", CAA_OTHER_CA},
	{"ca.test.", CAA_MALFORMED},
	{".ca.test", CAA_MALFORMED},
	{"ca..test", CAA_MALFORMED},
	{"-ca.test", CAA_MALFORMED},
	{"ca-.test", CAA_MALFORMED},
	{"ca_.test", CAA_MALFORMED},
	{"ca.test other.test", CAA_MALFORMED},
	{"ca.test, other.test", CAA_MALFORMED},
	{"issuedomainname:ca.test", CAA_MALFORMED},
	{"\"ca.test\"", CAA_MALFORMED},
	{"ca.test\n", CAA_MALFORMED},
	{"ca.test;;", CAA_MALFORMED},
	{"ca.test; a=1;", CAA_MALFORMED},
	{"ca.test; a", CAA_MALFORMED},
	{"ca.test; =1", CAA_MALFORMED},
	{"ca.test; a=1 2", CAA_MALFORMED},
	{"ca.test; a=1 b=2", CAA_MALFORMED},
	{"ca.test; a-=1", CAA_MALFORMED},
	{"ca.test; a=\x7f", CAA_MALFORMED},
	{"ca.test; a=\xc3\xa4", CAA_MALFORMED},
	{"ca.test a=1", CAA_MALFORMED},
	{"ca.test; accounturi=" ACCOUNT, CAA_PERMITS},
	{"ca.test; accounturi = " ACCOUNT " ", CAA_PERMITS},
	{"ca.test; AccountURI=" ACCOUNT, CAA_PERMITS},
	{"ca.test; accounturi=" ACCOUNT "/", CAA_OTHER_ACCOUNT},
	{"ca.test; accounturi=" ACCOUNT "x", CAA_OTHER_ACCOUNT},
	{"ca.test; accounturi=HTTPS://acme.test/acme/account/AZq1wz3Gd8CrVTqBn0fWqg",
		CAA_OTHER_ACCOUNT},
	{"ca.test; accounturi=https://acme.test:443/acme/account/AZq1wz3Gd8CrVTqBn0fWqg",
		CAA_OTHER_ACCOUNT},
	{"ca.test; accounturi=https://acme.test/acme/account/azq1wz3Gd8CrVTqBn0fWqg",
		CAA_OTHER_ACCOUNT},
	{"ca.test; accounturi=", CAA_OTHER_ACCOUNT},
	{"ca.test; accounturi=" ACCOUNT "; accounturi=" ACCOUNT, CAA_DUPLICATE},
	{"ca.test; accounturi=" ACCOUNT "; ACCOUNTURI=https://x", CAA_DUPLICATE},
	{"ca.test; x=1; x=1", CAA_DUPLICATE},
	{"ca.test; validationmethods=http-01", CAA_PERMITS},
	{"ca.test; validationmethods=dns-01,http-01", CAA_PERMITS},
	{"ca.test; validationmethods=http-01,ca-special", CAA_PERMITS},
	{"ca.test; validationmethods=dns-01", CAA_OTHER_METHOD},
	{"ca.test; validationmethods=dns-01,tls-alpn-01", CAA_OTHER_METHOD},
	{"ca.test; validationmethods=HTTP-01", CAA_OTHER_METHOD},
	{"ca.test; validationmethods=http-010", CAA_OTHER_METHOD},
	{"ca.test; validationmethods=xhttp-01", CAA_OTHER_METHOD},
	{"ca.test; validationmethods=", CAA_OTHER_METHOD},
	{"ca.test; validationmethods=http-01,", CAA_OTHER_METHOD},
	{"ca.test; validationmethods=,http-01", CAA_OTHER_METHOD},
	{"ca.test; validationmethods=http-01:dns-01", CAA_OTHER_METHOD},
	{"ca.test; validationmethods=http-01; validationmethods=dns-01", CAA_DUPLICATE},
	{"ca.test; accounturi=" ACCOUNT "; validationmethods=http-01", CAA_PERMITS},
	{"ca.test; accounturi=" ACCOUNT "; validationmethods=dns-01", CAA_OTHER_METHOD},
	{"ca.test; accounturi=https://x; validationmethods=http-01", CAA_OTHER_ACCOUNT},
	{"ca.test; accounturi=" ACCOUNT "; validationmethods=http-01; accounturi=https://x",
		CAA_DUPLICATE},
};

static struct caa_question question(bool wildcard)
{
	return (struct caa_question){.identities = our_names,
		.nidentities = ARRAY_LEN(our_names),
		.wildcard = wildcard,
		.account_uri = ACCOUNT,
		.method = wildcard ? "dns-01" : "http-01"};
}

static void each_issue_value_means_one_thing(void **state)
{
	struct caa_question q = question(false);

	for (size_t i = 0; i < ARRAY_LEN(values); i++) {
		enum caa_answer answer = caa_value_answer(bytes_str(values[i].value), &q);

		if (answer != values[i].answer)
			fail_msg("\"%s\": %d, expected %d", values[i].value, answer,
				values[i].answer);
	}
}

static void a_value_that_does_not_permit_refuses_alone_in_its_set(void **state)
{
	struct caa_question q = question(false);

	for (size_t i = 0; i < ARRAY_LEN(values); i++) {
		CLEANUP_BUF struct buf rdata = {0};
		CLEANUP_PROBLEM struct problem pb = {0};
		struct bytes set[1];
		int rc;

		add_record(&rdata, 0, "issue", values[i].value);
		set[0] = buf_bytes(&rdata);
		rc = caa_check_set("example.test", set, 1, &q, &pb);
		assert_int_equal(rc, values[i].answer == CAA_PERMITS ? OK : ERR_PROBLEM);
		assert_int_equal(pb.type, rc == OK ? PROBLEM_NONE : PROBLEM_CAA);
	}
}

#define RECORDS_MAX 4

/* Whole sets. Each record is "FLAGS TAG VALUE". */
static const struct {
	const char *what;
	struct {
		int flags;
		const char *tag;
		const char *value;
	} records[RECORDS_MAX];
	bool name, wildcard; /* permitted for example.test, for *.example.test */
} sets[] = {
	{"iodef alone restricts nothing", {{0, "iodef", "mailto:a@example.test"}}, true, true},
	{"critical iodef is known", {{128, "iodef", "mailto:a@example.test"}}, true, true},
	{"an unknown tag is passed over", {{0, "future", "x"}}, true, true},
	{"an unknown critical tag refuses", {{128, "future", "x"}}, false, false},
	{"an unknown critical tag refuses beside a permission",
		{{0, "issue", "ca.test"}, {128, "future", "x"}}, false, false},
	{"other flag bits mean nothing", {{127, "future", "x"}, {1, "issue", "ca.test"}}, true,
		true},
	{"all flag bits include critical", {{255, "future", "x"}}, false, false},
	{"issuemail is not ours to know", {{128, "issuemail", "ca.test"}}, false, false},
	{"critical issue is known", {{128, "issue", "ca.test"}}, true, true},
	{"tags are compared without case", {{0, "ISSUE", "other.test"}}, false, false},
	{"critical tags without case, too", {{128, "IsSuE", "ca.test"}}, true, true},
	{"one permission among refusals is enough",
		{{0, "issue", "other.test"}, {0, "issue", ";"}, {0, "issue", "ca.test"}}, true,
		true},
	{"one usable permission among unusable ones is enough",
		{{0, "issue", "ca.test; validationmethods=none"}, {0, "issue", "ca.test"}}, true,
		true},
	{"no permission among several refuses",
		{{0, "issue", "other.test"}, {0, "issue", "another.test"}}, false, false},
	{"issue covers wildcards when there is no issuewild", {{0, "issue", "ca.test"}}, true,
		true},
	{"issuewild takes the place of issue for wildcards",
		{{0, "issue", "ca.test"}, {0, "issuewild", ";"}}, true, false},
	{"issuewild does not help other names", {{0, "issue", ";"}, {0, "issuewild", "ca.test"}},
		false, true},
	{"issuewild alone leaves other names free", {{0, "issuewild", "other.test"}}, true, false},
	{"issuewild of ours alone", {{0, "issuewild", "ca.test"}}, true, true},
	{"issuewild is compared without case", {{0, "IssueWild", ";"}, {0, "issue", "ca.test"}},
		true, false},
	{"a method for wildcards only", {{0, "issue", "ca.test; validationmethods=dns-01"}}, false,
		true},
	{"issue ; forbids", {{0, "issue", ";"}}, false, false},
	{"an empty value forbids", {{0, "issue", ""}}, false, false},
	{"a tag with a hyphen cannot be read", {{0, "iss-ue", "ca.test"}}, false, false},
	{"a tag with a blank cannot be read", {{0, "issue ", "ca.test"}}, false, false},
	{"a long tag is a tag", {{0, "issuewildissuewildissuewild", "ca.test"}}, true, true},
};

static void check_one_set(size_t i, bool wildcard)
{
	struct caa_question q = question(wildcard);
	CLEANUP_PROBLEM struct problem pb = {0};
	struct buf rdata[RECORDS_MAX] = {{0}};
	struct bytes set[RECORDS_MAX];
	size_t n = 0;
	int rc;

	for (; n < RECORDS_MAX && sets[i].records[n].tag != NULL; n++) {
		add_record(&rdata[n], sets[i].records[n].flags, sets[i].records[n].tag,
			sets[i].records[n].value);
		set[n] = buf_bytes(&rdata[n]);
	}
	rc = caa_check_set("example.test", set, n, &q, &pb);
	if ((rc == OK) != (wildcard ? sets[i].wildcard : sets[i].name))
		fail_msg("%s (%s)", sets[i].what, wildcard ? "wildcard" : "name");
	if (rc != OK)
		assert_non_null(strstr(pb.detail, "example.test"));
	while (n > 0)
		buf_done(&rdata[--n]);
}

static void sets_are_judged_as_a_whole(void **state)
{
	for (size_t i = 0; i < ARRAY_LEN(sets); i++) {
		check_one_set(i, false);
		check_one_set(i, true);
	}
}

static void a_ca_without_identities_is_refused_by_every_issue_record(void **state)
{
	struct caa_question q = question(false);
	CLEANUP_BUF struct buf issue = {0}, iodef = {0};
	CLEANUP_PROBLEM struct problem pb = {0};
	struct bytes set[2];

	q.nidentities = 0;
	add_record(&issue, 0, "issue", "ca.test");
	add_record(&iodef, 0, "iodef", "mailto:a@example.test");
	set[0] = buf_bytes(&iodef);
	set[1] = buf_bytes(&issue);
	assert_int_equal(caa_check_set("example.test", set, 1, &q, &pb), OK);
	assert_int_equal(caa_check_set("example.test", set, 2, &q, &pb), ERR_PROBLEM);
}

static void records_that_cannot_be_read_refuse(void **state)
{
	static const struct {
		const char *bytes;
		size_t len;
	} bad[] = {{"", 0}, {"\0", 1}, {"\0\0", 2}, {"\0\0ca.test", 9}, {"\0\5issu", 6},
		{"\0\xffissue", 7}, {"\0\5iss\0eca.test", 14}};
	struct caa_question q = question(false);
	CLEANUP_BUF struct buf good = {0};

	add_record(&good, 0, "issue", "ca.test");
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		struct bytes set[2] = {buf_bytes(&good), bytes_of(bad[i].bytes, bad[i].len)};
		CLEANUP_PROBLEM struct problem pb = {0};

		assert_int_equal(caa_check_set("example.test", set, 2, &q, &pb), ERR_PROBLEM);
		assert_int_equal(pb.type, PROBLEM_CAA);
	}
}

static void a_nul_in_a_value_never_shortens_it(void **state)
{
	struct caa_question q = question(false);

	assert_int_equal(caa_value_answer(bytes_of("ca.test\0.evil", 13), &q), CAA_MALFORMED);
	assert_int_equal(caa_value_answer(bytes_of("ca.test\0", 8), &q), CAA_MALFORMED);
	assert_int_equal(caa_value_answer(bytes_of("ca.test; accounturi=" ACCOUNT "\0",
						  sizeof("ca.test; accounturi=" ACCOUNT)),
				 &q),
		CAA_MALFORMED);
}

static void quoted_values_are_printable_and_short(void **state)
{
	CLEANUP_BUF struct buf rdata = {0}, text = {0};
	char value[2001];

	memset(value, '\x01', sizeof(value) - 1);
	value[2000] = '\0';
	add_record(&rdata, 128, "issue", value);
	caa_format(buf_bytes(&rdata), &text);
	assert_true(text.len < 200);
	assert_memory_equal(text.ptr, "128 issue \"????", 15);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_issue_value_means_one_thing),
		cmocka_unit_test(a_value_that_does_not_permit_refuses_alone_in_its_set),
		cmocka_unit_test(sets_are_judged_as_a_whole),
		cmocka_unit_test(a_ca_without_identities_is_refused_by_every_issue_record),
		cmocka_unit_test(records_that_cannot_be_read_refuse),
		cmocka_unit_test(a_nul_in_a_value_never_shortens_it),
		cmocka_unit_test(quoted_values_are_printable_and_short),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
