/* jws.c — see jws.h. Parsing decides everything but the signature, so that junk is refused before any cryptography.
 *
 * ES* signatures travel as r || s (RFC 7518 section 3.4) and are turned into the DER that OpenSSL wants by hand; OpenSSL
 * itself refuses r and s outside of [1, n-1]. */
#include "lib/pki/jws.h"

#include <openssl/rsa.h>

#include "lib/base/b64url.h"

/* Two INTEGERs of a sign octet and 66 octets, three octets of the SEQUENCE. */
#define ECDSA_DER_MAX (3 + 2 * (2 + 1 + 66))

static const enum jws_alg algs[] = {JWS_RS256, JWS_ES256, JWS_ES384, JWS_ES512, JWS_EDDSA, JWS_HS256, JWS_HS384,
	JWS_HS512};

/* RFC 7518 section 3.1 and RFC 8037 section 3.1. */
const char *jws_alg_name(enum jws_alg alg)
{
	switch (alg) {
	case JWS_NONE:
		break;
	case JWS_RS256:
		return "RS256";
	case JWS_ES256:
		return "ES256";
	case JWS_ES384:
		return "ES384";
	case JWS_ES512:
		return "ES512";
	case JWS_EDDSA:
		return "EdDSA";
	case JWS_HS256:
		return "HS256";
	case JWS_HS384:
		return "HS384";
	case JWS_HS512:
		return "HS512";
	}
	return "none";
}

static int malformed(struct problem *pb, const char *detail)
{
	return problem_set(pb, PROBLEM_MALFORMED, "%s", detail);
}

static int read_alg(struct jws *jws, struct problem *pb)
{
	struct bytes text = {0};
	int r = jx_get_str(jws->header, "alg", &text);

	if (r < 0 && r != ERR_NOENT)
		return malformed(pb, "\"alg\" of the JWS is not a string");
	jws->alg_text = xstrndup(text.len == 0 ? "" : (const char *)text.ptr, text.len);
	for (size_t i = 0; i < ARRAY_LEN(algs); i++) {
		if (bytes_is(text, jws_alg_name(algs[i])))
			jws->alg = algs[i];
	}
	return OK;
}

static int read_header(struct jws *jws, struct problem *pb)
{
	CLEANUP_BUF struct buf json = {0};
	const struct jx *member;

	if (b64url_parse_buf(jws->signing_input_protected, &json) < 0)
		return malformed(pb, "\"protected\" of the JWS is not base64url without padding");
	if (jx_parse(buf_bytes(&json), &jws->header) < 0 || !jx_is_object(jws->header))
		return malformed(pb, "the protected header of the JWS is not one JSON object without duplicate members");
	/* RFC 7515 section 4.1.11: we understand no extension, so none may be critical. */
	if (jx_get(jws->header, "crit", &member) == OK)
		return malformed(pb, "the JWS has a \"crit\" header");
	/* RFC 7797: it would have to be critical. */
	if (jx_get(jws->header, "b64", &member) == OK)
		return malformed(pb, "the JWS has a \"b64\" header");
	return read_alg(jws, pb);
}

int jws_parse_object(const struct jx *object, struct problem *pb, struct jws **ret)
{
	CLEANUP(jws_free) struct jws *jws = xcalloc(1, sizeof(*jws));
	struct bytes signature;
	int r;

	/* RFC 7515 section 7.2.2 with RFC 8555 section 6.2: neither "header" nor "signatures". */
	if (!jx_is_object(object) || jx_count(object) != 3 ||
	    jx_get_str(object, "protected", &jws->signing_input_protected) < 0 ||
	    jx_get_str(object, "payload", &jws->signing_input_payload) < 0 ||
	    jx_get_str(object, "signature", &signature) < 0)
		return malformed(pb, "a JWS must be an object of exactly the strings \"protected\", \"payload\" and "
				     "\"signature\"");
	r = read_header(jws, pb);
	if (r < 0)
		return r;
	if (b64url_parse_buf(jws->signing_input_payload, &jws->payload) < 0)
		return malformed(pb, "\"payload\" of the JWS is not base64url without padding");
	if (signature.len > B64URL_LEN(JWS_SIGNATURE_MAX_BYTES) ||
	    b64url_parse(signature, jws->signature, &jws->signature_len) < 0)
		return malformed(pb, "\"signature\" of the JWS is not base64url without padding, or too long");
	*ret = TAKE(jws);
	return OK;
}

int jws_parse(struct bytes body, struct problem *pb, struct jws **ret)
{
	CLEANUP(jx_free) struct jx *object = NULL;
	int r;

	if (jx_parse(body, &object) < 0)
		return malformed(pb, "the body is not one JSON value without duplicate members");
	r = jws_parse_object(object, pb, ret);
	if (r < 0)
		return r;
	(*ret)->body = TAKE(object);
	return OK;
}

void jws_free(struct jws *jws)
{
	if (jws == NULL)
		return;
	jx_free(jws->body);
	jx_free(jws->header);
	buf_done(&jws->payload);
	free(jws->alg_text);
	free(jws);
}

static int bad_alg(const struct jws *jws, struct problem *pb, const char *why)
{
	CLEANUP_BUF struct buf quoted = {0};

	problem_quote(&quoted, bytes_str(jws->alg_text), 32);
	return problem_set(pb, PROBLEM_BAD_SIGNATURE_ALGORITHM, "the signature algorithm \"%s\" %s", buf_str(&quoted),
		why);
}

int jws_check_alg(const struct jws *jws, struct problem *pb)
{
	switch (jws->alg) {
	case JWS_RS256:
	case JWS_ES256:
	case JWS_ES384:
	case JWS_ES512:
	case JWS_EDDSA:
		return OK;
	case JWS_NONE:
	case JWS_HS256:
	case JWS_HS384:
	case JWS_HS512:
		break;
	}
	return bad_alg(jws, pb, "is not accepted for account keys");
}

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

/* RFC 7515 section 5.2 step 8: ASCII(protected) . payload */
static int digest_input(const struct jws *jws, const EVP_MD *md, uint8_t *out, unsigned *ret_len)
{
	CLEANUP(EVP_MD_CTX_free) EVP_MD_CTX *ctx = EVP_MD_CTX_new();

	if (ctx == NULL || EVP_DigestInit_ex2(ctx, md, NULL) != 1 ||
	    EVP_DigestUpdate(ctx, jws->signing_input_protected.ptr, jws->signing_input_protected.len) != 1 ||
	    EVP_DigestUpdate(ctx, ".", 1) != 1 ||
	    EVP_DigestUpdate(ctx, jws->signing_input_payload.ptr, jws->signing_input_payload.len) != 1 ||
	    EVP_DigestFinal_ex(ctx, out, ret_len) != 1)
		return ossl_drain("EVP_Digest");
	return OK;
}

/* signature is DER for EC keys. */
static int verify_digest(const struct jws *jws, EVP_PKEY *key, const EVP_MD *md, struct bytes signature)
{
	CLEANUP(EVP_PKEY_CTX_free) EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_pkey(NULL, key, NULL);
	uint8_t digest[EVP_MAX_MD_SIZE];
	unsigned len = 0;

	if (digest_input(jws, md, digest, &len) < 0)
		return ERR_CRYPTO;
	if (ctx == NULL || EVP_PKEY_verify_init(ctx) != 1)
		return ossl_drain("EVP_PKEY_verify_init");
	if (jws->alg == JWS_RS256 && (EVP_PKEY_CTX_set_rsa_padding(ctx, RSA_PKCS1_PADDING) != 1 ||
					     EVP_PKEY_CTX_set_signature_md(ctx, md) != 1))
		return ossl_drain("EVP_PKEY_CTX_set_rsa_padding");
	if (EVP_PKEY_verify(ctx, signature.ptr, signature.len, digest, len) != 1)
		return ossl_drain("EVP_PKEY_verify");
	return OK;
}

static int verify_ecdsa(const struct jws *jws, EVP_PKEY *key, const EVP_MD *md, size_t coordinate)
{
	uint8_t der[ECDSA_DER_MAX];

	/* RFC 7518 section 3.4: r and s in full size each. */
	if (jws->signature_len != 2 * coordinate)
		return ERR_CRYPTO;
	return verify_digest(jws, key, md, bytes_of(der, ecdsa_der(jws->signature, coordinate, der)));
}

/* RFC 8037 section 3.1: pure EdDSA signs the input itself. */
static int verify_eddsa(const struct jws *jws, EVP_PKEY *key)
{
	CLEANUP(EVP_MD_CTX_free) EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	CLEANUP_BUF struct buf input = {0};

	buf_add(&input, jws->signing_input_protected.ptr, jws->signing_input_protected.len);
	buf_add_byte(&input, '.');
	buf_add(&input, jws->signing_input_payload.ptr, jws->signing_input_payload.len);
	if (ctx == NULL || EVP_DigestVerifyInit(ctx, NULL, NULL, NULL, key) != 1 ||
	    EVP_DigestVerify(ctx, jws->signature, jws->signature_len, input.ptr, input.len) != 1)
		return ossl_drain("EVP_DigestVerify");
	return OK;
}

static int verify(const struct jws *jws, EVP_PKEY *key)
{
	switch (jws->alg) {
	case JWS_RS256:
		return verify_digest(jws, key, ossl_sha256(), bytes_of(jws->signature, jws->signature_len));
	case JWS_ES256:
		return verify_ecdsa(jws, key, ossl_sha256(), 32);
	case JWS_ES384:
		return verify_ecdsa(jws, key, ossl_sha384(), 48);
	case JWS_ES512:
		return verify_ecdsa(jws, key, ossl_sha512(), 66);
	case JWS_EDDSA:
		return verify_eddsa(jws, key);
	case JWS_NONE:
	case JWS_HS256:
	case JWS_HS384:
	case JWS_HS512:
		break;
	}
	return ERR_CRYPTO;
}

int jws_verify(const struct jws *jws, const struct jwk *key, struct problem *pb)
{
	int r = jws_check_alg(jws, pb);

	if (r < 0)
		return r;
	if (jws->alg != key->alg)
		return bad_alg(jws, pb, "does not fit the account key");
	if (verify(jws, key->key) < 0)
		return malformed(pb, "the signature of the JWS does not verify");
	return OK;
}
