/* lint_extensions.c — rules about the extensions (RFC 5280 section 4.2, BR 7.1.2.7.6 to 7.1.2.7.12
 * and 7.1.2.11). */
#include "lib/pki/der.h"
#include "lib/pki/lint_rules.h"
#include "lib/pki/oid.h"

#define TAG_KEY_IDENTIFIER 0x80
#define TAG_DNS_NAME 0x82
#define TAG_URI 0x86
#define TAG_DISTRIBUTION_POINT_NAME 0xa0
#define TAG_FULL_NAME 0xa0
#define DNS_NAME_MAX 253
#define DNS_LABEL_MAX 63

static bool is_critical(const struct lint_extension *e)
{
	return e->critical.ptr != NULL;
}

static const char *extensions_repeat(const struct lint *l)
{
	for (size_t i = 0; i < l->cert.nextensions; i++) {
		if (lint_extension_find(&l->cert, l->cert.extensions[i].oid) !=
			&l->cert.extensions[i])
			return "an extension is there twice";
	}
	return NULL;
}

/* What BR 7.1.2.7.6 allows and we write. subjectKeyIdentifier has its own rule. */
static const char *extension_is_unknown(const struct lint *l)
{
	const struct bytes known[] = {OID_AUTHORITY_INFO_ACCESS, OID_AUTHORITY_KEY_IDENTIFIER,
		OID_CERTIFICATE_POLICIES, OID_EXT_KEY_USAGE, OID_SUBJECT_ALT_NAME, OID_KEY_USAGE,
		OID_BASIC_CONSTRAINTS, OID_CRL_DISTRIBUTION_POINTS, OID_SUBJECT_KEY_IDENTIFIER};

	for (size_t i = 0; i < l->cert.nextensions; i++) {
		size_t k = 0;

		while (k < ARRAY_LEN(known) && !bytes_equal(known[k], l->cert.extensions[i].oid))
			k++;
		if (k == ARRAY_LEN(known))
			return "an extension is there that the profile does not have";
	}
	return NULL;
}

static const char *subject_key_identifier_is_there(const struct lint *l)
{
	return lint_extension_find(&l->cert, OID_SUBJECT_KEY_IDENTIFIER) != NULL
		? "subjectKeyIdentifier is there"
		: NULL;
}

/* Critical exactly when the subject is empty. */
static const char *san_criticality_is_wrong(const struct lint *l)
{
	const struct lint_extension *e = lint_extension_find(&l->cert, OID_SUBJECT_ALT_NAME);
	bool empty_subject = bytes_equal(l->cert.subject, bytes_of("\x30\x00", 2));

	if (e == NULL)
		return "subjectAltName is missing";
	if (empty_subject && !is_critical(e))
		return "the subject is empty and subjectAltName is not critical";
	return !empty_subject && is_critical(e) ? "subjectAltName is critical beside a subject"
						: NULL;
}

static const char *san_has_other_names(const struct lint *l)
{
	const struct lint_extension *e = lint_extension_find(&l->cert, OID_SUBJECT_ALT_NAME);
	struct bytes value, rest;
	uint8_t tag;

	if (e == NULL)
		return NULL;
	value = e->value;
	if (der_expect(&value, DER_SEQUENCE, &rest) < 0 || value.len > 0 || rest.len == 0)
		return "subjectAltName is not a list of names";
	while (rest.len > 0) {
		if (der_read(&rest, &tag, NULL, NULL) < 0 || tag != TAG_DNS_NAME)
			return "subjectAltName holds something else than a dNSName";
	}
	return NULL;
}

/* Letters in lower case, digits and inner hyphens; "--" in the third and fourth place only for
 * A-labels. */
static bool is_label(struct bytes label)
{
	if (label.len == 0 || label.len > DNS_LABEL_MAX || label.ptr[0] == '-' ||
		label.ptr[label.len - 1] == '-')
		return false;
	for (size_t i = 0; i < label.len; i++) {
		uint8_t c = label.ptr[i];

		if (!((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-'))
			return false;
	}
	return label.len < 4 || memcmp(label.ptr + 2, "--", 2) != 0 ||
		memcmp(label.ptr, "xn", 2) == 0;
}

static bool is_numeric(struct bytes label)
{
	for (size_t i = 0; i < label.len; i++) {
		if (label.ptr[i] < '0' || label.ptr[i] > '9')
			return false;
	}
	return true;
}

/* Two labels or more, "*" only as the whole first one, the last not numeric (that would be an
 * address). */
static bool is_dns_name(struct bytes name)
{
	size_t labels = 0;
	struct bytes label = {0};

	if (name.len == 0 || name.len > DNS_NAME_MAX)
		return false;
	for (size_t begin = 0, end; begin <= name.len; begin = end + 1) {
		for (end = begin; end < name.len && name.ptr[end] != '.';)
			end++;
		label = bytes_of(name.ptr + begin, end - begin);
		if (!is_label(label) && !(begin == 0 && bytes_is(label, "*")))
			return false;
		labels++;
	}
	return labels >= 2 + (size_t)(name.ptr[0] == '*') && !is_numeric(label);
}

static const char *san_name_is_invalid(const struct lint *l)
{
	for (size_t i = 0; i < l->nnames; i++) {
		if (!is_dns_name(l->names[i]))
			return "a dNSName is no lower-case host name or wildcard";
	}
	return NULL;
}

static const char *san_name_repeats(const struct lint *l)
{
	for (size_t i = 1; i < l->nnames; i++) {
		if (bytes_equal(l->names[i - 1], l->names[i]))
			return "a dNSName is there twice";
	}
	return NULL;
}

/* The order's names and no other: same number, and each is there (no name repeats, by the rule
 * above). */
static const char *san_names_differ(const struct lint *l)
{
	if (lint_extension_find(&l->cert, OID_SUBJECT_ALT_NAME) == NULL)
		return NULL;
	if (l->nnames != l->want->nnames)
		return "the dNSNames are not as many as were asked for";
	for (size_t i = 0; i < l->want->nnames; i++) {
		if (!lint_has_name(l, bytes_str(l->want->names[i])))
			return "a name that was asked for is missing";
	}
	return NULL;
}

/* e is there with these contents and this criticality. */
static bool is_exactly(const struct lint_extension *e, bool critical, struct bytes value)
{
	return e != NULL && is_critical(e) == critical && bytes_equal(e->value, value);
}

/* keyIdentifier alone, equal to the issuer's subjectKeyIdentifier. */
static const char *aki_is_wrong(const struct lint *l)
{
	const struct lint_extension *e =
		lint_extension_find(&l->cert, OID_AUTHORITY_KEY_IDENTIFIER);
	struct bytes value, body, id;

	if (e == NULL || is_critical(e))
		return "authorityKeyIdentifier is missing or critical";
	value = e->value;
	if (der_expect(&value, DER_SEQUENCE, &body) < 0 || value.len > 0 ||
		der_expect(&body, TAG_KEY_IDENTIFIER, &id) < 0 || body.len > 0)
		return "authorityKeyIdentifier is not a keyIdentifier alone";
	return bytes_equal(id, l->issuer_key_id)
		? NULL
		: "authorityKeyIdentifier is not the issuer's subjectKeyIdentifier";
}

/* serverAuth, and clientAuth behind it when asked for. */
static const char *eku_is_wrong(const struct lint *l)
{
	static const uint8_t server[] = {0x30, 0x0a, 0x06, 0x08, 0x2b, 0x06, 0x01, 0x05, 0x05, 0x07,
		0x03, 0x01};
	static const uint8_t both[] = {0x30, 0x14, 0x06, 0x08, 0x2b, 0x06, 0x01, 0x05, 0x05, 0x07,
		0x03, 0x01, 0x06, 0x08, 0x2b, 0x06, 0x01, 0x05, 0x05, 0x07, 0x03, 0x02};
	const struct lint_extension *e = lint_extension_find(&l->cert, OID_EXT_KEY_USAGE);
	struct bytes value = l->want->client_auth ? bytes_of(both, sizeof(both))
						  : bytes_of(server, sizeof(server));

	return is_exactly(e, false, value) ? NULL : "extKeyUsage is not exactly what was asked for";
}

/* digitalSignature; with RSA keyEncipherment may come with it. Named bits end at the last one set
 * (X.690 section 11.2.2). */
static const char *key_usage_is_wrong(const struct lint *l)
{
	const struct lint_extension *e = lint_extension_find(&l->cert, OID_KEY_USAGE);

	if (is_exactly(e, true, bytes_of("\x03\x02\x07\x80", 4)))
		return NULL;
	if (l->has_key && l->key.kind == PUBKEY_RSA &&
		is_exactly(e, true, bytes_of("\x03\x02\x05\xa0", 4)))
		return NULL;
	return "keyUsage is not critical digitalSignature, for RSA with or without keyEncipherment";
}

/* Absent, or critical with cA FALSE, which DER does not write. */
static const char *basic_constraints_are_wrong(const struct lint *l)
{
	const struct lint_extension *e = lint_extension_find(&l->cert, OID_BASIC_CONSTRAINTS);

	return e == NULL || is_exactly(e, true, bytes_of("\x30\x00", 2))
		? NULL
		: "basicConstraints is not critical cA FALSE";
}

/* The reserved identifier first, no other of BR 7.1.6.1, no qualifiers. */
static const char *policies_are_wrong(const struct lint *l)
{
	static const uint8_t reserved_arc[] = {0x67, 0x81, 0x0c, 0x01};
	const struct lint_extension *e = lint_extension_find(&l->cert, OID_CERTIFICATE_POLICIES);
	struct bytes value, rest, policy, oid;
	bool first = true;

	if (e == NULL || is_critical(e))
		return "certificatePolicies is missing or critical";
	value = e->value;
	if (der_expect(&value, DER_SEQUENCE, &rest) < 0 || value.len > 0 || rest.len == 0)
		return "certificatePolicies is not a list";
	for (; rest.len > 0; first = false) {
		if (der_expect(&rest, DER_SEQUENCE, &policy) < 0 ||
			der_expect(&policy, DER_OID, &oid) < 0)
			return "certificatePolicies is not a list of policies";
		if (policy.len > 0)
			return "a policy has qualifiers";
		if (first && !bytes_equal(oid, OID_DOMAIN_VALIDATED))
			return "the first policy is not domain-validated (2.23.140.1.2.1)";
		if (!first && oid.len >= sizeof(reserved_arc) &&
			memcmp(oid.ptr, reserved_arc, sizeof(reserved_arc)) == 0)
			return "more than one reserved policy";
	}
	return NULL;
}

/* The front AccessDescription is of this method and location. */
static bool take_access(struct bytes *rest, struct bytes method, const char *url)
{
	struct bytes access, oid, location;

	return der_expect(rest, DER_SEQUENCE, &access) == OK &&
		der_expect(&access, DER_OID, &oid) == OK && bytes_equal(oid, method) &&
		der_expect(&access, TAG_URI, &location) == OK && access.len == 0 &&
		bytes_is(location, url);
}

/* ocsp, then caIssuers, each once and as configured. */
static const char *aia_is_wrong(const struct lint *l)
{
	const struct lint_extension *e = lint_extension_find(&l->cert, OID_AUTHORITY_INFO_ACCESS);
	const char *ocsp = l->want->ocsp_url, *issuers = l->want->ca_issuers_url;
	struct bytes value, rest;

	if (ocsp == NULL && issuers == NULL)
		return e == NULL ? NULL
				 : "authorityInfoAccess is there, and no location is configured";
	if (e == NULL || is_critical(e))
		return "authorityInfoAccess is missing or critical";
	value = e->value;
	if (der_expect(&value, DER_SEQUENCE, &rest) < 0 || value.len > 0 ||
		(ocsp != NULL && !take_access(&rest, OID_AD_OCSP, ocsp)) ||
		(issuers != NULL && !take_access(&rest, OID_AD_CA_ISSUERS, issuers)) ||
		rest.len > 0)
		return "authorityInfoAccess does not hold exactly the configured locations";
	return NULL;
}

/* One DistributionPoint with a fullName of one URI. */
static const char *crl_distribution_points_are_wrong(const struct lint *l)
{
	const struct lint_extension *e = lint_extension_find(&l->cert, OID_CRL_DISTRIBUTION_POINTS);
	struct bytes value, points, point, name, full_name, uri;

	if (l->want->crl_url == NULL)
		return e == NULL ? NULL
				 : "cRLDistributionPoints is there, and no location is configured";
	if (e == NULL || is_critical(e))
		return "cRLDistributionPoints is missing or critical";
	value = e->value;
	if (der_expect(&value, DER_SEQUENCE, &points) < 0 || value.len > 0 ||
		der_expect(&points, DER_SEQUENCE, &point) < 0 || points.len > 0 ||
		der_expect(&point, TAG_DISTRIBUTION_POINT_NAME, &name) < 0 || point.len > 0 ||
		der_expect(&name, TAG_FULL_NAME, &full_name) < 0 || name.len > 0 ||
		der_expect(&full_name, TAG_URI, &uri) < 0 || full_name.len > 0)
		return "cRLDistributionPoints is not one fullName with one URI";
	return bytes_is(uri, l->want->crl_url)
		? NULL
		: "cRLDistributionPoints is not the configured location";
}

static bool is_http(const char *url)
{
	return url == NULL || strncmp(url, "http://", 7) == 0;
}

/* What these locations serve is signed; https would need a certificate to check a certificate. */
static const char *location_is_not_http(const struct lint *l)
{
	return is_http(l->want->ocsp_url) && is_http(l->want->ca_issuers_url) &&
			is_http(l->want->crl_url)
		? NULL
		: "a location in authorityInfoAccess or cRLDistributionPoints is not http";
}

const struct lint_rule lint_extension_rules[] = {
	{"extension_unique", "RFC 5280 section 4.2", extensions_repeat},
	{"extension_known", "BR 7.1.2.7.6", extension_is_unknown},
	{"no_subject_key_identifier", "BR 7.1.2.7.6", subject_key_identifier_is_there},
	{"san_critical", "RFC 5280 section 4.2.1.6, BR 7.1.2.7.12", san_criticality_is_wrong},
	{"san_dns_only", "BR 7.1.2.7.12", san_has_other_names},
	{"san_syntax", "BR 7.1.4.2, RFC 5280 section 4.2.1.6", san_name_is_invalid},
	{"san_unique", "BR 7.1.2.7.12", san_name_repeats},
	{"san_expected", "RFC 8555 section 7.4", san_names_differ},
	{"authority_key_identifier", "BR 7.1.2.11.1", aki_is_wrong},
	{"ext_key_usage", "BR 7.1.2.7.10", eku_is_wrong},
	{"key_usage", "BR 7.1.2.7.11", key_usage_is_wrong},
	{"basic_constraints", "BR 7.1.2.7.8", basic_constraints_are_wrong},
	{"certificate_policies", "BR 7.1.2.7.9", policies_are_wrong},
	{"authority_info_access", "BR 7.1.2.7.7", aia_is_wrong},
	{"crl_distribution_points", "BR 7.1.2.11.2", crl_distribution_points_are_wrong},
	{"locations_http", "BR 7.1.2.7.7 and 7.1.2.11.2", location_is_not_http},
	{0},
};
