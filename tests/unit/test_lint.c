/* test_lint.c — one good certificate, and each rule broken by replacing one of its pieces: the rule must say so, and no other
 * may (but for OpenSSL's and DER's own, which may see the same defect). */
#include "tests/unit/pki_fixture.h"

#include <openssl/core_names.h>
#include <stdio.h>

#include "lib/pki/der.h"
#include "lib/pki/lint.h"
#include "lib/pki/oid.h"
#include "lib/pki/pubkey.h"

enum piece { VERSION_3, SERIAL, ALGORITHM, ISSUER, VALIDITY, SUBJECT, SPKI, UNIQUE_ID, AKI, AIA, CRLDP, POLICIES, KEY_USAGE, EKU,
	BASIC, SAN, EXTRA, OUTER_ALGORITHM, SIGNATURE, PIECES };

struct pieces { /* whole elements; an empty buffer is left out */
	struct buf at[PIECES];
};

static struct buf issuing;
static struct buf spki_p256;

static const char *const names[] = {"a.example", "*.b.example"};

static struct lint_expectation want = {
	.validity_secs = 90 * 86400,
	.serial_len = 17,
	.names = names,
	.nnames = 2,
	.ca_issuers_url = "http://pki.example/issuer.cer",
	.crl_url = "http://pki.example/crl/1",
};

static void set(struct pieces *p, enum piece i, const void *ptr, size_t len)
{
	buf_reset(&p->at[i]);
	buf_add(&p->at[i], ptr, len);
}
#define SET(p, i, literal) set((p), (i), (literal), sizeof(literal) - 1)

static void set_extension(struct pieces *p, enum piece i, struct bytes oid, bool critical, struct bytes value)
{
	buf_reset(&p->at[i]);
	fixture_extension(&p->at[i], oid, critical, value);
}
#define SET_EXTENSION(p, i, oid, critical, literal)                                                                    \
	set_extension((p), (i), (oid), (critical), bytes_of((literal), sizeof(literal) - 1))

static void pieces_done(struct pieces *p)
{
	for (size_t i = 0; i < PIECES; i++)
		buf_done(&p->at[i]);
}
#define CLEANUP_PIECES __attribute__((cleanup(pieces_done)))

static void set_spki(struct pieces *p, EVP_PKEY *key)
{
	struct pubkey numbers;

	assert_int_equal(pubkey_from_evp(key, &numbers), OK);
	buf_reset(&p->at[SPKI]);
	pubkey_put_spki(&numbers, &p->at[SPKI]);
}

#define ECDSA_SHA256 "\x30\x0a\x06\x08\x2a\x86\x48\xce\x3d\x04\x03\x02"
#define ISSUER_NAME "\x30\x11\x31\x0f\x30\x0d\x06\x03\x55\x04\x03\x0c\x06" "Issuer"
#define KEY_ID "\x01\x02\x03\x04\x05\x06\x07\x08"
#define SAN_VALUE "\x30\x18\x82\x09" "a.example" "\x82\x0b" "*.b.example"

static struct pieces good(void)
{
	struct pieces p = {0};

	SET(&p, VERSION_3, "\xa0\x03\x02\x01\x02");
	SET(&p, SERIAL, "\x02\x11\x01\x02\x03\x04\x05\x06\x07\x08\x09\x0a\x0b\x0c\x0d\x0e\x0f\x10\x11");
	SET(&p, ALGORITHM, ECDSA_SHA256);
	SET(&p, ISSUER, ISSUER_NAME);
	SET(&p, VALIDITY, "\x30\x1e\x17\x0d" "261121000000Z" "\x17\x0d" "270218235959Z");
	SET(&p, SUBJECT, "\x30\x00");
	set(&p, SPKI, spki_p256.ptr, spki_p256.len);
	SET_EXTENSION(&p, KEY_USAGE, OID_KEY_USAGE, true, "\x03\x02\x07\x80");
	SET_EXTENSION(&p, EKU, OID_EXT_KEY_USAGE, false, "\x30\x0a\x06\x08\x2b\x06\x01\x05\x05\x07\x03\x01");
	SET_EXTENSION(&p, BASIC, OID_BASIC_CONSTRAINTS, true, "\x30\x00");
	SET_EXTENSION(&p, AKI, OID_AUTHORITY_KEY_IDENTIFIER, false, "\x30\x0a\x80\x08" KEY_ID);
	SET_EXTENSION(&p, AIA, OID_AUTHORITY_INFO_ACCESS, false,
		"\x30\x2b\x30\x29\x06\x08\x2b\x06\x01\x05\x05\x07\x30\x02\x86\x1d" "http://pki.example/issuer.cer");
	SET_EXTENSION(&p, CRLDP, OID_CRL_DISTRIBUTION_POINTS, false,
		"\x30\x20\x30\x1e\xa0\x1c\xa0\x1a\x86\x18" "http://pki.example/crl/1");
	SET_EXTENSION(&p, POLICIES, OID_CERTIFICATE_POLICIES, false, "\x30\x0a\x30\x08\x06\x06\x67\x81\x0c\x01\x02\x01");
	SET_EXTENSION(&p, SAN, OID_SUBJECT_ALT_NAME, true, SAN_VALUE);
	SET(&p, OUTER_ALGORITHM, ECDSA_SHA256);
	SET(&p, SIGNATURE, "\x03\x09\x00\x30\x06\x02\x01\x01\x02\x01\x01");
	return p;
}

static void assemble(const struct pieces *p, struct buf *out)
{
	size_t certificate = der_begin(out, DER_SEQUENCE), tbs = der_begin(out, DER_SEQUENCE), outer, list;

	for (enum piece i = VERSION_3; i < AKI; i++)
		buf_add(out, p->at[i].ptr, p->at[i].len);
	outer = der_begin(out, 0xa3);
	list = der_begin(out, DER_SEQUENCE);
	for (enum piece i = AKI; i <= EXTRA; i++)
		buf_add(out, p->at[i].ptr, p->at[i].len);
	der_end(out, list);
	der_end(out, outer);
	der_end(out, tbs);
	buf_add(out, p->at[OUTER_ALGORITHM].ptr, p->at[OUTER_ALGORITHM].len);
	buf_add(out, p->at[SIGNATURE].ptr, p->at[SIGNATURE].len);
	der_end(out, certificate);
}

static void assert_clean(const struct pieces *p, const struct lint_expectation *expect)
{
	CLEANUP_BUF struct buf der = {0};
	CLEANUP_BUF struct buf findings = {0};

	assemble(p, &der);
	if (lint_certificate(buf_bytes(&der), expect, &findings) != OK)
		fail_msg("findings: %s", buf_str(&findings));
	assert_int_equal(findings.len, 0);
}

/* Exactly this rule is broken; "der" and "openssl" may be, too. */
static void assert_finding(const struct pieces *p, const struct lint_expectation *expect, const char *rule)
{
	CLEANUP_BUF struct buf der = {0};
	CLEANUP_BUF struct buf findings = {0};
	bool seen = false;
	char *save = NULL;

	assemble(p, &der);
	assert_int_equal(lint_certificate(buf_bytes(&der), expect, &findings), ERR_SYNTAX);
	for (char *line = strtok_r((char *)findings.ptr, "\n", &save); line != NULL; line = strtok_r(NULL, "\n", &save)) {
		size_t len = strcspn(line, ":");

		if (strlen(rule) == len && strncmp(line, rule, len) == 0)
			seen = true;
		else if (strncmp(line, "der:", 4) != 0 && strncmp(line, "openssl:", 8) != 0)
			fail_msg("unexpected: %s (while breaking %s)", line, rule);
	}
	if (!seen)
		fail_msg("%s did not speak", rule);
}

/* This rule is broken, maybe among others. */
static void assert_speaks(const struct pieces *p, const char *rule)
{
	CLEANUP_BUF struct buf der = {0};
	CLEANUP_BUF struct buf findings = {0};

	assemble(p, &der);
	assert_int_equal(lint_certificate(buf_bytes(&der), &want, &findings), ERR_SYNTAX);
	if (strstr(buf_str(&findings), rule) == NULL)
		fail_msg("%s did not speak: %s", rule, buf_str(&findings));
}

/* The good certificate with one piece replaced. */
static void assert_broken(enum piece i, struct bytes replacement, const char *rule)
{
	CLEANUP_PIECES struct pieces p = good();

	set(&p, i, replacement.ptr, replacement.len);
	assert_finding(&p, &want, rule);
}
#define BREAK(i, literal, rule) assert_broken((i), bytes_of((literal), sizeof(literal) - 1), (rule))

static void break_extension(enum piece i, struct bytes oid, bool critical, struct bytes value, const char *rule)
{
	CLEANUP_PIECES struct pieces p = good();

	set_extension(&p, i, oid, critical, value);
	assert_finding(&p, &want, rule);
}
#define BREAK_EXTENSION(i, oid, critical, literal, rule)                                                               \
	break_extension((i), (oid), (critical), bytes_of((literal), sizeof(literal) - 1), (rule))

static int make_issuer(void **state)
{
	CLEANUP_PIECES struct pieces p = {0};
	struct pubkey numbers;

	assert_int_equal(pubkey_from_evp(fixture_key("p256"), &numbers), OK);
	pubkey_put_spki(&numbers, &spki_p256);
	p = good();
	set_spki(&p, fixture_other_key("p256"));
	SET(&p, SUBJECT, ISSUER_NAME);
	SET(&p, VALIDITY, "\x30\x20\x17\x0d" "200101000000Z" "\x18\x0f" "20500101000000Z");
	SET_EXTENSION(&p, EXTRA, OID_SUBJECT_KEY_IDENTIFIER, false, "\x04\x08" KEY_ID);
	assemble(&p, &issuing);
	want.issuer = buf_bytes(&issuing);
	want.spki = buf_bytes(&spki_p256);
	return 0;
}

static int free_issuer(void **state)
{
	buf_done(&issuing);
	buf_done(&spki_p256);
	return 0;
}

static void the_good_certificate_is_clean(void **state)
{
	CLEANUP_PIECES struct pieces p = good();

	assert_clean(&p, &want);
}

static void variants_of_the_profile_are_clean(void **state)
{
	CLEANUP_PIECES struct pieces p = good();
	struct lint_expectation other = want;

	/* A subject; no basicConstraints; no URLs; clientAuth; OCSP. */
	SET(&p, SUBJECT, "\x30\x14\x31\x12\x30\x10\x06\x03\x55\x04\x03\x0c\x09" "a.example");
	SET_EXTENSION(&p, SAN, OID_SUBJECT_ALT_NAME, false, SAN_VALUE);
	SET(&p, BASIC, "");
	SET(&p, CRLDP, "");
	SET_EXTENSION(&p, AIA, OID_AUTHORITY_INFO_ACCESS, false,
		"\x30\x11\x30\x0f\x06\x08\x2b\x06\x01\x05\x05\x07\x30\x01\x86\x03" "o:/");
	SET_EXTENSION(&p, EKU, OID_EXT_KEY_USAGE, false,
		"\x30\x14\x06\x08\x2b\x06\x01\x05\x05\x07\x03\x01\x06\x08\x2b\x06\x01\x05\x05\x07\x03\x02");
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
	CLEANUP_PIECES struct pieces p = good();
	struct lint_expectation rsa = want;

	set_spki(&p, fixture_key("rsa2048"));
	rsa.spki = buf_bytes(&p.at[SPKI]);
	assert_clean(&p, &rsa);
	SET_EXTENSION(&p, KEY_USAGE, OID_KEY_USAGE, true, "\x03\x02\x05\xa0");
	assert_clean(&p, &rsa);
}

static void what_is_no_certificate_is_refused(void **state)
{
	CLEANUP_PIECES struct pieces p = good();
	CLEANUP_BUF struct buf der = {0};
	CLEANUP_BUF struct buf findings = {0};

	assemble(&p, &der);
	for (size_t len = 0; len < der.len; len++) {
		buf_reset(&findings);
		assert_int_equal(lint_certificate(bytes_of(der.ptr, len), &want, &findings), ERR_SYNTAX);
		assert_non_null(strstr(buf_str(&findings), "structure:"));
	}
	buf_add_byte(&der, 0);
	assert_int_equal(lint_certificate(buf_bytes(&der), &want, &findings), ERR_SYNTAX);
}

static void no_flipped_bit_outside_random_parts_passes(void **state)
{
	CLEANUP_PIECES struct pieces p = good();
	CLEANUP_BUF struct buf der = {0};
	size_t serial = 4 + 4 + 5 + 2, passed = 0;

	assemble(&p, &der);
	for (size_t i = 0; i < der.len; i++) {
		for (uint8_t bit = 1; bit != 0; bit = (uint8_t)(bit << 1)) {
			CLEANUP_BUF struct buf findings = {0};
			int r;

			der.ptr[i] ^= bit;
			r = lint_certificate(buf_bytes(&der), &want, &findings);
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
	CLEANUP_PIECES struct pieces p = good();
	CLEANUP_BUF struct buf der = {0};
	CLEANUP_BUF struct buf findings = {0};
	struct lint_expectation other = want;

	assemble(&p, &der);
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
	CLEANUP_PIECES struct pieces p = good();
	struct lint_expectation any = want;

	BREAK(SERIAL, "\x02\x11\x81\x02\x03\x04\x05\x06\x07\x08\x09\x0a\x0b\x0c\x0d\x0e\x0f\x10\x11", "serial_range");
	BREAK(SERIAL, "\x02\x10\x01\x02\x03\x04\x05\x06\x07\x08\x09\x0a\x0b\x0c\x0d\x0e\x0f\x10", "serial_length");
	BREAK(SERIAL, "\x02\x12\x01\x02\x03\x04\x05\x06\x07\x08\x09\x0a\x0b\x0c\x0d\x0e\x0f\x10\x11\x12", "serial_length");
	any.serial_len = 1;
	SET(&p, SERIAL, "\x02\x01\x00");
	assert_finding(&p, &any, "serial_range");
	any.serial_len = 0;
	SET(&p, SERIAL, "\x02\x07\x01\x02\x03\x04\x05\x06\x07");
	assert_finding(&p, &any, "serial_length");
	memcpy(element, long_serial, sizeof(long_serial));
	any.serial_len = 21;
	set(&p, SERIAL, element, sizeof(element));
	assert_finding(&p, &any, "serial_range");
}

static void algorithms(void **state)
{
	CLEANUP_PIECES struct pieces p = good();

	BREAK(ALGORITHM, "\x30\x0a\x06\x08\x2a\x86\x48\xce\x3d\x04\x03\x03", "algorithm_identical");
	SET(&p, ALGORITHM, "\x30\x0c\x06\x08\x2a\x86\x48\xce\x3d\x04\x03\x02\x05\x00");
	SET(&p, OUTER_ALGORITHM, "\x30\x0c\x06\x08\x2a\x86\x48\xce\x3d\x04\x03\x02\x05\x00");
	assert_finding(&p, &want, "algorithm_of_issuer");
	SET(&p, ALGORITHM, "\x30\x0a\x06\x08\x2a\x86\x48\xce\x3d\x04\x03\x03");
	SET(&p, OUTER_ALGORITHM, "\x30\x0a\x06\x08\x2a\x86\x48\xce\x3d\x04\x03\x03");
	assert_finding(&p, &want, "algorithm_of_issuer");
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
		CLEANUP_PIECES struct pieces ca = good();
		CLEANUP_PIECES struct pieces p = good();
		CLEANUP_BUF struct buf der = {0};
		struct lint_expectation other = want;

		set_spki(&ca, fixture_key(cases[i].type));
		SET(&ca, SUBJECT, ISSUER_NAME);
		SET_EXTENSION(&ca, EXTRA, OID_SUBJECT_KEY_IDENTIFIER, false, "\x04\x08" KEY_ID);
		assemble(&ca, &der);
		other.issuer = buf_bytes(&der);
		assert_finding(&p, &other, "algorithm_of_issuer");
		set(&p, ALGORITHM, cases[i].algorithm, cases[i].len);
		set(&p, OUTER_ALGORITHM, cases[i].algorithm, cases[i].len);
		assert_clean(&p, &other);
	}
}

static void issuer(void **state)
{
	/* The same name as a PrintableString. */
	BREAK(ISSUER, "\x30\x11\x31\x0f\x30\x0d\x06\x03\x55\x04\x03\x13\x06" "Issuer", "issuer");
	BREAK(ISSUER, "\x30\x00", "issuer");
}

static void validity(void **state)
{
	CLEANUP_PIECES struct pieces p = good();
	struct lint_expectation other = want;

	/* The extra second; one too few; backwards. */
	BREAK(VALIDITY, "\x30\x1e\x17\x0d" "261121000000Z" "\x17\x0d" "270219000000Z", "validity_length");
	BREAK(VALIDITY, "\x30\x1e\x17\x0d" "261121000000Z" "\x17\x0d" "270218235958Z", "validity_length");
	BREAK(VALIDITY, "\x30\x1e\x17\x0d" "270218235959Z" "\x17\x0d" "261121000000Z", "validity_length");
	/* GeneralizedTime before 2050, no seconds, an offset, a fraction, no such date, no digit, something behind. */
	BREAK(VALIDITY, "\x30\x20\x18\x0f" "20261121000000Z" "\x17\x0d" "270218235959Z", "validity_encoding");
	BREAK(VALIDITY, "\x30\x1c\x17\x0b" "2611210000Z" "\x17\x0d" "270218235959Z", "validity_encoding");
	BREAK(VALIDITY, "\x30\x22\x17\x11" "261121000000+0000" "\x17\x0d" "270218235959Z", "validity_encoding");
	BREAK(VALIDITY, "\x30\x1e\x17\x0d" "260230000000Z" "\x17\x0d" "270218235959Z", "validity_encoding");
	BREAK(VALIDITY, "\x30\x1e\x17\x0d" "261121240000Z" "\x17\x0d" "270218235959Z", "validity_encoding");
	BREAK(VALIDITY, "\x30\x1e\x17\x0d" "261121000060Z" "\x17\x0d" "270218235959Z", "validity_encoding");
	BREAK(VALIDITY, "\x30\x1e\x17\x0d" "X61121000000Z" "\x17\x0d" "270218235959Z", "validity_encoding");
	BREAK(VALIDITY, "\x30\x1e\x17\x0d" "2611210000X0Z" "\x17\x0d" "270218235959Z", "validity_encoding");
	BREAK(VALIDITY, "\x30\x20\x17\x0d" "261121000000Z" "\x17\x0d" "270218235959Z\x05\x00", "validity_encoding");
	BREAK(VALIDITY, "\x30\x0f\x17\x0d" "261121000000Z", "validity_encoding");
	/* Beyond the issuer's 2050-01-01, which needs the other type. */
	other.validity_secs = 2 * 86400 + 1;
	SET(&p, VALIDITY, "\x30\x20\x17\x0d" "491231000000Z" "\x18\x0f" "20500102000000Z");
	assert_finding(&p, &other, "validity_within_issuer");
	SET(&p, VALIDITY, "\x30\x1e\x17\x0d" "491231000000Z" "\x17\x0d" "500102000000Z");
	assert_finding(&p, &other, "validity_length"); /* UTCTime's 50 is 1950 */
}

static void subject(void **state)
{
	CLEANUP_PIECES struct pieces p = good();
	struct lint_expectation named = want;

	named.common_name = true;
	SET_EXTENSION(&p, SAN, OID_SUBJECT_ALT_NAME, false, SAN_VALUE);
	SET(&p, SUBJECT, "\x30\x14\x31\x12\x30\x10\x06\x03\x55\x04\x03\x0c\x09" "a.example");
	assert_finding(&p, &want, "subject"); /* asked for an empty one */
	SET(&p, SUBJECT, "\x30\x14\x31\x12\x30\x10\x06\x03\x55\x04\x03\x0c\x09" "c.example");
	assert_finding(&p, &named, "common_name");
	SET(&p, SUBJECT, "\x30\x14\x31\x12\x30\x10\x06\x03\x55\x04\x03\x0c\x09" "A.example");
	assert_finding(&p, &named, "common_name");
	SET(&p, SUBJECT, "\x30\x14\x31\x12\x30\x10\x06\x03\x55\x04\x03\x16\x09" "a.example");
	assert_finding(&p, &named, "subject");
	SET(&p, SUBJECT, "\x30\x14\x31\x12\x30\x10\x06\x03\x55\x04\x0a\x0c\x09" "a.example");
	assert_finding(&p, &named, "subject");
	SET(&p, SUBJECT, "\x30\x28\x31\x12\x30\x10\x06\x03\x55\x04\x03\x0c\x09" "a.example"
			 "\x31\x12\x30\x10\x06\x03\x55\x04\x03\x0c\x09" "a.example");
	assert_finding(&p, &named, "subject");
	SET(&p, SUBJECT, "\x30\x00");
	SET_EXTENSION(&p, SAN, OID_SUBJECT_ALT_NAME, true, SAN_VALUE);
	assert_finding(&p, &named, "subject");
}

static void spki(void **state)
{
	CLEANUP_PIECES struct pieces p = good();
	CLEANUP(EVP_PKEY_free) EVP_PKEY *explicit_key = EVP_PKEY_dup(fixture_key("p256"));
	struct lint_expectation any = want;
	unsigned char *der = NULL;
	int len;

	set_spki(&p, fixture_key("p384"));
	assert_finding(&p, &want, "spki_expected");
	any.spki = bytes_of(NULL, 0);
	assert_clean(&p, &any);
	assert_int_equal(EVP_PKEY_set_utf8_string_param(explicit_key, OSSL_PKEY_PARAM_EC_ENCODING, "explicit"), 1);
	len = i2d_PUBKEY(explicit_key, &der);
	assert_true(len > 0);
	set(&p, SPKI, der, (size_t)len);
	OPENSSL_free(der);
	assert_finding(&p, &any, "spki_encoding");
	set_spki(&p, fixture_key("rsa1024"));
	assert_finding(&p, &any, "key_policy");
	set_spki(&p, fixture_key("ed25519"));
	assert_finding(&p, &any, "key_policy");
	set_spki(&p, fixture_key("p256"));
	p.at[SPKI].ptr[p.at[SPKI].len - 1] ^= 1;
	assert_finding(&p, &any, "key_policy");
	set_spki(&p, fixture_other_key("p256"));
	assert_finding(&p, &any, "key_of_issuer");
}

static void unique_ids(void **state)
{
	BREAK(UNIQUE_ID, "\x81\x02\x00\x01", "unique_ids");
	BREAK(UNIQUE_ID, "\x82\x02\x00\x01", "unique_ids");
}

static void extensions_at_large(void **state)
{
	CLEANUP_PIECES struct pieces p = good();

	BREAK_EXTENSION(EXTRA, OID_SUBJECT_KEY_IDENTIFIER, false, "\x04\x08" KEY_ID, "no_subject_key_identifier");
	BREAK_EXTENSION(EXTRA, OID_TLS_FEATURE, false, "\x30\x03\x02\x01\x05", "extension_known");
	BREAK_EXTENSION(EXTRA, OID_NAME_CONSTRAINTS, true, "\x30\x00", "extension_known");
	BREAK_EXTENSION(EXTRA, OID_KEY_USAGE, true, "\x03\x02\x07\x80", "extension_unique");
	BREAK_EXTENSION(EXTRA, OID_SUBJECT_ALT_NAME, true, SAN_VALUE, "extension_unique");
	/* critical FALSE in writing; critical TRUE as 1. */
	SET(&p, EKU, "\x30\x16\x06\x03\x55\x1d\x25\x01\x01\x00\x04\x0c\x30\x0a\x06\x08\x2b\x06\x01\x05\x05\x07\x03\x01");
	assert_speaks(&p, "boolean_default:");
	BREAK(BASIC, "\x30\x0c\x06\x03\x55\x1d\x13\x01\x01\x01\x04\x02\x30\x00", "boolean_default");
}

static void subject_alt_name(void **state)
{
	CLEANUP_PIECES struct pieces p = good();
	struct lint_expectation one = want;
	static const char *const bad[] = {"A.example", "a_b.example", "-a.example", "a-.example", "a..example", ".example",
		"a.example.", "example", "*.example.*", "a*.example", "*.com", "1.2.3.4", "ab--c.example", "a b.example",
		"0123456789012345678901234567890123456789012345678901234567890123.example", "*"};

	BREAK(SAN, "", "san_critical");
	BREAK_EXTENSION(SAN, OID_SUBJECT_ALT_NAME, false, SAN_VALUE, "san_critical");
	BREAK_EXTENSION(SAN, OID_SUBJECT_ALT_NAME, true, "\x30\x1e\x82\x09" "a.example" "\x82\x0b" "*.b.example" "\x87\x04\x7f\x01\x01\x01",
		"san_dns_only");
	BREAK_EXTENSION(SAN, OID_SUBJECT_ALT_NAME, true, "\x30\x23\x82\x09" "a.example" "\x82\x0b" "*.b.example" "\x81\x09" "a@example",
		"san_dns_only");
	BREAK_EXTENSION(SAN, OID_SUBJECT_ALT_NAME, true, "\x30\x0b\x82\x09" "a.example", "san_expected");
	BREAK_EXTENSION(SAN, OID_SUBJECT_ALT_NAME, true, "\x30\x18\x82\x09" "a.example" "\x82\x0b" "*.c.example", "san_expected");
	one.nnames = 1;
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		CLEANUP_BUF struct buf san = {0};
		size_t mark = der_begin(&san, DER_SEQUENCE);

		fixture_dns_name(&san, bad[i]);
		der_end(&san, mark);
		set_extension(&p, SAN, OID_SUBJECT_ALT_NAME, true, buf_bytes(&san));
		one.names = &bad[i];
		assert_finding(&p, &one, "san_syntax");
	}
	{
		static const char *const twice[] = {"a.example", "a.example"};

		SET_EXTENSION(&p, SAN, OID_SUBJECT_ALT_NAME, true, "\x30\x16\x82\x09" "a.example" "\x82\x09" "a.example");
		one.names = twice;
		one.nnames = 2;
		assert_finding(&p, &one, "san_unique");
	}
}

static void authority_key_identifier(void **state)
{
	BREAK(AKI, "", "authority_key_identifier");
	BREAK_EXTENSION(AKI, OID_AUTHORITY_KEY_IDENTIFIER, true, "\x30\x0a\x80\x08" KEY_ID, "authority_key_identifier");
	BREAK_EXTENSION(AKI, OID_AUTHORITY_KEY_IDENTIFIER, false, "\x30\x0a\x80\x08\x01\x02\x03\x04\x05\x06\x07\x09",
		"authority_key_identifier");
	BREAK_EXTENSION(AKI, OID_AUTHORITY_KEY_IDENTIFIER, false, "\x30\x0d\x80\x08" KEY_ID "\x82\x01\x01",
		"authority_key_identifier");
	BREAK_EXTENSION(AKI, OID_AUTHORITY_KEY_IDENTIFIER, false, "\x30\x00", "authority_key_identifier");
}

static void extended_key_usage(void **state)
{
	BREAK(EKU, "", "ext_key_usage");
	BREAK_EXTENSION(EKU, OID_EXT_KEY_USAGE, true, "\x30\x0a\x06\x08\x2b\x06\x01\x05\x05\x07\x03\x01", "ext_key_usage");
	BREAK_EXTENSION(EKU, OID_EXT_KEY_USAGE, false, "\x30\x0a\x06\x08\x2b\x06\x01\x05\x05\x07\x03\x02", "ext_key_usage");
	BREAK_EXTENSION(EKU, OID_EXT_KEY_USAGE, false,
		"\x30\x14\x06\x08\x2b\x06\x01\x05\x05\x07\x03\x01\x06\x08\x2b\x06\x01\x05\x05\x07\x03\x02", "ext_key_usage");
	/* An empty list once crashed a CA (CVE-2026-40097). */
	BREAK_EXTENSION(EKU, OID_EXT_KEY_USAGE, false, "\x30\x00", "ext_key_usage");
}

static void key_usage(void **state)
{
	BREAK(KEY_USAGE, "", "key_usage");
	BREAK_EXTENSION(KEY_USAGE, OID_KEY_USAGE, false, "\x03\x02\x07\x80", "key_usage");
	BREAK_EXTENSION(KEY_USAGE, OID_KEY_USAGE, true, "\x03\x02\x05\xa0", "key_usage");  /* keyEncipherment with EC */
	BREAK_EXTENSION(KEY_USAGE, OID_KEY_USAGE, true, "\x03\x02\x02\x84", "key_usage");  /* keyCertSign */
	BREAK_EXTENSION(KEY_USAGE, OID_KEY_USAGE, true, "\x03\x02\x00\x80", "key_usage");  /* trailing zero bits */
	BREAK_EXTENSION(KEY_USAGE, OID_KEY_USAGE, true, "\x03\x03\x07\x80\x00", "key_usage");
	BREAK_EXTENSION(KEY_USAGE, OID_KEY_USAGE, true, "\x03\x01\x00", "key_usage");
}

static void basic_constraints(void **state)
{
	BREAK_EXTENSION(BASIC, OID_BASIC_CONSTRAINTS, false, "\x30\x00", "basic_constraints");
	BREAK_EXTENSION(BASIC, OID_BASIC_CONSTRAINTS, true, "\x30\x03\x01\x01\xff", "basic_constraints");
	BREAK_EXTENSION(BASIC, OID_BASIC_CONSTRAINTS, true, "\x30\x03\x01\x01\x00", "basic_constraints"); /* DEFAULT */
}

static void certificate_policies(void **state)
{
	BREAK(POLICIES, "", "certificate_policies");
	BREAK_EXTENSION(POLICIES, OID_CERTIFICATE_POLICIES, true, "\x30\x0a\x30\x08\x06\x06\x67\x81\x0c\x01\x02\x01",
		"certificate_policies");
	BREAK_EXTENSION(POLICIES, OID_CERTIFICATE_POLICIES, false, "\x30\x0a\x30\x08\x06\x06\x67\x81\x0c\x01\x02\x02",
		"certificate_policies");
	BREAK_EXTENSION(POLICIES, OID_CERTIFICATE_POLICIES, false,
		"\x30\x14\x30\x08\x06\x06\x67\x81\x0c\x01\x02\x01\x30\x08\x06\x06\x67\x81\x0c\x01\x02\x02", "certificate_policies");
	BREAK_EXTENSION(POLICIES, OID_CERTIFICATE_POLICIES, false,
		"\x30\x10\x30\x04\x06\x02\x2a\x03\x30\x08\x06\x06\x67\x81\x0c\x01\x02\x01", "certificate_policies");
	BREAK_EXTENSION(POLICIES, OID_CERTIFICATE_POLICIES, false, "\x30\x0c\x30\x0a\x06\x06\x67\x81\x0c\x01\x02\x01\x30\x00",
		"certificate_policies");
	BREAK_EXTENSION(POLICIES, OID_CERTIFICATE_POLICIES, false, "\x30\x00", "certificate_policies");
}

static void authority_info_access(void **state)
{
	CLEANUP_PIECES struct pieces p = good();
	struct lint_expectation none = want;

	BREAK(AIA, "", "authority_info_access");
	BREAK_EXTENSION(AIA, OID_AUTHORITY_INFO_ACCESS, true,
		"\x30\x2b\x30\x29\x06\x08\x2b\x06\x01\x05\x05\x07\x30\x02\x86\x1d" "http://pki.example/issuer.cer",
		"authority_info_access");
	BREAK_EXTENSION(AIA, OID_AUTHORITY_INFO_ACCESS, false,
		"\x30\x2b\x30\x29\x06\x08\x2b\x06\x01\x05\x05\x07\x30\x01\x86\x1d" "http://pki.example/issuer.cer",
		"authority_info_access");
	BREAK_EXTENSION(AIA, OID_AUTHORITY_INFO_ACCESS, false,
		"\x30\x2b\x30\x29\x06\x08\x2b\x06\x01\x05\x05\x07\x30\x02\x86\x1d" "http://pki.example/issuer.crt",
		"authority_info_access");
	BREAK_EXTENSION(AIA, OID_AUTHORITY_INFO_ACCESS, false, "\x30\x00", "authority_info_access");
	none.ca_issuers_url = NULL;
	assert_finding(&p, &none, "authority_info_access");
}

static void crl_distribution_points(void **state)
{
	CLEANUP_PIECES struct pieces p = good();
	struct lint_expectation other = want;

	BREAK(CRLDP, "", "crl_distribution_points");
	BREAK_EXTENSION(CRLDP, OID_CRL_DISTRIBUTION_POINTS, true,
		"\x30\x20\x30\x1e\xa0\x1c\xa0\x1a\x86\x18" "http://pki.example/crl/1", "crl_distribution_points");
	BREAK_EXTENSION(CRLDP, OID_CRL_DISTRIBUTION_POINTS, false,
		"\x30\x20\x30\x1e\xa0\x1c\xa0\x1a\x86\x18" "http://pki.example/crl/2", "crl_distribution_points");
	/* Two points, two names, reasons. */
	BREAK_EXTENSION(CRLDP, OID_CRL_DISTRIBUTION_POINTS, false,
		"\x30\x40\x30\x1e\xa0\x1c\xa0\x1a\x86\x18" "http://pki.example/crl/1"
		"\x30\x1e\xa0\x1c\xa0\x1a\x86\x18" "http://pki.example/crl/1", "crl_distribution_points");
	BREAK_EXTENSION(CRLDP, OID_CRL_DISTRIBUTION_POINTS, false,
		"\x30\x24\x30\x22\xa0\x1c\xa0\x1a\x86\x18" "http://pki.example/crl/1" "\x81\x02\x05\x60", "crl_distribution_points");
	other.crl_url = NULL;
	assert_finding(&p, &other, "crl_distribution_points");
}

static void locations_are_http(void **state)
{
	CLEANUP_PIECES struct pieces p = good();
	struct lint_expectation other = want;

	SET_EXTENSION(&p, CRLDP, OID_CRL_DISTRIBUTION_POINTS, false,
		"\x30\x20\x30\x1e\xa0\x1c\xa0\x1a\x86\x18" "https://pki.example/crl1");
	other.crl_url = "https://pki.example/crl1";
	assert_finding(&p, &other, "locations_http");
}

static void encoding_down_to_the_last_element(void **state)
{
	CLEANUP_PIECES struct pieces p = good();

	/* A length in the long form, and something behind the value, inside of an OCTET STRING. */
	SET_EXTENSION(&p, AKI, OID_AUTHORITY_KEY_IDENTIFIER, false, "\x30\x81\x0a\x80\x08" KEY_ID);
	assert_speaks(&p, "extension_value_der:");
	SET_EXTENSION(&p, AKI, OID_AUTHORITY_KEY_IDENTIFIER, false, "\x30\x0a\x80\x08" KEY_ID "\x05\x00");
	assert_speaks(&p, "extension_value_der:");
	SET_EXTENSION(&p, AKI, OID_AUTHORITY_KEY_IDENTIFIER, false, "\x30\x0a\x80\x08" KEY_ID);
	BREAK(SIGNATURE, "\x03\x09\x04\x30\x06\x02\x01\x01\x02\x01\x10", "signature_value");
	BREAK(SIGNATURE, "\x03\x01\x00", "signature_value");
	/* A serial with a padding octet breaks DER alone. */
	SET(&p, SERIAL, "\x02\x11\x00\x02\x03\x04\x05\x06\x07\x08\x09\x0a\x0b\x0c\x0d\x0e\x0f\x10\x11");
	assert_finding(&p, &want, "der");
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
		cmocka_unit_test(encoding_down_to_the_last_element),
	};

	return cmocka_run_group_tests(tests, make_issuer, free_issuer);
}
