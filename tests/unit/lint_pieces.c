/* lint_pieces.c — see lint_pieces.h. */
#include "tests/unit/lint_pieces.h"

#include "lib/pki/der.h"
#include "lib/pki/pubkey.h"

static struct buf issuing;
static struct buf spki_p256;

static const char *const names[] = {"a.example", "*.b.example"};

struct lint_expectation lint_want = {
	.validity_secs = 90 * 86400,
	.serial_len = 17,
	.names = names,
	.nnames = 2,
	.ca_issuers_url = "http://pki.example/issuer.cer",
	.crl_url = "http://pki.example/crl/1",
};

void piece_set(struct pieces *p, enum piece i, const void *ptr, size_t len)
{
	buf_reset(&p->at[i]);
	buf_add(&p->at[i], ptr, len);
}

void piece_set_extension(struct pieces *p, enum piece i, struct bytes oid, bool critical,
	struct bytes value)
{
	buf_reset(&p->at[i]);
	fixture_extension(&p->at[i], oid, critical, value);
}

void pieces_done(struct pieces *p)
{
	for (size_t i = 0; i < PIECES; i++)
		buf_done(&p->at[i]);
}

void piece_set_spki(struct pieces *p, EVP_PKEY *key)
{
	struct pubkey numbers;

	assert_int_equal(pubkey_from_evp(key, &numbers), OK);
	buf_reset(&p->at[SPKI]);
	pubkey_put_spki(&numbers, &p->at[SPKI]);
}

struct pieces pieces_good(void)
{
	struct pieces p = {0};

	SET(&p, VERSION_3, "\xa0\x03\x02\x01\x02");
	SET(&p, SERIAL,
		"\x02\x11\x01\x02\x03\x04\x05\x06\x07\x08\x09\x0a\x0b\x0c\x0d\x0e\x0f\x10\x11");
	SET(&p, ALGORITHM, ECDSA_SHA256);
	SET(&p, ISSUER, ISSUER_NAME);
	SET(&p, VALIDITY,
		"\x30\x1e\x17\x0d"
		"261121000000Z"
		"\x17\x0d"
		"270218235959Z");
	SET(&p, SUBJECT, "\x30\x00");
	piece_set(&p, SPKI, spki_p256.ptr, spki_p256.len);
	SET_EXTENSION(&p, KEY_USAGE, OID_KEY_USAGE, true, "\x03\x02\x07\x80");
	SET_EXTENSION(&p, EKU, OID_EXT_KEY_USAGE, false,
		"\x30\x0a\x06\x08\x2b\x06\x01\x05\x05\x07\x03\x01");
	SET_EXTENSION(&p, BASIC, OID_BASIC_CONSTRAINTS, true, "\x30\x00");
	SET_EXTENSION(&p, AKI, OID_AUTHORITY_KEY_IDENTIFIER, false, "\x30\x0a\x80\x08" KEY_ID);
	SET_EXTENSION(&p, AIA, OID_AUTHORITY_INFO_ACCESS, false,
		"\x30\x2b\x30\x29\x06\x08\x2b\x06\x01\x05\x05\x07\x30\x02\x86\x1d"
		"http://pki.example/issuer.cer");
	SET_EXTENSION(&p, CRLDP, OID_CRL_DISTRIBUTION_POINTS, false,
		"\x30\x20\x30\x1e\xa0\x1c\xa0\x1a\x86\x18"
		"http://pki.example/crl/1");
	SET_EXTENSION(&p, POLICIES, OID_CERTIFICATE_POLICIES, false,
		"\x30\x0a\x30\x08\x06\x06\x67\x81\x0c\x01\x02\x01");
	SET_EXTENSION(&p, SAN, OID_SUBJECT_ALT_NAME, true, SAN_VALUE);
	SET(&p, OUTER_ALGORITHM, ECDSA_SHA256);
	SET(&p, SIGNATURE, "\x03\x09\x00\x30\x06\x02\x01\x01\x02\x01\x01");
	return p;
}

void pieces_assemble(const struct pieces *p, struct buf *out)
{
	size_t certificate = der_begin(out, DER_SEQUENCE), tbs = der_begin(out, DER_SEQUENCE),
	       outer, list;

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

void assert_clean(const struct pieces *p, const struct lint_expectation *expect)
{
	CLEANUP_BUF struct buf der = {0};
	CLEANUP_BUF struct buf findings = {0};

	pieces_assemble(p, &der);
	if (lint_certificate(buf_bytes(&der), expect, &findings) != OK)
		fail_msg("findings: %s", buf_str(&findings));
	assert_int_equal(findings.len, 0);
}

void assert_finding(const struct pieces *p, const struct lint_expectation *expect, const char *rule)
{
	CLEANUP_BUF struct buf der = {0};
	CLEANUP_BUF struct buf findings = {0};
	bool seen = false;
	char *save = NULL;

	pieces_assemble(p, &der);
	assert_int_equal(lint_certificate(buf_bytes(&der), expect, &findings), ERR_SYNTAX);
	for (char *line = strtok_r((char *)findings.ptr, "\n", &save); line != NULL;
		line = strtok_r(NULL, "\n", &save)) {
		size_t len = strcspn(line, ":");

		if (strlen(rule) == len && strncmp(line, rule, len) == 0)
			seen = true;
		else if (strncmp(line, "der:", 4) != 0 && strncmp(line, "openssl:", 8) != 0)
			fail_msg("unexpected: %s (while breaking %s)", line, rule);
	}
	if (!seen)
		fail_msg("%s did not speak", rule);
}

void assert_speaks(const struct pieces *p, const char *rule)
{
	CLEANUP_BUF struct buf der = {0};
	CLEANUP_BUF struct buf findings = {0};

	pieces_assemble(p, &der);
	assert_int_equal(lint_certificate(buf_bytes(&der), &lint_want, &findings), ERR_SYNTAX);
	if (strstr(buf_str(&findings), rule) == NULL)
		fail_msg("%s did not speak: %s", rule, buf_str(&findings));
}

void assert_broken(enum piece i, struct bytes replacement, const char *rule)
{
	CLEANUP_PIECES struct pieces p = pieces_good();

	piece_set(&p, i, replacement.ptr, replacement.len);
	assert_finding(&p, &lint_want, rule);
}

void assert_broken_extension(enum piece i, struct bytes oid, bool critical, struct bytes value,
	const char *rule)
{
	CLEANUP_PIECES struct pieces p = pieces_good();

	piece_set_extension(&p, i, oid, critical, value);
	assert_finding(&p, &lint_want, rule);
}

int lint_group_setup(void **state)
{
	CLEANUP_PIECES struct pieces p = {0};
	struct pubkey numbers;

	assert_int_equal(pubkey_from_evp(fixture_key("p256"), &numbers), OK);
	pubkey_put_spki(&numbers, &spki_p256);
	p = pieces_good();
	piece_set_spki(&p, fixture_other_key("p256"));
	SET(&p, SUBJECT, ISSUER_NAME);
	SET(&p, VALIDITY,
		"\x30\x20\x17\x0d"
		"200101000000Z"
		"\x18\x0f"
		"20500101000000Z");
	SET_EXTENSION(&p, EXTRA, OID_SUBJECT_KEY_IDENTIFIER, false, "\x04\x08" KEY_ID);
	pieces_assemble(&p, &issuing);
	lint_want.issuer = buf_bytes(&issuing);
	lint_want.spki = buf_bytes(&spki_p256);
	return 0;
}

int lint_group_teardown(void **state)
{
	buf_done(&issuing);
	buf_done(&spki_p256);
	return 0;
}
