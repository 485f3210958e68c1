/* test_tbs.c — certificates from the templates, judged by OpenSSL, by the linter and by one worked
 * example byte for byte. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <openssl/x509_vfy.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <time.h>

#include "lib/base/clock.h"
#include "tests/unit/scratch_folder.h"
#include "tests/unit/signer_pki.h"
#include "tools/authority.h"
#include "workers/signer/keys.h"
#include "workers/signer/prove.h"
#include "workers/signer/tbs.h"

#define NOT_BEFORE 1800000000LL
#define DAYS_90 (90 * 86400LL)

static void add_hex(struct buf *out, const char *hex)
{
	unsigned byte;

	for (; hex[0] != '\0'; hex += 2) {
		assert_int_equal(sscanf(hex, "%2x", &byte), 1);
		buf_add_byte(out, (uint8_t)byte);
	}
}

/* Every byte, element by element (checked once with openssl asn1parse). */
static void writes_the_worked_example(void **state)
{
	CLEANUP_BUF struct buf expected = {0}, spki = {0}, got = {0};
	uint8_t serial[SERIAL_LEN] = {0x40, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16,
		17};
	uint8_t key_id[20];
	struct issuer issuer = {0};
	struct issuer_crl_point point = {0};
	const struct bytes names[] = {bytes_str("*.example.org"), bytes_str("example.org")};
	struct tbs_input in = {.issuer = &issuer,
		.serial = bytes_of(serial, sizeof(serial)),
		.not_before_us = NOT_BEFORE * USEC_PER_SEC,
		.not_after_us = (NOT_BEFORE + DAYS_90 - 1) * USEC_PER_SEC,
		.names = names,
		.nnames = 2};
	CLEANUP_BUF struct buf algorithm = {0};

	memset(key_id, 0xab, sizeof(key_id));
	add_hex(&algorithm, "300a06082a8648ce3d040302");
	issuer.algorithm = buf_bytes(&algorithm);
	add_hex(&issuer.subject, "300c310a3008060355040313014e"); /* CN = PrintableString "N" */
	tbs_issuer_extensions(&issuer.extensions, bytes_of(key_id, sizeof(key_id)), NULL,
		"http://i.test/c");
	tbs_crl_extension(&point.extension, "http://i.test/r");
	issuer.crl_points = &point;
	issuer.crl_shards = 1;
	in.crl_shard = 1;
	add_hex(&spki, "3003020101"); /* any element will do here */
	in.spki = buf_bytes(&spki);
	tbs_build(&in, &got);

	add_hex(&expected,
		"30820142"
		"a003020102"
		"0212400102030405060708090a0b0c0d0e0f1011");
	add_hex(&expected,
		"300a06082a8648ce3d040302"
		"300c310a3008060355040313014e");
	add_hex(&expected,
		"301e"
		"170d3237303131353038303030305a"
		"170d3237303431353037353935395a");
	add_hex(&expected,
		"3000"
		"3003020101"
		"a381e5"
		"3081e2");
	add_hex(&expected, "300e0603551d0f0101ff040403020780");           /* keyUsage */
	add_hex(&expected, "30130603551d25040c300a06082b06010505070301"); /* extKeyUsage */
	add_hex(&expected, "300c0603551d130101ff04023000");               /* basicConstraints */
	add_hex(&expected,
		"301f0603551d230418"
		"30168014abababababababababababababababababababab");
	add_hex(&expected,
		"302b06082b06010505070101041f"
		"301d301b06082b06010505073002860f687474703a2f2f692e746573742f63");
	add_hex(&expected, "30130603551d20040c300a3008060667810c010201"); /* certificatePolicies */
	add_hex(&expected,
		"30200603551d1f0419"
		"30173015a013a011860f687474703a2f2f692e746573742f72");
	add_hex(&expected,
		"30280603551d110101ff041e"
		"301c820d2a2e6578616d706c652e6f7267820b6578616d706c652e6f7267");
	assert_int_equal(got.len, expected.len);
	assert_memory_equal(got.ptr, expected.ptr, expected.len);
	buf_done(&issuer.subject);
	buf_done(&issuer.extensions);
	buf_done(&point.extension);
}

struct shape {
	const char *issuer_key;
	const char *subject_key;
	bool common_name;
	bool client_auth;
	bool urls;
	size_t nnames;
};

static const char *const pool[] = {"*.a.example.org", "a.example.org", "b.example.org",
	"xn--bcher-kva.example.org"};

static int64_t time_of(const ASN1_TIME *t)
{
	struct tm tm;

	assert_int_equal(ASN1_TIME_to_tm(t, &tm), 1);
	return (int64_t)timegm(&tm);
}

static void check_usages(X509 *cert, const struct shape *shape)
{
	bool rsa = strncmp(shape->subject_key, "rsa", 3) == 0;

	assert_int_equal(X509_get_version(cert), X509_VERSION_3);
	assert_int_equal(X509_get_key_usage(cert),
		rsa ? KU_DIGITAL_SIGNATURE | KU_KEY_ENCIPHERMENT : KU_DIGITAL_SIGNATURE);
	assert_int_equal(X509_get_extended_key_usage(cert),
		shape->client_auth ? XKU_SSL_SERVER | XKU_SSL_CLIENT : XKU_SSL_SERVER);
	assert_int_equal(X509_check_ca(cert), 0);
	assert_int_equal(X509_get_extension_flags(cert) &
			(EXFLAG_INVALID | EXFLAG_CRITICAL | EXFLAG_CA),
		0);
	assert_int_equal(X509_get_ext_by_NID(cert, NID_info_access, -1) >= 0, shape->urls);
	assert_int_equal(X509_get_ext_by_NID(cert, NID_subject_key_identifier, -1), -1);
}

static void check_names(X509 *cert, const struct shape *shape)
{
	int at = X509_get_ext_by_NID(cert, NID_subject_alt_name, -1);

	for (size_t i = 0; i < shape->nnames; i++)
		assert_int_equal(X509_check_host(cert,
					 pool[i][0] == '*' ? "w.a.example.org" : pool[i], 0,
					 X509_CHECK_FLAG_NEVER_CHECK_SUBJECT, NULL),
			1);
	assert_int_equal(X509_check_host(cert, "example.org", 0, 0, NULL), 0);
	assert_int_equal(X509_NAME_entry_count(X509_get_subject_name(cert)),
		shape->common_name ? 1 : 0);
	assert_int_equal(X509_EXTENSION_get_critical(X509_get_ext(cert, at)), !shape->common_name);
}

/* The shard that is recorded is the one that the certificate names, when it names one at all. */
static void check_distribution_point(X509 *cert, const struct shape *shape,
	const struct draft *draft)
{
	CRL_DIST_POINTS *points = X509_get_ext_d2i(cert, NID_crl_distribution_points, NULL, NULL);
	const DIST_POINT *point;
	const GENERAL_NAME *name;
	char url[64];

	if (!shape->urls || shape->nnames == 3) {
		assert_null(points);
		assert_int_equal(draft->crl_shard, 0);
		return;
	}
	assert_int_equal(sk_DIST_POINT_num(points), 1);
	point = sk_DIST_POINT_value(points, 0);
	assert_null(point->reasons);
	assert_null(point->CRLissuer);
	assert_int_equal(point->distpoint->type, 0);
	assert_int_equal(sk_GENERAL_NAME_num(point->distpoint->name.fullname), 1);
	name = sk_GENERAL_NAME_value(point->distpoint->name.fullname, 0);
	assert_int_equal(name->type, GEN_URI);
	assert_int_equal(draft->crl_shard, serial_crl_shard(draft->serial, 3));
	snprintf(url, sizeof(url), "http://pki.example.org/crl/%d.crl", draft->crl_shard);
	assert_string_equal((const char *)ASN1_STRING_get0_data(name->d.uniformResourceIdentifier),
		url);
	CRL_DIST_POINTS_free(points);
}

/* The path, with the purpose of a TLS server, strictly (RFC 5280 checks of every certificate in
 * it). */
static void check_path(X509 *cert, const struct test_ca *ca)
{
	X509_STORE *store = X509_STORE_new();
	X509_STORE_CTX *ctx = X509_STORE_CTX_new();
	STACK_OF(X509) *between = sk_X509_new_null();

	X509_STORE_add_cert(store, ca->root);
	sk_X509_push(between, ca->certificate);
	X509_STORE_CTX_init(ctx, store, cert, between);
	X509_STORE_CTX_set_purpose(ctx, X509_PURPOSE_SSL_SERVER);
	X509_VERIFY_PARAM_set_flags(X509_STORE_CTX_get0_param(ctx),
		X509_V_FLAG_X509_STRICT | X509_V_FLAG_POLICY_CHECK);
	X509_VERIFY_PARAM_set_time(X509_STORE_CTX_get0_param(ctx), (time_t)NOT_BEFORE + 3600);
	if (X509_verify_cert(ctx) != 1)
		fail_msg("%s", X509_verify_cert_error_string(X509_STORE_CTX_get_error(ctx)));
	sk_X509_free(between);
	X509_STORE_CTX_free(ctx);
	X509_STORE_free(store);
}

static void check_certificate(const struct shape *shape, const struct test_ca *ca,
	const struct draft *draft, EVP_PKEY *subject_key, struct issuer *issuer)
{
	CLEANUP_BUF struct buf der = {0};
	CLEANUP(X509_free) X509 *cert = NULL;
	const uint8_t *end;

	assert_int_equal(key_sign_tbs_checked(issuer->key, buf_bytes(&draft->tbs), &der), OK);
	end = der.ptr;
	cert = d2i_X509(NULL, &end, (long)der.len);
	assert_non_null(cert);
	assert_ptr_equal(end, der.ptr + der.len);
	assert_int_equal(X509_verify(cert, X509_get0_pubkey(ca->certificate)), 1);
	assert_int_equal(EVP_PKEY_eq(X509_get0_pubkey(cert), subject_key), 1);
	assert_int_equal(X509_check_issued(ca->certificate, cert), X509_V_OK);
	assert_int_equal(time_of(X509_get0_notBefore(cert)), NOT_BEFORE);
	/* Both ends are included (RFC 5280 section 4.1.2.5): 90 days, not 90 days and a second. */
	assert_int_equal(time_of(X509_get0_notAfter(cert)) - NOT_BEFORE + 1, DAYS_90);
	assert_int_equal(ASN1_STRING_length(X509_get0_serialNumber(cert)), SERIAL_LEN);
	assert_memory_equal(ASN1_STRING_get0_data(X509_get0_serialNumber(cert)), draft->serial,
		SERIAL_LEN);
	check_usages(cert, shape);
	check_names(cert, shape);
	check_distribution_point(cert, shape, draft);
	check_path(cert, ca);
}

static void try_shape(const struct shape *shape, struct test_ca *ca, struct issuer *issuer,
	EVP_PKEY *subject_key)
{
	CLEANUP_BUF struct buf request = {0}, findings = {0};
	struct problem pb = {0};
	struct conf_profile profile = {.name = (char *)"p",
		.validity_secs = DAYS_90,
		.names_max = 10,
		.common_name = shape->common_name,
		.client_auth = shape->client_auth,
		.crl = shape->nnames != 3};
	struct verdict verdict = {.profile = &profile,
		.issuer = issuer,
		.not_before_us = NOT_BEFORE * USEC_PER_SEC,
		.not_after_us = (NOT_BEFORE + DAYS_90 - 1) * USEC_PER_SEC};
	struct bytes names[ARRAY_LEN(pool)];
	struct issuance_job job = {.now_us = NOT_BEFORE * USEC_PER_SEC,
		.names = names,
		.nnames = shape->nnames};
	struct draft draft = {0};

	for (size_t i = 0; i < shape->nnames; i++)
		names[i] = bytes_str(pool[i]);
	test_csr(subject_key, pool, shape->nnames, &request);
	assert_int_equal(csr_parse(buf_bytes(&request), 10, &pb, &verdict.csr), OK);
	if (draft_make(&job, &verdict, &draft, &findings) != OK)
		fail_msg("%s for %s: %s", shape->issuer_key, shape->subject_key,
			buf_str(&findings));
	check_certificate(shape, ca, &draft, subject_key, issuer);
	draft_done(&draft);
	verdict_done(&verdict);
	problem_done(&pb);
}

static void every_key_and_profile_makes_a_certificate_that_openssl_and_the_linter_accept(
	void **state)
{
	static const char *const issuer_keys[] = {"p256", "p384", "rsa2048", "rsa3072"};
	static const char *const subject_keys[] = {"p256", "p384", "rsa2048", "rsa3072", "rsa4096"};
	EVP_PKEY *keys[ARRAY_LEN(subject_keys)] = {NULL};

	for (size_t k = 0; k < ARRAY_LEN(subject_keys); k++)
		assert_int_equal(authority_key_new(subject_keys[k], &keys[k]), OK);
	for (size_t i = 0; i < ARRAY_LEN(issuer_keys); i++) {
		for (int urls = 0; urls < 2; urls++) {
			CLEANUP(issuer_free) struct issuer *issuer = NULL;
			CLEANUP_STR char *why = NULL;
			struct test_ca ca;

			test_ca_make(&ca, issuer_keys[i], issuer_keys[i],
				NOT_BEFORE * USEC_PER_SEC);
			ca.conf.ocsp_url = urls ? xstrdup("http://ocsp.example.org") : NULL;
			ca.conf.ca_issuers_url =
				urls ? xstrdup("http://pki.example.org/issuer.cer") : NULL;
			ca.conf.crl_url = urls ? xstrdup("http://pki.example.org/crl") : NULL;
			ca.conf.crl_shards = 3;
			assert_int_equal(issuer_load(&ca.conf, NOT_BEFORE * USEC_PER_SEC, &issuer,
						 &why),
				OK);
			for (unsigned n = 0; n < 4 * ARRAY_LEN(subject_keys); n++) {
				struct shape shape = {issuer_keys[i], subject_keys[n / 4],
					(n & 1) != 0, (n & 2) != 0, urls != 0,
					1 + n % ARRAY_LEN(pool)};

				try_shape(&shape, &ca, issuer, keys[n / 4]);
			}
			test_ca_done(&ca);
		}
	}
	for (size_t k = 0; k < ARRAY_LEN(subject_keys); k++)
		EVP_PKEY_free(keys[k]);
}

static void takes_the_first_name_that_fits_as_common_name(void **state)
{
	const char *longer = "a123456789012345678901234567890123456789012345678901234.example.org";
	const struct bytes names[] = {bytes_str(longer), bytes_str("b.example.org")};
	struct tbs_input in = {.names = names, .nnames = 2, .common_name = true};

	assert_true(strlen(longer) > 64);
	assert_true(bytes_is(tbs_common_name(&in), "b.example.org"));
	in.nnames = 1;
	assert_null(tbs_common_name(&in).ptr);
	in.nnames = 2;
	in.common_name = false;
	assert_null(tbs_common_name(&in).ptr);
}

/* A bug in the templates, made on purpose: the bytes must not pass. */
static void the_proof_finds_what_the_order_did_not_ask_for(void **state)
{
	CLEANUP_BUF struct buf request = {0}, findings = {0};
	CLEANUP(issuer_free) struct issuer *issuer = NULL;
	CLEANUP_STR char *why = NULL;
	struct problem pb = {0};
	struct test_ca ca;
	struct conf_profile profile = {.name = (char *)"p",
		.validity_secs = DAYS_90,
		.names_max = 10};
	struct bytes names[] = {bytes_str("a.example.org")};
	struct issuance_job job = {.now_us = NOT_BEFORE * USEC_PER_SEC,
		.names = names,
		.nnames = 1};
	struct draft draft = {0};

	test_ca_make(&ca, "proof", "p256", NOT_BEFORE * USEC_PER_SEC);
	assert_int_equal(issuer_load(&ca.conf, NOT_BEFORE * USEC_PER_SEC, &issuer, &why), OK);
	test_csr(ca.root_key, pool + 1, 1, &request);
	struct verdict verdict = {.profile = &profile,
		.issuer = issuer,
		.not_before_us = NOT_BEFORE * USEC_PER_SEC,
		.not_after_us = (NOT_BEFORE + DAYS_90 - 1) * USEC_PER_SEC};

	assert_int_equal(csr_parse(buf_bytes(&request), 10, &pb, &verdict.csr), OK);
	/* The fixed extensions name a file that the configuration does not know. */
	buf_reset(&issuer->extensions);
	tbs_issuer_extensions(&issuer->extensions,
		bytes_of(ASN1_STRING_get0_data(X509_get0_subject_key_id(issuer->x509)), 20), NULL,
		"http://evil.test/issuer.cer");
	assert_int_equal(draft_make(&job, &verdict, &draft, &findings), ERR_SYNTAX);
	assert_true(findings.len > 0);
	verdict_done(&verdict);
	test_ca_done(&ca);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(writes_the_worked_example),
		cmocka_unit_test(
			every_key_and_profile_makes_a_certificate_that_openssl_and_the_linter_accept),
		cmocka_unit_test(takes_the_first_name_that_fits_as_common_name),
		cmocka_unit_test(the_proof_finds_what_the_order_did_not_ask_for),
	};

	return cmocka_run_group_tests_name("tbs", tests, scratch_folder_make,
		scratch_folder_remove);
}
