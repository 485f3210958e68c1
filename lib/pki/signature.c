/* signature.c — see signature.h. Digests are computed first and verified by EVP_PKEY_verify: the
 * one-call interface would look the digest up by its name each time. */
#include "lib/pki/signature.h"

#include <openssl/rsa.h>

#define COORDINATE_MAX 66
/* Two INTEGERs with a sign octet each, and up to three octets of the SEQUENCE. */
#define ECDSA_DER_MAX (3 + 2 * (2 + 1 + COORDINATE_MAX))

/* One positive INTEGER at out; returns its length. */
static size_t put_integer(uint8_t *out, const uint8_t *octets, size_t len)
{
	size_t sign;

	while (len > 1 && octets[0] == 0) {
		octets++;
		len--;
	}
	sign = octets[0] >> 7;
	out[0] = 0x02;
	out[1] = (uint8_t)(sign + len);
	out[2] = 0;
	memcpy(out + 2 + sign, octets, len);
	return 2 + sign + len;
}

/* ECDSA-Sig-Value (RFC 3279 section 2.2.3) out of r || s. */
static size_t ecdsa_der(const uint8_t *rs, size_t coordinate, uint8_t out[ECDSA_DER_MAX])
{
	uint8_t body[ECDSA_DER_MAX];
	size_t len = put_integer(body, rs, coordinate);
	size_t head = 0;

	len += put_integer(body + len, rs + coordinate, coordinate);
	out[head++] = 0x30;
	if (len >= 0x80)
		out[head++] = 0x81;
	out[head++] = (uint8_t)len;
	memcpy(out + head, body, len);
	return head + len;
}

static int verify_digest(EVP_PKEY *key, bool rsa, const EVP_MD *md, struct bytes digest,
	struct bytes signature)
{
	CLEANUP(EVP_PKEY_CTX_free) EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_pkey(NULL, key, NULL);

	if (ctx == NULL || EVP_PKEY_verify_init(ctx) != 1)
		return ossl_drain("EVP_PKEY_verify_init");
	if (rsa &&
		(EVP_PKEY_CTX_set_rsa_padding(ctx, RSA_PKCS1_PADDING) != 1 ||
			EVP_PKEY_CTX_set_signature_md(ctx, md) != 1))
		return ossl_drain("EVP_PKEY_CTX_set_rsa_padding");
	if (EVP_PKEY_verify(ctx, signature.ptr, signature.len, digest.ptr, digest.len) != 1)
		return ossl_drain("EVP_PKEY_verify");
	return OK;
}

static int digest_parts(const EVP_MD *md, const struct bytes *parts, size_t count, uint8_t *out,
	unsigned *ret_len)
{
	CLEANUP(EVP_MD_CTX_free) EVP_MD_CTX *ctx = EVP_MD_CTX_new();

	if (ctx == NULL || EVP_DigestInit_ex2(ctx, md, NULL) != 1)
		return ossl_drain("EVP_DigestInit_ex2");
	for (size_t i = 0; i < count; i++) {
		if (EVP_DigestUpdate(ctx, parts[i].ptr, parts[i].len) != 1)
			return ossl_drain("EVP_DigestUpdate");
	}
	if (EVP_DigestFinal_ex(ctx, out, ret_len) != 1)
		return ossl_drain("EVP_DigestFinal_ex");
	return OK;
}

static int verify_rsa(EVP_PKEY *key, const struct bytes *parts, size_t count,
	struct bytes signature)
{
	uint8_t digest[EVP_MAX_MD_SIZE];
	unsigned len = 0;

	if (digest_parts(ossl_sha256(), parts, count, digest, &len) < 0)
		return ERR_CRYPTO;
	return verify_digest(key, true, ossl_sha256(), bytes_of(digest, len), signature);
}

static int verify_ecdsa(EVP_PKEY *key, const EVP_MD *md, size_t coordinate,
	const struct bytes *parts, size_t count, struct bytes signature)
{
	uint8_t der[ECDSA_DER_MAX], digest[EVP_MAX_MD_SIZE];
	unsigned len = 0;

	/* RFC 7518 section 3.4: r and s in full size each. */
	if (signature.len != 2 * coordinate || digest_parts(md, parts, count, digest, &len) < 0)
		return ERR_CRYPTO;
	return verify_digest(key, false, md, bytes_of(digest, len),
		bytes_of(der, ecdsa_der(signature.ptr, coordinate, der)));
}

/* RFC 8037 section 3.1: pure EdDSA signs the input itself. */
static int verify_eddsa(EVP_PKEY *key, const struct bytes *parts, size_t count,
	struct bytes signature)
{
	CLEANUP(EVP_MD_CTX_free) EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	CLEANUP_BUF struct buf input = {0};

	for (size_t i = 0; i < count; i++)
		buf_add(&input, parts[i].ptr, parts[i].len);
	if (ctx == NULL || EVP_DigestVerifyInit(ctx, NULL, NULL, NULL, key) != 1 ||
		EVP_DigestVerify(ctx, signature.ptr, signature.len,
			(const uint8_t *)buf_str(&input), input.len) != 1)
		return ossl_drain("EVP_DigestVerify");
	return OK;
}

int signature_verify_jws(const struct jwk *key, const struct bytes *parts, size_t count,
	struct bytes signature)
{
	switch (key->alg) {
	case JWS_RS256:
		return verify_rsa(key->key, parts, count, signature);
	case JWS_ES256:
		return verify_ecdsa(key->key, ossl_sha256(), 32, parts, count, signature);
	case JWS_ES384:
		return verify_ecdsa(key->key, ossl_sha384(), 48, parts, count, signature);
	case JWS_ES512:
		return verify_ecdsa(key->key, ossl_sha512(), 66, parts, count, signature);
	case JWS_EDDSA:
		return verify_eddsa(key->key, parts, count, signature);
	case JWS_NONE:
	case JWS_HS256:
	case JWS_HS384:
	case JWS_HS512:
		break;
	}
	return ERR_CRYPTO;
}

int signature_verify_x509(EVP_PKEY *key, bool rsa, const EVP_MD *md, struct bytes input,
	struct bytes signature)
{
	uint8_t digest[EVP_MAX_MD_SIZE];
	unsigned len = 0;

	if (digest_parts(md, &input, 1, digest, &len) < 0)
		return ERR_CRYPTO;
	return verify_digest(key, rsa, md, bytes_of(digest, len), signature);
}
