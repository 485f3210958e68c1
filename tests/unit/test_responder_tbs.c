/* test_responder_tbs.c — the certificate of an OCSP responder: what OpenSSL says of it, and that
 * the lint finds every fault that the template could have. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <openssl/ocsp.h>
#include <openssl/x509v3.h>

#include "lib/base/clock.h"
#include "lib/pki/lint_responder.h"
#include "tests/unit/signer_pki.h"
#include "tools/authority.h"
#include "workers/signer/keys.h"
#include "workers/signer/responder_tbs.h"

#define NOW (1800000000LL)
#define NOW_US (NOW * USEC_PER_SEC)
#define DAYS 86400LL

static const char *const issuer_keys[] = {"p256", "p384", "rsa2048"};

struct scene {
	struct test_ca ca;
	struct issuer *issuer;
	EVP_PKEY *key;
	struct buf spki;
};

static void spki_of(EVP_PKEY *key, struct buf *out)
{
	uint8_t *der = NULL;
	int len = i2d_PUBKEY(key, &der);

	assert_true(len > 0);
	buf_add(out, der, (size_t)len);
	OPENSSL_free(der);
}

static void scene_make(struct scene *s, const char *key_type)
{
	CLEANUP_STR char *why = NULL;

	*s = (struct scene){0};
	test_ca_make(&s->ca, key_type, key_type, NOW_US);
	s->ca.conf.ocsp_url = xstrdup("http://ocsp.example");
	assert_int_equal(issuer_load(&s->ca.conf, NOW_US, &s->issuer, &why), OK);
	assert_int_equal(authority_key_new("p256", &s->key), OK);
	spki_of(s->key, &s->spki);
}

static void scene_done(struct scene *s)
{
	issuer_free(s->issuer);
	test_ca_done(&s->ca);
	EVP_PKEY_free(s->key);
	buf_done(&s->spki);
}

static int make(const struct scene *s, int64_t now_us, int64_t validity,
	struct responder_draft *ret, const char **ret_why)
{
	CLEANUP_BUF struct buf findings = {0};
	int err = responder_draft_make(s->issuer, buf_bytes(&s->spki), now_us, validity, ret,
		ret_why, &findings);

	if (findings.len > 0)
		print_message("%s", buf_str(&findings));
	return err;
}

static X509 *certificate_of(const struct scene *s, struct buf *der)
{
	struct responder_draft draft = {0};
	const char *why = NULL;
	const uint8_t *at;
	X509 *x509;

	assert_int_equal(make(s, NOW_US, 30 * DAYS, &draft, &why), OK);
	assert_int_equal(key_sign_tbs_checked(s->issuer->key, buf_bytes(&draft.tbs), der), OK);
	at = der->ptr;
	x509 = d2i_X509(NULL, &at, (long)der->len);
	assert_non_null(x509);
	responder_draft_done(&draft);
	return x509;
}

static void openssl_takes_it_for_a_responder(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(issuer_keys); i++) {
		CLEANUP_BUF struct buf der = {0};
		struct scene s;
		X509 *x509;
		int days = 0, secs = 0;

		scene_make(&s, issuer_keys[i]);
		x509 = certificate_of(&s, &der);
		assert_int_equal(X509_verify(x509, s.ca.key), 1);
		assert_int_equal(X509_check_issued(s.ca.certificate, x509), X509_V_OK);
		assert_int_equal(X509_check_purpose(x509, X509_PURPOSE_OCSP_HELPER, 0), 1);
		assert_int_equal(X509_get_extended_key_usage(x509), XKU_OCSP_SIGN);
		assert_int_equal(X509_check_ca(x509), 0);
		assert_true(X509_get_ext_by_NID(x509, NID_id_pkix_OCSP_noCheck, -1) >= 0);
		assert_int_equal(EVP_PKEY_eq(X509_get0_pubkey(x509), s.key), 1);
		assert_int_equal(ASN1_TIME_diff(&days, &secs, X509_get0_notBefore(x509),
					 X509_get0_notAfter(x509)),
			1);
		assert_int_equal(days * DAYS + secs, 30 * DAYS + 3600 - 1);
		X509_free(x509);
		scene_done(&s);
	}
}

static void nothing_outlives_its_issuer(void **state)
{
	struct responder_draft draft = {0};
	const char *why = NULL;
	struct scene s;
	int64_t end;

	(void)state;
	scene_make(&s, "p256");
	end = s.issuer->not_after_us;
	assert_int_equal(make(&s, end - 2 * DAYS * USEC_PER_SEC, 30 * DAYS, &draft, &why), OK);
	assert_true(draft.not_after_us == end);
	responder_draft_done(&draft);
	assert_int_equal(make(&s, end - 1800 * USEC_PER_SEC, 30 * DAYS, &draft, &why), ERR_LIMIT);
	assert_string_equal(why, "the issuer is about to expire");
	/* Nor does it begin before it. */
	assert_int_equal(make(&s, s.issuer->not_before_us + 60 * USEC_PER_SEC, DAYS, &draft, &why),
		OK);
	assert_true(draft.not_before_us == s.issuer->not_before_us);
	responder_draft_done(&draft);
	scene_done(&s);
}

static void other_keys_and_issuers_without_ocsp_are_refused(void **state)
{
	static const char *const others[] = {"p384", "rsa2048"};
	struct responder_draft draft = {0};
	const char *why = NULL;
	struct scene s;

	(void)state;
	scene_make(&s, "p256");
	for (size_t i = 0; i < ARRAY_LEN(others); i++) {
		EVP_PKEY *key = NULL;

		assert_int_equal(authority_key_new(others[i], &key), OK);
		buf_reset(&s.spki);
		spki_of(key, &s.spki);
		assert_int_equal(make(&s, NOW_US, DAYS, &draft, &why), ERR_LIMIT);
		assert_string_equal(why, "its key is not P-256");
		EVP_PKEY_free(key);
	}
	buf_reset(&s.spki);
	spki_of(s.key, &s.spki);
	s.spki.ptr[s.spki.len - 1] ^= 1; /* off the curve */
	assert_int_equal(make(&s, NOW_US, DAYS, &draft, &why), ERR_LIMIT);
	s.spki.ptr[s.spki.len - 1] ^= 1;
	buf_add_byte(&s.spki, 0);
	assert_int_equal(make(&s, NOW_US, DAYS, &draft, &why), ERR_LIMIT);
	s.spki.len--;
	free(s.issuer->ocsp_url);
	s.issuer->ocsp_url = NULL;
	assert_int_equal(make(&s, NOW_US, DAYS, &draft, &why), ERR_LIMIT);
	assert_string_equal(why, "this issuer has no ocsp_url");
	scene_done(&s);
}

/* ---- the lint, on certificates that differ in one thing each ---- */

static void delete_extension(X509 *x509, int nid)
{
	X509_EXTENSION_free(X509_delete_ext(x509, X509_get_ext_by_NID(x509, nid, -1)));
}

static void replace_extension(X509 *x509, const struct scene *s, int nid, const char *value)
{
	X509V3_CTX ctx;
	X509_EXTENSION *e;

	if (X509_get_ext_by_NID(x509, nid, -1) >= 0)
		delete_extension(x509, nid);
	X509V3_set_ctx(&ctx, s->ca.certificate, x509, NULL, NULL, 0);
	e = X509V3_EXT_conf_nid(NULL, &ctx, nid, value);
	assert_non_null(e);
	assert_int_equal(X509_add_ext(x509, e, -1), 1);
	X509_EXTENSION_free(e);
}

static void no_usage(X509 *x509, const struct scene *s)
{
	replace_extension(x509, s, NID_ext_key_usage, "serverAuth");
}
static void two_usages(X509 *x509, const struct scene *s)
{
	replace_extension(x509, s, NID_ext_key_usage, "OCSPSigning,serverAuth");
}
static void can_sign_certificates(X509 *x509, const struct scene *s)
{
	replace_extension(x509, s, NID_key_usage, "critical,digitalSignature,keyCertSign");
}
static void usage_not_critical(X509 *x509, const struct scene *s)
{
	replace_extension(x509, s, NID_key_usage, "digitalSignature");
}
static void without_nocheck(X509 *x509, const struct scene *s)
{
	(void)s;
	delete_extension(x509, NID_id_pkix_OCSP_noCheck);
}
static void with_names(X509 *x509, const struct scene *s)
{
	replace_extension(x509, s, NID_subject_alt_name, "DNS:a.example");
}
static void with_a_list(X509 *x509, const struct scene *s)
{
	replace_extension(x509, s, NID_crl_distribution_points, "URI:http://a.example/1.crl");
}
static void is_a_ca(X509 *x509, const struct scene *s)
{
	replace_extension(x509, s, NID_basic_constraints, "critical,CA:TRUE");
}
static void below_another(X509 *x509, const struct scene *s)
{
	(void)s;
	assert_int_equal(X509_set_issuer_name(x509, X509_get_subject_name(x509)), 1);
}
static void named_like_its_issuer(X509 *x509, const struct scene *s)
{
	assert_int_equal(X509_set_subject_name(x509, X509_get_subject_name(s->ca.certificate)), 1);
}
static void a_second_more(X509 *x509, const struct scene *s)
{
	(void)s;
	assert_non_null(ASN1_TIME_set(X509_getm_notAfter(x509), NOW + 30 * DAYS));
}
static void for_ever(X509 *x509, const struct scene *s)
{
	(void)s;
	assert_int_equal(ASN1_TIME_set_string(X509_getm_notAfter(x509), "99991231235959Z"), 1);
}
static void another_key(X509 *x509, const struct scene *s)
{
	assert_int_equal(X509_set_pubkey(x509, s->ca.key), 1);
}
static void a_short_serial(X509 *x509, const struct scene *s)
{
	(void)s;
	assert_int_equal(ASN1_INTEGER_set(X509_get_serialNumber(x509), 1000), 1);
}
static void version_1(X509 *x509, const struct scene *s)
{
	(void)s;
	assert_int_equal(X509_set_version(x509, X509_VERSION_1), 1);
}
static void as_it_was(X509 *x509, const struct scene *s)
{
	(void)x509;
	(void)s;
}

static void lint_finds_each_fault(void **state)
{
	static const struct {
		void (*spoil)(X509 *x509, const struct scene *s);
		const char *rule; /* NULL: none */
	} cases[] = {
		{as_it_was, NULL},
		{no_usage, "ext_key_usage: "},
		{two_usages, "ext_key_usage: "},
		{can_sign_certificates, "key_usage: "},
		{usage_not_critical, "key_usage: "},
		{without_nocheck, "nocheck: "},
		{with_names, "extensions: "},
		{with_a_list, "extensions: "},
		{is_a_ca, "extensions: "},
		{below_another, "issuer: "},
		{named_like_its_issuer, "subject: "},
		{a_second_more, "validity: "},
		{for_ever, "validity: "},
		{another_key, "key: "},
		{a_short_serial, "serial: "},
		{version_1, "version: "},
	};
	CLEANUP_BUF struct buf good = {0};
	struct scene s;

	(void)state;
	scene_make(&s, "p384");
	X509_free(certificate_of(&s, &good));
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		const struct lint_responder want = {buf_bytes(&s.issuer->certificate),
			buf_bytes(&s.spki), 30 * DAYS + 3600, SERIAL_LEN};
		CLEANUP_BUF struct buf findings = {0};
		const uint8_t *at = good.ptr;
		X509 *x509 = d2i_X509(NULL, &at, (long)good.len);
		uint8_t *der = NULL;
		int len, err;

		cases[i].spoil(x509, &s);
		assert_true(X509_sign(x509, s.ca.key, EVP_sha384()) > 0);
		len = i2d_X509(x509, &der);
		err = lint_responder(bytes_of(der, (size_t)len), &want, &findings);
		assert_int_equal(err, cases[i].rule == NULL ? OK : ERR_SYNTAX);
		if (cases[i].rule != NULL && strstr(buf_str(&findings), cases[i].rule) == NULL)
			fail_msg("case %zu: %s not in: %s", i, cases[i].rule, buf_str(&findings));
		OPENSSL_free(der);
		X509_free(x509);
	}
	scene_done(&s);
}

static void lint_wants_a_certificate(void **state)
{
	CLEANUP_BUF struct buf findings = {0};
	struct lint_responder want = {0};
	struct scene s;

	(void)state;
	scene_make(&s, "p256");
	want.issuer = buf_bytes(&s.issuer->certificate);
	assert_int_equal(lint_responder(bytes_str("x"), &want, &findings), ERR_SYNTAX);
	want.issuer = bytes_str("x");
	assert_int_equal(lint_responder(bytes_str("x"), &want, &findings), ERR_INTERNAL);
	scene_done(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(openssl_takes_it_for_a_responder),
		cmocka_unit_test(nothing_outlives_its_issuer),
		cmocka_unit_test(other_keys_and_issuers_without_ocsp_are_refused),
		cmocka_unit_test(lint_finds_each_fault),
		cmocka_unit_test(lint_wants_a_certificate),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
