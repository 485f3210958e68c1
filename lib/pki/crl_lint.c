/* crl_lint.c — see crl_lint.h: one rule, one function, one cited section. */
#include "lib/pki/crl_lint.h"

#include <openssl/x509v3.h>

#include "lib/base/clock.h"
#include "lib/pki/certview.h"
#include "lib/pki/der.h"
#include "lib/pki/oid.h"
#include "lib/pki/ossl.h"

#define SERIAL_MAX 20 /* RFC 5280 section 4.1.2.2 */

/* Context tags of IssuingDistributionPoint, GeneralName and AuthorityKeyIdentifier. */
enum {
	TAG_KEY_IDENTIFIER = 0x80,
	TAG_DISTRIBUTION_POINT_NAME = 0xa0,
	TAG_FULL_NAME = 0xa0,
	TAG_URI = 0x86,
	TAG_ONLY_USER = 0x81,
	TAG_ONLY_CA = 0x82
};

/* A serial number of the list, for lists in any order. */
struct serial {
	uint8_t len;
	uint8_t octets[SERIAL_MAX];
};

struct crl_check {
	const struct crl_expectation *want;
	const struct crl_source *src;
	struct crl_view view;
	struct certview *issuer;
	struct crl_facts facts;
	const char *entry_fault; /* what is wrong with the first bad entry */
	struct buf serials;      /* of struct serial */
};

struct crl_rule {
	const char *name;
	const char *section;
	const char *(*broken)(const struct crl_check *c);
};

/* ---- the list as a whole ---- */

static const char *version_is_wrong(const struct crl_check *c)
{
	return bytes_equal(c->view.version, bytes_of("\x01", 1)) ? NULL : "the version is not v2";
}

/* BR 7.1.3.2, RFC 5758 section 3.2, RFC 4055 section 5: what goes with the issuer's key. */
static const char *algorithm_is_wrong(const struct crl_check *c)
{
	static const uint8_t rsa[] = {0x30, 0x0d, 0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d,
		0x01, 0x01, 0x0b, 0x05, 0x00};
	static const uint8_t p256[] = {0x30, 0x0a, 0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04,
		0x03, 0x02};
	static const uint8_t p384[] = {0x30, 0x0a, 0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04,
		0x03, 0x03};
	static const uint8_t p521[] = {0x30, 0x0a, 0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04,
		0x03, 0x04};
	EVP_PKEY *key = X509_get0_pubkey(c->issuer->x509);
	int bits = key != NULL ? EVP_PKEY_get_bits(key) : 0;
	struct bytes fits = bytes_of(rsa, sizeof(rsa));

	if (key != NULL && EVP_PKEY_is_a(key, "EC"))
		fits = bits == 256    ? bytes_of(p256, sizeof(p256))
			: bits == 384 ? bytes_of(p384, sizeof(p384))
				      : bytes_of(p521, sizeof(p521));
	else if (key == NULL || !EVP_PKEY_is_a(key, "RSA"))
		return "the issuer's key is neither RSA nor EC";
	return bytes_equal(c->view.outer_algorithm, fits)
		? NULL
		: "signatureAlgorithm is not what goes with the issuer's key";
}

static const char *algorithms_differ(const struct crl_check *c)
{
	return bytes_equal(c->view.inner_algorithm, c->view.outer_algorithm)
		? NULL
		: "signature and signatureAlgorithm differ";
}

/* Byte for byte: verifiers compare so, whatever RFC 5280 section 7.1 lets them do. */
static const char *issuer_is_wrong(const struct crl_check *c)
{
	const uint8_t *der;
	size_t len;

	if (X509_NAME_get0_der(X509_get_subject_name(c->issuer->x509), &der, &len) != 1)
		return "the issuer's subject cannot be read";
	return bytes_equal(c->view.issuer, bytes_of(der, len))
		? NULL
		: "the issuer's name is not the subject of its certificate";
}

static const char *dates_are_wrong(const struct crl_check *c)
{
	int64_t this_us, next_us;

	if (crl_time(c->view.this_update, &this_us) != OK)
		return "thisUpdate is no proper time";
	if (c->view.next_update.ptr == NULL || crl_time(c->view.next_update, &next_us) != OK)
		return "nextUpdate is missing, or no proper time";
	return this_us < next_us ? NULL : "nextUpdate is not behind thisUpdate";
}

static const char *dates_are_unexpected(const struct crl_check *c)
{
	const struct crl_expectation *want = c->want;

	if (want->this_update_us >= 0 && want->this_update_us != c->facts.this_update_us)
		return "thisUpdate is another one";
	return want->next_update_us < 0 || want->next_update_us == c->facts.next_update_us
		? NULL
		: "nextUpdate is another one";
}

static const char *validity_is_too_long(const struct crl_check *c)
{
	int64_t us = c->facts.next_update_us - c->facts.this_update_us;

	return us / USEC_PER_SEC + 1 <= c->want->validity_max_secs
		? NULL
		: "nextUpdate is too far behind thisUpdate";
}

static const char *no_entries_are_listed(const struct crl_check *c)
{
	return c->view.has_entries && c->view.entries_len == 0
		? "revokedCertificates is there and empty"
		: NULL;
}

static const char *entries_are_unexpected(const struct crl_check *c)
{
	return c->want->entries < 0 || c->entry_fault != NULL ||
			c->want->entries == c->facts.entries
		? NULL
		: "there are more or fewer entries than were asked for";
}

static const char *entry_is_wrong(const struct crl_check *c)
{
	return c->entry_fault;
}

/* ---- extensions ---- */

static bool is_critical(const struct crl_extension *e)
{
	return bytes_equal(e->critical, bytes_of("\xff", 1));
}

static const char *extensions_repeat(const struct crl_check *c)
{
	for (size_t i = 0; i < c->view.nextensions; i++) {
		const struct crl_extension *e = &c->view.extensions[i];

		if (crl_extension_find(&c->view, e->oid) != e)
			return "an extension is there twice";
		/* DER leaves the default out, and TRUE has one form. */
		if (e->critical.ptr != NULL && !is_critical(e))
			return "critical is not DER";
	}
	return NULL;
}

/* No delta, no indirect list, nothing that nobody asked for. */
static const char *extension_is_unknown(const struct crl_check *c)
{
	for (size_t i = 0; i < c->view.nextensions; i++) {
		struct bytes oid = c->view.extensions[i].oid;

		if (!bytes_equal(oid, OID_AUTHORITY_KEY_IDENTIFIER) &&
			!bytes_equal(oid, OID_CRL_NUMBER) &&
			!bytes_equal(oid, OID_ISSUING_DISTRIBUTION_POINT))
			return "an extension is there that no list of ours has";
	}
	return NULL;
}

static const char *aki_is_wrong(const struct crl_check *c)
{
	const struct crl_extension *e = crl_extension_find(&c->view, OID_AUTHORITY_KEY_IDENTIFIER);
	const ASN1_OCTET_STRING *own = X509_get0_subject_key_id(c->issuer->x509);
	struct bytes value, body, id;

	if (e == NULL || is_critical(e))
		return "authorityKeyIdentifier is missing or critical";
	value = e->value;
	if (own == NULL || der_expect(&value, DER_SEQUENCE, &body) < 0 || value.len > 0 ||
		der_expect(&body, TAG_KEY_IDENTIFIER, &id) < 0)
		return "authorityKeyIdentifier holds no key identifier";
	return bytes_equal(id,
		       bytes_of(ASN1_STRING_get0_data(own), (size_t)ASN1_STRING_length(own)))
		? NULL
		: "authorityKeyIdentifier is not the issuer's subjectKeyIdentifier";
}

static const char *number_is_wrong(const struct crl_check *c)
{
	const struct crl_extension *e = crl_extension_find(&c->view, OID_CRL_NUMBER);
	int64_t number;

	if (e == NULL || is_critical(e))
		return "cRLNumber is missing or critical";
	if (crl_view_number(&c->view, &number) != OK)
		return "cRLNumber is no number that we can count on from";
	return c->want->number < 0 || c->want->number == number ? NULL : "cRLNumber is another one";
}

/* The URL byte for byte as certificates name it, and nothing that would let a verifier pass the
 * list by. */
static const char *idp_is_wrong(const struct crl_check *c)
{
	const struct crl_extension *e =
		crl_extension_find(&c->view, OID_ISSUING_DISTRIBUTION_POINT);
	uint8_t only = c->want->scope == CRL_SCOPE_USER ? TAG_ONLY_USER : TAG_ONLY_CA;
	struct bytes value, body, name, full_name, uri, flag;

	if (c->want->url == NULL && c->want->scope == CRL_SCOPE_ALL)
		return e == NULL ? NULL : "issuingDistributionPoint is there";
	if (e == NULL || !is_critical(e))
		return "issuingDistributionPoint is missing or not critical";
	value = e->value;
	if (der_expect(&value, DER_SEQUENCE, &body) < 0 || value.len > 0)
		return "issuingDistributionPoint is no sequence";
	if (c->want->url != NULL &&
		(der_expect(&body, TAG_DISTRIBUTION_POINT_NAME, &name) < 0 ||
			der_expect(&name, TAG_FULL_NAME, &full_name) < 0 || name.len > 0 ||
			der_expect(&full_name, TAG_URI, &uri) < 0 || full_name.len > 0 ||
			!bytes_is(uri, c->want->url)))
		return "the distribution point is not one fullName of the expected URL";
	if (c->want->scope != CRL_SCOPE_ALL &&
		(der_expect(&body, only, &flag) < 0 || !bytes_equal(flag, bytes_of("\xff", 1))))
		return "what the list contains is not said as expected";
	return body.len == 0 ? NULL : "issuingDistributionPoint says more than it should";
}

/* ---- the signature ---- */

static const EVP_MD *digest_of(const struct crl_check *c)
{
	EVP_PKEY *key = X509_get0_pubkey(c->issuer->x509);
	int bits = EVP_PKEY_is_a(key, "EC") ? EVP_PKEY_get_bits(key) : 256;

	return bits == 256 ? ossl_sha256() : bits == 384 ? ossl_sha384() : ossl_sha512();
}

static int verify_signature(const struct crl_check *c)
{
	CLEANUP(EVP_MD_CTX_free) EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	CLEANUP_BUF struct buf window = {0};
	struct bytes signature = c->view.signature;

	if (ctx == NULL ||
		EVP_DigestVerifyInit(ctx, NULL, digest_of(c), NULL,
			X509_get0_pubkey(c->issuer->x509)) != 1)
		return ossl_drain("EVP_DigestVerifyInit");
	buf_reserve(&window, CRL_WINDOW);
	for (uint64_t at = 0; at < c->view.tbs_len;) {
		uint64_t left = c->view.tbs_len - at;
		size_t n = left < CRL_WINDOW ? (size_t)left : CRL_WINDOW;

		if (crl_source_read(c->src, c->view.tbs_offset + at, window.ptr, n) != OK)
			return ERR_INTERNAL;
		if (EVP_DigestVerifyUpdate(ctx, window.ptr, n) != 1)
			return ossl_drain("EVP_DigestVerifyUpdate");
		at += n;
	}
	/* No unused bits in front. */
	if (signature.len < 2 || signature.ptr[0] != 0 ||
		EVP_DigestVerifyFinal(ctx, signature.ptr + 1, signature.len - 1) != 1)
		return ossl_drain("EVP_DigestVerifyFinal");
	return OK;
}

static const char *signature_is_wrong(const struct crl_check *c)
{
	if (X509_get0_pubkey(c->issuer->x509) == NULL ||
		(X509_get_key_usage(c->issuer->x509) & KU_CRL_SIGN) == 0)
		return "the issuer may not sign lists";
	return verify_signature(c) == OK ? NULL : "the signature is not the issuer's";
}

static const struct crl_rule rules[] = {
	{"crl_version", "RFC 5280 section 5.1.2.1", version_is_wrong},
	{"crl_algorithm", "BR 7.1.3.2", algorithm_is_wrong},
	{"crl_algorithms_equal", "RFC 5280 section 5.1.1.2", algorithms_differ},
	{"crl_issuer", "RFC 5280 section 5.1.2.3", issuer_is_wrong},
	{"crl_dates", "RFC 5280 sections 5.1.2.4 and 5.1.2.5", dates_are_wrong},
	{"crl_dates_expected", "RFC 5280 section 5.1.2.4", dates_are_unexpected},
	{"crl_validity", "BR 4.9.7", validity_is_too_long},
	{"crl_not_empty", "RFC 5280 section 5.1.2.6", no_entries_are_listed},
	{"crl_entries_expected", "RFC 5280 section 5.1.2.6", entries_are_unexpected},
	{"crl_entry", "RFC 5280 sections 5.1.2.6 and 5.3, BR 7.2.2", entry_is_wrong},
	{"crl_extension_unique", "RFC 5280 section 5.2", extensions_repeat},
	{"crl_extension_known", "BR 7.2.2", extension_is_unknown},
	{"crl_authority_key_identifier", "RFC 5280 section 5.2.1", aki_is_wrong},
	{"crl_number", "RFC 5280 section 5.2.3", number_is_wrong},
	{"crl_distribution_point", "RFC 5280 section 5.2.5, BR 7.2.2.1", idp_is_wrong},
	{"crl_signature", "RFC 5280 section 5.1.1.3", signature_is_wrong},
};

/* ---- entries ---- */

/* Shorter or smaller first: as INTEGERs of positive numbers in DER compare. */
static int compare_serials(struct bytes a, struct bytes b)
{
	if (a.len != b.len)
		return a.len < b.len ? -1 : 1;
	return a.len == 0 ? 0 : memcmp(a.ptr, b.ptr, a.len);
}

static int compare_kept(const void *a, const void *b)
{
	const struct serial *x = a, *y = b;

	return compare_serials(bytes_of(x->octets, x->len), bytes_of(y->octets, y->len));
}

/* RFC 5280 section 5.3.1, BR 7.2.2: reasonCode, not critical; absent for unspecified (0); never
 * hold (6) or removeFromCRL (8), and no reasons that certificates of ours cannot have. */
static const char *reason_fault(struct bytes value, bool of_ca)
{
	static const uint8_t allowed[] = {1, 3, 4, 5, 9};
	struct bytes reason;

	if (der_expect(&value, DER_ENUMERATED, &reason) < 0 || value.len > 0 || reason.len != 1)
		return "a reasonCode is no small number";
	for (size_t i = 0; i < sizeof(allowed); i++) {
		if (reason.ptr[0] == allowed[i])
			return NULL;
	}
	/* cACompromise is for a root's list. */
	return of_ca && reason.ptr[0] == 2 ? NULL : "a reasonCode is one that may not be used";
}

static const char *entry_extensions_fault(const struct crl_check *c, struct bytes list)
{
	bool reason = false;

	if (list.ptr == NULL)
		return NULL;
	if (list.len == 0)
		return "crlEntryExtensions is empty";
	while (list.len > 0) {
		struct bytes body, oid, critical = {0}, value;
		const char *fault = NULL;

		if (der_expect(&list, DER_SEQUENCE, &body) < 0 ||
			der_expect(&body, DER_OID, &oid) < 0 ||
			(der_peek(body) == DER_BOOLEAN &&
				der_expect(&body, DER_BOOLEAN, &critical) < 0) ||
			der_expect(&body, DER_OCTET_STRING, &value) < 0 || body.len > 0)
			return "an entry's extension is none";
		if (critical.ptr != NULL)
			return "an entry's extension is critical";
		if (bytes_equal(oid, OID_CRL_REASON)) {
			fault = reason ? "a reasonCode is there twice"
				       : reason_fault(value, c->want->scope != CRL_SCOPE_USER);
			reason = true;
		} else if (!c->want->any_entry_extension) {
			fault = "an entry has an extension that is no reasonCode";
		}
		if (fault != NULL)
			return fault;
	}
	return NULL;
}

static const char *serial_fault(struct bytes serial)
{
	if (serial.len == 0 || serial.len > SERIAL_MAX || serial.ptr[0] >= 0x80)
		return "a serial number is not positive, or too long";
	if (serial.ptr[0] == 0 && (serial.len == 1 || serial.ptr[1] < 0x80))
		return "a serial number is zero or not in its shortest form";
	return NULL;
}

static const char *entry_fault(const struct crl_check *c, const struct crl_item *item)
{
	const char *fault = serial_fault(item->serial);
	int64_t revoked_us;

	if (fault != NULL)
		return fault;
	if (crl_time(item->date, &revoked_us) != OK)
		return "a revocationDate is no proper time";
	if (revoked_us > c->facts.this_update_us)
		return "a revocationDate is behind thisUpdate";
	return entry_extensions_fault(c, item->extensions);
}

static void keep_serial(struct crl_check *c, struct bytes serial)
{
	struct serial kept = {.len = (uint8_t)serial.len};

	memcpy(kept.octets, serial.ptr, serial.len);
	buf_add(&c->serials, &kept, sizeof(kept));
}

static const char *repetition(struct crl_check *c)
{
	size_t count = c->serials.len / sizeof(struct serial);

	if (count > 1)
		qsort(c->serials.ptr, count, sizeof(struct serial), compare_kept);
	for (size_t i = 1; i < count; i++) {
		const struct serial *at = (const struct serial *)(const void *)c->serials.ptr + i;

		if (compare_kept(at - 1, at) == 0)
			return "a serial number is there twice";
	}
	return NULL;
}

/* One entry: NULL, or what is wrong. last: the serial number before. */
static const char *check_entry(struct crl_check *c, const struct crl_item *item,
	struct serial *last)
{
	const char *fault = entry_fault(c, item);

	if (fault != NULL)
		return fault;
	if (c->want->any_order) {
		keep_serial(c, item->serial);
		return NULL;
	}
	if (last->len > 0 && compare_serials(bytes_of(last->octets, last->len), item->serial) >= 0)
		return "serial numbers do not rise, so one may be there twice";
	last->len = (uint8_t)item->serial.len;
	memcpy(last->octets, item->serial.ptr, item->serial.len);
	return NULL;
}

/* Sets entry_fault for the first entry that is wrong. */
static int walk_entries(struct crl_check *c)
{
	struct serial last = {0};
	struct crl_walk walk;
	struct crl_item item;
	int err = OK;

	crl_walk_begin(c->src, &c->view, &walk);
	while (c->entry_fault == NULL && (err = crl_walk_next(&walk, &item)) == OK) {
		c->entry_fault = check_entry(c, &item, &last);
		c->facts.entries++;
	}
	crl_walk_done(&walk);
	if (err == ERR_SYNTAX)
		c->entry_fault = "an entry is not made as it should be";
	else if (err != OK && err != ERR_NOENT)
		return err;
	if (c->entry_fault == NULL)
		c->entry_fault = repetition(c);
	return OK;
}

static void add_finding(struct buf *out, const char *rule, const char *what, const char *section)
{
	buf_addf(out, "%s: %s (%s)\n", rule, what, section);
}

static int check(struct crl_check *c, struct buf *findings)
{
	size_t before = findings->len;
	int err = crl_view_read(c->src, &c->view);

	if (err == ERR_SYNTAX)
		add_finding(findings, "crl_structure", "it is not exactly one DER CertificateList",
			"RFC 5280 section 5.1");
	if (err != OK)
		return err;
	if (dates_are_wrong(c) == NULL &&
		(crl_time(c->view.this_update, &c->facts.this_update_us) != OK ||
			crl_time(c->view.next_update, &c->facts.next_update_us) != OK))
		return ERR_INTERNAL;
	if (crl_view_number(&c->view, &c->facts.number) != OK)
		c->facts.number = -1;
	err = walk_entries(c);
	if (err != OK)
		return err;
	for (size_t i = 0; i < ARRAY_LEN(rules); i++) {
		const char *what = rules[i].broken(c);

		if (what != NULL)
			add_finding(findings, rules[i].name, what, rules[i].section);
	}
	return findings->len == before ? OK : ERR_SYNTAX;
}

int crl_lint(const struct crl_source *src, const struct crl_expectation *want,
	struct crl_facts *ret, struct buf *ret_findings)
{
	struct crl_check c = {.want = want, .src = src};
	int err;

	if (certview_parse(want->issuer, &c.issuer) != OK)
		return ERR_INTERNAL;
	err = check(&c, ret_findings);
	if (err == OK && ret != NULL)
		*ret = c.facts;
	certview_free(c.issuer);
	crl_view_done(&c.view);
	buf_done(&c.serials);
	return err;
}
