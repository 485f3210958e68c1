/* tbs.c — see tbs.h. The constants are complete DER elements; the comments say what each one is. */
#include "workers/signer/tbs.h"

#include <assert.h>

#include "lib/pki/der.h"

#define COMMON_NAME_MAX 64 /* X.520 ub-common-name */

/* Context tags that RFC 5280 uses below. */
enum {
	TAG_VERSION = 0xa0,
	TAG_EXTENSIONS = 0xa3,
	TAG_KEY_ID = 0x80,
	TAG_DNS_NAME = 0x82,
	TAG_URI = 0x86,
	TAG_DP_NAME = 0xa0,
	TAG_FULL_NAME = 0xa0
};

#define PUT_LITERAL(out, ...)                                                                      \
	do {                                                                                       \
		static const uint8_t literal_[] = {__VA_ARGS__};                                   \
		buf_add((out), literal_, sizeof(literal_));                                        \
	} while (0)

/* [0] { INTEGER 2 }: X.509 version 3. */
#define VERSION_3 TAG_VERSION, 0x03, 0x02, 0x01, 0x02

/* Extension { keyUsage, critical, OCTET STRING { BIT STRING } }. */
#define KEY_USAGE_HEAD 0x30, 0x0e, 0x06, 0x03, 0x55, 0x1d, 0x0f, 0x01, 0x01, 0xff, 0x04, 0x04
#define KEY_USAGE_SIGN KEY_USAGE_HEAD, 0x03, 0x02, 0x07, 0x80          /* digitalSignature */
#define KEY_USAGE_SIGN_ENCIPHER KEY_USAGE_HEAD, 0x03, 0x02, 0x05, 0xa0 /* and keyEncipherment */

/* Extension { extKeyUsage, OCTET STRING { SEQUENCE { serverAuth [, clientAuth] } } }. */
#define SERVER_AUTH 0x06, 0x08, 0x2b, 0x06, 0x01, 0x05, 0x05, 0x07, 0x03, 0x01
#define CLIENT_AUTH 0x06, 0x08, 0x2b, 0x06, 0x01, 0x05, 0x05, 0x07, 0x03, 0x02
#define EXT_KEY_USAGE_SERVER                                                                       \
	0x30, 0x13, 0x06, 0x03, 0x55, 0x1d, 0x25, 0x04, 0x0c, 0x30, 0x0a, SERVER_AUTH
#define EXT_KEY_USAGE_BOTH                                                                         \
	0x30, 0x1d, 0x06, 0x03, 0x55, 0x1d, 0x25, 0x04, 0x16, 0x30, 0x14, SERVER_AUTH, CLIENT_AUTH

/* Extension { basicConstraints, critical, OCTET STRING { SEQUENCE {} } }: CA:FALSE by default (DER
 * leaves it out). */
#define BASIC_CONSTRAINTS_LEAF                                                                     \
	0x30, 0x0c, 0x06, 0x03, 0x55, 0x1d, 0x13, 0x01, 0x01, 0xff, 0x04, 0x02, 0x30, 0x00

/* Extension { certificatePolicies, OCTET STRING { SEQUENCE { SEQUENCE { 2.23.140.1.2.1
 * domain-validated } } } }. */
#define POLICY_DOMAIN_VALIDATED                                                                    \
	0x30, 0x13, 0x06, 0x03, 0x55, 0x1d, 0x20, 0x04, 0x0c, 0x30, 0x0a, 0x30, 0x08, 0x06, 0x06,  \
		0x67, 0x81, 0x0c, 0x01, 0x02, 0x01

static const uint8_t oid_common_name[] = {0x55, 0x04, 0x03};
static const uint8_t oid_subject_alt_name[] = {0x55, 0x1d, 0x11};
static const uint8_t oid_authority_key_id[] = {0x55, 0x1d, 0x23};
static const uint8_t oid_authority_info[] = {0x2b, 0x06, 0x01, 0x05, 0x05, 0x07, 0x01, 0x01};
static const uint8_t oid_ocsp[] = {0x2b, 0x06, 0x01, 0x05, 0x05, 0x07, 0x30, 0x01};
static const uint8_t oid_ca_issuers[] = {0x2b, 0x06, 0x01, 0x05, 0x05, 0x07, 0x30, 0x02};
static const uint8_t oid_crl_distribution[] = {0x55, 0x1d, 0x1f};

#define OID(o) bytes_of((o), sizeof(o))

struct bytes tbs_common_name(const struct tbs_input *in)
{
	for (size_t i = 0; in->common_name && i < in->nnames; i++)
		if (in->names[i].len <= COMMON_NAME_MAX)
			return in->names[i];
	return bytes_of(NULL, 0);
}

/* Name ::= RDNSequence of nothing, or of one commonName. */
static void put_subject(struct buf *out, struct bytes common_name)
{
	size_t name = der_begin(out, DER_SEQUENCE);

	if (common_name.ptr != NULL) {
		size_t rdn = der_begin(out, DER_SET);
		size_t attribute = der_begin(out, DER_SEQUENCE);

		der_put_oid(out, OID(oid_common_name));
		der_put(out, DER_UTF8_STRING, common_name);
		der_end(out, attribute);
		der_end(out, rdn);
	}
	der_end(out, name);
}

static void put_validity(struct buf *out, int64_t not_before_us, int64_t not_after_us)
{
	size_t mark = der_begin(out, DER_SEQUENCE);

	der_put_time(out, not_before_us);
	der_put_time(out, not_after_us);
	der_end(out, mark);
}

/* Opens Extension { oid, OCTET STRING { SEQUENCE { … for the caller to fill. */
struct extension {
	size_t whole, value, content;
};

static struct extension extension_begin(struct buf *out, struct bytes oid, bool critical)
{
	struct extension e;

	e.whole = der_begin(out, DER_SEQUENCE);
	der_put_oid(out, oid);
	if (critical)
		PUT_LITERAL(out, DER_BOOLEAN, 0x01, 0xff);
	e.value = der_begin(out, DER_OCTET_STRING);
	e.content = der_begin(out, DER_SEQUENCE);
	return e;
}

static void extension_end(struct buf *out, const struct extension *e)
{
	der_end(out, e->content);
	der_end(out, e->value);
	der_end(out, e->whole);
}

/* RFC 5280 section 4.2.1.6: critical exactly when the subject is empty. */
static void put_subject_alt_name(struct buf *out, const struct bytes *names, size_t count,
	bool critical)
{
	struct extension e = extension_begin(out, OID(oid_subject_alt_name), critical);

	for (size_t i = 0; i < count; i++)
		der_put(out, TAG_DNS_NAME, names[i]);
	extension_end(out, &e);
}

/* AccessDescription: a method and its location. */
static void put_access(struct buf *out, struct bytes method, const char *url)
{
	size_t access = der_begin(out, DER_SEQUENCE);

	der_put_oid(out, method);
	der_put(out, TAG_URI, bytes_str(url));
	der_end(out, access);
}

void tbs_issuer_extensions(struct buf *out, struct bytes key_id, const char *ocsp_url,
	const char *ca_issuers_url)
{
	struct extension e = extension_begin(out, OID(oid_authority_key_id), false);

	der_put(out, TAG_KEY_ID, key_id);
	extension_end(out, &e);
	if (ocsp_url != NULL || ca_issuers_url != NULL) {
		e = extension_begin(out, OID(oid_authority_info), false);
		if (ocsp_url != NULL)
			put_access(out, OID(oid_ocsp), ocsp_url);
		if (ca_issuers_url != NULL)
			put_access(out, OID(oid_ca_issuers), ca_issuers_url);
		extension_end(out, &e);
	}
	PUT_LITERAL(out, POLICY_DOMAIN_VALIDATED);
}

void tbs_crl_extension(struct buf *out, const char *url)
{
	struct extension e = extension_begin(out, OID(oid_crl_distribution), false);
	size_t point = der_begin(out, DER_SEQUENCE);
	size_t point_name = der_begin(out, TAG_DP_NAME);
	size_t full_name = der_begin(out, TAG_FULL_NAME);

	der_put(out, TAG_URI, bytes_str(url));
	der_end(out, full_name);
	der_end(out, point_name);
	der_end(out, point);
	extension_end(out, &e);
}

static void put_extensions(struct buf *out, const struct tbs_input *in, bool subject_empty)
{
	size_t outer = der_begin(out, TAG_EXTENSIONS);
	size_t list = der_begin(out, DER_SEQUENCE);

	/* Baseline Requirements section 7.1.2.7.11: key encipherment is for RSA alone. */
	if (in->rsa)
		PUT_LITERAL(out, KEY_USAGE_SIGN_ENCIPHER);
	else
		PUT_LITERAL(out, KEY_USAGE_SIGN);
	if (in->client_auth)
		PUT_LITERAL(out, EXT_KEY_USAGE_BOTH);
	else
		PUT_LITERAL(out, EXT_KEY_USAGE_SERVER);
	PUT_LITERAL(out, BASIC_CONSTRAINTS_LEAF);
	buf_add(out, in->issuer->extensions.ptr, in->issuer->extensions.len);
	if (in->crl_shard > 0)
		buf_add(out, in->issuer->crl_points[in->crl_shard - 1].extension.ptr,
			in->issuer->crl_points[in->crl_shard - 1].extension.len);
	put_subject_alt_name(out, in->names, in->nnames, subject_empty);
	der_end(out, list);
	der_end(out, outer);
}

void tbs_build(const struct tbs_input *in, struct buf *out)
{
	const struct issuer *issuer = in->issuer;
	struct bytes common_name = tbs_common_name(in);
	size_t mark = der_begin(out, DER_SEQUENCE);

	/* No certificate without a name, and no INTEGER that is negative or padded (RFC 5280
	 * section 4.1.2.2). */
	assert(in->nnames > 0 && in->serial.len > 0 && in->serial.ptr[0] > 0 &&
		in->serial.ptr[0] < 0x80);
	assert(in->crl_shard >= 0 && in->crl_shard <= issuer->crl_shards);
	PUT_LITERAL(out, VERSION_3);
	der_put(out, DER_INTEGER, in->serial);
	buf_add(out, issuer->algorithm.ptr, issuer->algorithm.len);
	buf_add(out, issuer->subject.ptr, issuer->subject.len);
	put_validity(out, in->not_before_us, in->not_after_us);
	put_subject(out, common_name);
	buf_add(out, in->spki.ptr, in->spki.len);
	put_extensions(out, in, common_name.ptr == NULL);
	der_end(out, mark);
}
