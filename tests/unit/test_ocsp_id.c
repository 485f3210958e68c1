/* test_ocsp_id.c — the names that OCSP gives issuers are those that OpenSSL computes. */
#include "tests/unit/pki_fixture.h"

#include <openssl/ocsp.h>

#include "lib/base/buf.h"
#include "lib/pki/der.h"
#include "lib/pki/ocsp_id.h"

/* A certificate that says who it is of and with which key; nobody verifies it. */
static X509 *certificate_make(const char *name, EVP_PKEY *key)
{
	X509 *x509 = X509_new();

	assert_non_null(x509);
	assert_int_equal(X509_set_version(x509, X509_VERSION_3), 1);
	assert_int_equal(ASN1_INTEGER_set(X509_get_serialNumber(x509), 7), 1);
	assert_non_null(X509_gmtime_adj(X509_getm_notBefore(x509), 0));
	assert_non_null(X509_gmtime_adj(X509_getm_notAfter(x509), 3600));
	assert_int_equal(X509_NAME_add_entry_by_txt(X509_get_subject_name(x509), "CN",
				 MBSTRING_UTF8, (const unsigned char *)name, -1, -1, 0),
		1);
	assert_int_equal(X509_set_issuer_name(x509, X509_get_subject_name(x509)), 1);
	assert_int_equal(X509_set_pubkey(x509, key), 1);
	assert_true(X509_sign(x509, key, EVP_sha256()) > 0);
	return x509;
}

static void assert_same(X509 *x509, const struct ocsp_id *id, enum ocsp_hash hash, const EVP_MD *md)
{
	OCSP_CERTID *theirs = OCSP_cert_to_id(md, x509, x509);
	ASN1_OCTET_STRING *name, *key;
	ASN1_OBJECT *oid;
	struct bytes algorithm = ocsp_hash_algorithm(hash);
	const uint8_t *end = algorithm.ptr;
	X509_ALGOR *ours = d2i_X509_ALGOR(NULL, &end, (long)algorithm.len);

	assert_non_null(theirs);
	assert_int_equal(OCSP_id_get0_info(&name, &oid, &key, NULL, theirs), 1);
	assert_true(bytes_equal(ocsp_id_name(id, hash),
		bytes_of(ASN1_STRING_get0_data(name), (size_t)ASN1_STRING_length(name))));
	assert_true(bytes_equal(ocsp_id_key(id, hash),
		bytes_of(ASN1_STRING_get0_data(key), (size_t)ASN1_STRING_length(key))));
	assert_true(
		bytes_equal(ocsp_hash_oid(hash), bytes_of(OBJ_get0_data(oid), OBJ_length(oid))));
	assert_non_null(ours);
	assert_ptr_equal(end, algorithm.ptr + algorithm.len);
	assert_int_equal(OBJ_obj2nid(ours->algorithm), EVP_MD_get_type(md));
	X509_ALGOR_free(ours);
	OCSP_CERTID_free(theirs);
}

static void ids_are_those_of_openssl(void **state)
{
	static const char *const types[] = {"p256", "p384", "rsa2048"};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(types); i++) {
		X509 *x509 =
			certificate_make("Zertifizierungsstelle \xc3\xa4", fixture_key(types[i]));
		struct ocsp_id id;
		uint8_t *der = NULL;
		int len = i2d_X509(x509, &der);

		assert_true(len > 0);
		assert_int_equal(ocsp_id_of(bytes_of(der, (size_t)len), &id), OK);
		assert_same(x509, &id, OCSP_SHA1, EVP_sha1());
		assert_same(x509, &id, OCSP_SHA256, EVP_sha256());
		OPENSSL_free(der);
		X509_free(x509);
	}
}

static void what_is_no_certificate_has_no_id(void **state)
{
	X509 *x509 = certificate_make("x", fixture_key("p256"));
	struct ocsp_id id;
	uint8_t *der = NULL;
	int len = i2d_X509(x509, &der);

	(void)state;
	assert_int_equal(ocsp_id_of(bytes_of("", 0), &id), ERR_SYNTAX);
	assert_int_equal(ocsp_id_of(bytes_str("x"), &id), ERR_SYNTAX);
	for (int n = 1; n < len; n++)
		assert_int_equal(ocsp_id_of(bytes_of(der, (size_t)(len - n)), &id), ERR_SYNTAX);
	OPENSSL_free(der);
	X509_free(x509);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(ids_are_those_of_openssl),
		cmocka_unit_test(what_is_no_certificate_has_no_id),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
