/* alpn_cert.c — see alpn_cert.h. */
#include "tests/unit/alpn_cert.h"

#include <assert.h>
#include <openssl/ec.h>

#include "lib/pki/der.h"
#include "lib/pki/ossl.h"

static EVP_PKEY *make_key(void)
{
	EVP_PKEY *key = EVP_EC_gen("P-256");

	assert(key != NULL);
	return key;
}

static void add_extension(X509 *cert, const char *oid, bool critical, struct bytes value)
{
	ASN1_OBJECT *object = OBJ_txt2obj(oid, 1);
	ASN1_OCTET_STRING *octets = ASN1_OCTET_STRING_new();
	X509_EXTENSION *ext;

	assert(ASN1_OCTET_STRING_set(octets, value.ptr, (int)value.len) == 1);
	ext = X509_EXTENSION_create_by_OBJ(NULL, object, critical, octets);
	assert(ext != NULL && X509_add_ext(cert, ext, -1) == 1);
	X509_EXTENSION_free(ext);
	ASN1_OCTET_STRING_free(octets);
	ASN1_OBJECT_free(object);
}

static void add_names(X509 *cert, const char *name, enum alpn_flaw flaw)
{
	static const uint8_t address[] = {192, 0, 2, 1};
	CLEANUP_BUF struct buf der = {0};
	size_t mark = der_begin(&der, DER_SEQUENCE);

	if (flaw != ALPN_ADDRESS_ALONE && flaw != ALPN_EMPTY_NAMES)
		der_put(&der, 0x82, bytes_str(name));
	if (flaw == ALPN_TWO_NAMES)
		der_put(&der, 0x82, bytes_str("other.test"));
	if (flaw == ALPN_ADDRESS_BESIDE_NAME || flaw == ALPN_ADDRESS_ALONE)
		der_put(&der, 0x87, bytes_of(address, sizeof(address)));
	der_end(&der, mark);
	if (flaw != ALPN_NO_NAMES)
		add_extension(cert, "2.5.29.17", false, buf_bytes(&der));
	if (flaw == ALPN_NAMES_TWICE)
		add_extension(cert, "2.5.29.17", false, buf_bytes(&der));
}

static void add_identifier(X509 *cert, const uint8_t digest[32], enum alpn_flaw flaw)
{
	const char *oid = flaw == ALPN_DRAFT_OID ? "1.3.6.1.5.5.7.1.30.1" : "1.3.6.1.5.5.7.1.31";
	CLEANUP_BUF struct buf value = {0};
	uint8_t longer[33] = {0};

	memcpy(longer, digest, 32);
	if (flaw == ALPN_BARE_DIGEST)
		buf_add(&value, digest, 32);
	else
		der_put(&value, DER_OCTET_STRING,
			bytes_of(longer,
				flaw == ALPN_SHORT_DIGEST          ? 31
					: flaw == ALPN_LONG_DIGEST ? 33
								   : 32));
	if (flaw == ALPN_TRAILING_BYTES)
		buf_add_byte(&value, 0);
	if (flaw != ALPN_NO_IDENTIFIER)
		add_extension(cert, oid, flaw != ALPN_NOT_CRITICAL, buf_bytes(&value));
	if (flaw == ALPN_IDENTIFIER_TWICE)
		add_extension(cert, oid, true, buf_bytes(&value));
}

static void set_name(X509_NAME *name, const char *common_name)
{
	int rc = X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, (const uint8_t *)common_name,
		-1, -1, 0);

	assert(rc == 1);
}

X509 *alpn_cert_make(const char *name, const uint8_t digest[32], enum alpn_flaw flaw,
	EVP_PKEY **ret_key)
{
	CLEANUP(EVP_PKEY_free) EVP_PKEY *key = make_key(), *other = make_key();
	X509 *cert = X509_new();

	assert(cert != NULL && X509_set_version(cert, flaw == ALPN_VERSION_1 ? 0 : 2) == 1);
	ASN1_INTEGER_set(X509_get_serialNumber(cert), 1);
	X509_gmtime_adj(X509_getm_notBefore(cert), 0);
	X509_gmtime_adj(X509_getm_notAfter(cert), 3600);
	set_name(X509_get_subject_name(cert), "a certificate");
	set_name(X509_get_issuer_name(cert),
		flaw == ALPN_OTHER_ISSUER ? "an issuer" : "a certificate");
	assert(X509_set_pubkey(cert, key) == 1);
	if (flaw != ALPN_VERSION_1) {
		add_names(cert, name, flaw);
		add_identifier(cert, digest, flaw);
	}
	assert(X509_sign(cert, flaw == ALPN_OTHER_SIGNER ? other : key, EVP_sha256()) > 0);
	if (ret_key != NULL)
		*ret_key = TAKE(key);
	return cert;
}

void alpn_cert_der(X509 *cert, struct buf *out)
{
	uint8_t *der = NULL;
	int len = i2d_X509(cert, &der);

	assert(len > 0);
	buf_add(out, der, (size_t)len);
	OPENSSL_free(der);
}
