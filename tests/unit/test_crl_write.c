/* test_crl_write.c — the writer of revocation lists: what it makes is accepted by the lint and read
 * the same by OpenSSL, for every kind of key, none to many entries, and every length of length. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <openssl/x509v3.h>
#include <stdio.h>
#include <unistd.h>

#include "lib/base/clock.h"
#include "tests/unit/scratch_folder.h"
#include "tests/unit/signer_pki.h"
#include "workers/signer/crl_write.h"
#include "workers/signer/keys.h"

#define NOW 1800000000LL
#define URL "http://pki.example/1.crl"
#define SERIAL_LEN 18

/* The i-th serial number, rising. */
static struct bytes serial_of(uint64_t i, uint8_t out[SERIAL_LEN])
{
	memset(out, 0, SERIAL_LEN);
	out[0] = 0x40;
	for (int b = 0; b < 8; b++)
		out[SERIAL_LEN - 8 + b] = (uint8_t)(i >> 8 * (7 - b));
	return bytes_of(out, SERIAL_LEN);
}

static void write_list(const struct test_ca *ca, uint64_t count, enum crl_scope scope,
	const char *url, struct crl_made *ret)
{
	static const int reasons[] = {0, 1, 2, 3, 4, 5, 6, 8, 9, 10};
	CLEANUP(crl_writer_free) struct crl_writer *w = NULL;
	const struct crl_form form = {.issuer = ca->certificate,
		.key = ca->key,
		.url = url,
		.number = NOW * 1000,
		.this_update_us = NOW * USEC_PER_SEC,
		.next_update_us = (NOW + 86399) * USEC_PER_SEC};

	assert_int_equal(crl_writer_new(scope, &w), OK);
	for (uint64_t i = 0; i < count; i++) {
		uint8_t serial[SERIAL_LEN];
		struct crl_entry entry = {serial_of(i, serial), (NOW - (int64_t)i) * USEC_PER_SEC,
			reasons[i % ARRAY_LEN(reasons)]};

		assert_int_equal(crl_writer_add(w, &entry), OK);
	}
	assert_int_equal(crl_writer_finish(w, &form, ret), OK);
	assert_int_equal(ret->entries, count);
}

static void lint_list(const struct test_ca *ca, const struct crl_made *made, enum crl_scope scope,
	const char *url)
{
	CLEANUP_BUF struct buf findings = {0};
	struct crl_source src;
	uint8_t *der = NULL;
	int len = i2d_X509(ca->certificate, &der);
	struct crl_expectation want = {.issuer = bytes_of(der, (size_t)len),
		.url = url,
		.scope = scope,
		.validity_max_secs = 86400,
		.number = NOW * 1000,
		.this_update_us = NOW * USEC_PER_SEC,
		.next_update_us = (NOW + 86399) * USEC_PER_SEC,
		.entries = (int64_t)made->entries};

	assert_int_equal(crl_source_file(made->fd, &src), OK);
	assert_int_equal(src.size, made->size);
	if (crl_lint(&src, &want, NULL, &findings) != OK)
		fail_msg("%s", buf_str(&findings));
	OPENSSL_free(der);
}

/* The whole list, as OpenSSL reads it; its hash is the one that was told. */
static X509_CRL *read_list(const struct crl_made *made)
{
	CLEANUP_BUF struct buf der = {0};
	const struct crl_source src = {.fd = made->fd, .size = made->size};
	const uint8_t *end;
	uint8_t sha256[32];
	X509_CRL *crl;

	buf_reserve(&der, made->size);
	assert_int_equal(crl_source_read(&src, 0, der.ptr, made->size), OK);
	ossl_sha256_of(bytes_of(der.ptr, made->size), sha256);
	assert_memory_equal(sha256, made->sha256, sizeof(sha256));
	end = der.ptr;
	crl = d2i_X509_CRL(NULL, &end, (long)made->size);
	assert_non_null(crl);
	assert_ptr_equal(end, der.ptr + made->size);
	return crl;
}

static void check_entry(X509_CRL *crl, uint64_t i)
{
	static const int said[] = {-1, 1, -1, 3, 4, 5, -1, -1, 9, -1};
	X509_REVOKED *revoked = sk_X509_REVOKED_value(X509_CRL_get_REVOKED(crl), (int)i);
	uint8_t serial[SERIAL_LEN];
	ASN1_ENUMERATED *reason = X509_REVOKED_get_ext_d2i(revoked, NID_crl_reason, NULL, NULL);

	assert_memory_equal(ASN1_STRING_get0_data(X509_REVOKED_get0_serialNumber(revoked)),
		serial_of(i, serial).ptr, SERIAL_LEN);
	assert_int_equal(reason != NULL ? (int)ASN1_ENUMERATED_get(reason) : -1,
		said[i % ARRAY_LEN(said)]);
	ASN1_ENUMERATED_free(reason);
}

static void every_key_and_length_makes_a_list_that_openssl_and_the_lint_accept(void **state)
{
	static const char *const types[] = {"p256", "p384", "rsa2048", "rsa4096"};
	/* Around the places where a length takes an octet more: 127, 255 and 65535 octets. */
	static const uint64_t counts[] = {0, 1, 2, 3, 4, 6, 7, 1400, 1600, 1700, 4000};

	for (size_t t = 0; t < ARRAY_LEN(types); t++) {
		struct test_ca ca;

		test_ca_make(&ca, types[t], types[t], NOW * USEC_PER_SEC);
		for (size_t c = 0; c < ARRAY_LEN(counts); c++) {
			struct crl_made made;
			X509_CRL *crl;

			write_list(&ca, counts[c], CRL_SCOPE_USER, URL, &made);
			lint_list(&ca, &made, CRL_SCOPE_USER, URL);
			crl = read_list(&made);
			assert_int_equal(X509_CRL_verify(crl, X509_get0_pubkey(ca.certificate)), 1);
			assert_int_equal(X509_CRL_get_version(crl), X509_CRL_VERSION_2);
			if (counts[c] == 0)
				assert_null(X509_CRL_get_REVOKED(crl));
			for (uint64_t i = 0; i < counts[c]; i++)
				check_entry(crl, i);
			X509_CRL_free(crl);
			crl_made_done(&made);
		}
		test_ca_done(&ca);
	}
}

static void every_scope_is_said_as_the_lint_expects(void **state)
{
	struct test_ca ca;

	test_ca_make(&ca, "scopes", "p256", NOW * USEC_PER_SEC);
	for (enum crl_scope scope = CRL_SCOPE_ALL; scope <= CRL_SCOPE_CA; scope++) {
		for (int url = 0; url < 2; url++) {
			struct crl_made made;

			write_list(&ca, scope == CRL_SCOPE_CA ? 10 : 1, scope, url ? URL : NULL,
				&made);
			lint_list(&ca, &made, scope, url ? URL : NULL);
			crl_made_done(&made);
		}
	}
	test_ca_done(&ca);
}

/* What is signed in pieces is what is signed at once. */
static void pieces_make_one_signature(void **state)
{
	static const char *const types[] = {"p256", "p384", "rsa2048"};
	uint8_t message[5000];

	memset(message, 0x5a, sizeof(message));
	for (size_t t = 0; t < ARRAY_LEN(types); t++) {
		struct test_ca ca;

		test_ca_make(&ca, types[t], types[t], NOW * USEC_PER_SEC);
		for (size_t step = 1; step < sizeof(message); step = step * 3 + 1) {
			CLEANUP(key_stream_free) struct key_stream *s = NULL;
			CLEANUP(EVP_MD_CTX_free) EVP_MD_CTX *ctx = EVP_MD_CTX_new();
			CLEANUP_BUF struct buf bits = {0};
			struct signature_scheme scheme;

			assert_int_equal(key_stream_begin(ca.key, &s), OK);
			for (size_t at = 0; at < sizeof(message); at += step) {
				size_t n =
					sizeof(message) - at < step ? sizeof(message) - at : step;

				assert_int_equal(key_stream_add(s, bytes_of(message + at, n)), OK);
			}
			assert_int_equal(key_stream_end(s, ca.key, &bits), OK);
			assert_int_equal(bits.ptr[0], 0);
			assert_int_equal(key_scheme(ca.key, &scheme), OK);
			assert_int_equal(EVP_DigestVerifyInit(ctx, NULL, scheme.md, NULL, ca.key),
				1);
			assert_int_equal(EVP_DigestVerify(ctx, bits.ptr + 1, bits.len - 1, message,
						 sizeof(message)),
				1);
		}
		test_ca_done(&ca);
	}
}

static void a_signature_by_another_key_is_not_handed_out(void **state)
{
	CLEANUP(key_stream_free) struct key_stream *s = NULL;
	CLEANUP_BUF struct buf bits = {0};
	struct test_ca ca;

	test_ca_make(&ca, "other", "p256", NOW * USEC_PER_SEC);
	assert_int_equal(key_stream_begin(ca.key, &s), OK);
	assert_int_equal(key_stream_add(s, bytes_str("message")), OK);
	assert_int_equal(key_stream_end(s, ca.root_key, &bits), ERR_CRYPTO);
	assert_int_equal(bits.len, 0);
	test_ca_done(&ca);
}

static void without_a_place_for_its_file_it_says_so(void **state)
{
	struct crl_writer *w = NULL;

	assert_int_equal(setenv("TMPDIR", "/nowhere", 1), 0);
	assert_int_equal(crl_writer_new(CRL_SCOPE_USER, &w), ERR_INTERNAL);
	assert_null(w);
	assert_int_equal(unsetenv("TMPDIR"), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
			every_key_and_length_makes_a_list_that_openssl_and_the_lint_accept),
		cmocka_unit_test(every_scope_is_said_as_the_lint_expects),
		cmocka_unit_test(pieces_make_one_signature),
		cmocka_unit_test(a_signature_by_another_key_is_not_handed_out),
		cmocka_unit_test(without_a_place_for_its_file_it_says_so),
	};

	return cmocka_run_group_tests_name("crl_write", tests, scratch_folder_make,
		scratch_folder_remove);
}
