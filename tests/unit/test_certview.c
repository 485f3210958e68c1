/* test_certview.c — one DER certificate and nothing else; PEM out and in. */
#include "tests/unit/pki_fixture.h"

#include "lib/pki/certview.h"

static void make_certificate(struct buf *out, const char *serial_hex)
{
	CLEANUP(X509_free) X509 *x509 = X509_new();
	CLEANUP(BN_free) BIGNUM *serial = NULL;
	unsigned char *der = NULL;
	int len;

	assert_true(BN_hex2bn(&serial, serial_hex) > 0);
	assert_non_null(BN_to_ASN1_INTEGER(serial, X509_get_serialNumber(x509)));
	assert_int_equal(X509_set_version(x509, X509_VERSION_3), 1);
	assert_non_null(X509_gmtime_adj(X509_getm_notBefore(x509), 0));
	assert_non_null(X509_gmtime_adj(X509_getm_notAfter(x509), 60));
	assert_int_equal(X509_set_pubkey(x509, fixture_key("p256")), 1);
	assert_true(X509_sign(x509, fixture_key("p256"), EVP_sha256()) > 0);
	len = i2d_X509(x509, &der);
	assert_true(len > 0);
	buf_add(out, der, (size_t)len);
	OPENSSL_free(der);
}

static void a_certificate_is_parsed_with_its_serial(void **state)
{
	CLEANUP_BUF struct buf der = {0};
	CLEANUP(certview_free) struct certview *view = NULL;

	make_certificate(&der, "F0010203");
	assert_int_equal(certview_parse(buf_bytes(&der), &view), OK);
	assert_true(bytes_equal(view->serial, bytes_of("\x00\xf0\x01\x02\x03", 5)));
	assert_ptr_equal(view->der.ptr, der.ptr);
	assert_non_null(view->x509);
}

static void a_walk_finds_serial_and_key(void **state)
{
	CLEANUP_BUF struct buf der = {0};
	struct certview_outline outline;
	unsigned char *spki = NULL;
	int len = i2d_PUBKEY(fixture_key("p256"), &spki);

	make_certificate(&der, "F0010203");
	assert_int_equal(certview_walk(buf_bytes(&der), &outline), OK);
	assert_true(bytes_equal(outline.serial, bytes_of("\x00\xf0\x01\x02\x03", 5)));
	assert_true(len > 0 && bytes_equal(outline.spki, bytes_of(spki, (size_t)len)));
	OPENSSL_free(spki);
}

static void anything_else_is_refused(void **state)
{
	CLEANUP_BUF struct buf der = {0};
	struct certview_outline outline;
	struct certview *view = NULL;

	make_certificate(&der, "01");
	for (size_t len = 0; len < der.len; len++)
		assert_int_equal(certview_parse(bytes_of(der.ptr, len), &view), ERR_SYNTAX);
	for (size_t len = 0; len < der.len; len++)
		assert_int_equal(certview_walk(bytes_of(der.ptr, len), &outline), ERR_SYNTAX);
	buf_add_byte(&der, 0);
	assert_int_equal(certview_walk(buf_bytes(&der), &outline), ERR_SYNTAX);
	assert_int_equal(certview_parse(buf_bytes(&der), &view), ERR_SYNTAX);
	assert_null(view);
}

static void pem_round_trips(void **state)
{
	CLEANUP_BUF struct buf first = {0};
	CLEANUP_BUF struct buf second = {0};
	CLEANUP_BUF struct buf pem = {0};
	struct buf *blocks = NULL;
	size_t count = 0;

	make_certificate(&first, "01");
	make_certificate(&second, "0102");
	buf_add_str(&pem, "subject: the first\n");
	pem_append(&pem, "CERTIFICATE", buf_bytes(&first));
	pem_append(&pem, "CERTIFICATE", buf_bytes(&second));
	assert_int_equal(pem_certificates(buf_bytes(&pem), &blocks, &count), OK);
	assert_int_equal(count, 2);
	assert_true(bytes_equal(buf_bytes(&blocks[0]), buf_bytes(&first)));
	assert_true(bytes_equal(buf_bytes(&blocks[1]), buf_bytes(&second)));
	buf_done(&blocks[0]);
	buf_done(&blocks[1]);
	free(blocks);
}

static void pem_has_64_columns(void **state)
{
	CLEANUP_BUF struct buf der = {0};
	CLEANUP_BUF struct buf pem = {0};

	for (int i = 0; i < 49; i++)
		buf_add_byte(&der, 0);
	pem_append(&pem, "X509 CRL", buf_bytes(&der));
	assert_string_equal(buf_str(&pem),
		"-----BEGIN X509 CRL-----\n"
		"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\n"
		"AA==\n"
		"-----END X509 CRL-----\n");
}

static void crlf_and_any_line_length_are_read(void **state)
{
	struct buf *blocks = NULL;
	size_t count = 0;

	assert_int_equal(
		pem_certificates(bytes_str("-----BEGIN CERTIFICATE-----\r\naG\r\nk=\r\n-----END "
					   "CERTIFICATE-----"),
			&blocks, &count),
		OK);
	assert_int_equal(count, 1);
	assert_true(bytes_is(buf_bytes(&blocks[0]), "hi"));
	buf_done(&blocks[0]);
	free(blocks);
}

static void broken_pem_is_refused(void **state)
{
	static const char *const texts[] = {
		"",
		"nothing",
		"-----BEGIN CERTIFICATE-----\n",
		"-----BEGIN CERTIFICATE-----\naGk=\n",
		"-----BEGIN CERTIFICATE-----\n-----END CERTIFICATE-----\n",
		"-----BEGIN CERTIFICATE-----\naGk\n-----END CERTIFICATE-----\n",
		"-----BEGIN CERTIFICATE-----\naGl=\n-----END CERTIFICATE-----\n",
		"-----BEGIN CERTIFICATE-----\na===\n-----END CERTIFICATE-----\n",
		"-----BEGIN CERTIFICATE-----\naGk=aGk=\n-----END CERTIFICATE-----\n",
		"-----BEGIN CERTIFICATE-----\nProc-Type: 4\n\naGk=\n-----END CERTIFICATE-----\n",
		"-----BEGIN CERTIFICATE-----\naG k=\n-----END CERTIFICATE-----\n",
		"-----BEGIN CERTIFICATE-----\naGk=\n-----END PRIVATE KEY-----\n",
		"-----BEGIN PRIVATE KEY-----\naGk=\n-----END PRIVATE KEY-----\n",
		("-----BEGIN CERTIFICATE-----\naGk=\n-----END CERTIFICATE-----\n"
		 "-----BEGIN CERTIFICATE-----\n"),
	};

	for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
		struct buf *blocks = NULL;
		size_t count = 0;

		assert_int_equal(pem_certificates(bytes_str(texts[i]), &blocks, &count),
			ERR_SYNTAX);
		assert_null(blocks);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_certificate_is_parsed_with_its_serial),
		cmocka_unit_test(a_walk_finds_serial_and_key),
		cmocka_unit_test(anything_else_is_refused),
		cmocka_unit_test(pem_round_trips),
		cmocka_unit_test(pem_has_64_columns),
		cmocka_unit_test(crlf_and_any_line_length_are_read),
		cmocka_unit_test(broken_pem_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
