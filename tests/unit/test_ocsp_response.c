/* test_ocsp_response.c — OpenSSL reads and verifies every kind of response that we write. */
#include "tests/unit/pki_fixture.h"

#include <openssl/ocsp.h>
#include <openssl/x509v3.h>

#include "lib/base/buf.h"
#include "lib/base/clock.h"
#include "lib/pki/der.h"
#include "lib/pki/ocsp_response.h"

#define NOW_US (1800000000 * USEC_PER_SEC)
#define HOURS_US (3600 * USEC_PER_SEC)
#define SERIAL "\x40\x11\x22\x33\x44\x55\x66\x77\x88\x99\xaa\xbb\xcc\xdd\xee\xff\x01\x02"

static const uint8_t ecdsa_with_sha256[] = {0x30, 0x0a, 0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d,
	0x04, 0x03, 0x02};

/* A CA and its responder, as of NOW_US. */
static struct {
	X509 *ca, *responder;
	struct ocsp_id id, responder_id;
	struct buf responder_der;
} pki;

static void add(X509 *x509, X509 *issuer, int nid, const char *value)
{
	X509V3_CTX ctx;
	X509_EXTENSION *e;

	X509V3_set_ctx(&ctx, issuer, x509, NULL, NULL, 0);
	e = X509V3_EXT_conf_nid(NULL, &ctx, nid, value);
	assert_non_null(e);
	assert_int_equal(X509_add_ext(x509, e, -1), 1);
	X509_EXTENSION_free(e);
}

static X509 *certificate_make(const char *name, EVP_PKEY *key, X509 *issuer, EVP_PKEY *issuer_key)
{
	X509 *x509 = X509_new();

	assert_non_null(x509);
	assert_int_equal(X509_set_version(x509, X509_VERSION_3), 1);
	assert_int_equal(ASN1_INTEGER_set(X509_get_serialNumber(x509), issuer == NULL ? 1 : 2), 1);
	assert_non_null(ASN1_TIME_set(X509_getm_notBefore(x509), NOW_US / USEC_PER_SEC - 86400));
	assert_non_null(ASN1_TIME_set(X509_getm_notAfter(x509), NOW_US / USEC_PER_SEC + 8640000));
	assert_int_equal(X509_NAME_add_entry_by_txt(X509_get_subject_name(x509), "CN",
				 MBSTRING_UTF8, (const unsigned char *)name, -1, -1, 0),
		1);
	assert_int_equal(X509_set_issuer_name(x509,
				 X509_get_subject_name(issuer != NULL ? issuer : x509)),
		1);
	assert_int_equal(X509_set_pubkey(x509, key), 1);
	if (issuer == NULL) {
		add(x509, x509, NID_basic_constraints, "critical,CA:TRUE");
		add(x509, x509, NID_key_usage, "critical,keyCertSign,cRLSign");
		add(x509, x509, NID_subject_key_identifier, "hash");
	} else {
		add(x509, issuer, NID_ext_key_usage, "OCSPSigning");
		add(x509, issuer, NID_key_usage, "critical,digitalSignature");
		add(x509, issuer, NID_authority_key_identifier, "keyid");
		add(x509, issuer, NID_id_pkix_OCSP_noCheck, "NULL");
	}
	assert_true(X509_sign(x509, issuer_key, EVP_sha256()) > 0);
	return x509;
}

static void der_of(X509 *x509, struct buf *out)
{
	uint8_t *der = NULL;
	int len = i2d_X509(x509, &der);

	assert_true(len > 0);
	buf_add(out, der, (size_t)len);
	OPENSSL_free(der);
}

static int setup(void **state)
{
	CLEANUP_BUF struct buf ca = {0};

	(void)state;
	pki.ca = certificate_make("ca", fixture_key("p384"), NULL, fixture_key("p384"));
	pki.responder = certificate_make("r", fixture_key("p256"), pki.ca, fixture_key("p384"));
	der_of(pki.ca, &ca);
	der_of(pki.responder, &pki.responder_der);
	assert_int_equal(ocsp_id_of(buf_bytes(&ca), &pki.id), OK);
	assert_int_equal(ocsp_id_of(buf_bytes(&pki.responder_der), &pki.responder_id), OK);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	X509_free(pki.ca);
	X509_free(pki.responder);
	buf_done(&pki.responder_der);
	return 0;
}

static struct ocsp_single single_of(enum ocsp_hash hash, enum ocsp_cert_status status)
{
	return (struct ocsp_single){
		.issuer = &pki.id,
		.hash = hash,
		.serial = bytes_of(SERIAL, sizeof(SERIAL) - 1),
		.status = status,
		.revoked_us = NOW_US - 5 * HOURS_US + 999999,
		.reason = -1,
		.this_update_us = NOW_US,
		.next_update_us = NOW_US + 96 * HOURS_US,
		.archive_cutoff_us = INT64_MIN,
	};
}

static struct ocsp_response_data data_of(const struct ocsp_single *singles, size_t count)
{
	return (struct ocsp_response_data){
		.responder = ocsp_id_key(&pki.responder_id, OCSP_SHA1),
		.produced_us = NOW_US + 123456,
		.singles = singles,
		.nsingles = count,
	};
}

static void respond(const struct ocsp_response_data *in, struct buf *out)
{
	CLEANUP_BUF struct buf data = {0};
	CLEANUP_BUF struct buf signature = {0};

	ocsp_response_data(in, &data);
	fixture_sign(fixture_key("p256"), EVP_sha256(), buf_bytes(&data), &signature);
	ocsp_response_wrap(buf_bytes(&data), bytes_of(ecdsa_with_sha256, sizeof(ecdsa_with_sha256)),
		buf_bytes(&signature), buf_bytes(&pki.responder_der), out);
}

/* Parsed whole, written back the same (so it is DER), and verified as a client does. */
static OCSP_BASICRESP *verified(const struct buf *response)
{
	const uint8_t *end = response->ptr;
	OCSP_RESPONSE *parsed = d2i_OCSP_RESPONSE(NULL, &end, (long)response->len);
	X509_STORE *store = X509_STORE_new();
	OCSP_BASICRESP *basic;
	uint8_t *again = NULL;
	int len;

	assert_non_null(parsed);
	assert_ptr_equal(end, response->ptr + response->len);
	len = i2d_OCSP_RESPONSE(parsed, &again);
	assert_true(bytes_equal(bytes_of(again, (size_t)len), buf_bytes(response)));
	OPENSSL_free(again);
	assert_int_equal(OCSP_response_status(parsed), OCSP_RESPONSE_STATUS_SUCCESSFUL);
	basic = OCSP_response_get1_basic(parsed);
	assert_non_null(basic);
	len = i2d_OCSP_BASICRESP(basic, NULL);
	assert_true(len > 0 && (size_t)len < response->len);
	assert_int_equal(X509_STORE_add_cert(store, pki.ca), 1);
	X509_VERIFY_PARAM_set_time(X509_STORE_get0_param(store), NOW_US / USEC_PER_SEC);
	assert_int_equal(OCSP_basic_verify(basic, NULL, store, 0), 1);
	X509_STORE_free(store);
	OCSP_RESPONSE_free(parsed);
	return basic;
}

struct found {
	int status, reason;
	ASN1_GENERALIZEDTIME *revoked, *this_update, *next_update;
};

static bool find(OCSP_BASICRESP *basic, const EVP_MD *md, struct found *ret)
{
	OCSP_CERTID *id;
	ASN1_INTEGER *serial = NULL;
	const uint8_t *at;
	CLEANUP_BUF struct buf der = {0};
	int found;

	der_put(&der, DER_INTEGER, bytes_of(SERIAL, sizeof(SERIAL) - 1));
	at = der.ptr;
	serial = d2i_ASN1_INTEGER(NULL, &at, (long)der.len);
	id = OCSP_cert_id_new(md, X509_get_subject_name(pki.ca), X509_get0_pubkey_bitstr(pki.ca),
		serial);
	assert_non_null(id);
	found = OCSP_resp_find_status(basic, id, &ret->status, &ret->reason, &ret->revoked,
		&ret->this_update, &ret->next_update);
	OCSP_CERTID_free(id);
	ASN1_INTEGER_free(serial);
	return found == 1;
}

static void assert_time(const ASN1_GENERALIZEDTIME *time, const char *text)
{
	assert_non_null(time);
	assert_string_equal((const char *)ASN1_STRING_get0_data(time), text);
}

static void one_signature_serves_both_names(void **state)
{
	const struct ocsp_single both[] = {single_of(OCSP_SHA1, OCSP_CERT_GOOD),
		single_of(OCSP_SHA256, OCSP_CERT_GOOD)};
	struct ocsp_response_data in = data_of(both, 2);
	CLEANUP_BUF struct buf response = {0};
	OCSP_BASICRESP *basic;
	const ASN1_OCTET_STRING *key = NULL;
	const X509_NAME *name = NULL;
	struct found f;

	(void)state;
	respond(&in, &response);
	basic = verified(&response);
	assert_int_equal(OCSP_resp_count(basic), 2);
	assert_true(find(basic, EVP_sha1(), &f));
	assert_int_equal(f.status, V_OCSP_CERTSTATUS_GOOD);
	assert_time(f.this_update, "20270115080000Z");
	assert_time(f.next_update, "20270119080000Z");
	assert_true(find(basic, EVP_sha256(), &f));
	assert_int_equal(f.status, V_OCSP_CERTSTATUS_GOOD);
	assert_false(find(basic, EVP_sha384(), &f));
	assert_time(OCSP_resp_get0_produced_at(basic), "20270115080000Z");
	assert_int_equal(OCSP_resp_get0_id(basic, &key, &name), 1);
	assert_null(name);
	assert_true(bytes_equal(bytes_of(ASN1_STRING_get0_data(key), 20),
		ocsp_id_key(&pki.responder_id, OCSP_SHA1)));
	/* Nothing that was not asked for (RFC 9919 section 3.2.1). */
	assert_int_equal(OCSP_BASICRESP_get_ext_count(basic), 0);
	assert_int_equal(OCSP_SINGLERESP_get_ext_count(OCSP_resp_get0(basic, 0)), 0);
	OCSP_BASICRESP_free(basic);
}

static void a_revocation_tells_when_and_why(void **state)
{
	static const struct {
		int reason, seen;
	} cases[] = {{1, 1}, {3, 3}, {4, 4}, {5, 5}, {9, 9}, {10, 10},
		{0, OCSP_REVOKED_STATUS_NOSTATUS}, {-1, OCSP_REVOKED_STATUS_NOSTATUS}};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct ocsp_single single = single_of(OCSP_SHA1, OCSP_CERT_REVOKED);
		struct ocsp_response_data in = data_of(&single, 1);
		CLEANUP_BUF struct buf response = {0};
		OCSP_BASICRESP *basic;
		struct found f;

		single.reason = cases[i].reason;
		respond(&in, &response);
		basic = verified(&response);
		assert_true(find(basic, EVP_sha1(), &f));
		assert_int_equal(f.status, V_OCSP_CERTSTATUS_REVOKED);
		assert_int_equal(f.reason, cases[i].seen);
		assert_time(f.revoked, "20270115030000Z");
		/* BR 7.3: the reason is part of the status, never an extension. */
		assert_int_equal(OCSP_SINGLERESP_get_ext_count(OCSP_resp_get0(basic, 0)), 0);
		OCSP_BASICRESP_free(basic);
	}
}

static void what_is_unknown_says_so(void **state)
{
	const struct ocsp_single single = single_of(OCSP_SHA256, OCSP_CERT_UNKNOWN);
	struct ocsp_response_data in = data_of(&single, 1);
	CLEANUP_BUF struct buf response = {0};
	OCSP_BASICRESP *basic;
	struct found f;

	(void)state;
	respond(&in, &response);
	basic = verified(&response);
	assert_true(find(basic, EVP_sha256(), &f));
	assert_int_equal(f.status, V_OCSP_CERTSTATUS_UNKNOWN);
	OCSP_BASICRESP_free(basic);
}

/* RFC 6960 section 2.2 and 4.4.8. */
static void what_was_never_issued_can_be_called_revoked(void **state)
{
	struct ocsp_single single = single_of(OCSP_SHA1, OCSP_CERT_UNKNOWN);
	struct ocsp_response_data in = data_of(&single, 1);
	CLEANUP_BUF struct buf response = {0};
	OCSP_BASICRESP *basic;
	X509_EXTENSION *e;
	struct found f;

	(void)state;
	ocsp_single_never_issued(&single);
	in.extended_revoke = true;
	respond(&in, &response);
	basic = verified(&response);
	assert_true(find(basic, EVP_sha1(), &f));
	assert_int_equal(f.status, V_OCSP_CERTSTATUS_REVOKED);
	assert_int_equal(f.reason, OCSP_REVOKED_STATUS_CERTIFICATEHOLD);
	assert_time(f.revoked, "19700101000000Z");
	assert_int_equal(OCSP_BASICRESP_get_ext_count(basic), 1);
	e = OCSP_BASICRESP_get_ext(basic, 0);
	assert_false(X509_EXTENSION_get_critical(e));
	assert_true(bytes_equal(bytes_of(OBJ_get0_data(X509_EXTENSION_get_object(e)),
					OBJ_length(X509_EXTENSION_get_object(e))),
		bytes_of("\x2b\x06\x01\x05\x05\x07\x30\x01\x09", 9)));
	assert_true(bytes_equal(bytes_of(ASN1_STRING_get0_data(X509_EXTENSION_get_data(e)),
					(size_t)ASN1_STRING_length(X509_EXTENSION_get_data(e))),
		bytes_of("\x05\x00", 2)));
	OCSP_BASICRESP_free(basic);
}

static void a_nonce_comes_back_as_it_was_sent(void **state)
{
	static const size_t lengths[] = {1, 16, 32, 127, 128};
	uint8_t nonce[128];

	(void)state;
	for (size_t i = 0; i < sizeof(nonce); i++)
		nonce[i] = (uint8_t)(i * 7 + 3);
	for (size_t i = 0; i < ARRAY_LEN(lengths); i++) {
		struct ocsp_single single = single_of(OCSP_SHA1, OCSP_CERT_GOOD);
		struct ocsp_response_data in = data_of(&single, 1);
		OCSP_REQUEST *request = OCSP_REQUEST_new();
		CLEANUP_BUF struct buf response = {0};
		OCSP_BASICRESP *basic;

		in.nonce = bytes_of(nonce, lengths[i]);
		in.extended_revoke = i % 2 == 1;
		respond(&in, &response);
		basic = verified(&response);
		assert_int_equal(OCSP_request_add1_nonce(request, nonce, (int)lengths[i]), 1);
		assert_int_equal(OCSP_check_nonce(request, basic), 1);
		OCSP_REQUEST_free(request);
		OCSP_BASICRESP_free(basic);
	}
}

static void an_archive_tells_how_far_it_reaches(void **state)
{
	struct ocsp_single single = single_of(OCSP_SHA1, OCSP_CERT_GOOD);
	struct ocsp_response_data in = data_of(&single, 1);
	CLEANUP_BUF struct buf response = {0};
	OCSP_BASICRESP *basic;
	ASN1_GENERALIZEDTIME *cutoff;
	int critical = -1;

	(void)state;
	single.archive_cutoff_us = NOW_US - 24 * HOURS_US;
	respond(&in, &response);
	basic = verified(&response);
	cutoff = OCSP_SINGLERESP_get1_ext_d2i(OCSP_resp_get0(basic, 0),
		NID_id_pkix_OCSP_archiveCutoff, &critical, NULL);
	assert_time(cutoff, "20270114080000Z");
	assert_int_equal(critical, 0);
	ASN1_GENERALIZEDTIME_free(cutoff);
	OCSP_BASICRESP_free(basic);
}

static void another_byte_does_not_verify(void **state)
{
	struct ocsp_single single = single_of(OCSP_SHA1, OCSP_CERT_GOOD);
	struct ocsp_response_data in = data_of(&single, 1);
	CLEANUP_BUF struct buf data = {0};
	CLEANUP_BUF struct buf signature = {0};
	CLEANUP_BUF struct buf response = {0};
	X509_STORE *store = X509_STORE_new();
	OCSP_RESPONSE *parsed;
	OCSP_BASICRESP *basic;
	const uint8_t *at;

	(void)state;
	ocsp_response_data(&in, &data);
	fixture_sign(fixture_key("p256"), EVP_sha256(), buf_bytes(&data), &signature);
	data.ptr[data.len - 3] ^= 1; /* of nextUpdate */
	ocsp_response_wrap(buf_bytes(&data), bytes_of(ecdsa_with_sha256, sizeof(ecdsa_with_sha256)),
		buf_bytes(&signature), buf_bytes(&pki.responder_der), &response);
	at = response.ptr;
	parsed = d2i_OCSP_RESPONSE(NULL, &at, (long)response.len);
	assert_non_null(parsed);
	basic = OCSP_response_get1_basic(parsed);
	assert_non_null(basic);
	assert_int_equal(X509_STORE_add_cert(store, pki.ca), 1);
	X509_VERIFY_PARAM_set_time(X509_STORE_get0_param(store), NOW_US / USEC_PER_SEC);
	assert_int_not_equal(OCSP_basic_verify(basic, NULL, store, 0), 1);
	ossl_drain("OCSP_basic_verify");
	OCSP_BASICRESP_free(basic);
	OCSP_RESPONSE_free(parsed);
	X509_STORE_free(store);
}

static void refusals_hold_nothing_else(void **state)
{
	static const struct {
		enum ocsp_refusal ours;
		int theirs;
	} cases[] = {{OCSP_MALFORMED_REQUEST, OCSP_RESPONSE_STATUS_MALFORMEDREQUEST},
		{OCSP_INTERNAL_ERROR, OCSP_RESPONSE_STATUS_INTERNALERROR},
		{OCSP_TRY_LATER, OCSP_RESPONSE_STATUS_TRYLATER},
		{OCSP_UNAUTHORIZED, OCSP_RESPONSE_STATUS_UNAUTHORIZED}};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		OCSP_RESPONSE *theirs = OCSP_response_create(cases[i].theirs, NULL);
		struct bytes ours = ocsp_response_refusal(cases[i].ours);
		uint8_t *der = NULL;
		int len = i2d_OCSP_RESPONSE(theirs, &der);

		assert_true(bytes_equal(ours, bytes_of(der, (size_t)len)));
		OPENSSL_free(der);
		OCSP_RESPONSE_free(theirs);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(one_signature_serves_both_names),
		cmocka_unit_test(a_revocation_tells_when_and_why),
		cmocka_unit_test(what_is_unknown_says_so),
		cmocka_unit_test(what_was_never_issued_can_be_called_revoked),
		cmocka_unit_test(a_nonce_comes_back_as_it_was_sent),
		cmocka_unit_test(an_archive_tells_how_far_it_reaches),
		cmocka_unit_test(another_byte_does_not_verify),
		cmocka_unit_test(refusals_hold_nothing_else),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
