/* lint.c — see lint.h: takes the certificate apart and asks every rule. The rules are in lint_der.c
 * (encoding), lint_fields.c (the TBSCertificate's fields) and lint_extensions.c. */
#include "lib/pki/lint.h"

#include "lib/pki/der.h"
#include "lib/pki/lint_rules.h"
#include "lib/pki/oid.h"

#define TAG_VERSION 0xa0
#define TAG_ISSUER_UNIQUE_ID 0x81
#define TAG_SUBJECT_UNIQUE_ID 0x82
#define TAG_EXTENSIONS 0xa3
#define TAG_DNS_NAME 0x82

const struct lint_extension *lint_extension_find(const struct lint_certificate *cert,
	struct bytes oid)
{
	for (size_t i = 0; i < cert->nextensions; i++) {
		if (bytes_equal(cert->extensions[i].oid, oid))
			return &cert->extensions[i];
	}
	return NULL;
}

int lint_compare_bytes(const void *a, const void *b)
{
	const struct bytes *x = a, *y = b;
	size_t shorter = x->len < y->len ? x->len : y->len;
	int order = shorter == 0 ? 0 : memcmp(x->ptr, y->ptr, shorter);

	return order != 0 ? order : (x->len > y->len) - (x->len < y->len);
}

bool lint_has_name(const struct lint *l, struct bytes name)
{
	return l->nnames > 0 &&
		bsearch(&name, l->names, l->nnames, sizeof(*l->names), lint_compare_bytes) != NULL;
}

static int whole_sequence(struct bytes *in, struct bytes *ret)
{
	if (der_peek(*in) != DER_SEQUENCE)
		return ERR_SYNTAX;
	return der_read(in, NULL, NULL, ret);
}

/* RFC 5280 section 4.1: Extension. */
static int read_extension(struct bytes *in, struct lint_extension *ret)
{
	struct bytes body;

	*ret = (struct lint_extension){0};
	if (der_expect(in, DER_SEQUENCE, &body) < 0 || der_expect(&body, DER_OID, &ret->oid) < 0)
		return ERR_SYNTAX;
	if (der_peek(body) == DER_BOOLEAN && der_expect(&body, DER_BOOLEAN, &ret->critical) < 0)
		return ERR_SYNTAX;
	if (der_expect(&body, DER_OCTET_STRING, &ret->value) < 0 || body.len > 0)
		return ERR_SYNTAX;
	return OK;
}

static int read_extensions(struct bytes tbs, struct lint_certificate *ret)
{
	struct bytes list, rest;

	if (tbs.len == 0)
		return OK;
	if (der_expect(&tbs, TAG_EXTENSIONS, &list) < 0 || tbs.len > 0 ||
		der_expect(&list, DER_SEQUENCE, &rest) < 0 || list.len > 0)
		return ERR_SYNTAX;
	while (rest.len > 0) {
		if (ret->nextensions == LINT_EXTENSIONS_MAX ||
			read_extension(&rest, &ret->extensions[ret->nextensions]) < 0)
			return ERR_SYNTAX;
		ret->nextensions++;
	}
	return OK;
}

/* RFC 5280 section 4.1: the order of the fields, and nothing behind or between them. */
static int take_apart(struct bytes der, struct lint_certificate *ret)
{
	struct bytes certificate, tbs;

	if (der_expect(&der, DER_SEQUENCE, &certificate) < 0 || der.len > 0 ||
		der_expect(&certificate, DER_SEQUENCE, &tbs) < 0 ||
		whole_sequence(&certificate, &ret->outer_algorithm) < 0 ||
		der_expect(&certificate, DER_BIT_STRING, &ret->signature) < 0 ||
		certificate.len > 0)
		return ERR_SYNTAX;
	if (der_peek(tbs) == TAG_VERSION && der_expect(&tbs, TAG_VERSION, &ret->version) < 0)
		return ERR_SYNTAX;
	if (der_expect(&tbs, DER_INTEGER, &ret->serial) < 0 ||
		whole_sequence(&tbs, &ret->inner_algorithm) < 0 ||
		whole_sequence(&tbs, &ret->issuer) < 0 ||
		der_expect(&tbs, DER_SEQUENCE, &ret->validity) < 0 ||
		whole_sequence(&tbs, &ret->subject) < 0 || whole_sequence(&tbs, &ret->spki) < 0)
		return ERR_SYNTAX;
	for (uint8_t tag = TAG_ISSUER_UNIQUE_ID; tag <= TAG_SUBJECT_UNIQUE_ID; tag++) {
		if (der_peek(tbs) != tag)
			continue;
		ret->unique_ids = true;
		if (der_expect(&tbs, tag, NULL) < 0)
			return ERR_SYNTAX;
	}
	return read_extensions(tbs, ret);
}

/* The issuing certificate is ours: what cannot be read there is a broken installation. */
static int read_issuer(struct lint *l)
{
	const struct lint_extension *ski;
	struct bytes value;

	if (take_apart(l->want->issuer, &l->issuer) < 0 ||
		pubkey_from_spki(l->issuer.spki, &l->issuer_key) < 0)
		return ERR_INTERNAL;
	ski = lint_extension_find(&l->issuer, OID_SUBJECT_KEY_IDENTIFIER);
	if (ski == NULL)
		return ERR_INTERNAL;
	value = ski->value;
	if (der_expect(&value, DER_OCTET_STRING, &l->issuer_key_id) < 0 || value.len > 0 ||
		l->issuer_key_id.len == 0)
		return ERR_INTERNAL;
	return OK;
}

/* The dNSNames, sorted. Whether there is anything else in the extension is for its rule to say. */
static void collect_names(struct lint *l)
{
	const struct lint_extension *san = lint_extension_find(&l->cert, OID_SUBJECT_ALT_NAME);
	struct bytes value, rest, name;
	uint8_t tag;

	if (san == NULL)
		return;
	value = san->value;
	if (der_expect(&value, DER_SEQUENCE, &rest) < 0)
		return;
	/* A GeneralName has at least two octets. */
	l->names = xcalloc(rest.len / 2 + 1, sizeof(*l->names));
	while (rest.len > 0 && der_read(&rest, &tag, &name, NULL) == OK) {
		if (tag == TAG_DNS_NAME)
			l->names[l->nnames++] = name;
	}
	qsort(l->names, l->nnames, sizeof(*l->names), lint_compare_bytes);
}

static size_t ask(const struct lint_rule *rules, const struct lint *l, struct buf *ret_findings)
{
	size_t broken = 0;

	for (const struct lint_rule *rule = rules; rule->name != NULL; rule++) {
		const char *what = rule->broken(l);

		if (what == NULL)
			continue;
		buf_addf(ret_findings, "%s: %s (%s)\n", rule->name, what, rule->section);
		broken++;
	}
	return broken;
}

int lint_certificate(struct bytes der, const struct lint_expectation *want,
	struct buf *ret_findings)
{
	struct lint l = {.want = want, .der = der};
	size_t broken;
	int r = read_issuer(&l);

	if (r < 0)
		return r;
	if (take_apart(der, &l.cert) < 0) {
		buf_add_str(ret_findings,
			"structure: not exactly one DER certificate (RFC 5280 section 4.1)\n");
		return ERR_SYNTAX;
	}
	l.has_key = pubkey_from_spki(l.cert.spki, &l.key) == OK;
	collect_names(&l);
	broken = ask(lint_der_rules, &l, ret_findings) + ask(lint_field_rules, &l, ret_findings) +
		ask(lint_extension_rules, &l, ret_findings);
	free(l.names);
	return broken == 0 ? OK : ERR_SYNTAX;
}
