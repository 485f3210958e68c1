/* test_ocsp_peek.c — responses as OpenSSL makes them are seen for what they are, and nothing else
 * is. */
#include "tests/unit/pki_fixture.h"

#include <openssl/ocsp.h>
#include <time.h>

#include "lib/base/clock.h"
#include "lib/pki/ocsp_peek.h"

#define THIS 1790000000 /* 2026-09-21 */
#define NEXT 1790345678

static ASN1_TIME *time_of(time_t at)
{
	return ASN1_GENERALIZEDTIME_set(NULL, at);
}

/* A response about one certificate; next 0: without nextUpdate. */
static void make(time_t this, time_t next, bool by_key, struct buf *out)
{
	static const unsigned char key_bits[65] = {4};
	ASN1_BIT_STRING bits = {.data = (unsigned char *)key_bits, .length = sizeof(key_bits)};
	EVP_PKEY *key = fixture_key("p256");
	X509_NAME *name = X509_NAME_new();
	ASN1_INTEGER *serial = ASN1_INTEGER_new();
	OCSP_CERTID *id;
	OCSP_BASICRESP *basic = OCSP_BASICRESP_new();
	ASN1_TIME *this_time = time_of(this), *next_time = next != 0 ? time_of(next) : NULL;
	X509 *cert = X509_new();
	OCSP_RESPONSE *response;
	unsigned char *der = NULL;
	int len;

	ASN1_INTEGER_set(serial, 77);
	id = OCSP_cert_id_new(EVP_sha1(), name, &bits, serial);
	X509_set_pubkey(cert, key);
	assert_true(X509_sign(cert, key, EVP_sha256()) > 0);
	assert_non_null(OCSP_basic_add1_status(basic, id, V_OCSP_CERTSTATUS_GOOD, 0, NULL,
		this_time, next_time));
	assert_int_equal(OCSP_basic_sign(basic, cert, key, EVP_sha256(), NULL,
				 by_key ? OCSP_RESPID_KEY : 0),
		1);
	response = OCSP_response_create(OCSP_RESPONSE_STATUS_SUCCESSFUL, basic);
	len = i2d_OCSP_RESPONSE(response, &der);
	assert_true(len > 0);
	buf_add(out, der, (size_t)len);
	OPENSSL_free(der);
	OCSP_RESPONSE_free(response);
	OCSP_BASICRESP_free(basic);
	OCSP_CERTID_free(id);
	ASN1_INTEGER_free(serial);
	X509_NAME_free(name);
	X509_free(cert);
	ASN1_TIME_free(this_time);
	ASN1_TIME_free(next_time);
}

static void the_times_of_a_response_are_read(void **state)
{
	for (int by_key = 0; by_key <= 1; by_key++) {
		CLEANUP_BUF struct buf der = {0};
		struct ocsp_peek peek;

		make(THIS, NEXT, by_key, &der);
		assert_int_equal(ocsp_peek(buf_bytes(&der), &peek), OK);
		assert_int_equal(peek.status, 0);
		assert_int_equal(peek.this_update_us, THIS * USEC_PER_SEC);
		assert_int_equal(peek.next_update_us, NEXT * USEC_PER_SEC);
		buf_reset(&der);
		make(THIS, 0, by_key, &der);
		assert_int_equal(ocsp_peek(buf_bytes(&der), &peek), OK);
		assert_true(peek.next_update_us == INT64_MIN);
	}
}

static void cut_or_extended_responses_are_none(void **state)
{
	CLEANUP_BUF struct buf der = {0};
	struct ocsp_peek peek;

	make(THIS, NEXT, true, &der);
	for (size_t len = 0; len < der.len; len++)
		assert_int_equal(ocsp_peek(bytes_of(der.ptr, len), &peek), ERR_SYNTAX);
	buf_add_byte(&der, 0);
	assert_int_equal(ocsp_peek(buf_bytes(&der), &peek), ERR_SYNTAX);
}

static void times_that_are_none_are_refused(void **state)
{
	static const struct {
		size_t at;
		char digit;
	} damages[] = {{4, '2'}, {4, 'x'}, {6, '4'}, {8, '3'}, {10, '7'}, {12, '6'}, {14, '0'}};
	CLEANUP_BUF struct buf der = {0};
	const uint8_t *this;
	struct ocsp_peek peek;

	make(THIS, NEXT, true, &der);
	/* The last thisUpdate there is: behind producedAt, in front of nextUpdate. */
	this = memmem(der.ptr, der.len, "20260921", 8);
	assert_non_null(this);
	for (size_t i = 0; i < ARRAY_LEN(damages); i++) {
		uint8_t *at = der.ptr + (this - der.ptr) + damages[i].at, before = *at;

		*at = (uint8_t)damages[i].digit;
		assert_int_equal(ocsp_peek(buf_bytes(&der), &peek), ERR_SYNTAX);
		*at = before;
		assert_int_equal(ocsp_peek(buf_bytes(&der), &peek), OK);
	}
}

static void errors_are_five_octets_that_openssl_reads(void **state)
{
	static const enum ocsp_refusal statuses[] = {OCSP_MALFORMED_REQUEST, OCSP_INTERNAL_ERROR,
		OCSP_TRY_LATER, OCSP_UNAUTHORIZED};

	for (size_t i = 0; i < ARRAY_LEN(statuses); i++) {
		struct bytes der = ocsp_response_refusal(statuses[i]);
		const unsigned char *at = der.ptr;
		OCSP_RESPONSE *theirs = d2i_OCSP_RESPONSE(NULL, &at, (long)der.len);
		struct ocsp_peek peek;

		assert_int_equal(der.len, 5);
		assert_non_null(theirs);
		assert_int_equal(OCSP_response_status(theirs), statuses[i]);
		assert_int_equal(ocsp_peek(der, &peek), OK);
		assert_int_equal(peek.status, statuses[i]);
		OCSP_RESPONSE_free(theirs);
	}
}

static void what_is_no_response_is_refused(void **state)
{
	static const char *const none[] = {"", "x", "\x30", "\x30\x03\x0a\x01\x04",
		"\x30\x03\x0a\x01\x05", "\x30\x03\x0a\x01\x07", "\x30\x03\x02\x01\x06",
		"\x30\x04\x0a\x02\x06\x06", "\x30\x05\x0a\x01\x06\x05\x01"};
	struct ocsp_peek peek;

	for (size_t i = 0; i < ARRAY_LEN(none); i++)
		assert_int_equal(ocsp_peek(bytes_str(none[i]), &peek), ERR_SYNTAX);
	assert_int_equal(ocsp_peek(bytes_of("\x30\x03\x0a\x01\x00", 5), &peek), ERR_SYNTAX);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_times_of_a_response_are_read),
		cmocka_unit_test(cut_or_extended_responses_are_none),
		cmocka_unit_test(times_that_are_none_are_refused),
		cmocka_unit_test(errors_are_five_octets_that_openssl_reads),
		cmocka_unit_test(what_is_no_response_is_refused),
	};

	return cmocka_run_group_tests_name("ocsp_peek", tests, NULL, NULL);
}
