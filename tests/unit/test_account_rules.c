/* test_account_rules.c — newAccount and account updates. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "lib/acme/account_rules.h"
#include "tests/unit/acme_make.h"

#define TERMS MAKE_SERVER "terms_of_service = https://acme.example/terms\n"

typedef int rule(const struct conf *, const struct jx *, struct problem *, struct account_wish *);

static void check(rule *apply, const struct conf *conf, const char *text, enum problem_type type)
{
	CLEANUP_PROBLEM struct problem pb = {0};
	CLEANUP(jx_free) struct jx *payload = make_json(text);
	struct account_wish wish = {0};
	int err = apply(conf, payload, &pb, &wish);

	account_rules_done(&wish);
	if (pb.type != type)
		print_error("%s: %s: %s\n", text, problem_type_name(pb.type), pb.detail);
	assert_int_equal(err, type == PROBLEM_NONE ? OK : ERR_PROBLEM);
	assert_int_equal(pb.type, type);
}

static void check_contact(const struct conf *conf, const char *url, enum problem_type type)
{
	CLEANUP_BUF struct buf text = {0};

	buf_addf(&text, "{\"contact\":[\"%s\"]}", url);
	check(account_rules_new, conf, buf_str(&text), type);
	check(account_rules_update, conf, buf_str(&text), type);
}

static void good_contacts_are_taken(void **state)
{
	CLEANUP(conf_free) struct conf *conf = make_conf(MAKE_SERVER);
	static const char *const rows[] = {"mailto:admin@example.org", "MAILTO:admin@example.org",
		"mailto:a.b+tag@sub.example.org", "mailto:o'brien@example.org",
		"mailto:x_y-z=1@xn--bcher-kva.example"};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		check_contact(conf, rows[i], PROBLEM_NONE);
}

static void bad_contacts_are_invalid(void **state)
{
	CLEANUP(conf_free) struct conf *conf = make_conf(MAKE_SERVER);
	static const char *const rows[] = {"", "admin@example.org", "mailto:", "mailto:@",
		"mailto:a", "mailto:a@", "mailto:@example.org", "mailto:a@b",
		"mailto:a@b@example.org", "mailto:a@example.org?subject=x", "mailto:a@example.org?",
		"mailto:a@example.org,b@example.org", "mailto:a@example.org,",
		"mailto:a b@example.org", "mailto:a@exa mple.org", "mailto:.a@example.org",
		"mailto:a.@example.org", "mailto:a..b@example.org", "mailto:a@example..org",
		"mailto:a@.example.org", "mailto:a@example.org.", "mailto:a@-example.org",
		"mailto:a@example-.org", "mailto:a@exa_mple.org", "mailto:a@[192.0.2.1]",
		"mailto:<a@example.org>", "mailto:a(b)@example.org", "mailto:\\\"a\\\"@example.org",
		"mailto:\xc3\xa4@example.org", "mailto:a@b\303\274cher.example",
		"mailto:a@example.org\\n", "mailto:a@example.org\\r\\nBcc: x",
		"mailto:a\\u0000@example.org", "mailto://a@example.org", "mailto:a#b@example.org",
		"mailto:a%0d%0aBcc@example.org"};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		check_contact(conf, rows[i], PROBLEM_INVALID_CONTACT);
}

static void other_schemes_are_unsupported_unless_configured(void **state)
{
	CLEANUP(conf_free) struct conf *conf = make_conf(MAKE_SERVER);
	CLEANUP(conf_free)
	struct conf *tel = make_conf(MAKE_SERVER "[handlers]\ncontact_schemes = mailto tel\n");

	check_contact(conf, "tel:+123", PROBLEM_UNSUPPORTED_CONTACT);
	check_contact(conf, "https://example.org/", PROBLEM_UNSUPPORTED_CONTACT);
	check_contact(conf, ":x", PROBLEM_UNSUPPORTED_CONTACT);
	check_contact(conf, "mail:a@example.org", PROBLEM_UNSUPPORTED_CONTACT);
	check_contact(tel, "tel:+123", PROBLEM_NONE);
	check_contact(tel, "tel:", PROBLEM_INVALID_CONTACT);
	check_contact(tel, "sip:x", PROBLEM_UNSUPPORTED_CONTACT);
}

static void contacts_are_bounded(void **state)
{
	CLEANUP(conf_free) struct conf *conf = make_conf(MAKE_SERVER);
	CLEANUP_BUF struct buf many = {0};
	CLEANUP_BUF struct buf wide = {0};

	buf_add_str(&many, "{\"contact\":[");
	for (int i = 0; i <= CONTACTS_MAX; i++)
		buf_addf(&many, "%s\"mailto:a@example.org\"", i > 0 ? "," : "");
	buf_add_str(&many, "]}");
	check(account_rules_new, conf, buf_str(&many), PROBLEM_MALFORMED);

	buf_add_str(&wide, "mailto:");
	for (int i = 0; i < CONTACT_MAX_BYTES; i++)
		buf_add_str(&wide, "a");
	buf_add_str(&wide, "@example.org");
	check_contact(conf, buf_str(&wide), PROBLEM_INVALID_CONTACT);
}

static void wrong_types_are_malformed(void **state)
{
	CLEANUP(conf_free) struct conf *conf = make_conf(MAKE_SERVER);

	check(account_rules_new, conf, "{\"contact\":\"mailto:a@example.org\"}", PROBLEM_MALFORMED);
	check(account_rules_new, conf, "{\"contact\":null}", PROBLEM_MALFORMED);
	check(account_rules_new, conf, "{\"contact\":[1]}", PROBLEM_MALFORMED);
	check(account_rules_new, conf, "{\"termsOfServiceAgreed\":\"yes\"}", PROBLEM_MALFORMED);
	check(account_rules_new, conf, "{\"onlyReturnExisting\":1}", PROBLEM_MALFORMED);
	check(account_rules_update, conf, "{\"status\":7}", PROBLEM_MALFORMED);
	check(account_rules_update, conf, "{\"contact\":{}}", PROBLEM_MALFORMED);
}

static void terms_must_be_agreed_to_where_there_are_terms(void **state)
{
	CLEANUP(conf_free) struct conf *conf = make_conf(TERMS);
	CLEANUP(conf_free) struct conf *without = make_conf(MAKE_SERVER);
	CLEANUP_PROBLEM struct problem pb = {0};
	CLEANUP(jx_free) struct jx *payload = make_json("{}");
	struct account_wish wish = {0};

	check(account_rules_new, without, "{}", PROBLEM_NONE);
	check(account_rules_new, conf, "{\"termsOfServiceAgreed\":true}", PROBLEM_NONE);
	check(account_rules_new, conf, "{\"termsOfServiceAgreed\":false}", PROBLEM_MALFORMED);
	assert_int_equal(account_rules_new(conf, payload, &pb, &wish), ERR_PROBLEM);
	assert_non_null(strstr(pb.detail, "must agree to terms of service"));
	/* Asking for the account of a key needs no agreement. */
	check(account_rules_new, conf, "{\"onlyReturnExisting\":true}", PROBLEM_NONE);
	check(account_rules_new, conf, "{\"onlyReturnExisting\":true,\"contact\":[\"x\"]}",
		PROBLEM_NONE);
}

static void unknown_members_are_ignored(void **state)
{
	CLEANUP(conf_free) struct conf *conf = make_conf(MAKE_SERVER);

	check(account_rules_new, conf,
		"{\"id\":7,\"status\":7,\"key\":{},\"initialIp\":\"x\",\"orders\":[]}",
		PROBLEM_NONE);
	check(account_rules_update, conf,
		"{\"orders\":7,\"termsOfServiceAgreed\":\"no\",\"x\":null}", PROBLEM_NONE);
}

static void updates_say_what_changes(void **state)
{
	CLEANUP(conf_free) struct conf *conf = make_conf(MAKE_SERVER);
	static const struct {
		const char *text;
		bool deactivate;
		bool has_contacts;
		size_t ncontacts;
	} rows[] = {
		{"{}", false, false, 0},
		{"{\"contact\":[]}", false, true, 0},
		{"{\"contact\":[\"mailto:a@example.org\",\"mailto:b@example.org\"]}", false, true,
			2},
		{"{\"status\":\"deactivated\"}", true, false, 0},
		{"{\"status\":\"deactivated\",\"contact\":[\"bad\"]}", true, false, 0},
		{"{\"status\":\"valid\"}", false, false, 0},
		{"{\"status\":\"revoked\"}", false, false, 0},
		{"{\"status\":\"Deactivated\"}", false, false, 0},
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		CLEANUP_PROBLEM struct problem pb = {0};
		CLEANUP(jx_free) struct jx *payload = make_json(rows[i].text);
		struct account_wish wish = {0};

		assert_int_equal(account_rules_update(conf, payload, &pb, &wish), OK);
		assert_int_equal(wish.deactivate, rows[i].deactivate);
		assert_int_equal(wish.has_contacts, rows[i].has_contacts);
		assert_int_equal(wish.ncontacts, rows[i].ncontacts);
		account_rules_done(&wish);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(good_contacts_are_taken),
		cmocka_unit_test(bad_contacts_are_invalid),
		cmocka_unit_test(other_schemes_are_unsupported_unless_configured),
		cmocka_unit_test(contacts_are_bounded),
		cmocka_unit_test(wrong_types_are_malformed),
		cmocka_unit_test(terms_must_be_agreed_to_where_there_are_terms),
		cmocka_unit_test(unknown_members_are_ignored),
		cmocka_unit_test(updates_say_what_changes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
