/* test_jwk.c — the vectors of RFC 7638 and RFC 8037, every refusal of a client's jwk, and the
 * stored form. */
#include "tests/unit/pki_fixture.h"

#include <pthread.h>

#include "lib/base/b64url.h"

static int parse_text(const char *text, struct problem *pb, struct jwk **ret)
{
	CLEANUP(jx_free) struct jx *object = NULL;

	assert_int_equal(jx_parse(bytes_str(text), &object), OK);
	return jwk_parse(object, pb, ret);
}

static void assert_refused(const char *text, const char *detail)
{
	struct problem pb = {0};
	struct jwk *jwk = NULL;

	assert_int_equal(parse_text(text, &pb, &jwk), ERR_PROBLEM);
	assert_problem(&pb, PROBLEM_BAD_PUBLIC_KEY, detail);
	assert_null(jwk);
}

static struct jwk *accepted(const char *text)
{
	struct problem pb = {0};
	struct jwk *jwk = NULL;

	if (parse_text(text, &pb, &jwk) < 0)
		fail_msg("refused: %s", pb.detail);
	return jwk;
}

static void assert_thumbprint(const struct jwk *jwk, const char *expected)
{
	char text[B64URL_LEN(JWK_THUMBPRINT_LEN) + 1];

	b64url_format(bytes_of(jwk->thumbprint, sizeof(jwk->thumbprint)), text);
	assert_string_equal(text, expected);
}

#define RFC7638_N                                                                                  \
	"0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_"  \
	"BJECPebWKRXjBZCiFV4n3oknj"                                                                \
	"hMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_"                          \
	"FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQ"                                        \
	"vRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_"             \
	"xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzK"                                                     \
	"nqDKgw"
#define P256_X "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU"
#define P256_Y "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"
#define P256 "\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"" P256_X "\",\"y\":\"" P256_Y "\""

static void rfc_7638_section_3_1(void **state)
{
	CLEANUP(jwk_free)
	struct jwk *jwk = accepted("{\"kty\":\"RSA\",\"n\":\"" RFC7638_N
				   "\",\"e\":\"AQAB\",\"alg\":\"RS256\",\"kid\":\"2011-04-29\"}");

	assert_thumbprint(jwk, "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs");
	assert_string_equal(jwk->canonical,
		"{\"e\":\"AQAB\",\"kty\":\"RSA\",\"n\":\"" RFC7638_N "\"}");
	assert_int_equal(jwk->alg, JWS_RS256);
}

static void rfc_8037_appendix_a_3(void **state)
{
	CLEANUP(jwk_free)
	struct jwk *jwk = accepted("{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"x\":\"11qYAYKxCrfVS_"
				   "7TyWQHOg7hcvPapiMlrwIaaPcHURo\"}");

	assert_thumbprint(jwk, "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k");
	assert_int_equal(jwk->alg, JWS_EDDSA);
}

/* Of OpenSSL's encoding. */
static void spki_digest_of(EVP_PKEY *key, uint8_t out[32])
{
	unsigned char *der = NULL;
	int len = i2d_PUBKEY(key, &der);

	assert_true(len > 0);
	ossl_sha256_of(bytes_of(der, (size_t)len), out);
	OPENSSL_free(der);
}

static void every_type_is_read_and_stored(void **state)
{
	static const struct {
		const char *type;
		enum jws_alg alg;
	} cases[] = {{"rsa2048", JWS_RS256}, {"rsa3072", JWS_RS256}, {"p256", JWS_ES256},
		{"p384", JWS_ES384}, {"p521", JWS_ES512}, {"ed25519", JWS_EDDSA}};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		EVP_PKEY *key = fixture_key(cases[i].type);
		CLEANUP_BUF struct buf text = {0};
		CLEANUP(jwk_free) struct jwk *jwk = NULL;
		CLEANUP(jwk_free) struct jwk *loaded = NULL;
		uint8_t digest[32];

		fixture_jwk(key, &text);
		jwk = accepted(buf_str(&text));
		assert_string_equal(jwk->canonical, buf_str(&text));
		assert_int_equal(jwk->alg, cases[i].alg);
		assert_int_equal(EVP_PKEY_eq(jwk->key, key), 1);
		assert_int_equal(jwk_thumbprint_of(key, digest), OK);
		assert_memory_equal(digest, jwk->thumbprint, 32);
		spki_digest_of(key, digest);
		assert_memory_equal(digest, jwk->spki_sha256, 32);

		assert_int_equal(jwk_load(buf_bytes(&text), &loaded), OK);
		assert_string_equal(loaded->canonical, jwk->canonical);
		assert_memory_equal(loaded->thumbprint, jwk->thumbprint, 32);
		assert_memory_equal(loaded->spki_sha256, jwk->spki_sha256, 32);
		assert_int_equal(EVP_PKEY_eq(loaded->key, key), 1);
	}
}

static void thumbprints_of_other_keys_are_an_error(void **state)
{
	uint8_t digest[32];

	assert_int_equal(jwk_thumbprint_of(fixture_key("secp256k1"), digest), ERR_CRYPTO);
}

static void a_fitting_purpose_is_accepted(void **state)
{
	jwk_free(accepted(
		"{" P256
		",\"use\":\"sig\",\"key_ops\":[\"verify\"],\"alg\":\"ES256\",\"kid\":\"x\"}"));
	jwk_free(accepted("{" P256 ",\"key_ops\":[\"sign\",\"verify\"],\"ext\":true}"));
}

static void another_purpose_is_refused(void **state)
{
	assert_refused("{" P256 ",\"use\":\"enc\"}", "use");
	assert_refused("{" P256 ",\"use\":7}", "use");
	assert_refused("{" P256 ",\"key_ops\":[\"encrypt\"]}", "key_ops");
	assert_refused("{" P256 ",\"key_ops\":\"verify\"}", "key_ops");
	assert_refused("{" P256 ",\"key_ops\":[1]}", "key_ops");
	assert_refused("{" P256 ",\"key_ops\":[]}", "key_ops");
	assert_refused("{" P256 ",\"alg\":\"ES384\"}", "alg");
	assert_refused("{" P256 ",\"alg\":\"none\"}", "alg");
	assert_refused("{" P256 ",\"alg\":null}", "alg");
	assert_refused("{\"kty\":\"RSA\",\"n\":\"" RFC7638_N "\",\"e\":\"AQAB\",\"alg\":\"PS256\"}",
		"alg");
}

static void private_members_are_refused(void **state)
{
	static const char *const names[] = {"d", "p", "q", "dp", "dq", "qi", "oth", "k"};

	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		CLEANUP_BUF struct buf text = {0};

		buf_addf(&text, "{" P256 ",\"%s\":\"AA\"}", names[i]);
		assert_refused(buf_str(&text), "private");
	}
}

static void what_is_no_key_is_refused(void **state)
{
	assert_refused("[]", "not an object");
	assert_refused("\"x\"", "not an object");
	assert_refused("{}", "kty");
	assert_refused("{\"kty\":1}", "kty");
	assert_refused("{\"kty\":\"oct\",\"k\":\"AAAA\"}", "type RSA");
	assert_refused("{\"kty\":\"ec\",\"crv\":\"P-256\",\"x\":\"" P256_X "\",\"y\":\"" P256_Y
		       "\"}",
		"must be RSA");
	assert_refused("{\"kty\":\"OKP\",\"crv\":\"P-256\",\"x\":\"" P256_X "\",\"y\":\"" P256_Y
		       "\"}",
		"must be RSA");
	assert_refused("{\"kty\":\"EC\",\"x\":\"" P256_X "\",\"y\":\"" P256_Y "\"}", "crv");
	assert_refused("{\"kty\":\"EC\",\"crv\":\"secp256k1\",\"x\":\"" P256_X "\",\"y\":\"" P256_Y
		       "\"}",
		"must be RSA");
	assert_refused("{\"kty\":\"EC\",\"crv\":\"P-384\",\"x\":\"" P256_X "\",\"y\":\"" P256_Y
		       "\"}",
		"coordinates");
	assert_refused("{\"kty\":\"OKP\",\"crv\":\"X25519\",\"x\":\"" P256_X "\"}", "must be RSA");
	assert_refused("{\"kty\":\"OKP\",\"crv\":\"Ed448\",\"x\":\"" P256_X "\"}", "must be RSA");
}

static void coordinates_are_exact(void **state)
{
	assert_refused("{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"" P256_X "\"}", "coordinates");
	assert_refused("{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"" P256_X "\",\"y\":7}",
		"coordinates");
	/* One octet short, one long, padded, with unused bits, of another alphabet, empty. */
	assert_refused("{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"" P256_X
		       "\",\"y\":\"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5Q\"}",
		"coordinates");
	assert_refused("{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"" P256_X
		       "\",\"y\":\"AMfxRM0bvZt-hyzf7bnuufSzaV1uqQskrYpGIyiFiOWt\"}",
		"coordinates");
	assert_refused("{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"" P256_X "\",\"y\":\"" P256_Y
		       "=\"}",
		"coordinates");
	assert_refused("{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"" P256_X
		       "\",\"y\":\"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a1\"}",
		"coordinates");
	assert_refused("{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"" P256_X
		       "\",\"y\":\"x/FEzRu9m36HLN/tue659LNpXW6pCyStikYjKIWI5a0\"}",
		"coordinates");
	assert_refused("{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"\",\"y\":\"\"}", "coordinates");
	assert_refused("{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"x\":\"11qYAYKxCrfVS_"
		       "7TyWQHOg7hcvPapiMlrwIaaPcHUQ\"}",
		"coordinates");
	/* Right lengths, off the curve. */
	assert_refused("{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"" P256_Y "\",\"y\":\"" P256_X
		       "\"}",
		"not a point");
}

static void rsa_members_are_exact(void **state)
{
	CLEANUP_BUF struct buf text = {0};

	assert_refused("{\"kty\":\"RSA\",\"n\":\"" RFC7638_N "\"}", "\"n\" and \"e\"");
	assert_refused("{\"kty\":\"RSA\",\"e\":\"AQAB\"}", "\"n\" and \"e\"");
	assert_refused("{\"kty\":\"RSA\",\"n\":\"" RFC7638_N "\",\"e\":\"AAEAAQ\"}",
		"\"n\" and \"e\"");
	assert_refused("{\"kty\":\"RSA\",\"n\":\"AA\",\"e\":\"AQAB\"}", "\"n\" and \"e\"");
	assert_refused("{\"kty\":\"RSA\",\"n\":\"" RFC7638_N "\",\"e\":\"Aw\"}", "65537");
	assert_refused("{\"kty\":\"RSA\",\"n\":\"wQ\",\"e\":\"AQAB\"}", "2048");
	/* A modulus of megabytes is refused by its length. */
	buf_add_str(&text, "{\"kty\":\"RSA\",\"e\":\"AQAB\",\"n\":\"");
	for (size_t i = 0; i < 200000; i++)
		buf_add_byte(&text, 'v');
	buf_add_str(&text, "\"}");
	assert_refused(buf_str(&text), "\"n\" and \"e\"");
}

static void stored_keys_have_one_spelling(void **state)
{
	static const char *const broken[] = {
		"",
		"{",
		"{}",
		"{\"crv\":\"P-256\",\"kty\":\"EC\",\"x\":\"" P256_X "\",\"y\":\"" P256_Y "\"",
		"{\"crv\":\"P-256\",\"kty\":\"EC\",\"x\":\"" P256_X "\",\"y\":\"" P256_Y "\"} ",
		" {\"crv\":\"P-256\",\"kty\":\"EC\",\"x\":\"" P256_X "\",\"y\":\"" P256_Y "\"}",
		"{" P256 "}",
		"{\"crv\":\"P-256\",\"kty\":\"RSA\",\"x\":\"" P256_X "\",\"y\":\"" P256_Y "\"}",
		"{\"crv\":\"P-256\",\"kty\":\"EC\",\"x\":\"" P256_X "\"}",
		"{\"crv\":\"P-256\",\"kty\":\"EC\",\"x\":\"" P256_Y "\",\"y\":\"" P256_X "\"}",
		"{\"crv\":\"Ed25519\",\"kty\":\"OKP\",\"x\":\"" P256_X "\",\"y\":\"" P256_Y "\"}",
		"{\"crv\":\"P-255\",\"kty\":\"EC\",\"x\":\"" P256_X "\",\"y\":\"" P256_Y "\"}",
		"{\"e\":\"AQAB\",\"kty\":\"RSA\",\"n\":\"\"}",
		"{\"e\":\"AQAB\",\"kty\":\"RSA\",\"n\":\"" RFC7638_N "\",\"x\":\"\"}",
		"{\"e\":\"AQAB",
	};

	for (size_t i = 0; i < ARRAY_LEN(broken); i++) {
		struct jwk *jwk = NULL;

		assert_int_equal(jwk_load(bytes_str(broken[i]), &jwk), ERR_SYNTAX);
		assert_null(jwk);
	}
}

static void *share(void *arg)
{
	for (int i = 0; i < 20000; i++)
		jwk_free(jwk_ref(arg));
	return NULL;
}

static void references_are_counted_across_threads(void **state)
{
	CLEANUP(jwk_free) struct jwk *jwk = accepted("{" P256 "}");
	pthread_t threads[4];

	for (size_t i = 0; i < ARRAY_LEN(threads); i++)
		assert_int_equal(pthread_create(&threads[i], NULL, share, jwk), 0);
	for (size_t i = 0; i < ARRAY_LEN(threads); i++)
		pthread_join(threads[i], NULL);
	assert_int_equal(jwk->refs, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rfc_7638_section_3_1),
		cmocka_unit_test(rfc_8037_appendix_a_3),
		cmocka_unit_test(every_type_is_read_and_stored),
		cmocka_unit_test(thumbprints_of_other_keys_are_an_error),
		cmocka_unit_test(a_fitting_purpose_is_accepted),
		cmocka_unit_test(another_purpose_is_refused),
		cmocka_unit_test(private_members_are_refused),
		cmocka_unit_test(what_is_no_key_is_refused),
		cmocka_unit_test(coordinates_are_exact),
		cmocka_unit_test(rsa_members_are_exact),
		cmocka_unit_test(stored_keys_have_one_spelling),
		cmocka_unit_test(references_are_counted_across_threads),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
