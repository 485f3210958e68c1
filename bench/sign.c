/* sign.c — the client's signatures: ES256 for requests, and a PKCS#10 request written directly in
 * DER, so that the load generator takes little of the machine it shares with the server. */
#include "bench/bench.h"

#include <openssl/core_names.h>

#include "lib/pki/der.h"

static const uint8_t OID_COMMON_NAME[] = {0x55, 0x04, 0x03};
static const uint8_t OID_EXTENSION_REQUEST[] = {0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x09,
	0x0e};
static const uint8_t OID_SUBJECT_ALT_NAME[] = {0x55, 0x1d, 0x11};
static const uint8_t OID_ECDSA_SHA256[] = {0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, 0x02};
static const uint8_t SPKI_P256_HEAD[] = {0x30, 0x59, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce,
	0x3d, 0x02, 0x01, 0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07, 0x03, 0x42,
	0x00};

static int ecdsa_sign(EVP_PKEY *key, struct bytes input, uint8_t *out, size_t *len)
{
	CLEANUP(EVP_MD_CTX_free) EVP_MD_CTX *ctx = EVP_MD_CTX_new();

	if (ctx == NULL || EVP_DigestSignInit(ctx, NULL, ossl_sha256(), NULL, key) != 1 ||
		EVP_DigestSign(ctx, out, len, input.ptr, input.len) != 1)
		return ossl_drain("EVP_DigestSign");
	return OK;
}

/* One INTEGER of an ECDSA-Sig-Value as 32 bytes. */
static int take_integer(struct bytes *in, uint8_t out[32])
{
	struct bytes n;

	if (der_expect(in, DER_INTEGER, &n) != OK)
		return ERR_SYNTAX;
	if (n.len > 32) {
		n.ptr += n.len - 32;
		n.len = 32;
	}
	memset(out, 0, 32 - n.len);
	memcpy(out + 32 - n.len, n.ptr, n.len);
	return OK;
}

int es256_sign(EVP_PKEY *key, struct bytes input, uint8_t out[64])
{
	uint8_t der[80];
	size_t len = sizeof(der);
	struct bytes in, pair;

	if (ecdsa_sign(key, input, der, &len) != OK)
		return ERR_CRYPTO;
	in = bytes_of(der, len);
	if (der_expect(&in, DER_SEQUENCE, &pair) != OK || take_integer(&pair, out) != OK ||
		take_integer(&pair, out + 32) != OK)
		return ERR_CRYPTO;
	return OK;
}

static void put_algorithm(struct buf *out)
{
	const size_t mark = der_begin(out, DER_SEQUENCE);

	der_put_oid(out, bytes_of(OID_ECDSA_SHA256, sizeof(OID_ECDSA_SHA256)));
	der_end(out, mark);
}

static void put_subject(struct buf *out, const char *name)
{
	const size_t subject = der_begin(out, DER_SEQUENCE);
	const size_t rdn = der_begin(out, DER_SET);
	const size_t attribute = der_begin(out, DER_SEQUENCE);

	der_put_oid(out, bytes_of(OID_COMMON_NAME, sizeof(OID_COMMON_NAME)));
	der_put(out, DER_UTF8_STRING, bytes_str(name));
	der_end(out, attribute);
	der_end(out, rdn);
	der_end(out, subject);
}

/* attributes [0]: extensionRequest { subjectAltName { dNSName } } */
static void put_attributes(struct buf *out, const char *name)
{
	const size_t attributes = der_begin(out, 0xa0);
	const size_t attribute = der_begin(out, DER_SEQUENCE);

	der_put_oid(out, bytes_of(OID_EXTENSION_REQUEST, sizeof(OID_EXTENSION_REQUEST)));
	const size_t values = der_begin(out, DER_SET);
	const size_t extensions = der_begin(out, DER_SEQUENCE);
	const size_t extension = der_begin(out, DER_SEQUENCE);

	der_put_oid(out, bytes_of(OID_SUBJECT_ALT_NAME, sizeof(OID_SUBJECT_ALT_NAME)));
	const size_t octets = der_begin(out, DER_OCTET_STRING);
	const size_t names = der_begin(out, DER_SEQUENCE);

	der_put(out, 0x82, bytes_str(name));
	der_end(out, names);
	der_end(out, octets);
	der_end(out, extension);
	der_end(out, extensions);
	der_end(out, values);
	der_end(out, attribute);
	der_end(out, attributes);
}

int csr_make(const char *name, EVP_PKEY *key, struct buf *out)
{
	CLEANUP_BUF struct buf info = {0};
	uint8_t point[65], signature[81] = {0};
	size_t point_len = 0, len = sizeof(signature) - 1;

	if (EVP_PKEY_get_octet_string_param(key, OSSL_PKEY_PARAM_PUB_KEY, point, sizeof(point),
		    &point_len) != 1)
		return ossl_drain("EVP_PKEY_get_octet_string_param");
	const size_t body = der_begin(&info, DER_SEQUENCE);

	der_put(&info, DER_INTEGER, bytes_of("\0", 1));
	put_subject(&info, name);
	buf_add(&info, SPKI_P256_HEAD, sizeof(SPKI_P256_HEAD));
	buf_add(&info, point, point_len);
	put_attributes(&info, name);
	der_end(&info, body);
	/* signature[0] stays 0: the BIT STRING's count of unused bits. */
	if (ecdsa_sign(key, buf_bytes(&info), signature + 1, &len) != OK)
		return ERR_CRYPTO;
	const size_t request = der_begin(out, DER_SEQUENCE);

	buf_add(out, info.ptr, info.len);
	put_algorithm(out);
	der_put(out, DER_BIT_STRING, bytes_of(signature, len + 1));
	der_end(out, request);
	return OK;
}
