/* test_lint.c — the good certificate and its variants, the encoding, and each rule about the fields
 * broken once or more. */
#include "tests/unit/lint_pieces.h"

#include <openssl/core_names.h>

static void the_good_certificate_is_clean(void **state)
{
	CLEANUP_PIECES struct pieces p = pieces_good();

	assert_clean(&p, &lint_want);
}

static void variants_of_the_profile_are_clean(void **state)
{
	CLEANUP_PIECES struct pieces p = pieces_good();
	struct lint_expectation other = lint_want;

	/* A subject; no basicConstraints; no URLs; clientAuth; OCSP. */
	SET(&p, SUBJECT,
		"\x30\x14\x31\x12\x30\x10\x06\x03\x55\x04\x03\x0c\x09"
		"a.example");
	SET_EXTENSION(&p, SAN, OID_SUBJECT_ALT_NAME, false, SAN_VALUE);
	SET(&p, BASIC, "");
	SET(&p, CRLDP, "");
	SET_EXTENSION(&p, AIA, OID_AUTHORITY_INFO_ACCESS, false,
		"\x30\x11\x30\x0f\x06\x08\x2b\x06\x01\x05\x05\x07\x30\x01\x86\x03"
		"o:/");
	SET_EXTENSION(&p, EKU, OID_EXT_KEY_USAGE, false,
		"\x30\x14\x06\x08\x2b\x06\x01\x05\x05\x07\x03\x01\x06\x08\x2b\x06\x01\x05\x05\x07"
		"\x03\x02");
	other.common_name = true;
	other.client_auth = true;
	other.ca_issuers_url = NULL;
	other.crl_url = NULL;
	other.ocsp_url = "o:/";
	other.spki = bytes_of(NULL, 0);
	other.serial_len = 0;
	assert_finding(&p, &other, "locations_http");
	SET(&p, AIA, "");
	other.ocsp_url = NULL;
	assert_clean(&p, &other);
}

static void rsa_keys_may_encipher(void **state)
{
	CLEANUP_PIECES struct pieces p = pieces_good();
	struct lint_expectation rsa = lint_want;

	piece_set_spki(&p, fixture_key("rsa2048"));
	rsa.spki = buf_bytes(&p.at[SPKI]);
	assert_clean(&p, &rsa);
	SET_EXTENSION(&p, KEY_USAGE, OID_KEY_USAGE, true, "\x03\x02\x05\xa0");
	assert_clean(&p, &rsa);
}

static void what_is_no_certificate_is_refused(void **state)
{
	CLEANUP_PIECES struct pieces p = pieces_good();
	CLEANUP_BUF struct buf der = {0};
	CLEANUP_BUF struct buf findings = {0};

	pieces_assemble(&p, &der);
	for (size_t len = 0; len < der.len; len++) {
		buf_reset(&findings);
		assert_int_equal(lint_certificate(bytes_of(der.ptr, len), &lint_want, &findings),
			ERR_SYNTAX);
		assert_non_null(strstr(buf_str(&findings), "structure:"));
	}
	buf_add_byte(&der, 0);
	assert_int_equal(lint_certificate(buf_bytes(&der), &lint_want, &findings), ERR_SYNTAX);
}

static void no_flipped_bit_outside_random_parts_passes(void **state)
{
	CLEANUP_PIECES struct pieces p = pieces_good();
	CLEANUP_BUF struct buf der = {0};
	size_t serial = 4 + 4 + 5 + 2, passed = 0;

	pieces_assemble(&p, &der);
	for (size_t i = 0; i < der.len; i++) {
		for (uint8_t bit = 1; bit != 0; bit = (uint8_t)(bit << 1)) {
			CLEANUP_BUF struct buf findings = {0};
			int r;

			der.ptr[i] ^= bit;
			r = lint_certificate(buf_bytes(&der), &lint_want, &findings);
			der.ptr[i] ^= bit;
			/* Only the serial and the signature itself are free. */
			if (r == OK && !(i >= serial && i < serial + 17) && i < der.len - 8)
				fail_msg("bit %#x of octet %zu passed", bit, i);
			passed += r == OK;
		}
	}
	assert_true(passed > 100);
}

static void a_broken_issuing_certificate_is_our_fault(void **state)
{
	CLEANUP_PIECES struct pieces p = pieces_good();
	CLEANUP_BUF struct buf der = {0};
	CLEANUP_BUF struct buf findings = {0};
	struct lint_expectation other = lint_want;

	pieces_assemble(&p, &der);
	other.issuer = buf_bytes(&der); /* no subjectKeyIdentifier */
	assert_int_equal(lint_certificate(buf_bytes(&der), &other, &findings), ERR_INTERNAL);
	other.issuer = bytes_of(NULL, 0);
	assert_int_equal(lint_certificate(buf_bytes(&der), &other, &findings), ERR_INTERNAL);
}

static void version(void **state)
{
	BREAK(VERSION_3, "\xa0\x03\x02\x01\x01", "version");
	BREAK(VERSION_3, "", "version");
	BREAK(VERSION_3, "\xa0\x04\x02\x02\x00\x02", "version");
}

static void serial(void **state)
{
	static const uint8_t long_serial[] = {0x02, 21, 0x01};
	uint8_t element[23] = {0};
	CLEANUP_PIECES struct pieces p = pieces_good();
	struct lint_expectation any = lint_want;

	BREAK(SERIAL,
		"\x02\x11\x81\x02\x03\x04\x05\x06\x07\x08\x09\x0a\x0b\x0c\x0d\x0e\x0f\x10\x11",
		"serial_range");
	BREAK(SERIAL, "\x02\x10\x01\x02\x03\x04\x05\x06\x07\x08\x09\x0a\x0b\x0c\x0d\x0e\x0f\x10",
		"serial_length");
	BREAK(SERIAL,
		"\x02\x12\x01\x02\x03\x04\x05\x06\x07\x08\x09\x0a\x0b\x0c\x0d\x0e\x0f\x10\x11\x12",
		"serial_length");
	any.serial_len = 1;
	SET(&p, SERIAL, "\x02\x01\x00");
	assert_finding(&p, &any, "serial_range");
	any.serial_len = 0;
	SET(&p, SERIAL, "\x02\x07\x01\x02\x03\x04\x05\x06\x07");
	assert_finding(&p, &any, "serial_length");
	memcpy(element, long_serial, sizeof(long_serial));
	any.serial_len = 21;
	piece_set(&p, SERIAL, element, sizeof(element));
	assert_finding(&p, &any, "serial_range");
}

static void algorithms(void **state)
{
	CLEANUP_PIECES struct pieces p = pieces_good();

	BREAK(ALGORITHM, "\x30\x0a\x06\x08\x2a\x86\x48\xce\x3d\x04\x03\x03", "algorithm_identical");
	SET(&p, ALGORITHM, "\x30\x0c\x06\x08\x2a\x86\x48\xce\x3d\x04\x03\x02\x05\x00");
	SET(&p, OUTER_ALGORITHM, "\x30\x0c\x06\x08\x2a\x86\x48\xce\x3d\x04\x03\x02\x05\x00");
	assert_finding(&p, &lint_want, "algorithm_of_issuer");
	SET(&p, ALGORITHM, "\x30\x0a\x06\x08\x2a\x86\x48\xce\x3d\x04\x03\x03");
	SET(&p, OUTER_ALGORITHM, "\x30\x0a\x06\x08\x2a\x86\x48\xce\x3d\x04\x03\x03");
	assert_finding(&p, &lint_want, "algorithm_of_issuer");
}

/* The same leaf under issuers with other keys. */
static void algorithms_of_other_issuers(void **state)
{
	static const struct {
		const char *type, *algorithm;
		size_t len;
	} cases[] = {
		{"p384", "\x30\x0a\x06\x08\x2a\x86\x48\xce\x3d\x04\x03\x03", 12},
		{"p521", "\x30\x0a\x06\x08\x2a\x86\x48\xce\x3d\x04\x03\x04", 12},
		{"rsa2048", "\x30\x0d\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x01\x0b\x05\x00", 15},
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		CLEANUP_PIECES struct pieces ca = pieces_good();
		CLEANUP_PIECES struct pieces p = pieces_good();
		CLEANUP_BUF struct buf der = {0};
		struct lint_expectation other = lint_want;

		piece_set_spki(&ca, fixture_key(cases[i].type));
		SET(&ca, SUBJECT, ISSUER_NAME);
		SET_EXTENSION(&ca, EXTRA, OID_SUBJECT_KEY_IDENTIFIER, false, "\x04\x08" KEY_ID);
		pieces_assemble(&ca, &der);
		other.issuer = buf_bytes(&der);
		assert_finding(&p, &other, "algorithm_of_issuer");
		piece_set(&p, ALGORITHM, cases[i].algorithm, cases[i].len);
		piece_set(&p, OUTER_ALGORITHM, cases[i].algorithm, cases[i].len);
		assert_clean(&p, &other);
	}
}

static void issuer(void **state)
{
	/* The same name as a PrintableString. */
	BREAK(ISSUER,
		"\x30\x11\x31\x0f\x30\x0d\x06\x03\x55\x04\x03\x13\x06"
		"Issuer",
		"issuer");
	BREAK(ISSUER, "\x30\x00", "issuer");
}

static void validity(void **state)
{
	CLEANUP_PIECES struct pieces p = pieces_good();
	struct lint_expectation other = lint_want;

	/* The extra second; one too few; backwards. */
	BREAK(VALIDITY,
		"\x30\x1e\x17\x0d"
		"261121000000Z"
		"\x17\x0d"
		"270219000000Z",
		"validity_length");
	BREAK(VALIDITY,
		"\x30\x1e\x17\x0d"
		"261121000000Z"
		"\x17\x0d"
		"270218235958Z",
		"validity_length");
	BREAK(VALIDITY,
		"\x30\x1e\x17\x0d"
		"270218235959Z"
		"\x17\x0d"
		"261121000000Z",
		"validity_length");
	/* GeneralizedTime before 2050, no seconds, an offset, a fraction, no such date, no digit,
	 * something behind. */
	BREAK(VALIDITY,
		"\x30\x20\x18\x0f"
		"20261121000000Z"
		"\x17\x0d"
		"270218235959Z",
		"validity_encoding");
	BREAK(VALIDITY,
		"\x30\x1c\x17\x0b"
		"2611210000Z"
		"\x17\x0d"
		"270218235959Z",
		"validity_encoding");
	BREAK(VALIDITY,
		"\x30\x22\x17\x11"
		"261121000000+0000"
		"\x17\x0d"
		"270218235959Z",
		"validity_encoding");
	BREAK(VALIDITY,
		"\x30\x1e\x17\x0d"
		"260230000000Z"
		"\x17\x0d"
		"270218235959Z",
		"validity_encoding");
	BREAK(VALIDITY,
		"\x30\x1e\x17\x0d"
		"261121240000Z"
		"\x17\x0d"
		"270218235959Z",
		"validity_encoding");
	BREAK(VALIDITY,
		"\x30\x1e\x17\x0d"
		"261121000060Z"
		"\x17\x0d"
		"270218235959Z",
		"validity_encoding");
	BREAK(VALIDITY,
		"\x30\x1e\x17\x0d"
		"X61121000000Z"
		"\x17\x0d"
		"270218235959Z",
		"validity_encoding");
	BREAK(VALIDITY,
		"\x30\x1e\x17\x0d"
		"2611210000X0Z"
		"\x17\x0d"
		"270218235959Z",
		"validity_encoding");
	BREAK(VALIDITY,
		"\x30\x20\x17\x0d"
		"261121000000Z"
		"\x17\x0d"
		"270218235959Z\x05\x00",
		"validity_encoding");
	BREAK(VALIDITY,
		"\x30\x0f\x17\x0d"
		"261121000000Z",
		"validity_encoding");
	/* Beyond the issuer's 2050-01-01, which needs the other type. */
	other.validity_secs = 2 * 86400 + 1;
	SET(&p, VALIDITY,
		"\x30\x20\x17\x0d"
		"491231000000Z"
		"\x18\x0f"
		"20500102000000Z");
	assert_finding(&p, &other, "validity_within_issuer");
	SET(&p, VALIDITY,
		"\x30\x1e\x17\x0d"
		"491231000000Z"
		"\x17\x0d"
		"500102000000Z");
	assert_finding(&p, &other, "validity_length"); /* UTCTime's 50 is 1950 */
}

static void subject(void **state)
{
	CLEANUP_PIECES struct pieces p = pieces_good();
	struct lint_expectation named = lint_want;

	named.common_name = true;
	SET_EXTENSION(&p, SAN, OID_SUBJECT_ALT_NAME, false, SAN_VALUE);
	SET(&p, SUBJECT,
		"\x30\x14\x31\x12\x30\x10\x06\x03\x55\x04\x03\x0c\x09"
		"a.example");
	assert_finding(&p, &lint_want, "subject"); /* asked for an empty one */
	SET(&p, SUBJECT,
		"\x30\x14\x31\x12\x30\x10\x06\x03\x55\x04\x03\x0c\x09"
		"c.example");
	assert_finding(&p, &named, "common_name");
	SET(&p, SUBJECT,
		"\x30\x14\x31\x12\x30\x10\x06\x03\x55\x04\x03\x0c\x09"
		"A.example");
	assert_finding(&p, &named, "common_name");
	SET(&p, SUBJECT,
		"\x30\x14\x31\x12\x30\x10\x06\x03\x55\x04\x03\x16\x09"
		"a.example");
	assert_finding(&p, &named, "subject");
	SET(&p, SUBJECT,
		"\x30\x14\x31\x12\x30\x10\x06\x03\x55\x04\x0a\x0c\x09"
		"a.example");
	assert_finding(&p, &named, "subject");
	SET(&p, SUBJECT,
		"\x30\x28\x31\x12\x30\x10\x06\x03\x55\x04\x03\x0c\x09"
		"a.example"
		"\x31\x12\x30\x10\x06\x03\x55\x04\x03\x0c\x09"
		"a.example");
	assert_finding(&p, &named, "subject");
	SET(&p, SUBJECT, "\x30\x00");
	SET_EXTENSION(&p, SAN, OID_SUBJECT_ALT_NAME, true, SAN_VALUE);
	assert_finding(&p, &named, "subject");
}

static void spki(void **state)
{
	CLEANUP_PIECES struct pieces p = pieces_good();
	CLEANUP(EVP_PKEY_free) EVP_PKEY *explicit_key = EVP_PKEY_dup(fixture_key("p256"));
	struct lint_expectation any = lint_want;
	unsigned char *der = NULL;
	int len;

	piece_set_spki(&p, fixture_key("p384"));
	assert_finding(&p, &lint_want, "spki_expected");
	any.spki = bytes_of(NULL, 0);
	assert_clean(&p, &any);
	assert_int_equal(EVP_PKEY_set_utf8_string_param(explicit_key, OSSL_PKEY_PARAM_EC_ENCODING,
				 "explicit"),
		1);
	len = i2d_PUBKEY(explicit_key, &der);
	assert_true(len > 0);
	piece_set(&p, SPKI, der, (size_t)len);
	OPENSSL_free(der);
	assert_finding(&p, &any, "spki_encoding");
	piece_set_spki(&p, fixture_key("rsa1024"));
	assert_finding(&p, &any, "key_policy");
	piece_set_spki(&p, fixture_key("ed25519"));
	assert_finding(&p, &any, "key_policy");
	piece_set_spki(&p, fixture_key("p256"));
	p.at[SPKI].ptr[p.at[SPKI].len - 1] ^= 1;
	assert_finding(&p, &any, "key_policy");
	piece_set_spki(&p, fixture_other_key("p256"));
	assert_finding(&p, &any, "key_of_issuer");
}

static void unique_ids(void **state)
{
	BREAK(UNIQUE_ID, "\x81\x02\x00\x01", "unique_ids");
	BREAK(UNIQUE_ID, "\x82\x02\x00\x01", "unique_ids");
}

static void encoding_down_to_the_last_element(void **state)
{
	CLEANUP_PIECES struct pieces p = pieces_good();

	/* A length in the long form, and something behind the value, inside of an OCTET STRING. */
	SET_EXTENSION(&p, AKI, OID_AUTHORITY_KEY_IDENTIFIER, false, "\x30\x81\x0a\x80\x08" KEY_ID);
	assert_speaks(&p, "extension_value_der:");
	SET_EXTENSION(&p, AKI, OID_AUTHORITY_KEY_IDENTIFIER, false,
		"\x30\x0a\x80\x08" KEY_ID "\x05\x00");
	assert_speaks(&p, "extension_value_der:");
	SET_EXTENSION(&p, AKI, OID_AUTHORITY_KEY_IDENTIFIER, false, "\x30\x0a\x80\x08" KEY_ID);
	BREAK(SIGNATURE, "\x03\x09\x04\x30\x06\x02\x01\x01\x02\x01\x10", "signature_value");
	BREAK(SIGNATURE, "\x03\x01\x00", "signature_value");
	/* A serial with a padding octet breaks DER alone. */
	SET(&p, SERIAL,
		"\x02\x11\x00\x02\x03\x04\x05\x06\x07\x08\x09\x0a\x0b\x0c\x0d\x0e\x0f\x10\x11");
	assert_finding(&p, &lint_want, "der");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_good_certificate_is_clean),
		cmocka_unit_test(variants_of_the_profile_are_clean),
		cmocka_unit_test(rsa_keys_may_encipher),
		cmocka_unit_test(what_is_no_certificate_is_refused),
		cmocka_unit_test(no_flipped_bit_outside_random_parts_passes),
		cmocka_unit_test(a_broken_issuing_certificate_is_our_fault),
		cmocka_unit_test(version),
		cmocka_unit_test(serial),
		cmocka_unit_test(algorithms),
		cmocka_unit_test(algorithms_of_other_issuers),
		cmocka_unit_test(issuer),
		cmocka_unit_test(validity),
		cmocka_unit_test(subject),
		cmocka_unit_test(spki),
		cmocka_unit_test(unique_ids),
		cmocka_unit_test(encoding_down_to_the_last_element),
	};

	return cmocka_run_group_tests(tests, lint_group_setup, lint_group_teardown);
}
