/* test_alpncert.c — the certificate of tls-alpn-01: one right shape, and every way to miss it that
 * was ever accepted. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>

#include "lib/net/alpncert.h"
#include "lib/pki/ossl.h"
#include "tests/unit/alpn_cert.h"

#define NAME "www.example.test"

static uint8_t digest[32];

static int check(enum alpn_flaw flaw, const char *made_for, const char *checked_for,
	struct problem *pb)
{
	CLEANUP(X509_free) X509 *cert = alpn_cert_make(made_for, digest, flaw, NULL);
	CLEANUP_BUF struct buf der = {0};

	alpn_cert_der(cert, &der);
	return alpncert_check(buf_bytes(&der), checked_for, digest, pb);
}

static void the_right_certificate_is_accepted(void **state)
{
	CLEANUP_PROBLEM struct problem pb = {0};

	assert_int_equal(check(ALPN_RIGHT, NAME, NAME, &pb), OK);
	assert_int_equal(check(ALPN_RIGHT, "WWW.Example.TEST", NAME, &pb), OK);
	assert_int_equal(pb.type, PROBLEM_NONE);
}

static void each_flaw_is_refused_and_named(void **state)
{
	static const char *const says[ALPN_FLAWS] = {
		[ALPN_TWO_NAMES] = "more than one name",
		[ALPN_ADDRESS_BESIDE_NAME] = "more than one name",
		[ALPN_ADDRESS_ALONE] = "no dNSName",
		[ALPN_NO_NAMES] = "no subjectAltName",
		[ALPN_EMPTY_NAMES] = "no dNSName",
		[ALPN_NOT_CRITICAL] = "not critical",
		[ALPN_DRAFT_OID] = "early draft",
		[ALPN_NO_IDENTIFIER] = "no acmeIdentifier",
		[ALPN_SHORT_DIGEST] = "32 bytes",
		[ALPN_LONG_DIGEST] = "32 bytes",
		[ALPN_BARE_DIGEST] = "32 bytes",
		[ALPN_TRAILING_BYTES] = "32 bytes",
		[ALPN_IDENTIFIER_TWICE] = "twice",
		[ALPN_NAMES_TWICE] = "twice",
		[ALPN_OTHER_ISSUER] = "not self-signed",
		[ALPN_OTHER_SIGNER] = "not self-signed",
		[ALPN_VERSION_1] = "version 3",
	};

	for (enum alpn_flaw flaw = ALPN_RIGHT + 1; flaw < ALPN_FLAWS; flaw++) {
		CLEANUP_PROBLEM struct problem pb = {0};

		if (check(flaw, NAME, NAME, &pb) != ERR_PROBLEM)
			fail_msg("flaw %d is accepted", flaw);
		assert_int_equal(pb.type, PROBLEM_INCORRECT_RESPONSE);
		if (strstr(pb.detail, says[flaw]) == NULL)
			fail_msg("flaw %d: %s", flaw, pb.detail);
	}
}

static void only_the_exact_name_counts(void **state)
{
	static const char *const others[] = {"example.test", "www.example.test.", "www.example.tes",
		"*.example.test", "wwww.example.test", "www.example.test.evil.test"};

	for (size_t i = 0; i < ARRAY_LEN(others); i++) {
		CLEANUP_PROBLEM struct problem pb = {0};

		assert_int_equal(check(ALPN_RIGHT, others[i], NAME, &pb), ERR_PROBLEM);
		assert_non_null(strstr(pb.detail, others[i]));
	}
}

static void another_digest_is_refused(void **state)
{
	CLEANUP(X509_free) X509 *cert = NULL;
	CLEANUP_PROBLEM struct problem pb = {0};
	CLEANUP_BUF struct buf der = {0};
	uint8_t other[32];

	memcpy(other, digest, 32);
	other[31] ^= 1;
	cert = alpn_cert_make(NAME, other, ALPN_RIGHT, NULL);
	alpn_cert_der(cert, &der);
	assert_int_equal(alpncert_check(buf_bytes(&der), NAME, digest, &pb), ERR_PROBLEM);
	assert_non_null(strstr(pb.detail, "another key authorization"));
}

static void cut_and_lengthened_certificates_are_refused(void **state)
{
	CLEANUP(X509_free) X509 *cert = alpn_cert_make(NAME, digest, ALPN_RIGHT, NULL);
	CLEANUP_PROBLEM struct problem pb = {0};
	CLEANUP_BUF struct buf der = {0};

	alpn_cert_der(cert, &der);
	for (size_t len = 0; len < der.len; len++)
		assert_int_equal(alpncert_check(bytes_of(der.ptr, len), NAME, digest, &pb),
			ERR_PROBLEM);
	buf_add_byte(&der, 0);
	assert_int_equal(alpncert_check(buf_bytes(&der), NAME, digest, &pb), ERR_PROBLEM);
}

/* Every bit of the certificate counts: the signature covers what the walk does not look at. */
static void no_flipped_bit_is_accepted(void **state)
{
	CLEANUP(X509_free) X509 *cert = alpn_cert_make(NAME, digest, ALPN_RIGHT, NULL);
	CLEANUP_BUF struct buf der = {0};

	alpn_cert_der(cert, &der);
	for (size_t i = 0; i < der.len; i++) {
		CLEANUP_PROBLEM struct problem pb = {0};

		der.ptr[i] ^= 0x04;
		if (alpncert_check(buf_bytes(&der), NAME, digest, &pb) == OK)
			fail_msg("byte %zu may be changed", i);
		der.ptr[i] ^= 0x04;
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_right_certificate_is_accepted),
		cmocka_unit_test(each_flaw_is_refused_and_named),
		cmocka_unit_test(only_the_exact_name_counts),
		cmocka_unit_test(another_digest_is_refused),
		cmocka_unit_test(cut_and_lengthened_certificates_are_refused),
		cmocka_unit_test(no_flipped_bit_is_accepted),
	};

	ossl_sha256_of(bytes_str("token.thumbprint"), digest);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
