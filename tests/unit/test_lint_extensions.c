/* test_lint_extensions.c — each rule about the extensions broken once or more. */
#include "tests/unit/lint_pieces.h"

#include "lib/pki/der.h"

static void extensions_at_large(void **state)
{
	CLEANUP_PIECES struct pieces p = pieces_good();

	BREAK_EXTENSION(EXTRA, OID_SUBJECT_KEY_IDENTIFIER, false, "\x04\x08" KEY_ID,
		"no_subject_key_identifier");
	BREAK_EXTENSION(EXTRA, OID_TLS_FEATURE, false, "\x30\x03\x02\x01\x05", "extension_known");
	BREAK_EXTENSION(EXTRA, OID_NAME_CONSTRAINTS, true, "\x30\x00", "extension_known");
	BREAK_EXTENSION(EXTRA, OID_KEY_USAGE, true, "\x03\x02\x07\x80", "extension_unique");
	BREAK_EXTENSION(EXTRA, OID_SUBJECT_ALT_NAME, true, SAN_VALUE, "extension_unique");
	/* critical FALSE in writing; critical TRUE as 1. */
	SET(&p, EKU,
		"\x30\x16\x06\x03\x55\x1d\x25\x01\x01\x00\x04\x0c\x30\x0a\x06\x08\x2b\x06\x01\x05"
		"\x05\x07\x03\x01");
	assert_speaks(&p, "boolean_default:");
	BREAK(BASIC, "\x30\x0c\x06\x03\x55\x1d\x13\x01\x01\x01\x04\x02\x30\x00", "boolean_default");
}

static void subject_alt_name(void **state)
{
	CLEANUP_PIECES struct pieces p = pieces_good();
	struct lint_expectation one = lint_want;
	static const char *const bad[] = {"A.example", "a_b.example", "-a.example", "a-.example",
		"a..example", ".example", "a.example.", "example", "*.example.*", "a*.example",
		"*.com", "1.2.3.4", "ab--c.example", "a b.example",
		"0123456789012345678901234567890123456789012345678901234567890123.example", "*"};

	BREAK(SAN, "", "san_critical");
	BREAK_EXTENSION(SAN, OID_SUBJECT_ALT_NAME, false, SAN_VALUE, "san_critical");
	BREAK_EXTENSION(SAN, OID_SUBJECT_ALT_NAME, true,
		"\x30\x1e\x82\x09"
		"a.example"
		"\x82\x0b"
		"*.b.example"
		"\x87\x04\x7f\x01\x01\x01",
		"san_dns_only");
	BREAK_EXTENSION(SAN, OID_SUBJECT_ALT_NAME, true,
		"\x30\x23\x82\x09"
		"a.example"
		"\x82\x0b"
		"*.b.example"
		"\x81\x09"
		"a@example",
		"san_dns_only");
	BREAK_EXTENSION(SAN, OID_SUBJECT_ALT_NAME, true,
		"\x30\x0b\x82\x09"
		"a.example",
		"san_expected");
	BREAK_EXTENSION(SAN, OID_SUBJECT_ALT_NAME, true,
		"\x30\x18\x82\x09"
		"a.example"
		"\x82\x0b"
		"*.c.example",
		"san_expected");
	one.nnames = 1;
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		CLEANUP_BUF struct buf san = {0};
		size_t mark = der_begin(&san, DER_SEQUENCE);

		fixture_dns_name(&san, bad[i]);
		der_end(&san, mark);
		piece_set_extension(&p, SAN, OID_SUBJECT_ALT_NAME, true, buf_bytes(&san));
		one.names = &bad[i];
		assert_finding(&p, &one, "san_syntax");
	}
	{
		static const char *const twice[] = {"a.example", "a.example"};

		SET_EXTENSION(&p, SAN, OID_SUBJECT_ALT_NAME, true,
			"\x30\x16\x82\x09"
			"a.example"
			"\x82\x09"
			"a.example");
		one.names = twice;
		one.nnames = 2;
		assert_finding(&p, &one, "san_unique");
	}
}

static void authority_key_identifier(void **state)
{
	BREAK(AKI, "", "authority_key_identifier");
	BREAK_EXTENSION(AKI, OID_AUTHORITY_KEY_IDENTIFIER, true, "\x30\x0a\x80\x08" KEY_ID,
		"authority_key_identifier");
	BREAK_EXTENSION(AKI, OID_AUTHORITY_KEY_IDENTIFIER, false,
		"\x30\x0a\x80\x08\x01\x02\x03\x04\x05\x06\x07\x09", "authority_key_identifier");
	BREAK_EXTENSION(AKI, OID_AUTHORITY_KEY_IDENTIFIER, false,
		"\x30\x0d\x80\x08" KEY_ID "\x82\x01\x01", "authority_key_identifier");
	BREAK_EXTENSION(AKI, OID_AUTHORITY_KEY_IDENTIFIER, false, "\x30\x00",
		"authority_key_identifier");
}

static void extended_key_usage(void **state)
{
	BREAK(EKU, "", "ext_key_usage");
	BREAK_EXTENSION(EKU, OID_EXT_KEY_USAGE, true,
		"\x30\x0a\x06\x08\x2b\x06\x01\x05\x05\x07\x03\x01", "ext_key_usage");
	BREAK_EXTENSION(EKU, OID_EXT_KEY_USAGE, false,
		"\x30\x0a\x06\x08\x2b\x06\x01\x05\x05\x07\x03\x02", "ext_key_usage");
	BREAK_EXTENSION(EKU, OID_EXT_KEY_USAGE, false,
		"\x30\x14\x06\x08\x2b\x06\x01\x05\x05\x07\x03\x01\x06\x08\x2b\x06\x01\x05\x05\x07"
		"\x03\x02",
		"ext_key_usage");
	/* An empty list once crashed a CA (CVE-2026-40097). */
	BREAK_EXTENSION(EKU, OID_EXT_KEY_USAGE, false, "\x30\x00", "ext_key_usage");
}

static void key_usage(void **state)
{
	BREAK(KEY_USAGE, "", "key_usage");
	BREAK_EXTENSION(KEY_USAGE, OID_KEY_USAGE, false, "\x03\x02\x07\x80", "key_usage");
	BREAK_EXTENSION(KEY_USAGE, OID_KEY_USAGE, true, "\x03\x02\x05\xa0",
		"key_usage"); /* keyEncipherment with EC */
	BREAK_EXTENSION(KEY_USAGE, OID_KEY_USAGE, true, "\x03\x02\x02\x84",
		"key_usage"); /* keyCertSign */
	BREAK_EXTENSION(KEY_USAGE, OID_KEY_USAGE, true, "\x03\x02\x00\x80",
		"key_usage"); /* trailing zero bits */
	BREAK_EXTENSION(KEY_USAGE, OID_KEY_USAGE, true, "\x03\x03\x07\x80\x00", "key_usage");
	BREAK_EXTENSION(KEY_USAGE, OID_KEY_USAGE, true, "\x03\x01\x00", "key_usage");
}

static void basic_constraints(void **state)
{
	BREAK_EXTENSION(BASIC, OID_BASIC_CONSTRAINTS, false, "\x30\x00", "basic_constraints");
	BREAK_EXTENSION(BASIC, OID_BASIC_CONSTRAINTS, true, "\x30\x03\x01\x01\xff",
		"basic_constraints");
	BREAK_EXTENSION(BASIC, OID_BASIC_CONSTRAINTS, true, "\x30\x03\x01\x01\x00",
		"basic_constraints"); /* DEFAULT */
}

static void certificate_policies(void **state)
{
	BREAK(POLICIES, "", "certificate_policies");
	BREAK_EXTENSION(POLICIES, OID_CERTIFICATE_POLICIES, true,
		"\x30\x0a\x30\x08\x06\x06\x67\x81\x0c\x01\x02\x01", "certificate_policies");
	BREAK_EXTENSION(POLICIES, OID_CERTIFICATE_POLICIES, false,
		"\x30\x0a\x30\x08\x06\x06\x67\x81\x0c\x01\x02\x02", "certificate_policies");
	BREAK_EXTENSION(POLICIES, OID_CERTIFICATE_POLICIES, false,
		"\x30\x14\x30\x08\x06\x06\x67\x81\x0c\x01\x02\x01\x30\x08\x06\x06\x67\x81\x0c\x01"
		"\x02\x02",
		"certificate_policies");
	BREAK_EXTENSION(POLICIES, OID_CERTIFICATE_POLICIES, false,
		"\x30\x10\x30\x04\x06\x02\x2a\x03\x30\x08\x06\x06\x67\x81\x0c\x01\x02\x01",
		"certificate_policies");
	BREAK_EXTENSION(POLICIES, OID_CERTIFICATE_POLICIES, false,
		"\x30\x0c\x30\x0a\x06\x06\x67\x81\x0c\x01\x02\x01\x30\x00", "certificate_policies");
	BREAK_EXTENSION(POLICIES, OID_CERTIFICATE_POLICIES, false, "\x30\x00",
		"certificate_policies");
}

static void authority_info_access(void **state)
{
	CLEANUP_PIECES struct pieces p = pieces_good();
	struct lint_expectation none = lint_want;

	BREAK(AIA, "", "authority_info_access");
	BREAK_EXTENSION(AIA, OID_AUTHORITY_INFO_ACCESS, true,
		"\x30\x2b\x30\x29\x06\x08\x2b\x06\x01\x05\x05\x07\x30\x02\x86\x1d"
		"http://pki.example/issuer.cer",
		"authority_info_access");
	BREAK_EXTENSION(AIA, OID_AUTHORITY_INFO_ACCESS, false,
		"\x30\x2b\x30\x29\x06\x08\x2b\x06\x01\x05\x05\x07\x30\x01\x86\x1d"
		"http://pki.example/issuer.cer",
		"authority_info_access");
	BREAK_EXTENSION(AIA, OID_AUTHORITY_INFO_ACCESS, false,
		"\x30\x2b\x30\x29\x06\x08\x2b\x06\x01\x05\x05\x07\x30\x02\x86\x1d"
		"http://pki.example/issuer.crt",
		"authority_info_access");
	BREAK_EXTENSION(AIA, OID_AUTHORITY_INFO_ACCESS, false, "\x30\x00", "authority_info_access");
	none.ca_issuers_url = NULL;
	assert_finding(&p, &none, "authority_info_access");
}

static void crl_distribution_points(void **state)
{
	CLEANUP_PIECES struct pieces p = pieces_good();
	struct lint_expectation other = lint_want;

	BREAK(CRLDP, "", "crl_distribution_points");
	BREAK_EXTENSION(CRLDP, OID_CRL_DISTRIBUTION_POINTS, true,
		"\x30\x20\x30\x1e\xa0\x1c\xa0\x1a\x86\x18"
		"http://pki.example/crl/1",
		"crl_distribution_points");
	BREAK_EXTENSION(CRLDP, OID_CRL_DISTRIBUTION_POINTS, false,
		"\x30\x20\x30\x1e\xa0\x1c\xa0\x1a\x86\x18"
		"http://pki.example/crl/2",
		"crl_distribution_points");
	/* Two points, two names, reasons. */
	BREAK_EXTENSION(CRLDP, OID_CRL_DISTRIBUTION_POINTS, false,
		"\x30\x40\x30\x1e\xa0\x1c\xa0\x1a\x86\x18"
		"http://pki.example/crl/1"
		"\x30\x1e\xa0\x1c\xa0\x1a\x86\x18"
		"http://pki.example/crl/1",
		"crl_distribution_points");
	BREAK_EXTENSION(CRLDP, OID_CRL_DISTRIBUTION_POINTS, false,
		"\x30\x24\x30\x22\xa0\x1c\xa0\x1a\x86\x18"
		"http://pki.example/crl/1"
		"\x81\x02\x05\x60",
		"crl_distribution_points");
	other.crl_url = NULL;
	assert_finding(&p, &other, "crl_distribution_points");
}

static void locations_are_http(void **state)
{
	CLEANUP_PIECES struct pieces p = pieces_good();
	struct lint_expectation other = lint_want;

	SET_EXTENSION(&p, CRLDP, OID_CRL_DISTRIBUTION_POINTS, false,
		"\x30\x20\x30\x1e\xa0\x1c\xa0\x1a\x86\x18"
		"https://pki.example/crl1");
	other.crl_url = "https://pki.example/crl1";
	assert_finding(&p, &other, "locations_http");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(extensions_at_large),
		cmocka_unit_test(subject_alt_name),
		cmocka_unit_test(authority_key_identifier),
		cmocka_unit_test(extended_key_usage),
		cmocka_unit_test(key_usage),
		cmocka_unit_test(basic_constraints),
		cmocka_unit_test(certificate_policies),
		cmocka_unit_test(authority_info_access),
		cmocka_unit_test(crl_distribution_points),
		cmocka_unit_test(locations_are_http),
	};

	return cmocka_run_group_tests(tests, lint_group_setup, lint_group_teardown);
}
