/* lint_der.c — rules about the encoding (X.690): every element down to the last, inside the
 * extensions, too. */
#include <openssl/x509v3.h>
#include <string.h>

#include "lib/base/utf8.h"
#include "lib/pki/der.h"
#include "lib/pki/lint_rules.h"
#include "lib/pki/ossl.h"

#define DEPTH_MAX 12
#define TAG_CLASS_MASK 0xc0
#define TAG_CONSTRUCTED 0x20

/* X.690 section 8.3.2. */
static bool integer_is_minimal(struct bytes v)
{
	if (v.len == 0)
		return false;
	return v.len == 1 ||
		!((v.ptr[0] == 0x00 && v.ptr[1] < 0x80) || (v.ptr[0] == 0xff && v.ptr[1] >= 0x80));
}

/* X.690 section 11.2.1: unused bits are zero. */
static bool bit_string_is_clean(struct bytes v)
{
	if (v.len == 0 || v.ptr[0] > 7 || (v.len == 1 && v.ptr[0] != 0))
		return false;
	return v.len == 1 || (v.ptr[v.len - 1] & ((1 << v.ptr[0]) - 1)) == 0;
}

/* X.690 section 8.19.2: each arc ends, and begins without padding. */
static bool oid_is_minimal(struct bytes v)
{
	bool begins = true;

	for (size_t i = 0; i < v.len; i++) {
		if (begins && v.ptr[i] == 0x80)
			return false;
		begins = (v.ptr[i] & 0x80) == 0;
	}
	return v.len > 0 && begins;
}

/* X.680 section 41.4. */
static bool is_printable_string(struct bytes v)
{
	static const char others[] = " '()+,-./:=?";

	for (size_t i = 0; i < v.len; i++) {
		uint8_t c = v.ptr[i];

		if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
			    (c != 0 && strchr(others, c) != NULL)))
			return false;
	}
	return true;
}

static bool is_ia5_string(struct bytes v)
{
	for (size_t i = 0; i < v.len; i++) {
		if (v.ptr[i] >= 0x80)
			return false;
	}
	return true;
}

static bool is_text_of_its_type(uint8_t tag, struct bytes v)
{
	switch (tag) {
	case DER_PRINTABLE_STRING:
		return is_printable_string(v);
	case DER_IA5_STRING:
		return is_ia5_string(v);
	default:
		return utf8_is_valid(v);
	}
}

/* One primitive element of the universal class. Types that no certificate of ours contains are
 * refused. */
static bool primitive_is_der(uint8_t tag, struct bytes v)
{
	switch (tag) {
	case DER_BOOLEAN: /* X.690 section 11.1 */
		return v.len == 1 && (v.ptr[0] == 0x00 || v.ptr[0] == 0xff);
	case DER_INTEGER:
		return integer_is_minimal(v);
	case DER_BIT_STRING:
		return bit_string_is_clean(v);
	case DER_NULL:
		return v.len == 0;
	case DER_OID:
		return oid_is_minimal(v);
	case DER_UTF8_STRING:
	case DER_PRINTABLE_STRING:
	case DER_IA5_STRING:
		return is_text_of_its_type(tag, v);
	case DER_OCTET_STRING:
	case DER_UTC_TIME: /* their own rules look at these */
	case DER_GENERALIZED_TIME:
		return true;
	default:
		return false;
	}
}

/* X.690 section 11.6: the elements of a SET OF in ascending order. */
static bool set_is_sorted(struct bytes rest)
{
	struct bytes last = {0}, whole;

	while (rest.len > 0) {
		if (der_read(&rest, NULL, NULL, &whole) < 0)
			return false;
		if (last.ptr != NULL && lint_compare_bytes(&last, &whole) > 0)
			return false;
		last = whole;
	}
	return true;
}

static bool is_der(struct bytes rest, int depth)
{
	while (rest.len > 0) {
		struct bytes content;
		uint8_t tag;

		if (depth > DEPTH_MAX || der_read(&rest, &tag, &content, NULL) < 0)
			return false;
		if ((tag & TAG_CONSTRUCTED) != 0) {
			if ((tag & TAG_CLASS_MASK) == 0 && tag != DER_SEQUENCE && tag != DER_SET)
				return false;
			if ((tag == DER_SET && !set_is_sorted(content)) ||
				!is_der(content, depth + 1))
				return false;
		} else if ((tag & TAG_CLASS_MASK) == 0 && !primitive_is_der(tag, content)) {
			return false;
		}
	}
	return true;
}

static const char *certificate_is_not_der(const struct lint *l)
{
	return is_der(l->der, 0) ? NULL : "an element is not encoded as DER demands";
}

/* Each extnValue is one element (RFC 5280 section 4.1.2.9). */
static const char *extension_value_is_not_der(const struct lint *l)
{
	for (size_t i = 0; i < l->cert.nextensions; i++) {
		struct bytes value = l->cert.extensions[i].value, rest = value;

		if (der_read(&rest, NULL, NULL, NULL) < 0 || rest.len > 0 || !is_der(value, 0))
			return "the value of an extension is not exactly one DER element";
	}
	return NULL;
}

/* cA and critical are BOOLEAN DEFAULT FALSE: FALSE is never written. */
static const char *default_is_written(const struct lint *l)
{
	for (size_t i = 0; i < l->cert.nextensions; i++) {
		struct bytes critical = l->cert.extensions[i].critical;

		if (critical.ptr != NULL && !bytes_equal(critical, bytes_of("\xff", 1)))
			return "critical is FALSE in writing";
	}
	return NULL;
}

/* The signature is whole octets, and there is one. */
static const char *signature_is_broken(const struct lint *l)
{
	return l->cert.signature.len < 2 || l->cert.signature.ptr[0] != 0
		? "the signatureValue is empty or no whole octets"
		: NULL;
}

/* A second opinion: OpenSSL reads the same bytes, and every extension that it knows. The key is
 * asked of it by the rule key_policy. */
static const char *openssl_refuses(const struct lint *l)
{
	const uint8_t *end = l->der.ptr;
	CLEANUP(X509_free) X509 *x509 = X509_new_ex(ossl_keyless(), NULL);
	bool read = d2i_X509(&x509, &end, (long)l->der.len) != NULL &&
		end == l->der.ptr + l->der.len &&
		(X509_get_extension_flags(x509) & EXFLAG_INVALID) == 0;

	/* Also without a refusal: no fingerprint could be made. */
	ossl_drain("d2i_X509");
	return read ? NULL : "OpenSSL does not take it for a valid certificate";
}

const struct lint_rule lint_der_rules[] = {
	{"der", "X.690 sections 8, 10 and 11", certificate_is_not_der},
	{"extension_value_der", "RFC 5280 section 4.1.2.9", extension_value_is_not_der},
	{"boolean_default", "X.690 section 11.5", default_is_written},
	{"signature_value", "RFC 5280 section 4.1.1.3", signature_is_broken},
	{"openssl", "RFC 5280 section 4.1", openssl_refuses},
	{0},
};
