/* test_csr_and_revocation_rules.c — finalize and revokeCert payloads. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "lib/acme/finalize_rules.h"
#include "lib/acme/revoke_rules.h"
#include "tests/unit/acme_make.h"

static const char *const two_names[] = {"B.x.test", "a.x.test", NULL};
static const uint8_t other_account[JWK_THUMBPRINT_LEN];

static char *wrap(const char *member, const char *text, const char *more)
{
	struct buf out = {0};

	buf_addf(&out, "{\"%s\":\"%s\"%s}", member, text, more);
	return buf_take_str(&out);
}

static void check_csr(const struct conf *conf, const char *payload, const uint8_t *account,
	enum problem_type type)
{
	CLEANUP_PROBLEM struct problem pb = {0};
	CLEANUP(jx_free) struct jx *json = make_json(payload);
	CLEANUP(csr_free) struct csr *csr = NULL;
	int err = finalize_rules_csr(conf, json, account, &pb, &csr);

	if (pb.type != type)
		print_error("%.80s: %s: %s\n", payload, problem_type_name(pb.type), pb.detail);
	assert_int_equal(err, type == PROBLEM_NONE ? OK : ERR_PROBLEM);
	assert_int_equal(pb.type, type);
}

static void a_good_csr_brings_sorted_names(void **state)
{
	CLEANUP(conf_free) struct conf *conf = make_conf(MAKE_SERVER);
	CLEANUP(EVP_PKEY_free) EVP_PKEY *key = make_key();
	CLEANUP_STR char *text = make_csr(key, two_names);
	CLEANUP_STR char *payload = wrap("csr", text, ",\"unknown\":1");
	CLEANUP_PROBLEM struct problem pb = {0};
	CLEANUP(jx_free) struct jx *json = make_json(payload);
	CLEANUP(csr_free) struct csr *csr = NULL;

	assert_int_equal(finalize_rules_csr(conf, json, other_account, &pb, &csr), OK);
	assert_int_equal(csr->nnames, 2);
	assert_string_equal(csr->names[0], "a.x.test");
	assert_string_equal(csr->names[1], "b.x.test");
}

static void the_account_key_is_not_certified(void **state)
{
	CLEANUP(conf_free) struct conf *conf = make_conf(MAKE_SERVER);
	CLEANUP(EVP_PKEY_free) EVP_PKEY *key = make_key();
	CLEANUP(jwk_free) struct jwk *jwk = make_jwk(key);
	CLEANUP_STR char *text = make_csr(key, two_names);
	CLEANUP_STR char *payload = wrap("csr", text, "");

	check_csr(conf, payload, jwk->thumbprint, PROBLEM_BAD_CSR);
}

static void a_key_type_is_for_the_profiles_that_take_it(void **state)
{
	CLEANUP(conf_free)
	struct conf *conf = make_conf(MAKE_SERVER "[profile a]\nkey_types = rsa2048 p384\n"
						  "[profile b]\nkey_types = p384\n");
	struct bytes profiles[2];

	assert_int_equal(conf->nprofiles, 2);
	assert_int_equal(finalize_rules_profiles(conf, "p256", profiles), 0);
	assert_int_equal(finalize_rules_profiles(conf, "rsa2048", profiles), 1);
	assert_true(bytes_is(profiles[0], "a"));
	assert_int_equal(finalize_rules_profiles(conf, "p384", profiles), 2);
	assert_true(bytes_is(profiles[1], "b"));
}

static void csrs_that_are_none_are_refused(void **state)
{
	CLEANUP(conf_free) struct conf *conf = make_conf(MAKE_SERVER);
	CLEANUP(EVP_PKEY_free) EVP_PKEY *key = make_key();
	CLEANUP_STR char *text = make_csr(key, two_names);
	CLEANUP_STR char *padded = wrap("csr", text, "");
	CLEANUP_BUF struct buf huge = {0};

	check_csr(conf, "{}", other_account, PROBLEM_MALFORMED);
	check_csr(conf, "{\"csr\":7}", other_account, PROBLEM_MALFORMED);
	check_csr(conf, "{\"csr\":null}", other_account, PROBLEM_MALFORMED);
	check_csr(conf, "{\"CSR\":\"AAAA\"}", other_account, PROBLEM_MALFORMED);
	check_csr(conf, "{\"csr\":\"\"}", other_account, PROBLEM_BAD_CSR);
	check_csr(conf, "{\"csr\":\"MAA\"}", other_account, PROBLEM_BAD_CSR);
	check_csr(conf, "{\"csr\":\"MAA=\"}", other_account, PROBLEM_BAD_CSR);
	check_csr(conf, "{\"csr\":\"-----BEGIN CERTIFICATE REQUEST-----\\nMAA=\\n\"}",
		other_account, PROBLEM_BAD_CSR);
	buf_add_str(&huge, "{\"csr\":\"");
	for (int i = 0; i < 6000; i++)
		buf_add_str(&huge, "AAAA");
	buf_add_str(&huge, "\"}");
	check_csr(conf, buf_str(&huge), other_account, PROBLEM_BAD_CSR);
	/* one bit of the signature */
	padded[strlen(padded) - 8] = padded[strlen(padded) - 8] == 'A' ? 'B' : 'A';
	check_csr(conf, padded, other_account, PROBLEM_BAD_CSR);
}

static void check_revoke(const char *payload, const struct jwk *key, enum problem_type type,
	int reason)
{
	CLEANUP_PROBLEM struct problem pb = {0};
	CLEANUP(jx_free) struct jx *json = make_json(payload);
	CLEANUP(revoke_rules_free) struct revoke_wish *wish = NULL;
	int err = revoke_rules_parse(json, key, &pb, &wish);

	if (pb.type != type)
		print_error("%.80s: %s: %s\n", payload, problem_type_name(pb.type), pb.detail);
	assert_int_equal(err, type == PROBLEM_NONE ? OK : ERR_PROBLEM);
	assert_int_equal(pb.type, type);
	if (type == PROBLEM_NONE)
		assert_int_equal(wish->reason, reason);
}

static void reasons_are_those_a_subscriber_may_give(void **state)
{
	CLEANUP(EVP_PKEY_free) EVP_PKEY *key = make_key();
	CLEANUP_STR char *cert = make_certificate(key);
	static const struct {
		const char *member;
		enum problem_type type;
		int reason;
	} rows[] = {
		{"", PROBLEM_NONE, 0},
		{",\"reason\":0", PROBLEM_NONE, 0},
		{",\"reason\":1", PROBLEM_NONE, 1},
		{",\"reason\":2", PROBLEM_BAD_REVOCATION_REASON, 0},
		{",\"reason\":3", PROBLEM_NONE, 3},
		{",\"reason\":4", PROBLEM_NONE, 4},
		{",\"reason\":5", PROBLEM_NONE, 5},
		{",\"reason\":6", PROBLEM_BAD_REVOCATION_REASON, 0},
		{",\"reason\":7", PROBLEM_BAD_REVOCATION_REASON, 0},
		{",\"reason\":8", PROBLEM_BAD_REVOCATION_REASON, 0},
		{",\"reason\":9", PROBLEM_BAD_REVOCATION_REASON, 0},
		{",\"reason\":10", PROBLEM_BAD_REVOCATION_REASON, 0},
		{",\"reason\":11", PROBLEM_BAD_REVOCATION_REASON, 0},
		{",\"reason\":-1", PROBLEM_BAD_REVOCATION_REASON, 0},
		{",\"reason\":4294967297", PROBLEM_BAD_REVOCATION_REASON, 0},
		{",\"reason\":\"1\"", PROBLEM_MALFORMED, 0},
		{",\"reason\":null", PROBLEM_MALFORMED, 0},
		{",\"reason\":1.5", PROBLEM_MALFORMED, 0},
		{",\"reason\":true", PROBLEM_MALFORMED, 0},
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		CLEANUP_STR char *payload = wrap("certificate", cert, rows[i].member);

		check_revoke(payload, NULL, rows[i].type, rows[i].reason);
	}
}

static void only_the_certificates_own_key_may_sign_by_jwk(void **state)
{
	CLEANUP(EVP_PKEY_free) EVP_PKEY *key = make_key();
	CLEANUP(EVP_PKEY_free) EVP_PKEY *stranger = make_key();
	CLEANUP(jwk_free) struct jwk *own = make_jwk(key);
	CLEANUP(jwk_free) struct jwk *other = make_jwk(stranger);
	CLEANUP_STR char *cert = make_certificate(key);
	CLEANUP_STR char *payload = wrap("certificate", cert, ",\"reason\":4");
	CLEANUP_STR char *bad_reason = wrap("certificate", cert, ",\"reason\":6");

	check_revoke(payload, other, PROBLEM_UNAUTHORIZED, 0);
	/* Whoever has the key can do with it what he likes: it counts as compromised. */
	check_revoke(payload, own, PROBLEM_NONE, REVOKE_KEY_COMPROMISE);
	check_revoke(bad_reason, own, PROBLEM_BAD_REVOCATION_REASON, 0);
}

static void certificates_that_are_none_are_malformed(void **state)
{
	CLEANUP(EVP_PKEY_free) EVP_PKEY *key = make_key();
	CLEANUP_STR char *cert = make_certificate(key);
	CLEANUP_BUF struct buf trailing = {0};

	check_revoke("{}", NULL, PROBLEM_MALFORMED, 0);
	check_revoke("{\"certificate\":7}", NULL, PROBLEM_MALFORMED, 0);
	check_revoke("{\"certificate\":\"\"}", NULL, PROBLEM_MALFORMED, 0);
	check_revoke("{\"certificate\":\"MAA\"}", NULL, PROBLEM_MALFORMED, 0);
	check_revoke("{\"certificate\":\"MAA=\"}", NULL, PROBLEM_MALFORMED, 0);
	buf_addf(&trailing, "{\"certificate\":\"%s%s\"}", cert, "AAAA");
	check_revoke(buf_str(&trailing), NULL, PROBLEM_MALFORMED, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_good_csr_brings_sorted_names),
		cmocka_unit_test(the_account_key_is_not_certified),
		cmocka_unit_test(a_key_type_is_for_the_profiles_that_take_it),
		cmocka_unit_test(csrs_that_are_none_are_refused),
		cmocka_unit_test(reasons_are_those_a_subscriber_may_give),
		cmocka_unit_test(only_the_certificates_own_key_may_sign_by_jwk),
		cmocka_unit_test(certificates_that_are_none_are_malformed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
