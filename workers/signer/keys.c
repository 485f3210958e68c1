/* keys.c — see keys.h. */
#include "workers/signer/keys.h"

#include <assert.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>

#include "lib/pki/der.h"
#include "workers/signer/secret.h"
#include "workers/signer/token.h"
#include "workers/signer/why.h"

#define SIGNATURE_MAX_BYTES 512 /* RSA 4096 */

/* PEM's question for a passphrase. Answers from the file, and never asks a terminal. */
static int give_passphrase(char *out, int size, int writing, void *arg)
{
	const struct secret *s = arg;

	if (s == NULL || s->len == 0 || s->len > (size_t)size)
		return -1;
	memcpy(out, s->text, s->len);
	return (int)s->len;
}

static int read_pem(const char *path, struct secret *pass, EVP_PKEY **ret, char **ret_why)
{
	CLEANUP(secret_free) struct secret *pem = NULL;
	CLEANUP(EVP_PKEY_free) EVP_PKEY *key = NULL;
	CLEANUP(BIO_free_all) BIO *bio = NULL;
	struct signature_scheme scheme;
	int err = secret_load(path, &pem, ret_why);

	if (err != OK)
		return err;
	assert(pem != NULL);
	bio = BIO_new_mem_buf(pem->text, (int)pem->len);
	if (bio == NULL)
		return ossl_drain("BIO_new_mem_buf");
	key = PEM_read_bio_PrivateKey(bio, NULL, give_passphrase, pass);
	if (key == NULL) {
		ossl_drain("PEM_read_bio_PrivateKey");
		return why_set(ret_why, ERR_CRYPTO,
			strstr(pem->text, "ENCRYPTED") != NULL
				? "%s is encrypted: key_passphrase is missing or wrong"
				: "%s holds no PEM private key",
			path);
	}
	if (key_scheme(key, &scheme) != OK)
		return why_set(ret_why, ERR_LIMIT,
			"%s: issuing keys are P-256, P-384 or RSA of 2048 to 4096 bits", path);
	*ret = TAKE(key);
	return OK;
}

int key_load(const char *path, const char *passphrase, EVP_PKEY **ret, char **ret_why)
{
	CLEANUP(secret_free) struct secret *pass = NULL;
	int err = OK;

	if (token_is_uri(path))
		return token_key_load(path, passphrase, NULL, ret, ret_why);
	if (passphrase != NULL)
		err = secret_load_line(passphrase, &pass, ret_why);
	return err == OK ? read_pem(path, pass, ret, ret_why) : err;
}

int key_load_told(const char *path, const char *passphrase, EVP_PKEY **ret, char **ret_why)
{
	CLEANUP(secret_free) struct secret *pass = xcalloc(1, sizeof(*pass));

	pass->len = strlen(passphrase);
	if (pass->len > SECRET_MAX_BYTES)
		return why_set(ret_why, ERR_LIMIT, "the passphrase is too long");
	memcpy(pass->text, passphrase, pass->len);
	return read_pem(path, pass, ret, ret_why);
}

/* RFC 5758 section 3.2: no parameters with ECDSA. RFC 4055 section 5: NULL with RSA PKCS#1. */
static const uint8_t ecdsa_sha256[] = {0x30, 0x0a, 0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04,
	0x03, 0x02};
static const uint8_t ecdsa_sha384[] = {0x30, 0x0a, 0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04,
	0x03, 0x03};
static const uint8_t rsa_sha256[] = {0x30, 0x0d, 0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d,
	0x01, 0x01, 0x0b, 0x05, 0x00};

int key_scheme(EVP_PKEY *key, struct signature_scheme *ret)
{
	char group[32];
	size_t len;
	int bits;

	if (EVP_PKEY_is_a(key, "RSA")) {
		bits = EVP_PKEY_get_bits(key);
		if (bits < 2048 || bits > 4096 || bits % 8 != 0)
			return ERR_LIMIT;
		*ret = (struct signature_scheme){ossl_sha256(),
			bytes_of(rsa_sha256, sizeof(rsa_sha256))};
		return OK;
	}
	if (!EVP_PKEY_is_a(key, "EC"))
		return ERR_LIMIT;
	if (EVP_PKEY_get_group_name(key, group, sizeof(group), &len) != 1) {
		ossl_drain("EVP_PKEY_get_group_name");
		return ERR_LIMIT;
	}
	/* Baseline Requirements section 7.1.3.2.2: the digest goes with the curve. */
	if (strcmp(group, "prime256v1") == 0)
		*ret = (struct signature_scheme){ossl_sha256(),
			bytes_of(ecdsa_sha256, sizeof(ecdsa_sha256))};
	else if (strcmp(group, "secp384r1") == 0)
		*ret = (struct signature_scheme){ossl_sha384(),
			bytes_of(ecdsa_sha384, sizeof(ecdsa_sha384))};
	else
		return ERR_LIMIT;
	return OK;
}

int key_generate_alike(EVP_PKEY *key, EVP_PKEY **ret)
{
	EVP_PKEY *fresh;

	/* 2048 bits for every RSA key: the proof is about the bytes that are signed, not about
	 * strength. */
	if (EVP_PKEY_is_a(key, "RSA"))
		fresh = EVP_RSA_gen(2048);
	else
		fresh = EVP_EC_gen(EVP_PKEY_get_bits(key) == 384 ? "P-384" : "P-256");
	if (fresh == NULL)
		return ossl_drain("key_generate_alike");
	*ret = fresh;
	return OK;
}

struct signature {
	size_t len;
	uint8_t bits[1 + SIGNATURE_MAX_BYTES]; /* contents of a BIT STRING: no unused bits, then the
						  signature */
};

/* A context that signs or verifies a hash made by md. */
static EVP_PKEY_CTX *hash_context(EVP_PKEY *key, const EVP_MD *md, int (*init)(EVP_PKEY_CTX *ctx))
{
	CLEANUP(EVP_PKEY_CTX_free) EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new(key, NULL);

	if (ctx == NULL || init(ctx) != 1 ||
		(EVP_PKEY_is_a(key, "RSA") &&
			EVP_PKEY_CTX_set_rsa_padding(ctx, RSA_PKCS1_PADDING) != 1) ||
		EVP_PKEY_CTX_set_signature_md(ctx, md) != 1) {
		ossl_drain("EVP_PKEY_CTX");
		return NULL;
	}
	return TAKE(ctx);
}

static int sign_hash(EVP_PKEY *key, const EVP_MD *md, struct bytes hash, struct signature *ret)
{
	CLEANUP(EVP_PKEY_CTX_free) EVP_PKEY_CTX *ctx = NULL;

	ret->bits[0] = 0;
	ret->len = SIGNATURE_MAX_BYTES;
	if (token_holds(key))
		return token_sign(key, hash, ret->bits + 1, &ret->len);
	ctx = hash_context(key, md, EVP_PKEY_sign_init);
	if (ctx == NULL)
		return ERR_CRYPTO;
	if (EVP_PKEY_sign(ctx, ret->bits + 1, &ret->len, hash.ptr, hash.len) != 1)
		return ossl_drain("EVP_PKEY_sign");
	return OK;
}

static int sign(EVP_PKEY *key, const EVP_MD *md, struct bytes message, struct signature *ret)
{
	CLEANUP(EVP_MD_CTX_free) EVP_MD_CTX *ctx = NULL;
	uint8_t hash[EVP_MAX_MD_SIZE];
	unsigned len = sizeof(hash);

	ret->len = 0;
	/* A token is given the hash. */
	if (token_holds(key) && EVP_Digest(message.ptr, message.len, hash, &len, md, NULL) != 1)
		return ossl_drain("EVP_Digest");
	if (token_holds(key))
		return sign_hash(key, md, bytes_of(hash, len), ret);
	ret->bits[0] = 0;
	ret->len = SIGNATURE_MAX_BYTES;
	ctx = EVP_MD_CTX_new();
	if (ctx == NULL || EVP_DigestSignInit(ctx, NULL, md, NULL, key) != 1 ||
		EVP_DigestSign(ctx, ret->bits + 1, &ret->len, message.ptr, message.len) != 1)
		return ossl_drain("EVP_DigestSign");
	return OK;
}

static int verify(EVP_PKEY *key, const EVP_MD *md, struct bytes message,
	const struct signature *sig)
{
	CLEANUP(EVP_MD_CTX_free) EVP_MD_CTX *ctx = EVP_MD_CTX_new();

	if (ctx == NULL || EVP_DigestVerifyInit(ctx, NULL, md, NULL, key) != 1 ||
		EVP_DigestVerify(ctx, sig->bits + 1, sig->len, message.ptr, message.len) != 1)
		return ossl_drain("EVP_DigestVerify");
	return OK;
}

/* Certificate ::= SEQUENCE { tbsCertificate, signatureAlgorithm, signatureValue } (RFC 5280
 * section 4.1). */
static void put_certificate(struct buf *out, struct bytes tbs, struct bytes algorithm,
	const struct signature *sig)
{
	size_t mark = der_begin(out, DER_SEQUENCE);

	buf_add(out, tbs.ptr, tbs.len);
	buf_add(out, algorithm.ptr, algorithm.len);
	der_put(out, DER_BIT_STRING, bytes_of(sig->bits, 1 + sig->len));
	der_end(out, mark);
}

static int sign_tbs(EVP_PKEY *key, struct bytes tbs, bool checked, struct buf *out)
{
	struct signature_scheme scheme;
	struct signature sig;
	int err = key_scheme(key, &scheme);

	if (err == OK)
		err = sign(key, scheme.md, tbs, &sig);
	if (err == OK && checked)
		err = verify(key, scheme.md, tbs, &sig);
	if (err == OK)
		put_certificate(out, tbs, scheme.algorithm, &sig);
	return err;
}

int key_sign_tbs(EVP_PKEY *key, struct bytes tbs, struct buf *out)
{
	return sign_tbs(key, tbs, false, out);
}

int key_sign_tbs_checked(EVP_PKEY *key, struct bytes tbs, struct buf *out)
{
	return sign_tbs(key, tbs, true, out);
}

struct key_stream {
	EVP_PKEY *key;
	struct signature_scheme scheme;
	EVP_MD_CTX *hash;
};

int key_stream_begin(EVP_PKEY *key, struct key_stream **ret)
{
	CLEANUP(key_stream_free) struct key_stream *s = xcalloc(1, sizeof(*s));
	int err = key_scheme(key, &s->scheme);

	if (err != OK)
		return err;
	s->key = key;
	s->hash = EVP_MD_CTX_new();
	if (s->hash == NULL || EVP_DigestInit_ex2(s->hash, s->scheme.md, NULL) != 1)
		return ossl_drain("EVP_DigestInit_ex2");
	*ret = TAKE(s);
	return OK;
}

void key_stream_free(struct key_stream *stream)
{
	if (stream == NULL)
		return;
	EVP_MD_CTX_free(stream->hash);
	free(stream);
}

int key_stream_add(struct key_stream *stream, struct bytes piece)
{
	return EVP_DigestUpdate(stream->hash, piece.ptr, piece.len) == 1
		? OK
		: ossl_drain("EVP_DigestUpdate");
}

int key_stream_end(struct key_stream *s, EVP_PKEY *public_key, struct buf *out)
{
	CLEANUP(EVP_PKEY_CTX_free)
	EVP_PKEY_CTX *verifier = hash_context(public_key, s->scheme.md, EVP_PKEY_verify_init);
	uint8_t hash[EVP_MAX_MD_SIZE];
	unsigned len = sizeof(hash);
	struct signature sig;
	int err;

	if (verifier == NULL)
		return ERR_CRYPTO;
	if (EVP_DigestFinal_ex(s->hash, hash, &len) != 1)
		return ossl_drain("EVP_DigestFinal_ex");
	err = sign_hash(s->key, s->scheme.md, bytes_of(hash, len), &sig);
	if (err != OK)
		return err;
	if (EVP_PKEY_verify(verifier, sig.bits + 1, sig.len, hash, len) != 1)
		return ossl_drain("EVP_PKEY_verify");
	buf_add(out, sig.bits, 1 + sig.len);
	return OK;
}

int key_check_pair(EVP_PKEY *key, EVP_PKEY *public_key)
{
	static const char message[] = "assay: does this key belong to this certificate?";
	struct signature_scheme scheme;
	struct signature sig;
	int err = key_scheme(key, &scheme);

	if (err == OK)
		err = sign(key, scheme.md, bytes_str(message), &sig);
	if (err == OK)
		err = verify(public_key, scheme.md, bytes_str(message), &sig);
	return err;
}
