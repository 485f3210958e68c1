/* test_pubkey.c — keys in numbers: every form in and out, the whitelist of SubjectPublicKeyInfo,
 * and what we rely on OpenSSL for when a key is made. */
#include "tests/unit/pki_fixture.h"

#include <openssl/core_names.h>
#include <openssl/ec.h>

#include "lib/pki/der.h"
#include "lib/pki/oid.h"
#include "lib/pki/pubkey.h"

static const char *const types[] = {"rsa2048", "rsa3072", "p256", "p384", "p521", "ed25519"};

static void spki_of(EVP_PKEY *key, struct buf *out)
{
	unsigned char *der = NULL;
	int len = i2d_PUBKEY(key, &der);

	assert_true(len > 0);
	buf_add(out, der, (size_t)len);
	OPENSSL_free(der);
}

static void every_kind_round_trips(void **state)
{
	for (size_t i = 0; i < ARRAY_LEN(types); i++) {
		CLEANUP_BUF struct buf theirs = {0};
		CLEANUP_BUF struct buf ours = {0};
		CLEANUP(EVP_PKEY_free) EVP_PKEY *again = NULL;
		struct pubkey a, b;

		spki_of(fixture_key(types[i]), &theirs);
		assert_int_equal(pubkey_from_spki(buf_bytes(&theirs), &a), OK);
		assert_int_equal(pubkey_from_evp(fixture_key(types[i]), &b), OK);
		assert_int_equal(a.kind, b.kind);
		assert_int_equal(a.e, b.e);
		assert_true(bytes_equal(bytes_of(a.octets, a.len), bytes_of(b.octets, b.len)));
		pubkey_put_spki(&a, &ours);
		assert_true(bytes_equal(buf_bytes(&ours), buf_bytes(&theirs)));
		assert_int_equal(pubkey_make(&a, &again), OK);
		assert_int_equal(EVP_PKEY_eq(again, fixture_key(types[i])), 1);
	}
}

static void trailing_and_cut_octets_are_refused(void **state)
{
	for (size_t i = 0; i < ARRAY_LEN(types); i++) {
		CLEANUP_BUF struct buf spki = {0};
		struct pubkey key;

		spki_of(fixture_key(types[i]), &spki);
		for (size_t cut = 0; cut < spki.len; cut++)
			assert_int_equal(pubkey_from_spki(bytes_of(spki.ptr, cut), &key),
				ERR_SYNTAX);
		buf_add_byte(&spki, 0);
		assert_int_equal(pubkey_from_spki(buf_bytes(&spki), &key), ERR_SYNTAX);
	}
}

static void other_curves_and_explicit_parameters_are_refused(void **state)
{
	CLEANUP_BUF struct buf spki = {0};
	CLEANUP_BUF struct buf explicit_spki = {0};
	CLEANUP(EVP_PKEY_free) EVP_PKEY *explicit_key = EVP_PKEY_dup(fixture_key("p256"));
	struct pubkey key;

	spki_of(fixture_key("secp256k1"), &spki);
	assert_int_equal(pubkey_from_spki(buf_bytes(&spki), &key), ERR_SYNTAX);
	assert_int_equal(pubkey_from_evp(fixture_key("secp256k1"), &key), ERR_CRYPTO);
	/* CVE-2022-0778: the curve written out. */
	assert_int_equal(EVP_PKEY_set_utf8_string_param(explicit_key, OSSL_PKEY_PARAM_EC_ENCODING,
				 "explicit"),
		1);
	spki_of(explicit_key, &explicit_spki);
	assert_true(explicit_spki.len > 150);
	assert_int_equal(pubkey_from_spki(buf_bytes(&explicit_spki), &key), ERR_SYNTAX);
}

static void compressed_points_are_refused_but_compressed_keys_read(void **state)
{
	CLEANUP_BUF struct buf spki = {0};
	CLEANUP(EVP_PKEY_free) EVP_PKEY *compressed = EVP_PKEY_dup(fixture_key("p256"));
	struct pubkey a, b;

	assert_int_equal(EVP_PKEY_set_utf8_string_param(compressed,
				 OSSL_PKEY_PARAM_EC_POINT_CONVERSION_FORMAT,
				 OSSL_PKEY_EC_POINT_CONVERSION_FORMAT_COMPRESSED),
		1);
	spki_of(compressed, &spki);
	assert_int_equal(pubkey_from_spki(buf_bytes(&spki), &a), ERR_SYNTAX);
	assert_int_equal(pubkey_from_evp(compressed, &a), OK);
	assert_int_equal(pubkey_from_evp(fixture_key("p256"), &b), OK);
	assert_memory_equal(a.octets, b.octets, 65);
}

/* keypolicy repeats no check of points: this is why it need not. */
static void points_that_are_none_are_refused(void **state)
{
	static const char *const curves[] = {"p256", "p384", "p521"};

	for (size_t i = 0; i < ARRAY_LEN(curves); i++) {
		EVP_PKEY *made = NULL;
		struct pubkey key, bad;

		assert_int_equal(pubkey_from_evp(fixture_key(curves[i]), &key), OK);
		bad = key; /* off the curve */
		bad.octets[bad.len - 1] ^= 1;
		assert_int_equal(pubkey_make(&bad, &made), ERR_CRYPTO);
		bad = key; /* (0, 0) */
		memset(bad.octets + 1, 0, bad.len - 1);
		assert_int_equal(pubkey_make(&bad, &made), ERR_CRYPTO);
		bad = key; /* coordinates beyond the field */
		memset(bad.octets + 1, 0xff, bad.len - 1);
		assert_int_equal(pubkey_make(&bad, &made), ERR_CRYPTO);
		bad = key; /* infinity */
		bad.octets[0] = 0;
		bad.len = 1;
		assert_int_equal(pubkey_make(&bad, &made), ERR_CRYPTO);
		assert_null(made);
	}
}

/* The points of P-256 with x = 0 are on the curve; the same points with x = p must not be taken for
 * them. */
static void openssl_does_not_reduce_coordinates(void **state)
{
	static const uint8_t prime[32] = {0xff, 0xff, 0xff, 0xff, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0,
		0, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
		0xff};
	uint8_t compressed[33] = {2};
	OSSL_PARAM params[] = {OSSL_PARAM_construct_utf8_string(OSSL_PKEY_PARAM_GROUP_NAME,
				       (char *)"prime256v1", 0),
		OSSL_PARAM_construct_octet_string(OSSL_PKEY_PARAM_PUB_KEY, compressed,
			sizeof(compressed)),
		OSSL_PARAM_END};
	CLEANUP(EVP_PKEY_CTX_free) EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(NULL, "EC", NULL);
	CLEANUP(EVP_PKEY_free) EVP_PKEY *zero = NULL;
	CLEANUP(EVP_PKEY_free) EVP_PKEY *made = NULL;
	struct pubkey key;

	assert_int_equal(EVP_PKEY_fromdata_init(ctx), 1);
	assert_int_equal(EVP_PKEY_fromdata(ctx, &zero, EVP_PKEY_PUBLIC_KEY, params), 1);
	assert_int_equal(pubkey_from_evp(zero, &key), OK);
	assert_int_equal(pubkey_make(&key, &made), OK);
	EVP_PKEY_free(TAKE(made));
	memcpy(key.octets + 1, prime, sizeof(prime));
	assert_int_equal(pubkey_make(&key, &made), ERR_CRYPTO);
}

static void rsa_sizes_are_bounded_before_anything_is_computed(void **state)
{
	static const uint8_t big[513] = {1};
	struct pubkey key;

	assert_int_equal(pubkey_set_rsa(&key, bytes_of(big, 513), bytes_of("\1\0\1", 3)),
		ERR_LIMIT);
	assert_int_equal(pubkey_set_rsa(&key, bytes_of(big, 512), bytes_of(big, 9)), ERR_LIMIT);
	assert_int_equal(pubkey_set_rsa(&key, bytes_of(big + 1, 256), bytes_of("\1\0\1", 3)),
		ERR_SYNTAX);
	assert_int_equal(pubkey_set_rsa(&key, bytes_of(big, 0), bytes_of("\1\0\1", 3)), ERR_SYNTAX);
	assert_int_equal(pubkey_set_rsa(&key, bytes_of(big, 512), bytes_of("\0\1\0\1", 4)),
		ERR_SYNTAX);
	assert_int_equal(pubkey_set_rsa(&key, bytes_of(big, 512), bytes_of("\1\0\1", 3)), OK);
	assert_int_equal(key.e, 65537);
}

static void put_rsa_spki(struct buf *out, struct bytes algorithm, struct bytes n, struct bytes e)
{
	size_t spki = der_begin(out, DER_SEQUENCE), bits, body;

	buf_add(out, algorithm.ptr, algorithm.len);
	bits = der_begin(out, DER_BIT_STRING);
	buf_add_byte(out, 0);
	body = der_begin(out, DER_SEQUENCE);
	der_put(out, DER_INTEGER, n);
	der_put(out, DER_INTEGER, e);
	der_end(out, body);
	der_end(out, bits);
	der_end(out, spki);
}

#define RSA_ALGORITHM bytes_of("\x30\x0d\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x01\x01\x05\x00", 15)

static void rsa_integers_must_be_minimal_and_positive(void **state)
{
	static const uint8_t padded[258] = {0, 0, 0x80}, negative[256] = {0x80};
	static const uint8_t big[514] = {0, 0x80};
	const struct {
		struct bytes algorithm, n, e;
		int expected;
	} cases[] = {
		{RSA_ALGORITHM, {padded + 1, 257}, {(const uint8_t *)"\1\0\1", 3}, OK},
		{RSA_ALGORITHM, {padded, 258}, {(const uint8_t *)"\1\0\1", 3}, ERR_SYNTAX},
		{RSA_ALGORITHM, {negative, 256}, {(const uint8_t *)"\1\0\1", 3}, ERR_SYNTAX},
		{RSA_ALGORITHM, {padded + 1, 257}, {(const uint8_t *)"", 0}, ERR_SYNTAX},
		{RSA_ALGORITHM, {padded + 1, 257}, {(const uint8_t *)"", 1}, ERR_SYNTAX},
		{RSA_ALGORITHM, {big, 514}, {(const uint8_t *)"\1\0\1", 3}, ERR_LIMIT},
		/* NULL missing: BR 7.1.3.1.1 demands it. */
		{{(const uint8_t *)"\x30\x0b\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x01\x01", 13},
			{padded + 1, 257}, {(const uint8_t *)"\1\0\1", 3}, ERR_SYNTAX},
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		CLEANUP_BUF struct buf spki = {0};
		struct pubkey key;

		put_rsa_spki(&spki, cases[i].algorithm, cases[i].n, cases[i].e);
		assert_int_equal(pubkey_from_spki(buf_bytes(&spki), &key), cases[i].expected);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_kind_round_trips),
		cmocka_unit_test(trailing_and_cut_octets_are_refused),
		cmocka_unit_test(other_curves_and_explicit_parameters_are_refused),
		cmocka_unit_test(compressed_points_are_refused_but_compressed_keys_read),
		cmocka_unit_test(points_that_are_none_are_refused),
		cmocka_unit_test(openssl_does_not_reduce_coordinates),
		cmocka_unit_test(rsa_sizes_are_bounded_before_anything_is_computed),
		cmocka_unit_test(rsa_integers_must_be_minimal_and_positive),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
