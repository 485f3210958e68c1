/* lint_responder.c — see lint_responder.h. */
#include "lib/pki/lint_responder.h"

#include <openssl/x509v3.h>

#include "lib/pki/certview.h"

struct lint {
	const struct lint_responder *want;
	X509 *x509, *issuer;
	struct bytes serial;
};

static bool is_string(const ASN1_STRING *s, struct bytes want)
{
	return s != NULL &&
		bytes_equal(bytes_of(ASN1_STRING_get0_data(s), (size_t)ASN1_STRING_length(s)),
			want);
}

/* The only extension of that kind has this criticality and this value. */
static bool is_exactly(const X509 *x509, int nid, int critical, struct bytes value)
{
	int at = X509_get_ext_by_NID(x509, nid, -1);
	X509_EXTENSION *e = at < 0 ? NULL : X509_get_ext(x509, at);

	return e != NULL && X509_get_ext_by_NID(x509, nid, at) < 0 &&
		X509_EXTENSION_get_critical(e) == critical &&
		is_string(X509_EXTENSION_get_data(e), value);
}

static const char *version_is_wrong(const struct lint *l)
{
	return X509_get_version(l->x509) == X509_VERSION_3 ? NULL : "not version 3";
}

static const char *serial_is_wrong(const struct lint *l)
{
	return l->serial.len == l->want->serial_len && l->serial.ptr[0] > 0 &&
			l->serial.ptr[0] < 0x80
		? NULL
		: "serialNumber has another length than it should have";
}

static const char *issuer_is_wrong(const struct lint *l)
{
	return X509_NAME_cmp(X509_get_issuer_name(l->x509), X509_get_subject_name(l->issuer)) == 0
		? NULL
		: "issuer is not the issuing certificate's subject";
}

static const char *subject_is_wrong(const struct lint *l)
{
	const X509_NAME *subject = X509_get_subject_name(l->x509);

	if (X509_NAME_get_index_by_NID((X509_NAME *)subject, NID_commonName, -1) < 0)
		return "subject has no commonName";
	return X509_NAME_cmp(subject, X509_get_subject_name(l->issuer)) != 0
		? NULL
		: "subject is the issuer's";
}

static const char *validity_is_wrong(const struct lint *l)
{
	const ASN1_TIME *from = X509_get0_notBefore(l->x509), *to = X509_get0_notAfter(l->x509);
	int days = 0, secs = 0;

	if (ASN1_TIME_diff(&days, &secs, from, to) != 1 ||
		(int64_t)days * 86400 + secs + 1 != l->want->validity_secs)
		return "validity is not what it should be";
	if (ASN1_TIME_compare(from, X509_get0_notBefore(l->issuer)) < 0 ||
		ASN1_TIME_compare(to, X509_get0_notAfter(l->issuer)) > 0)
		return "validity is not within the issuer's";
	return NULL;
}

static const char *key_is_wrong(const struct lint *l)
{
	const EVP_PKEY *key = X509_get0_pubkey(l->x509);
	uint8_t *spki = NULL;
	int len = i2d_X509_PUBKEY(X509_get_X509_PUBKEY(l->x509), &spki);
	bool same = len > 0 && bytes_equal(bytes_of(spki, (size_t)len), l->want->spki);

	OPENSSL_free(spki);
	if (!same)
		return "the key is another one";
	return key != NULL && EVP_PKEY_is_a(key, "EC") && EVP_PKEY_get_bits(key) == 256
		? NULL
		: "the key is not P-256";
}

/* BR 7.1.2.8.2: these and no others; so no names, no locations of status, no policies. */
static const char *extensions_are_wrong(const struct lint *l)
{
	static const int known[] = {NID_key_usage, NID_ext_key_usage, NID_id_pkix_OCSP_noCheck,
		NID_authority_key_identifier, NID_subject_key_identifier};

	if (X509_get_ext_count(l->x509) != (int)ARRAY_LEN(known))
		return "there are more extensions, or fewer";
	for (size_t i = 0; i < ARRAY_LEN(known); i++) {
		if (X509_get_ext_by_NID(l->x509, known[i], -1) < 0)
			return "an extension is missing";
	}
	return NULL;
}

static const char *key_usage_is_wrong(const struct lint *l)
{
	return is_exactly(l->x509, NID_key_usage, 1, bytes_of("\x03\x02\x07\x80", 4))
		? NULL
		: "keyUsage is not critical digitalSignature";
}

/* RFC 6960 section 4.2.2.2: whoever may sign responses may sign nothing else. */
static const char *ext_key_usage_is_wrong(const struct lint *l)
{
	return X509_get_extended_key_usage(l->x509) == XKU_OCSP_SIGN &&
			is_exactly(l->x509, NID_ext_key_usage, 0,
				bytes_of("\x30\x0a\x06\x08\x2b\x06\x01\x05\x05\x07\x03\x09", 12))
		? NULL
		: "extKeyUsage is not OCSPSigning alone";
}

static const char *nocheck_is_wrong(const struct lint *l)
{
	return is_exactly(l->x509, NID_id_pkix_OCSP_noCheck, 0, bytes_of("\x05\x00", 2))
		? NULL
		: "id-pkix-ocsp-nocheck is not NULL";
}

static const char *key_identifiers_are_wrong(const struct lint *l)
{
	const ASN1_OCTET_STRING *own = X509_get0_subject_key_id(l->x509);
	const ASN1_OCTET_STRING *above = X509_get0_authority_key_id(l->x509);
	const ASN1_OCTET_STRING *issuer = X509_get0_subject_key_id(l->issuer);

	if (above == NULL || issuer == NULL || ASN1_OCTET_STRING_cmp(above, issuer) != 0 ||
		X509_get0_authority_issuer(l->x509) != NULL ||
		X509_get0_authority_serial(l->x509) != NULL)
		return "authorityKeyIdentifier is not the issuer's key identifier alone";
	return own != NULL && ASN1_STRING_length(own) == 20
		? NULL
		: "subjectKeyIdentifier is not 20 octets long";
}

static const struct {
	const char *name, *section;
	const char *(*broken)(const struct lint *l);
} rules[] = {
	{"version", "RFC 5280 section 4.1.2.1", version_is_wrong},
	{"serial", "RFC 5280 section 4.1.2.2", serial_is_wrong},
	{"issuer", "RFC 6960 section 4.2.2.2", issuer_is_wrong},
	{"subject", "BR 7.1.2.8", subject_is_wrong},
	{"validity", "RFC 5280 section 4.1.2.5", validity_is_wrong},
	{"key", "BR 6.1.5", key_is_wrong},
	{"extensions", "BR 7.1.2.8.2", extensions_are_wrong},
	{"key_usage", "BR 7.1.2.8.7", key_usage_is_wrong},
	{"ext_key_usage", "RFC 6960 section 4.2.2.2", ext_key_usage_is_wrong},
	{"nocheck", "RFC 6960 section 4.2.2.2.1", nocheck_is_wrong},
	{"key_identifiers", "RFC 5280 section 4.2.1.1", key_identifiers_are_wrong},
};

int lint_responder(struct bytes der, const struct lint_responder *want, struct buf *ret_findings)
{
	CLEANUP(certview_free) struct certview *view = NULL;
	CLEANUP(certview_free) struct certview *issuer = NULL;
	struct lint l = {.want = want};
	int err = OK;

	if (certview_parse(want->issuer, &issuer) != OK)
		return ERR_INTERNAL;
	if (certview_parse(der, &view) != OK) {
		buf_add_str(ret_findings, "syntax: no DER certificate (RFC 5280 section 4.1)\n");
		return ERR_SYNTAX;
	}
	l.x509 = view->x509;
	l.serial = view->serial;
	l.issuer = issuer->x509;
	for (size_t i = 0; i < ARRAY_LEN(rules); i++) {
		const char *broken = rules[i].broken(&l);

		if (broken == NULL)
			continue;
		buf_addf(ret_findings, "%s: %s (%s)\n", rules[i].name, broken, rules[i].section);
		err = ERR_SYNTAX;
	}
	ossl_drain("lint_responder");
	return err;
}
