/* test_crl_lint.c — the lint of revocation lists: a good one passes, and each rule speaks when, and
 * only when, it is broken. Lists are put together here by hand and signed anew, so that a broken
 * rule does not hide behind a broken signature. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <openssl/x509v3.h>

#include "lib/base/clock.h"
#include "lib/pki/crl_lint.h"
#include "lib/pki/der.h"
#include "tests/unit/scratch_folder.h"
#include "tests/unit/signer_pki.h"

#define NOW 1800000000LL /* 2027-01-15 08:00:00 UTC */
#define URL "http://pki.example/1.crl"
#define ECDSA_SHA256 "\x30\x0a\x06\x08\x2a\x86\x48\xce\x3d\x04\x03\x02"
#define ECDSA_SHA384 "\x30\x0a\x06\x08\x2a\x86\x48\xce\x3d\x04\x03\x03"
#define THIS                                                                                       \
	"\x17\x0d"                                                                                 \
	"270115080000Z"
#define NEXT                                                                                       \
	"\x17\x0d"                                                                                 \
	"270122075959Z"

enum piece {
	VERSION_2,
	ALGORITHM,
	ISSUER,
	THIS_UPDATE,
	NEXT_UPDATE,
	ENTRIES,
	AKI,
	NUMBER,
	IDP,
	EXTRA,
	OUTER,
	PIECES
};

struct list {
	struct buf at[PIECES];
	bool no_extensions, spoilt;
};

static struct test_ca ca;
static struct buf issuer_der, subject, key_id;
static struct crl_expectation want;

static void set(struct list *l, enum piece i, const void *ptr, size_t len)
{
	buf_reset(&l->at[i]);
	buf_add(&l->at[i], ptr, len);
}
#define SET(l, i, literal) set((l), (i), (literal), sizeof(literal) - 1)

static void put_entry(struct buf *out, const char *serial, size_t serial_len, const char *date,
	const char *extensions, size_t extensions_len)
{
	size_t mark = der_begin(out, DER_SEQUENCE);

	der_put(out, DER_INTEGER, bytes_of(serial, serial_len));
	der_put(out, DER_UTC_TIME, bytes_str(date));
	buf_add(out, extensions, extensions_len);
	der_end(out, mark);
}
#define ENTRY(out, serial, date, extensions)                                                       \
	put_entry((out), (serial), sizeof(serial) - 1, (date), (extensions), sizeof(extensions) - 1)
#define REASON(n) "\x30\x0c\x30\x0a\x06\x03\x55\x1d\x15\x04\x03\x0a\x01" n

static void set_extension(struct list *l, enum piece i, const char *oid, bool critical,
	const void *value, size_t len)
{
	struct buf *out = &l->at[i];
	size_t mark;

	buf_reset(out);
	mark = der_begin(out, DER_SEQUENCE);
	der_put_oid(out, bytes_of(oid, 3));
	if (critical)
		der_put(out, DER_BOOLEAN, bytes_of("\xff", 1));
	der_put(out, DER_OCTET_STRING, bytes_of(value, len));
	der_end(out, mark);
}

static void set_aki(struct list *l, bool critical)
{
	CLEANUP_BUF struct buf value = {0};
	size_t mark = der_begin(&value, DER_SEQUENCE);

	der_put(&value, 0x80, buf_bytes(&key_id));
	der_end(&value, mark);
	set_extension(l, AKI, "\x55\x1d\x23", critical, value.ptr, value.len);
}

/* flags: what stands behind the name. */
static void set_idp(struct list *l, bool critical, const char *url, const char *flags, size_t len)
{
	CLEANUP_BUF struct buf value = {0};
	size_t body = der_begin(&value, DER_SEQUENCE);

	if (url != NULL) {
		size_t name = der_begin(&value, 0xa0), full = der_begin(&value, 0xa0);

		der_put(&value, 0x86, bytes_str(url));
		der_end(&value, full);
		der_end(&value, name);
	}
	buf_add(&value, flags, len);
	der_end(&value, body);
	set_extension(l, IDP, "\x55\x1d\x1c", critical, value.ptr, value.len);
}
#define USER_ONLY "\x81\x01\xff"

static struct list good(void)
{
	struct list l = {0};

	SET(&l, VERSION_2, "\x02\x01\x01");
	SET(&l, ALGORITHM, ECDSA_SHA256);
	set(&l, ISSUER, subject.ptr, subject.len);
	SET(&l, THIS_UPDATE, THIS);
	SET(&l, NEXT_UPDATE, NEXT);
	ENTRY(&l.at[ENTRIES], "\x40\x01", "270101000000Z", "");
	ENTRY(&l.at[ENTRIES], "\x40\x02", "270115080000Z", REASON("\x01"));
	set_aki(&l, false);
	set_extension(&l, NUMBER, "\x55\x1d\x14", false, "\x02\x02\x01\x00", 4);
	set_idp(&l, true, URL, USER_ONLY, 3);
	SET(&l, OUTER, ECDSA_SHA256);
	return l;
}

static void list_done(struct list *l)
{
	for (size_t i = 0; i < PIECES; i++)
		buf_done(&l->at[i]);
}

/* Everything but the signature. */
static void put_tbs(const struct list *l, struct buf *out)
{
	size_t tbs = der_begin(out, DER_SEQUENCE), outer, list;

	for (enum piece i = VERSION_2; i < ENTRIES; i++)
		buf_add(out, l->at[i].ptr, l->at[i].len);
	if (l->at[ENTRIES].ptr != NULL)
		der_put(out, DER_SEQUENCE, buf_bytes(&l->at[ENTRIES]));
	if (!l->no_extensions) {
		outer = der_begin(out, 0xa0);
		list = der_begin(out, DER_SEQUENCE);
		for (enum piece i = AKI; i <= EXTRA; i++)
			buf_add(out, l->at[i].ptr, l->at[i].len);
		der_end(out, list);
		der_end(out, outer);
	}
	der_end(out, tbs);
}

static void assemble(const struct list *l, struct buf *out)
{
	CLEANUP_BUF struct buf tbs = {0};
	CLEANUP(EVP_MD_CTX_free) EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	uint8_t bits[1 + 128] = {0};
	size_t len = sizeof(bits) - 1, mark;

	put_tbs(l, &tbs);
	assert_int_equal(EVP_DigestSignInit(ctx, NULL, ossl_sha256(), NULL, ca.key), 1);
	assert_int_equal(EVP_DigestSign(ctx, bits + 1, &len, tbs.ptr, tbs.len), 1);
	bits[5] ^= l->spoilt;
	mark = der_begin(out, DER_SEQUENCE);
	buf_add(out, tbs.ptr, tbs.len);
	buf_add(out, l->at[OUTER].ptr, l->at[OUTER].len);
	der_put(out, DER_BIT_STRING, bytes_of(bits, len + 1));
	der_end(out, mark);
}

static int lint(struct bytes der, const struct crl_expectation *expect, struct crl_facts *facts,
	struct buf *findings)
{
	struct crl_source src = crl_source_bytes(der);

	return crl_lint(&src, expect, facts, findings);
}

static void assert_clean(struct list *l, const struct crl_expectation *expect)
{
	CLEANUP_BUF struct buf der = {0}, findings = {0};

	assemble(l, &der);
	if (lint(buf_bytes(&der), expect, NULL, &findings) != OK)
		fail_msg("findings: %s", buf_str(&findings));
	list_done(l);
}

/* This rule, and no other. */
static void assert_broken(struct list *l, const struct crl_expectation *expect, const char *rule)
{
	CLEANUP_BUF struct buf der = {0}, findings = {0};
	const char *text, *newline;
	size_t len = strlen(rule);

	assemble(l, &der);
	assert_int_equal(lint(buf_bytes(&der), expect, NULL, &findings), ERR_SYNTAX);
	text = buf_str(&findings);
	newline = strchr(text, '\n');
	if (strncmp(text, rule, len) != 0 || text[len] != ':' || newline == NULL ||
		newline[1] != '\0')
		fail_msg("not %s alone: %s", rule, text);
	list_done(l);
}

#define BROKEN(rule, change)                                                                       \
	do {                                                                                       \
		struct list l = good();                                                            \
		change;                                                                            \
		assert_broken(&l, &want, (rule));                                                  \
	} while (0)
#define CLEAN(change)                                                                              \
	do {                                                                                       \
		struct list l = good();                                                            \
		change;                                                                            \
		assert_clean(&l, &want);                                                           \
	} while (0)

static int set_up(void **state)
{
	uint8_t *der = NULL;
	const uint8_t *name;
	const ASN1_OCTET_STRING *id;
	size_t name_len;
	int len;

	if (scratch_folder_make(state) != 0)
		return -1;
	test_ca_make(&ca, "crl", "p256", NOW * USEC_PER_SEC);
	len = i2d_X509(ca.certificate, &der);
	assert_true(len > 0);
	buf_add(&issuer_der, der, (size_t)len);
	OPENSSL_free(der);
	assert_int_equal(X509_NAME_get0_der(X509_get_subject_name(ca.certificate), &name,
				 &name_len),
		1);
	buf_add(&subject, name, name_len);
	id = X509_get0_subject_key_id(ca.certificate);
	buf_add(&key_id, ASN1_STRING_get0_data(id), (size_t)ASN1_STRING_length(id));
	want = (struct crl_expectation){.issuer = buf_bytes(&issuer_der),
		.url = URL,
		.scope = CRL_SCOPE_USER,
		.validity_max_secs = 7 * 86400,
		.number = 256,
		.this_update_us = NOW * USEC_PER_SEC,
		.next_update_us = (NOW + 7 * 86400 - 1) * USEC_PER_SEC,
		.entries = 2};
	return 0;
}

static int tear_down(void **state)
{
	test_ca_done(&ca);
	buf_done(&issuer_der);
	buf_done(&subject);
	buf_done(&key_id);
	return scratch_folder_remove(state);
}

static void a_good_list_passes_and_tells_its_facts(void **state)
{
	CLEANUP_BUF struct buf der = {0}, findings = {0};
	struct crl_facts facts = {0};
	struct list l = good();

	assemble(&l, &der);
	assert_int_equal(lint(buf_bytes(&der), &want, &facts, &findings), OK);
	assert_int_equal(facts.number, 256);
	assert_int_equal(facts.entries, 2);
	assert_int_equal(facts.this_update_us, NOW * USEC_PER_SEC);
	assert_int_equal(facts.next_update_us, (NOW + 7 * 86400 - 1) * USEC_PER_SEC);
	list_done(&l);
}

static void the_list_as_a_whole_has_its_rules(void **state)
{
	BROKEN("crl_version", SET(&l, VERSION_2, "\x02\x01\x00"));
	BROKEN("crl_version", SET(&l, VERSION_2, ""));
	BROKEN("crl_algorithms_equal", SET(&l, ALGORITHM, ECDSA_SHA384));
	BROKEN("crl_issuer", SET(&l, ISSUER, "\x30\x00"));
	BROKEN("crl_signature", l.spoilt = true);
	BROKEN("crl_not_empty", (buf_reset(&l.at[ENTRIES]), want.entries = -1));
	want.entries = 0;
	CLEAN(buf_done(&l.at[ENTRIES]));
	want.entries = 3;
	BROKEN("crl_entries_expected", (void)0);
	want.entries = 2;
}

static void the_algorithm_is_that_of_the_issuers_key(void **state)
{
	CLEANUP_BUF struct buf der = {0}, findings = {0};
	struct list l = good();

	SET(&l, ALGORITHM, ECDSA_SHA384);
	SET(&l, OUTER, ECDSA_SHA384);
	assemble(&l, &der);
	assert_int_equal(lint(buf_bytes(&der), &want, NULL, &findings), ERR_SYNTAX);
	assert_non_null(strstr(buf_str(&findings), "crl_algorithm: "));
	list_done(&l);
}

static void dates_are_proper_in_order_and_as_expected(void **state)
{
	struct crl_expectation any = want;
	struct list own;

	BROKEN("crl_dates_expected",
		SET(&l, NEXT_UPDATE,
			"\x17\x0d"
			"270122075958Z"));
	BROKEN("crl_dates_expected",
		SET(&l, THIS_UPDATE,
			"\x17\x0d"
			"270115080001Z"));
	any.this_update_us = any.next_update_us = -1;
	/* A second more than seven days, both ends included. */
	own = good();
	SET(&own, NEXT_UPDATE,
		"\x17\x0d"
		"270122080000Z");
	assert_broken(&own, &any, "crl_validity");
	own = good();
	SET(&own, NEXT_UPDATE,
		"\x17\x0d"
		"270116080000Z");
	assert_clean(&own, &any);
}

static void times_that_are_none_are_refused(void **state)
{
	static const struct {
		const char *text;
		uint8_t tag;
		bool good;
	} cases[] = {
		{"270115080000Z", DER_UTC_TIME, true},
		{"280229235959Z", DER_UTC_TIME, true},
		{"270229000000Z", DER_UTC_TIME, false},
		{"2701150800Z", DER_UTC_TIME, false},
		{"270115080000+0000", DER_UTC_TIME, false},
		{"271315080000Z", DER_UTC_TIME, false},
		{"270100080000Z", DER_UTC_TIME, false},
		{"270115240000Z", DER_UTC_TIME, false},
		{"270115086000Z", DER_UTC_TIME, false},
		{"270115080060Z", DER_UTC_TIME, false},
		{"27011508000 Z", DER_UTC_TIME, false},
		{"270115080000z", DER_UTC_TIME, false},
		{"", DER_UTC_TIME, false},
		{"20500101000000Z", DER_GENERALIZED_TIME, true},
		{"20490101000000Z", DER_GENERALIZED_TIME, false},
		{"20500101000000.5Z", DER_GENERALIZED_TIME, false},
		{"270115080000Z", DER_IA5_STRING, false},
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		CLEANUP_BUF struct buf der = {0};
		int64_t us;

		der_put(&der, cases[i].tag, bytes_str(cases[i].text));
		if ((crl_time(buf_bytes(&der), &us) == OK) != cases[i].good)
			fail_msg("%s", cases[i].text);
	}
}

#define ENTRIES_BROKEN(...) BROKEN("crl_entry", (buf_reset(&l.at[ENTRIES]), __VA_ARGS__))

static void entries_have_their_rules(void **state)
{
	/* Twice, and out of order. */
	ENTRIES_BROKEN(ENTRY(&l.at[ENTRIES], "\x40\x01", "270101000000Z", ""),
		ENTRY(&l.at[ENTRIES], "\x40\x01", "270101000000Z", ""));
	ENTRIES_BROKEN(ENTRY(&l.at[ENTRIES], "\x40\x02", "270101000000Z", ""),
		ENTRY(&l.at[ENTRIES], "\x40\x01", "270101000000Z", ""));
	ENTRIES_BROKEN(ENTRY(&l.at[ENTRIES], "\x40\x01", "270101000000Z", ""),
		ENTRY(&l.at[ENTRIES], "\x41", "270101000000Z", ""));
	/* Serial numbers. */
	ENTRIES_BROKEN(ENTRY(&l.at[ENTRIES], "", "270101000000Z", ""));
	ENTRIES_BROKEN(ENTRY(&l.at[ENTRIES], "\x80", "270101000000Z", ""));
	ENTRIES_BROKEN(ENTRY(&l.at[ENTRIES], "\x00", "270101000000Z", ""));
	ENTRIES_BROKEN(ENTRY(&l.at[ENTRIES], "\x00\x01", "270101000000Z", ""));
	ENTRIES_BROKEN(ENTRY(&l.at[ENTRIES],
		"\x01"
		"12345678901234567890",
		"270101000000Z", ""));
	/* Dates. */
	ENTRIES_BROKEN(ENTRY(&l.at[ENTRIES], "\x40", "270101000000", ""));
	ENTRIES_BROKEN(ENTRY(&l.at[ENTRIES], "\x40", "270115080001Z", ""));
	/* Reasons: unspecified, cACompromise, hold, removal, and what is no reason. */
	ENTRIES_BROKEN(ENTRY(&l.at[ENTRIES], "\x40", "270101000000Z", REASON("\x00")));
	ENTRIES_BROKEN(ENTRY(&l.at[ENTRIES], "\x40", "270101000000Z", REASON("\x02")));
	ENTRIES_BROKEN(ENTRY(&l.at[ENTRIES], "\x40", "270101000000Z", REASON("\x06")));
	ENTRIES_BROKEN(ENTRY(&l.at[ENTRIES], "\x40", "270101000000Z", REASON("\x08")));
	ENTRIES_BROKEN(ENTRY(&l.at[ENTRIES], "\x40", "270101000000Z", REASON("\x0b")));
	ENTRIES_BROKEN(ENTRY(&l.at[ENTRIES], "\x40", "270101000000Z", "\x30\x00"));
	/* Critical; twice; another extension (invalidityDate). */
	ENTRIES_BROKEN(ENTRY(&l.at[ENTRIES], "\x40", "270101000000Z",
		"\x30\x0f\x30\x0d\x06\x03\x55\x1d\x15\x01\x01\xff\x04\x03\x0a\x01\x01"));
	ENTRIES_BROKEN(ENTRY(&l.at[ENTRIES], "\x40", "270101000000Z",
		"\x30\x18\x30\x0a\x06\x03\x55\x1d\x15\x04\x03\x0a\x01\x01"
		"\x30\x0a\x06\x03\x55\x1d\x15\x04\x03\x0a\x01\x01"));
	ENTRIES_BROKEN(ENTRY(&l.at[ENTRIES], "\x40", "270101000000Z",
		"\x30\x0c\x30\x0a\x06\x03\x55\x1d\x18\x04\x03\x0a\x01\x01"));
	/* Something behind an entry that is none. */
	ENTRIES_BROKEN(buf_add(&l.at[ENTRIES], "\x05\x00", 2));
	ENTRIES_BROKEN(buf_add(&l.at[ENTRIES], "\x30\x03\x02\x01", 4));
}

static void lists_of_others_may_be_in_any_order_but_not_repeat(void **state)
{
	struct crl_expectation any = want;
	struct list l = good();

	any.any_order = true;
	any.entries = -1;
	buf_reset(&l.at[ENTRIES]);
	ENTRY(&l.at[ENTRIES], "\x40\x02", "270101000000Z", "");
	ENTRY(&l.at[ENTRIES], "\x01", "270101000000Z", "");
	ENTRY(&l.at[ENTRIES], "\x40\x01", "270101000000Z", "");
	assert_clean(&l, &any);
	l = good();
	ENTRY(&l.at[ENTRIES], "\x01", "270101000000Z", "");
	ENTRY(&l.at[ENTRIES], "\x40\x01", "270101000000Z", "");
	assert_broken(&l, &any, "crl_entry");
}

static void cas_may_be_compromised_on_the_list_of_their_root(void **state)
{
	struct crl_expectation root = want;
	struct list l = good();

	root.scope = CRL_SCOPE_CA;
	set_idp(&l, true, URL, "\x82\x01\xff", 3);
	buf_reset(&l.at[ENTRIES]);
	ENTRY(&l.at[ENTRIES], "\x40", "270101000000Z", REASON("\x02"));
	root.entries = 1;
	assert_clean(&l, &root);
}

static void extensions_have_their_rules(void **state)
{
	BROKEN("crl_authority_key_identifier", buf_reset(&l.at[AKI]));
	BROKEN("crl_authority_key_identifier", set_aki(&l, true));
	BROKEN("crl_authority_key_identifier",
		set_extension(&l, AKI, "\x55\x1d\x23", false, "\x30\x03\x80\x01x", 5));
	BROKEN("crl_number", buf_reset(&l.at[NUMBER]));
	BROKEN("crl_number",
		set_extension(&l, NUMBER, "\x55\x1d\x14", true, "\x02\x02\x01\x00", 4));
	BROKEN("crl_number",
		set_extension(&l, NUMBER, "\x55\x1d\x14", false, "\x02\x02\x01\x01", 4));
	BROKEN("crl_number", set_extension(&l, NUMBER, "\x55\x1d\x14", false, "\x02\x01\xff", 3));
	BROKEN("crl_number",
		set_extension(&l, NUMBER, "\x55\x1d\x14", false, "\x02\x02\x01\x00\x05\x00", 6));
	/* A delta, and one that is there twice. */
	BROKEN("crl_extension_known",
		set_extension(&l, EXTRA, "\x55\x1d\x1b", true, "\x02\x01\x01", 3));
	BROKEN("crl_extension_unique",
		set_extension(&l, EXTRA, "\x55\x1d\x14", false, "\x02\x02\x01\x00", 4));
}

static void the_distribution_point_is_exactly_the_expected_one(void **state)
{
	struct crl_expectation none = want;
	struct list own;

	BROKEN("crl_distribution_point", buf_reset(&l.at[IDP]));
	BROKEN("crl_distribution_point", set_idp(&l, false, URL, USER_ONLY, 3));
	BROKEN("crl_distribution_point", set_idp(&l, true, URL "x", USER_ONLY, 3));
	BROKEN("crl_distribution_point", set_idp(&l, true, NULL, USER_ONLY, 3));
	BROKEN("crl_distribution_point", set_idp(&l, true, URL, "", 0));
	BROKEN("crl_distribution_point", set_idp(&l, true, URL, "\x82\x01\xff", 3));
	/* onlySomeReasons, indirectCRL. */
	BROKEN("crl_distribution_point", set_idp(&l, true, URL, USER_ONLY "\x83\x02\x07\x80", 7));
	BROKEN("crl_distribution_point", set_idp(&l, true, URL, USER_ONLY "\x84\x01\xff", 6));
	none.url = NULL;
	none.scope = CRL_SCOPE_ALL;
	own = good();
	buf_reset(&own.at[IDP]);
	assert_clean(&own, &none);
	own = good();
	assert_broken(&own, &none, "crl_distribution_point");
}

static void what_is_no_list_is_said_so(void **state)
{
	CLEANUP_BUF struct buf der = {0}, behind = {0};
	struct list l = good();

	assemble(&l, &der);
	for (size_t len = 0; len < der.len; len++) {
		CLEANUP_BUF struct buf findings = {0};

		assert_int_equal(lint(bytes_of(der.ptr, len), &want, NULL, &findings), ERR_SYNTAX);
		assert_int_equal(strncmp(buf_str(&findings), "crl_structure:", 14), 0);
	}
	/* Something behind it. */
	buf_add_byte(&der, 0);
	assert_int_equal(lint(buf_bytes(&der), &want, NULL, &behind), ERR_SYNTAX);
	list_done(&l);
}

/* No single bit may change without a word. */
static void every_changed_bit_is_noticed(void **state)
{
	CLEANUP_BUF struct buf der = {0};
	struct list l = good();

	assemble(&l, &der);
	for (size_t bit = 0; bit < der.len * 8; bit++) {
		CLEANUP_BUF struct buf findings = {0};

		der.ptr[bit / 8] ^= (uint8_t)(1U << bit % 8);
		assert_int_equal(lint(buf_bytes(&der), &want, NULL, &findings), ERR_SYNTAX);
		assert_true(findings.len > 0);
		der.ptr[bit / 8] ^= (uint8_t)(1U << bit % 8);
	}
	list_done(&l);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_good_list_passes_and_tells_its_facts),
		cmocka_unit_test(the_list_as_a_whole_has_its_rules),
		cmocka_unit_test(the_algorithm_is_that_of_the_issuers_key),
		cmocka_unit_test(dates_are_proper_in_order_and_as_expected),
		cmocka_unit_test(times_that_are_none_are_refused),
		cmocka_unit_test(entries_have_their_rules),
		cmocka_unit_test(lists_of_others_may_be_in_any_order_but_not_repeat),
		cmocka_unit_test(cas_may_be_compromised_on_the_list_of_their_root),
		cmocka_unit_test(extensions_have_their_rules),
		cmocka_unit_test(the_distribution_point_is_exactly_the_expected_one),
		cmocka_unit_test(what_is_no_list_is_said_so),
		cmocka_unit_test(every_changed_bit_is_noticed),
	};

	return cmocka_run_group_tests_name("crl_lint", tests, set_up, tear_down);
}
