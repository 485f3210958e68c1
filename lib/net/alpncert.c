/* alpncert.c — see alpncert.h. */
#include "lib/net/alpncert.h"

#include <strings.h>

#include "lib/pki/der.h"
#include "lib/pki/ossl.h"

#define EXTENSIONS_MAX 32
#define TAG_VERSION 0xa0
#define TAG_ISSUER_UID 0x81
#define TAG_SUBJECT_UID 0x82
#define TAG_EXTENSIONS 0xa3
#define TAG_DNS_NAME 0x82

static const uint8_t oid_subject_alt_name[] = {0x55, 0x1d, 0x11};
/* 1.3.6.1.5.5.7.1.31, and the 30.1 of early drafts. */
static const uint8_t oid_acme_identifier[] = {0x2b, 0x06, 0x01, 0x05, 0x05, 0x07, 0x01, 0x1f};
static const uint8_t oid_draft_identifier[] = {0x2b, 0x06, 0x01, 0x05, 0x05, 0x07, 0x01, 0x1e,
	0x01};

struct extension {
	struct bytes oid;
	bool critical;
	struct bytes value;
};

struct parts {
	struct bytes issuer, subject;
	size_t nextensions;
	struct extension extensions[EXTENSIONS_MAX];
};

static bool has_oid(struct bytes oid, const uint8_t *want, size_t len)
{
	return bytes_equal(oid, bytes_of(want, len));
}

static int read_extension(struct bytes *in, struct extension *ret)
{
	struct bytes ext, boolean;

	if (der_expect(in, DER_SEQUENCE, &ext) != OK || der_expect(&ext, DER_OID, &ret->oid) != OK)
		return ERR_SYNTAX;
	ret->critical = false;
	if (der_peek(ext) == DER_BOOLEAN) {
		if (der_expect(&ext, DER_BOOLEAN, &boolean) != OK || boolean.len != 1)
			return ERR_SYNTAX;
		/* X.690 section 11.1: TRUE is 0xff. An explicit FALSE is no DER, but says clearly
		 * "not critical". */
		if (boolean.ptr[0] != 0xff && boolean.ptr[0] != 0)
			return ERR_SYNTAX;
		ret->critical = boolean.ptr[0] == 0xff;
	}
	if (der_expect(&ext, DER_OCTET_STRING, &ret->value) != OK || ext.len != 0)
		return ERR_SYNTAX;
	return OK;
}

static int read_extensions(struct bytes wrapped, struct parts *parts)
{
	struct bytes list;

	if (der_expect(&wrapped, DER_SEQUENCE, &list) != OK || wrapped.len != 0)
		return ERR_SYNTAX;
	while (list.len > 0) {
		struct extension *ext = &parts->extensions[parts->nextensions];

		if (parts->nextensions == EXTENSIONS_MAX)
			return ERR_LIMIT;
		if (read_extension(&list, ext) != OK)
			return ERR_SYNTAX;
		/* RFC 5280 section 4.2: not more than one instance of an extension. */
		for (size_t i = 0; i < parts->nextensions; i++)
			if (bytes_equal(parts->extensions[i].oid, ext->oid))
				return ERR_CONFLICT;
		parts->nextensions++;
	}
	return OK;
}

static int read_name(struct bytes *in, struct bytes *ret_whole)
{
	struct bytes content;
	uint8_t tag;

	if (der_read(in, &tag, &content, ret_whole) != OK || tag != DER_SEQUENCE)
		return ERR_SYNTAX;
	return OK;
}

/* TBSCertificate of RFC 5280 section 4.1, version 3. */
static int read_tbs(struct bytes tbs, struct parts *parts)
{
	struct bytes version, number, skipped;

	if (der_expect(&tbs, TAG_VERSION, &version) != OK ||
		der_expect(&version, DER_INTEGER, &number) != OK || version.len != 0 ||
		number.len != 1 || number.ptr[0] != 2)
		return ERR_SYNTAX;
	if (der_expect(&tbs, DER_INTEGER, &skipped) != OK ||
		der_expect(&tbs, DER_SEQUENCE, &skipped) != OK ||
		read_name(&tbs, &parts->issuer) != OK ||
		der_expect(&tbs, DER_SEQUENCE, &skipped) != OK ||
		read_name(&tbs, &parts->subject) != OK ||
		der_expect(&tbs, DER_SEQUENCE, &skipped) != OK)
		return ERR_SYNTAX;
	for (uint8_t tag = TAG_ISSUER_UID; tag <= TAG_SUBJECT_UID; tag++)
		if (der_peek(tbs) == tag && der_expect(&tbs, tag, &skipped) != OK)
			return ERR_SYNTAX;
	if (der_expect(&tbs, TAG_EXTENSIONS, &skipped) != OK || tbs.len != 0)
		return ERR_SYNTAX;
	return read_extensions(skipped, parts);
}

static int read_certificate(struct bytes der, struct parts *parts)
{
	struct bytes cert, tbs, skipped;

	if (der_expect(&der, DER_SEQUENCE, &cert) != OK || der.len != 0 ||
		der_expect(&cert, DER_SEQUENCE, &tbs) != OK ||
		der_expect(&cert, DER_SEQUENCE, &skipped) != OK ||
		der_expect(&cert, DER_BIT_STRING, &skipped) != OK || cert.len != 0)
		return ERR_SYNTAX;
	return read_tbs(tbs, parts);
}

static const struct extension *find_extension(const struct parts *parts, const uint8_t *oid,
	size_t len)
{
	for (size_t i = 0; i < parts->nextensions; i++)
		if (has_oid(parts->extensions[i].oid, oid, len))
			return &parts->extensions[i];
	return NULL;
}

static int refuse(struct problem *pb, const char *fault)
{
	return problem_set(pb, PROBLEM_INCORRECT_RESPONSE, "the certificate %s", fault);
}

/* RFC 8737 section 3: "a subjectAltName extension containing the dNSName being validated and no
 * other entries". */
static int check_subject_alt_name(const struct parts *parts, const char *name, struct problem *pb)
{
	const struct extension *san =
		find_extension(parts, oid_subject_alt_name, sizeof(oid_subject_alt_name));
	struct bytes value, list, entry;
	CLEANUP_BUF struct buf quoted = {0};

	if (san == NULL)
		return refuse(pb, "has no subjectAltName");
	value = san->value;
	if (der_expect(&value, DER_SEQUENCE, &list) != OK || value.len != 0)
		return refuse(pb, "has a malformed subjectAltName");
	if (der_peek(list) != TAG_DNS_NAME || der_expect(&list, TAG_DNS_NAME, &entry) != OK)
		return refuse(pb, "has a subjectAltName that is no dNSName");
	if (list.len != 0)
		return refuse(pb, "has more than one name in its subjectAltName");
	if (entry.len == strlen(name) && strncasecmp((const char *)entry.ptr, name, entry.len) == 0)
		return OK;
	problem_quote(&quoted, entry, 200);
	return problem_set(pb, PROBLEM_INCORRECT_RESPONSE,
		"the certificate is for \"%s\", not for %s", buf_str(&quoted), name);
}

/* RFC 8737 section 3: a critical acmeIdentifier, whose value is the DER of an OCTET STRING of 32
 * bytes. */
static int check_acme_identifier(const struct parts *parts, const uint8_t digest[32],
	struct problem *pb)
{
	const struct extension *id =
		find_extension(parts, oid_acme_identifier, sizeof(oid_acme_identifier));
	struct bytes value, octets;

	if (id == NULL &&
		find_extension(parts, oid_draft_identifier, sizeof(oid_draft_identifier)) != NULL)
		return refuse(pb,
			"has the acmeIdentifier extension of an early draft (30.1) in place of 31");
	if (id == NULL)
		return refuse(pb,
			"has no acmeIdentifier extension: it is the host's ordinary certificate");
	if (!id->critical)
		return refuse(pb, "has an acmeIdentifier extension that is not critical");
	value = id->value;
	if (der_expect(&value, DER_OCTET_STRING, &octets) != OK || value.len != 0 ||
		octets.len != 32)
		return refuse(pb, "has an acmeIdentifier that is not an OCTET STRING of 32 bytes");
	if (memcmp(octets.ptr, digest, 32) != 0)
		return refuse(pb,
			"has the acmeIdentifier of another key authorization (other token or "
			"account key)");
	return OK;
}

/* RFC 8737 section 3: "constructing a self-signed certificate". */
static int check_self_signed(struct bytes der, const struct parts *parts, struct problem *pb)
{
	CLEANUP(X509_free) X509 *x509 = NULL;
	const uint8_t *end = der.ptr;
	EVP_PKEY *key;

	if (!bytes_equal(parts->issuer, parts->subject))
		return refuse(pb, "is not self-signed: issuer and subject differ");
	x509 = d2i_X509(NULL, &end, (long)der.len);
	key = x509 == NULL ? NULL : X509_get0_pubkey(x509);
	if (key == NULL || end != der.ptr + der.len || X509_verify(x509, key) != 1) {
		(void)ossl_drain("X509_verify");
		return refuse(pb,
			"is not self-signed: its signature does not verify with its own key");
	}
	return OK;
}

int alpncert_check(struct bytes der, const char *name, const uint8_t digest[32], struct problem *pb)
{
	struct parts parts = {.nextensions = 0};
	int rc = read_certificate(der, &parts);

	if (rc == ERR_CONFLICT)
		return refuse(pb, "has an extension twice");
	if (rc == ERR_LIMIT)
		return refuse(pb, "has too many extensions");
	if (rc != OK)
		return refuse(pb,
			"is not a well-formed X.509 version 3 certificate with extensions");
	rc = check_subject_alt_name(&parts, name, pb);
	if (rc == OK)
		rc = check_acme_identifier(&parts, digest, pb);
	if (rc == OK)
		rc = check_self_signed(der, &parts, pb);
	return rc;
}
