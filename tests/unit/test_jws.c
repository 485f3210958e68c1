/* test_jws.c — RFC 7515 appendix A and RFC 8037 appendix A, every refusal of jws.h, and signatures
 * bent in every way that has ever been accepted somewhere. Our own forgeries are made from keys of
 * the moment. */
#include "tests/unit/pki_fixture.h"

#include <openssl/core_names.h>
#include <openssl/rsa.h>
#include <pthread.h>

#include "lib/base/b64url.h"

static struct jws *parsed(const char *text)
{
	struct problem pb = {0};
	struct jws *jws = NULL;

	if (jws_parse(bytes_str(text), &pb, &jws) < 0)
		fail_msg("refused: %s", pb.detail);
	return jws;
}

static void assert_malformed(struct bytes text, const char *detail)
{
	struct problem pb = {0};
	struct jws *jws = NULL;

	assert_int_equal(jws_parse(text, &pb, &jws), ERR_PROBLEM);
	assert_problem(&pb, PROBLEM_MALFORMED, detail);
	assert_null(jws);
}

static struct jwk *key_of(const char *text)
{
	CLEANUP(jx_free) struct jx *object = NULL;
	struct problem pb = {0};
	struct jwk *jwk = NULL;

	assert_int_equal(jx_parse(bytes_str(text), &object), OK);
	if (jwk_parse(object, &pb, &jwk) < 0)
		fail_msg("refused: %s", pb.detail);
	return jwk;
}

static void assert_vector(const char *jwk_text, const char *jws_text, enum jws_alg alg)
{
	CLEANUP(jwk_free) struct jwk *jwk = key_of(jwk_text);
	CLEANUP(jws_free) struct jws *jws = parsed(jws_text);
	struct problem pb = {0};

	assert_int_equal(jws->alg, alg);
	assert_string_equal(jws->alg_text, jws_alg_name(alg));
	assert_int_equal(jws_check_alg(jws, &pb), OK);
	assert_int_equal(jws_verify(jws, jwk, &pb), OK);
	jws->signature[7] ^= 1;
	assert_int_equal(jws_verify(jws, jwk, &pb), ERR_PROBLEM);
	assert_problem(&pb, PROBLEM_MALFORMED, "does not verify");
}

#define JOE                                                                                        \
	"eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0" \
	"cnVlfQ"
#define BODY(protected, payload, signature)                                                        \
	"{\"protected\":\"" protected "\",\"payload\":\"" payload "\",\"signature\":\"" signature  \
				      "\"}"
#define ES256_KEY                                                                                  \
	"{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU\"," \
	"\"y\":\"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0\"}"
#define ES256_SIGNATURE                                                                            \
	"DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q"

static void rfc_7515_appendix_a_2_rs256(void **state)
{
	assert_vector("{\"kty\":\"RSA\",\"n\":\"ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_"
		      "wWJcyQoTbji9k0l8W26mPddxHmfHQp-Vaw-4qPC"
		      "JrcS2mJPMEzP1Pt0Bm4d4QlL-yRT-SFd2lZS-pCgNMsD1W_"
		      "YpRPEwOWvG6b32690r2jZ47soMZo9wGzjb_7OMg0LOL-bSf63kpaSH"
		      "SXndS5z5rexMdbBYUsLA9e-KXBdQOS-"
		      "UTo7WTBEMa2R2CapHg665xsmtdVMTBQY4uDZlxvb3qCo5ZwKh9kG4LT6_I5IhlJH7aGhyx"
		      "XFvUK-DWNmoudF8NAco9_h9iaGNj8q2ethFkMLs91kzk2PAcDTW9gb54h4FRWyuXpoQ\",\"e\":"
		      "\"AQAB\"}",
		BODY("eyJhbGciOiJSUzI1NiJ9", JOE,
			"cC4hiUPoj9Eetdgtv3hF80EGrhuB__dzERat0XF9g2VtQgr9PJbu3XOiZj5RZmh7AAuHIm4Bh-"
			"0Qc_lF5YKt_O8W2Fp5jujGbds9"
			"uJdbF9CUAr7t1dnZcAcQjbKBYNX4BAynRFdiuB--f_"
			"nZLgrnbyTyWzO75vRK5h6xBArLIARNPvkSjtQBMHlb1L07Qe7K0GarZRmB"
			"_eSN9383LcOLn6_dO--xi12jzDwusC-"
			"eOkHWEsqtFZESc6BfI7noOPqvhJ1phCnvWh6IeYI2w9QOYEUipUTI8np6LbgGY9Fs98rq"
			"Vt5AXLIhWkWywlVmtVrBp0igcN_IoypGlUPQGe77Rw"),
		JWS_RS256);
}

static void rfc_7515_appendix_a_3_es256(void **state)
{
	assert_vector(ES256_KEY, BODY("eyJhbGciOiJFUzI1NiJ9", JOE, ES256_SIGNATURE), JWS_ES256);
}

static void rfc_7515_appendix_a_4_es512(void **state)
{
	assert_vector("{\"kty\":\"EC\",\"crv\":\"P-521\",\"x\":"
		      "\"AekpBQ8ST8a8VcfVOTNl353vSrDCLLJXmPk06wTjxrrjcBpXp5EOnYG_"
		      "NjFZ6OvLFV1jSfS9tsz4qUxcWceqwQGk\",\"y\":\"ADSmRA43Z1DSNx_"
		      "RvcLI87cdL07l6jQyyBXMoxVg_l2Th-x3S1WDhjDl"
		      "y79ajL4Kkd0AZMaZmh9ubmf63e3kyMj2\"}",
		BODY("eyJhbGciOiJFUzUxMiJ9", "UGF5bG9hZA",
			"AdwMgeerwtHoh-l192l60hp9wAHZFVJbLfD_UxMi70cwnZOYaRI1bKPWROc-mZZqwqT2SI-"
			"KGDKB34XO0aw_7XdtAG8GaSwFKdCA"
			"PZgoXD2YBJZCPEX3xKpRwcdOO8KpEHwJjyqOgzDO7iKvU8vcnwNrmxYbSW9ERBXukOXolLzeO_"
			"Jn"),
		JWS_ES512);
}

static void rfc_8037_appendix_a_4_eddsa(void **state)
{
	assert_vector("{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"x\":\"11qYAYKxCrfVS_"
		      "7TyWQHOg7hcvPapiMlrwIaaPcHURo\"}",
		BODY("eyJhbGciOiJFZERTQSJ9", "RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc",
			"hgyY0il_MGCjP0JzlnLWG1PPOt7-"
			"09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg"),
		JWS_EDDSA);
}

static void every_algorithm_verifies_with_its_key_alone(void **state)
{
	static const struct {
		const char *type;
		enum jws_alg alg;
	} cases[] = {{"rsa2048", JWS_RS256}, {"p256", JWS_ES256}, {"p384", JWS_ES384},
		{"p521", JWS_ES512}, {"ed25519", JWS_EDDSA}};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		CLEANUP_BUF struct buf header = {0};
		CLEANUP_BUF struct buf text = {0};
		CLEANUP(jws_free) struct jws *jws = NULL;
		CLEANUP(jwk_free)
		struct jwk *other = fixture_load(fixture_other_key(cases[i].type));
		struct problem pb = {0};

		buf_addf(&header, "{\"alg\":\"%s\",\"nonce\":\"x\"}", jws_alg_name(cases[i].alg));
		fixture_jws(fixture_key(cases[i].type), cases[i].alg, buf_str(&header), "{\"a\":1}",
			&text);
		jws = parsed(buf_str(&text));
		assert_true(bytes_is(buf_bytes(&jws->payload), "{\"a\":1}"));
		for (size_t j = 0; j < ARRAY_LEN(cases); j++) {
			CLEANUP(jwk_free)
			struct jwk *jwk = fixture_load(fixture_key(cases[j].type));

			assert_int_equal(jws_verify(jws, jwk, &pb), i == j ? OK : ERR_PROBLEM);
			if (i != j)
				assert_problem(&pb, PROBLEM_BAD_SIGNATURE_ALGORITHM,
					"does not fit");
		}
		assert_int_equal(jws_verify(jws, other, &pb), ERR_PROBLEM);
		assert_problem(&pb, PROBLEM_MALFORMED, "does not verify");
		/* The header and the payload are both covered. */
		jws->signing_input_payload.len -= 4;
		assert_int_equal(jws_verify(jws, other, &pb), ERR_PROBLEM);
		problem_done(&pb);
	}
}

#define P "eyJhbGciOiJFUzI1NiJ9" /* {"alg":"ES256"} */

static void the_body_is_exactly_three_strings(void **state)
{
	static const char *const bodies[] = {
		"",
		"{",
		"[]",
		"\"\"",
		"null",
		"{}",
		BODY(P, "", "AA") "x",
		BODY(P, "", "AA") "\n{}",
		"{\"protected\":\"" P "\",\"payload\":\"\"}",
		"{\"protected\":\"" P "\",\"signature\":\"AA\"}",
		"{\"payload\":\"\",\"signature\":\"AA\"}",
		"{\"protected\":\"" P "\",\"payload\":null,\"signature\":\"AA\"}",
		"{\"protected\":{\"alg\":\"ES256\"},\"payload\":\"\",\"signature\":\"AA\"}",
		"{\"protected\":\"" P
		"\",\"payload\":\"\",\"signature\":\"AA\",\"header\":{\"kid\":\"x\"}}",
		"{\"protected\":\"" P
		"\",\"payload\":\"\",\"signature\":\"AA\",\"resource\":\"new-reg\"}",
		"{\"payload\":\"\",\"signatures\":[{\"protected\":\"" P
		"\",\"signature\":\"AA\"}]}",
		"{\"protected\":\"" P "\",\"payload\":\"\",\"signatures\":[{\"protected\":\"" P
		"\",\"signature\":\"AA\"}]}",
		"{\"protected\":\"" P "\",\"payload\":\"\",\"payload\":\"\",\"signature\":\"AA\"}",
		P "..AA",
	};

	for (size_t i = 0; i < ARRAY_LEN(bodies); i++)
		assert_malformed(bytes_str(bodies[i]), "");
	assert_malformed(bytes_of(BODY(P, "", "AA") "\0", sizeof(BODY(P, "", "AA"))), "JSON");
}

static void base64url_is_strict(void **state)
{
	assert_malformed(bytes_str(BODY(P "=", "", "AA")), "protected");
	assert_malformed(bytes_str(BODY(" " P, "", "AA")), "protected");
	assert_malformed(bytes_str(BODY(P, "e30=", "AA")), "payload");
	assert_malformed(bytes_str(BODY(P, "e31", "AA")), "payload"); /* unused bits set */
	assert_malformed(bytes_str(BODY(P, "e", "AA")), "payload");
	assert_malformed(bytes_str(BODY(P, "+/", "AA")), "payload");
	assert_malformed(bytes_str(BODY(P, "e30\\n", "AA")), "payload");
	assert_malformed(bytes_str(BODY(P, "", "AA=")), "signature");
	assert_malformed(bytes_str(BODY(P, "", "AB")), "signature");
	assert_malformed(bytes_str(BODY(P, "", "A?")), "signature");
	assert_malformed(bytes_str(BODY(P, "e30\\u0000", "AA")), "");
}

static void long_signatures_are_refused_before_decoding(void **state)
{
	CLEANUP_BUF struct buf text = {0};

	buf_add_str(&text, "{\"protected\":\"" P "\",\"payload\":\"\",\"signature\":\"");
	for (size_t i = 0; i < B64URL_LEN(JWS_SIGNATURE_MAX_BYTES) + 1; i++)
		buf_add_byte(&text, 'A');
	buf_add_str(&text, "\"}");
	assert_malformed(buf_bytes(&text), "too long");
}

static void assert_header(const char *header, const char *detail)
{
	CLEANUP_BUF struct buf text = {0};

	buf_add_str(&text, "{\"protected\":\"");
	b64url_append(&text, bytes_str(header));
	buf_add_str(&text, "\",\"payload\":\"\",\"signature\":\"AA\"}");
	assert_malformed(buf_bytes(&text), detail);
}

static void the_header_is_strict(void **state)
{
	assert_header("", "protected header");
	assert_header("[]", "protected header");
	assert_header("{\"alg\":\"ES256\"}{}", "protected header");
	assert_header("{\"alg\":\"ES256\",\"alg\":\"none\"}", "protected header");
	assert_header("{\"alg\":\"ES256\",\"a\":{\"a\":{\"a\":{\"a\":{\"a\":{\"a\":{\"a\":{\"a\":{}"
		      "}}}}}}}}",
		"protected header");
	assert_header("{\"alg\":\"ES256\",\"crit\":[\"exp\"]}", "crit");
	assert_header("{\"alg\":\"ES256\",\"crit\":[]}", "crit");
	assert_header("{\"alg\":\"ES256\",\"crit\":null}", "crit");
	assert_header("{\"alg\":\"ES256\",\"b64\":false}", "b64");
	assert_header("{\"alg\":\"ES256\",\"b64\":true}", "b64");
	assert_header("{\"alg\":7}", "alg");
	assert_header("{\"alg\":null}", "alg");
	assert_header("{\"alg\":[\"ES256\"]}", "alg");
}

static void unknown_algorithms_parse_and_are_then_refused(void **state)
{
	static const char *const names[] = {"none", "None", "", "es256", "ES256 ", "ES256K",
		"RS384", "RS512", "PS256", "HS256", "HS384", "HS512", "EdDSA ", "Ed25519",
		"<b>\\u00e9"};
	struct problem pb = {0};

	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		CLEANUP_BUF struct buf header = {0};
		CLEANUP_BUF struct buf text = {0};
		CLEANUP(jws_free) struct jws *jws = NULL;
		CLEANUP(jwk_free) struct jwk *jwk = fixture_load(fixture_key("p256"));

		buf_addf(&header, "{\"alg\":\"%s\"}", names[i]);
		fixture_jws(fixture_key("p256"), JWS_ES256, buf_str(&header), "", &text);
		jws = parsed(buf_str(&text));
		assert_int_equal(jws_check_alg(jws, &pb), ERR_PROBLEM);
		assert_problem(&pb, PROBLEM_BAD_SIGNATURE_ALGORITHM, "not accepted");
		assert_int_equal(jws_verify(jws, jwk, &pb), ERR_PROBLEM);
		assert_problem(&pb, PROBLEM_BAD_SIGNATURE_ALGORITHM, "not accepted");
		if (names[i][0] == 'H') {
			assert_string_equal(jws_alg_name(jws->alg), names[i]);
		} else {
			assert_int_equal(jws->alg, JWS_NONE);
		}
	}
}

static void a_missing_algorithm_is_none(void **state)
{
	CLEANUP(jws_free) struct jws *jws = parsed(BODY("e30", "", ""));
	struct problem pb = {0};

	assert_int_equal(jws->alg, JWS_NONE);
	assert_string_equal(jws->alg_text, "");
	assert_int_equal(jws->payload.len, 0);
	assert_int_equal(jws->signature_len, 0);
	assert_int_equal(jws_check_alg(jws, &pb), ERR_PROBLEM);
	assert_problem(&pb, PROBLEM_BAD_SIGNATURE_ALGORITHM, "");
}

static void an_inner_jws_is_read_from_its_object(void **state)
{
	CLEANUP(jx_free) struct jx *outer = NULL;
	CLEANUP(jws_free) struct jws *jws = NULL;
	CLEANUP(jwk_free) struct jwk *jwk = key_of(ES256_KEY);
	const struct jx *inner;
	struct problem pb = {0};

	assert_int_equal(jx_parse(bytes_str("{\"a\":" BODY("eyJhbGciOiJFUzI1NiJ9", JOE,
					  ES256_SIGNATURE) "}"),
				 &outer),
		OK);
	assert_int_equal(jx_get(outer, "a", &inner), OK);
	assert_int_equal(jws_parse_object(inner, &pb, &jws), OK);
	assert_int_equal(jws_verify(jws, jwk, &pb), OK);
	assert_int_equal(jws_parse_object(outer, &pb, &jws), ERR_PROBLEM);
	assert_problem(&pb, PROBLEM_MALFORMED, "exactly");
}

static void assert_signature(const struct jws *good, const struct jwk *jwk, const void *signature,
	size_t len, int expected)
{
	struct jws jws = *good;
	struct problem pb = {0};

	assert_true(len <= sizeof(jws.signature));
	memcpy(jws.signature, signature, len);
	jws.signature_len = len;
	assert_int_equal(jws_verify(&jws, jwk, &pb), expected);
	if (expected < 0)
		assert_problem(&pb, PROBLEM_MALFORMED, "does not verify");
}

/* r, s out of [1, n-1], other lengths, DER instead of r || s, swapped halves. */
static void bend_ecdsa(const char *type, enum jws_alg alg, const char *header, size_t size)
{
	CLEANUP_BUF struct buf text = {0};
	CLEANUP_BUF struct buf der = {0};
	CLEANUP_BUF struct buf input = {0};
	CLEANUP(jws_free) struct jws *jws = NULL;
	CLEANUP(jwk_free) struct jwk *jwk = fixture_load(fixture_key(type));
	CLEANUP(BN_free) BIGNUM *order = NULL, *s = BN_new();
	uint8_t bent[200], n[66];

	fixture_jws(fixture_key(type), alg, header, "payload", &text);
	jws = parsed(buf_str(&text));
	assert_int_equal(jws->signature_len, 2 * size);
	assert_signature(jws, jwk, jws->signature, 2 * size, OK);
	assert_int_equal(EVP_PKEY_get_bn_param(fixture_key(type), OSSL_PKEY_PARAM_EC_ORDER, &order),
		1);
	assert_int_equal(BN_bn2binpad(order, n, (int)size), size);

	for (size_t len = 0; len < 2 * size; len++)
		assert_signature(jws, jwk, jws->signature, len, ERR_PROBLEM);
	memcpy(bent, jws->signature, 2 * size);
	bent[2 * size] = 0;
	assert_signature(jws, jwk, bent, 2 * size + 1, ERR_PROBLEM);
	memmove(bent + 1, jws->signature, 2 * size); /* one more leading zero */
	bent[0] = 0;
	assert_signature(jws, jwk, bent, 2 * size + 1, ERR_PROBLEM);
	memset(bent, 0, 2 * size); /* r = s = 0: CVE-2022-21449 */
	assert_signature(jws, jwk, bent, 2 * size, ERR_PROBLEM);
	for (size_t half = 0; half < 2; half++) {
		static const uint8_t zero[66], ones[66] = {[0 ... 65] = 0xff};
		const uint8_t *const values[] = {zero, n, ones};

		for (size_t i = 0; i < ARRAY_LEN(values); i++) {
			memcpy(bent, jws->signature, 2 * size);
			memcpy(bent + half * size, values[i], size);
			assert_signature(jws, jwk, bent, 2 * size, ERR_PROBLEM);
		}
	}
	memcpy(bent, n, size); /* r = s = n */
	memcpy(bent + size, n, size);
	assert_signature(jws, jwk, bent, 2 * size, ERR_PROBLEM);
	memcpy(bent, jws->signature + size, size);
	memcpy(bent + size, jws->signature, size);
	assert_signature(jws, jwk, bent, 2 * size, ERR_PROBLEM);

	/* n - s verifies too: ECDSA is malleable, which is why nothing is ever keyed by a
	 * signature. */
	assert_non_null(BN_bin2bn(jws->signature + size, (int)size, s));
	assert_int_equal(BN_sub(s, order, s), 1);
	memcpy(bent, jws->signature, size);
	assert_int_equal(BN_bn2binpad(s, bent + size, (int)size), size);
	assert_signature(jws, jwk, bent, 2 * size, OK);

	buf_add(&input, jws->signing_input_protected.ptr, jws->signing_input_protected.len);
	buf_add_byte(&input, '.');
	buf_add(&input, jws->signing_input_payload.ptr, jws->signing_input_payload.len);
	fixture_sign(fixture_key(type),
		size == 32           ? ossl_sha256()
			: size == 48 ? ossl_sha384()
				     : ossl_sha512(),
		buf_bytes(&input), &der);
	assert_signature(jws, jwk, der.ptr, der.len, ERR_PROBLEM);
}

static void ecdsa_signatures_are_exact(void **state)
{
	bend_ecdsa("p256", JWS_ES256, "{\"alg\":\"ES256\"}", 32);
	bend_ecdsa("p384", JWS_ES384, "{\"alg\":\"ES384\"}", 48);
	bend_ecdsa("p521", JWS_ES512, "{\"alg\":\"ES512\"}", 66);
}

/* Enough signatures that some have short r or s. */
static void short_r_and_s_are_handled(void **state)
{
	CLEANUP(jwk_free) struct jwk *jwk = fixture_load(fixture_key("p256"));
	struct problem pb = {0};
	unsigned leading_zero = 0;

	for (int i = 0; i < 1500; i++) {
		CLEANUP_BUF struct buf text = {0};
		CLEANUP(jws_free) struct jws *jws = NULL;

		fixture_jws(fixture_key("p256"), JWS_ES256, "{\"alg\":\"ES256\"}", "", &text);
		jws = parsed(buf_str(&text));
		leading_zero += jws->signature[0] == 0 || jws->signature[32] == 0;
		assert_int_equal(jws_verify(jws, jwk, &pb), OK);
	}
	assert_true(leading_zero > 0);
}

/* The block that RSA signs (RFC 8017 section 9.2). */
static void rsa_block(uint8_t block[256], const uint8_t digest[32])
{
	static const uint8_t info[] = {0x30, 0x31, 0x30, 0x0d, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01,
		0x65, 0x03, 0x04, 0x02, 0x01, 0x05, 0x00, 0x04, 0x20};

	memset(block, 0xff, 256);
	block[0] = 0;
	block[1] = 1;
	block[256 - 32 - sizeof(info) - 1] = 0;
	memcpy(block + 256 - 32 - sizeof(info), info, sizeof(info));
	memcpy(block + 256 - 32, digest, 32);
}

static void raw_rsa(const uint8_t block[256], uint8_t signature[256])
{
	CLEANUP(EVP_PKEY_CTX_free)
	EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new(fixture_key("rsa2048"), NULL);
	size_t len = 256;

	assert_int_equal(EVP_PKEY_sign_init(ctx), 1);
	assert_int_equal(EVP_PKEY_CTX_set_rsa_padding(ctx, RSA_NO_PADDING), 1);
	assert_int_equal(EVP_PKEY_sign(ctx, signature, &len, block, 256), 1);
	assert_int_equal(len, 256);
}

static void rsa_padding_is_exact(void **state)
{
	CLEANUP_BUF struct buf text = {0};
	CLEANUP(jws_free) struct jws *jws = NULL;
	CLEANUP(jwk_free) struct jwk *jwk = fixture_load(fixture_key("rsa2048"));
	uint8_t block[256], bent[256], signature[520] = {0}, digest[32];
	CLEANUP_BUF struct buf input = {0};

	fixture_jws(fixture_key("rsa2048"), JWS_RS256, "{\"alg\":\"RS256\"}", "payload", &text);
	jws = parsed(buf_str(&text));
	buf_add(&input, jws->signing_input_protected.ptr, jws->signing_input_protected.len);
	buf_add_byte(&input, '.');
	buf_add(&input, jws->signing_input_payload.ptr, jws->signing_input_payload.len);
	ossl_sha256_of(buf_bytes(&input), digest);
	rsa_block(block, digest);
	raw_rsa(block, signature);
	assert_signature(jws, jwk, signature, 256, OK);
	assert_signature(jws, jwk, signature, 255, ERR_PROBLEM);
	assert_signature(jws, jwk, signature, 257, ERR_PROBLEM);
	assert_signature(jws, jwk, signature, 512, ERR_PROBLEM);
	assert_signature(jws, jwk, signature, 0, ERR_PROBLEM);

	/* Every octet of the padding and of the DigestInfo counts. */
	for (size_t i = 1; i < 256; i++) {
		memcpy(bent, block, 256);
		bent[i] ^= 0x01;
		raw_rsa(bent, signature);
		assert_signature(jws, jwk, signature, 256, ERR_PROBLEM);
	}
	/* Short padding with junk behind the digest (Bleichenbacher 2006). */
	memcpy(bent, block, 256);
	memmove(bent + 10, block + 256 - 52, 52);
	memset(bent + 62, 0xaa, 256 - 62);
	raw_rsa(bent, signature);
	assert_signature(jws, jwk, signature, 256, ERR_PROBLEM);
	/* Block type 0 and 2. */
	for (uint8_t type = 0; type <= 2; type += 2) {
		memcpy(bent, block, 256);
		bent[1] = type;
		raw_rsa(bent, signature);
		assert_signature(jws, jwk, signature, 256, ERR_PROBLEM);
	}
	/* DigestInfo without NULL, and with the lengths to match. */
	memcpy(bent, block, 256);
	memset(bent + 2, 0xff, 256 - 2);
	bent[256 - 50] = 0;
	memcpy(bent + 256 - 49,
		"\x30\x2f\x30\x0b\x06\x09\x60\x86\x48\x01\x65\x03\x04\x02\x01\x04\x20", 17);
	memcpy(bent + 256 - 32, digest, 32);
	raw_rsa(bent, signature);
	assert_signature(jws, jwk, signature, 256, ERR_PROBLEM);
	/* Signature 0, 1, n - 1 and all ones. */
	memset(signature, 0, sizeof(signature));
	assert_signature(jws, jwk, signature, 256, ERR_PROBLEM);
	signature[255] = 1;
	assert_signature(jws, jwk, signature, 256, ERR_PROBLEM);
	memset(signature, 0xff, sizeof(signature));
	assert_signature(jws, jwk, signature, 256, ERR_PROBLEM);
}

static void ed25519_signatures_are_exact(void **state)
{
	/* The group order, little endian. */
	static const uint8_t order[32] = {0xed, 0xd3, 0xf5, 0x5c, 0x1a, 0x63, 0x12, 0x58, 0xd6,
		0x9c, 0xf7, 0xa2, 0xde, 0xf9, 0xde, 0x14, [31] = 0x10};
	CLEANUP_BUF struct buf text = {0};
	CLEANUP(jws_free) struct jws *jws = NULL;
	CLEANUP(jwk_free) struct jwk *jwk = fixture_load(fixture_key("ed25519"));
	uint8_t bent[65] = {0};
	unsigned carry = 0;

	fixture_jws(fixture_key("ed25519"), JWS_EDDSA, "{\"alg\":\"EdDSA\"}", "payload", &text);
	jws = parsed(buf_str(&text));
	assert_int_equal(jws->signature_len, 64);
	assert_signature(jws, jwk, jws->signature, 64, OK);
	assert_signature(jws, jwk, jws->signature, 63, ERR_PROBLEM);
	memcpy(bent, jws->signature, 64);
	assert_signature(jws, jwk, bent, 65, ERR_PROBLEM);
	for (size_t bit = 0; bit < 512; bit++) {
		memcpy(bent, jws->signature, 64);
		bent[bit / 8] ^= (uint8_t)(1 << bit % 8);
		assert_signature(jws, jwk, bent, 64, ERR_PROBLEM);
	}
	/* S + order: the same value, not reduced. */
	memcpy(bent, jws->signature, 64);
	for (size_t i = 0; i < 32; i++) {
		carry += (unsigned)bent[32 + i] + order[i];
		bent[32 + i] = (uint8_t)carry;
		carry >>= 8;
	}
	assert_signature(jws, jwk, bent, 64, ERR_PROBLEM);
	memset(bent, 0, 64);
	assert_signature(jws, jwk, bent, 64, ERR_PROBLEM);
}

struct shared {
	struct jws *jws;
	struct jwk *jwk;
};

static void *verify_often(void *arg)
{
	const struct shared *shared = arg;
	size_t failed = 0;

	for (int i = 0; i < 200; i++) {
		CLEANUP(jwk_free) struct jwk *loaded = NULL;
		struct problem pb = {0};

		failed += jws_verify(shared->jws, shared->jwk, &pb) != OK;
		failed += jwk_load(bytes_str(shared->jwk->canonical), &loaded) != OK;
		failed += loaded == NULL || jws_verify(shared->jws, loaded, &pb) != OK;
	}
	return failed == 0 ? arg : NULL;
}

static void one_key_serves_many_threads(void **state)
{
	CLEANUP(jwk_free) struct jwk *jwk = key_of(ES256_KEY);
	CLEANUP(jws_free)
	struct jws *jws = parsed(BODY("eyJhbGciOiJFUzI1NiJ9", JOE, ES256_SIGNATURE));
	struct shared shared = {jws, jwk};
	pthread_t threads[4];

	for (size_t i = 0; i < ARRAY_LEN(threads); i++)
		assert_int_equal(pthread_create(&threads[i], NULL, verify_often, &shared), 0);
	for (size_t i = 0; i < ARRAY_LEN(threads); i++) {
		void *result = NULL;

		pthread_join(threads[i], &result);
		assert_ptr_equal(result, &shared);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rfc_7515_appendix_a_2_rs256),
		cmocka_unit_test(rfc_7515_appendix_a_3_es256),
		cmocka_unit_test(rfc_7515_appendix_a_4_es512),
		cmocka_unit_test(rfc_8037_appendix_a_4_eddsa),
		cmocka_unit_test(every_algorithm_verifies_with_its_key_alone),
		cmocka_unit_test(the_body_is_exactly_three_strings),
		cmocka_unit_test(base64url_is_strict),
		cmocka_unit_test(long_signatures_are_refused_before_decoding),
		cmocka_unit_test(the_header_is_strict),
		cmocka_unit_test(unknown_algorithms_parse_and_are_then_refused),
		cmocka_unit_test(a_missing_algorithm_is_none),
		cmocka_unit_test(an_inner_jws_is_read_from_its_object),
		cmocka_unit_test(ecdsa_signatures_are_exact),
		cmocka_unit_test(short_r_and_s_are_handled),
		cmocka_unit_test(rsa_padding_is_exact),
		cmocka_unit_test(ed25519_signatures_are_exact),
		cmocka_unit_test(one_key_serves_many_threads),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
