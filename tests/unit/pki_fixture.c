/* pki_fixture.c — see pki_fixture.h. */
#include "tests/unit/pki_fixture.h"

#include <openssl/ec.h>
#include <openssl/rsa.h>
#include <stdio.h>

#include "lib/base/b64url.h"
#include "lib/pki/der.h"
#include "lib/pki/oid.h"
#include "lib/pki/pubkey.h"

static struct {
	char type[16];
	EVP_PKEY *key[2];
} made[16];
static size_t nmade;

__attribute__((destructor)) static void forget_keys(void)
{
	for (size_t i = 0; i < nmade; i++) {
		EVP_PKEY_free(made[i].key[0]);
		EVP_PKEY_free(made[i].key[1]);
	}
}

static EVP_PKEY *generate(const char *type)
{
	char curve[16];
	EVP_PKEY *key;

	if (strncmp(type, "rsa", 3) == 0) {
		key = EVP_RSA_gen((unsigned)atoi(type + 3));
	} else if (strcmp(type, "ed25519") == 0) {
		key = EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
	} else {
		snprintf(curve, sizeof(curve), "%s%s", type[0] == 'p' ? "P-" : "",
			type[0] == 'p' ? type + 1 : type);
		key = EVP_EC_gen(curve);
	}
	assert_non_null(key);
	return key;
}

static EVP_PKEY *key_of(const char *type, int which)
{
	size_t i = 0;

	while (i < nmade && strcmp(made[i].type, type) != 0)
		i++;
	assert_true(i < ARRAY_LEN(made));
	if (i == nmade)
		snprintf(made[nmade++].type, sizeof(made[0].type), "%s", type);
	if (made[i].key[which] == NULL)
		made[i].key[which] = generate(type);
	return made[i].key[which];
}

EVP_PKEY *fixture_key(const char *type)
{
	return key_of(type, 0);
}

EVP_PKEY *fixture_other_key(const char *type)
{
	return key_of(type, 1);
}

void fixture_sign(EVP_PKEY *key, const EVP_MD *md, struct bytes input, struct buf *out)
{
	CLEANUP(EVP_MD_CTX_free) EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	uint8_t signature[1024];
	size_t len = sizeof(signature);

	assert_int_equal(EVP_DigestSignInit(ctx, NULL, md, NULL, key), 1);
	assert_int_equal(EVP_DigestSign(ctx, signature, &len, input.ptr, input.len), 1);
	buf_add(out, signature, len);
}

/* An INTEGER in exactly size octets. */
static void put_fixed(struct buf *out, struct bytes integer, size_t size)
{
	while (integer.len > size) {
		assert_int_equal(integer.ptr[0], 0);
		integer = bytes_of(integer.ptr + 1, integer.len - 1);
	}
	for (size_t i = integer.len; i < size; i++)
		buf_add_byte(out, 0);
	buf_add(out, integer.ptr, integer.len);
}

void fixture_jws_sign(EVP_PKEY *key, enum jws_alg alg, struct bytes input, struct buf *out)
{
	CLEANUP_BUF struct buf der = {0};
	struct bytes in, body, r, s;
	size_t size = alg == JWS_ES256 ? 32 : alg == JWS_ES384 ? 48 : 66;

	if (alg == JWS_EDDSA || alg == JWS_RS256) {
		fixture_sign(key, alg == JWS_RS256 ? ossl_sha256() : NULL, input, out);
		return;
	}
	fixture_sign(key,
		alg == JWS_ES256           ? ossl_sha256()
			: alg == JWS_ES384 ? ossl_sha384()
					   : ossl_sha512(),
		input, &der);
	in = buf_bytes(&der);
	assert_int_equal(der_expect(&in, DER_SEQUENCE, &body), OK);
	assert_int_equal(der_expect(&body, DER_INTEGER, &r), OK);
	assert_int_equal(der_expect(&body, DER_INTEGER, &s), OK);
	put_fixed(out, r, size);
	put_fixed(out, s, size);
}

void fixture_jws(EVP_PKEY *key, enum jws_alg alg, const char *header, const char *payload,
	struct buf *out)
{
	CLEANUP_BUF struct buf input = {0};
	CLEANUP_BUF struct buf signature = {0};
	size_t dot;

	b64url_append(&input, bytes_str(header));
	dot = input.len;
	buf_add_byte(&input, '.');
	b64url_append(&input, bytes_str(payload));
	fixture_jws_sign(key, alg, buf_bytes(&input), &signature);
	buf_addf(out, "{\"protected\":\"%.*s\",\"payload\":\"%s\",\"signature\":\"", (int)dot,
		buf_str(&input), buf_str(&input) + dot + 1);
	b64url_append(out, buf_bytes(&signature));
	buf_add_str(out, "\"}");
}

void fixture_jwk(EVP_PKEY *key, struct buf *out)
{
	struct pubkey numbers;

	assert_int_equal(pubkey_from_evp(key, &numbers), OK);
	pubkey_put_jwk(&numbers, out);
}

struct jwk *fixture_load(EVP_PKEY *key)
{
	CLEANUP_BUF struct buf canonical = {0};
	struct jwk *jwk = NULL;

	fixture_jwk(key, &canonical);
	assert_int_equal(jwk_load(buf_bytes(&canonical), &jwk), OK);
	return jwk;
}

void fixture_extension(struct buf *out, struct bytes oid, bool critical, struct bytes value)
{
	size_t mark = der_begin(out, DER_SEQUENCE);

	der_put_oid(out, oid);
	if (critical)
		der_put(out, DER_BOOLEAN, bytes_of("\xff", 1));
	der_put(out, DER_OCTET_STRING, value);
	der_end(out, mark);
}

void fixture_dns_name(struct buf *out, const char *name)
{
	der_put(out, 0x82, bytes_str(name));
}

void fixture_rdn(struct buf *out, struct bytes oid, uint8_t tag, const char *value)
{
	size_t set = der_begin(out, DER_SET);
	size_t pair = der_begin(out, DER_SEQUENCE);

	der_put_oid(out, oid);
	der_put(out, tag, bytes_str(value));
	der_end(out, pair);
	der_end(out, set);
}

static void put_attributes(const struct csr_recipe *recipe, struct buf *out)
{
	CLEANUP_BUF struct buf names = {0};
	CLEANUP_BUF struct buf san = {0};
	size_t attribute, values, extensions;

	if (recipe->attributes.ptr != NULL) {
		buf_add(out, recipe->attributes.ptr, recipe->attributes.len);
		return;
	}
	if (recipe->no_san)
		return;
	fixture_dns_name(&names, "b.example");
	fixture_dns_name(&names, "a.example");
	der_put(&san, DER_SEQUENCE, recipe->san.ptr == NULL ? buf_bytes(&names) : recipe->san);

	attribute = der_begin(out, DER_SEQUENCE);
	der_put_oid(out, OID_EXTENSION_REQUEST);
	values = der_begin(out, DER_SET);
	extensions = der_begin(out, DER_SEQUENCE);
	if (recipe->extensions.ptr != NULL)
		buf_add(out, recipe->extensions.ptr, recipe->extensions.len);
	else
		fixture_extension(out, OID_SUBJECT_ALT_NAME, false, buf_bytes(&san));
	der_end(out, extensions);
	der_end(out, values);
	der_end(out, attribute);
}

static void put_algorithm(const struct csr_recipe *recipe, EVP_PKEY *key, struct buf *out)
{
	size_t mark;

	if (recipe->algorithm.ptr != NULL) {
		buf_add(out, recipe->algorithm.ptr, recipe->algorithm.len);
		return;
	}
	mark = der_begin(out, DER_SEQUENCE);
	der_put_oid(out,
		EVP_PKEY_get_base_id(key) == EVP_PKEY_RSA ? OID_SHA256_WITH_RSA
							  : OID_ECDSA_WITH_SHA256);
	if (EVP_PKEY_get_base_id(key) == EVP_PKEY_RSA)
		der_put(out, DER_NULL, bytes_of(NULL, 0));
	der_end(out, mark);
}

void fixture_csr(const struct csr_recipe *recipe, struct buf *out)
{
	EVP_PKEY *key = recipe->key == NULL ? fixture_key("p256") : recipe->key;
	CLEANUP_BUF struct buf info = {0};
	CLEANUP_BUF struct buf signature = {0};
	size_t mark, inner;
	unsigned char *spki = NULL;
	int len;

	mark = der_begin(&info, DER_SEQUENCE);
	der_put(&info, DER_INTEGER,
		recipe->version.ptr == NULL ? bytes_of("\0", 1) : recipe->version);
	inner = der_begin(&info, DER_SEQUENCE);
	buf_add(&info, recipe->subject.ptr, recipe->subject.len);
	if (recipe->common_name != NULL)
		fixture_rdn(&info, OID_COMMON_NAME, DER_UTF8_STRING, recipe->common_name);
	der_end(&info, inner);
	if (recipe->spki.ptr != NULL) {
		buf_add(&info, recipe->spki.ptr, recipe->spki.len);
	} else {
		len = i2d_PUBKEY(key, &spki);
		assert_true(len > 0);
		buf_add(&info, spki, (size_t)len);
		OPENSSL_free(spki);
	}
	inner = der_begin(&info, 0xa0);
	put_attributes(recipe, &info);
	der_end(&info, inner);
	der_end(&info, mark);

	fixture_sign(key,
		EVP_PKEY_get_base_id(key) == EVP_PKEY_ED25519 ? NULL
			: recipe->md != NULL                  ? recipe->md
							      : ossl_sha256(),
		buf_bytes(&info), &signature);
	mark = der_begin(out, DER_SEQUENCE);
	buf_add(out, info.ptr, info.len);
	put_algorithm(recipe, key, out);
	inner = der_begin(out, DER_BIT_STRING);
	buf_add_byte(out, 0);
	buf_add(out, signature.ptr, signature.len);
	der_end(out, inner);
	der_end(out, mark);
}

void assert_problem(struct problem *pb, enum problem_type type, const char *text)
{
	assert_string_equal(problem_type_name(pb->type), problem_type_name(type));
	if (strstr(pb->detail, text) == NULL)
		fail_msg("detail \"%s\" lacks \"%s\"", pb->detail, text);
	problem_done(pb);
}
