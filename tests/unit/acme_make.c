/* acme_make.c — see acme_make.h. */
#include "tests/unit/acme_make.h"

#include <assert.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <unistd.h>

#include "lib/base/b64url.h"

#define COORDINATE 32

struct conf *make_conf(const char *lines)
{
	char path[] = "/tmp/assay-test-conf-XXXXXX";
	struct conf *conf = NULL;
	char *error = NULL;
	int fd = mkstemp(path);
	FILE *file = fd >= 0 ? fdopen(fd, "w") : NULL;

	assert(file != NULL);
	(void)fprintf(file,
		"%s[database]\nuri = postgresql:///assay\n[redis]\nsocket = /run/redis.sock\n",
		lines);
	assert(fclose(file) == 0);
	if (conf_load(path, &conf, &error) != OK) {
		(void)fprintf(stderr, "%s\n", error);
		abort();
	}
	(void)unlink(path);
	return conf;
}

struct jx *make_json(const char *text)
{
	struct jx *json = NULL;
	int err = jx_parse(bytes_str(text), &json);

	assert(err == OK);
	return json;
}

EVP_PKEY *make_key(void)
{
	EVP_PKEY *key = EVP_EC_gen("P-256");

	assert(key != NULL);
	return key;
}

static void put_coordinate(struct buf *out, EVP_PKEY *key, const char *param)
{
	BIGNUM *n = NULL;
	uint8_t octets[COORDINATE];

	assert(EVP_PKEY_get_bn_param(key, param, &n) == 1);
	assert(BN_bn2binpad(n, octets, sizeof(octets)) == (int)sizeof(octets));
	BN_free(n);
	b64url_append(out, bytes_of(octets, sizeof(octets)));
}

char *make_jwk_text(EVP_PKEY *key)
{
	struct buf out = {0};

	buf_add_str(&out, "{\"crv\":\"P-256\",\"kty\":\"EC\",\"x\":\"");
	put_coordinate(&out, key, OSSL_PKEY_PARAM_EC_PUB_X);
	buf_add_str(&out, "\",\"y\":\"");
	put_coordinate(&out, key, OSSL_PKEY_PARAM_EC_PUB_Y);
	buf_add_str(&out, "\"}");
	return buf_take_str(&out);
}

struct jwk *make_jwk(EVP_PKEY *key)
{
	CLEANUP_STR char *text = make_jwk_text(key);
	struct jwk *jwk = NULL;
	int err = jwk_load(bytes_str(text), &jwk);

	assert(err == OK);
	return jwk;
}

/* r || s of ES256 over input. */
static void put_signature(struct buf *out, EVP_PKEY *key, struct bytes input)
{
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	uint8_t der[128];
	uint8_t raw[2 * COORDINATE];
	const uint8_t *at = der;
	size_t len = sizeof(der);
	ECDSA_SIG *sig;

	assert(EVP_DigestSignInit_ex(ctx, NULL, "SHA256", NULL, NULL, key, NULL) == 1);
	assert(EVP_DigestSign(ctx, der, &len, input.ptr, input.len) == 1);
	sig = d2i_ECDSA_SIG(NULL, &at, (long)len);
	assert(sig != NULL);
	assert(BN_bn2binpad(ECDSA_SIG_get0_r(sig), raw, COORDINATE) == COORDINATE);
	assert(BN_bn2binpad(ECDSA_SIG_get0_s(sig), raw + COORDINATE, COORDINATE) == COORDINATE);
	ECDSA_SIG_free(sig);
	EVP_MD_CTX_free(ctx);
	b64url_append(out, bytes_of(raw, sizeof(raw)));
}

char *make_jws(EVP_PKEY *key, const char *header, const char *payload)
{
	CLEANUP_BUF struct buf protected = {0};
	CLEANUP_BUF struct buf body = {0};
	CLEANUP_BUF struct buf input = {0};
	CLEANUP_BUF struct buf signature = {0};
	struct buf out = {0};

	b64url_append(&protected, bytes_str(header));
	b64url_append(&body, bytes_str(payload));
	buf_addf(&input, "%s.%s", buf_str(&protected), buf_str(&body));
	put_signature(&signature, key, buf_bytes(&input));
	buf_addf(&out, "{\"protected\":\"%s\",\"payload\":\"%s\",\"signature\":\"%s\"}",
		buf_str(&protected), buf_str(&body), buf_str(&signature));
	return buf_take_str(&out);
}

static char *take_b64url(uint8_t *der, int len)
{
	struct buf out = {0};

	assert(len > 0);
	b64url_append(&out, bytes_of(der, (size_t)len));
	OPENSSL_free(der);
	return buf_take_str(&out);
}

char *make_csr(EVP_PKEY *key, const char *const names[])
{
	CLEANUP(X509_REQ_free) X509_REQ *req = X509_REQ_new();
	CLEANUP_BUF struct buf san = {0};
	STACK_OF(X509_EXTENSION) *extensions = sk_X509_EXTENSION_new_null();
	uint8_t *der = NULL;

	for (size_t i = 0; names[i] != NULL; i++)
		buf_addf(&san, "%sDNS:%s", i > 0 ? "," : "", names[i]);
	assert(X509_REQ_set_version(req, X509_REQ_VERSION_1) == 1 &&
		X509_REQ_set_pubkey(req, key) == 1);
	assert(sk_X509_EXTENSION_push(extensions,
		       X509V3_EXT_conf_nid(NULL, NULL, NID_subject_alt_name, buf_str(&san))) == 1);
	assert(X509_REQ_add_extensions(req, extensions) == 1);
	sk_X509_EXTENSION_pop_free(extensions, X509_EXTENSION_free);
	assert(X509_REQ_sign(req, key, EVP_sha256()) > 0);
	int len = i2d_X509_REQ(req, &der);

	return take_b64url(der, len);
}

char *make_certificate(EVP_PKEY *key)
{
	CLEANUP(X509_free) X509 *cert = X509_new();
	uint8_t *der = NULL;

	assert(X509_set_version(cert, X509_VERSION_3) == 1 && X509_set_pubkey(cert, key) == 1);
	assert(ASN1_INTEGER_set(X509_get_serialNumber(cert), 4711) == 1);
	assert(X509_gmtime_adj(X509_getm_notBefore(cert), 0) != NULL);
	assert(X509_gmtime_adj(X509_getm_notAfter(cert), 3600) != NULL);
	assert(X509_sign(cert, key, EVP_sha256()) > 0);
	int len = i2d_X509(cert, &der);

	return take_b64url(der, len);
}
