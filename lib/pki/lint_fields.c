/* lint_fields.c — rules about the fields of the TBSCertificate (RFC 5280 section 4.1.2,
 * BR 7.1.2.7). */
#include <time.h>

#include "lib/pki/der.h"
#include "lib/pki/keypolicy.h"
#include "lib/pki/lint_rules.h"
#include "lib/pki/oid.h"

#define SERIAL_MIN_LEN 8 /* 64 bits of a CSPRNG take at least as many octets */
#define SERIAL_MAX_LEN 20
#define COMMON_NAME_MAX 64 /* ub-common-name */

static const char *version_is_not_3(const struct lint *l)
{
	return bytes_equal(l->cert.version, bytes_of("\x02\x01\x02", 3)) ? NULL
									 : "the version is not v3";
}

/* Positive, at most 20 octets. */
static const char *serial_is_out_of_range(const struct lint *l)
{
	struct bytes serial = l->cert.serial;
	bool zero = true;

	for (size_t i = 0; i < serial.len; i++)
		zero = zero && serial.ptr[i] == 0;
	if (zero || (serial.ptr[0] & 0x80) != 0)
		return "the serialNumber is not positive";
	return serial.len > SERIAL_MAX_LEN ? "the serialNumber has more than 20 octets" : NULL;
}

/* Of one length, so that its randomness is what it seems. */
static const char *serial_has_another_length(const struct lint *l)
{
	size_t want = l->want->serial_len;

	if (want == 0 ? l->cert.serial.len < SERIAL_MIN_LEN : l->cert.serial.len != want)
		return "the serialNumber has not the length that was asked for";
	return NULL;
}

static const char *algorithms_differ(const struct lint *l)
{
	return bytes_equal(l->cert.inner_algorithm, l->cert.outer_algorithm)
		? NULL
		: "signature and signatureAlgorithm differ";
}

/* The octets that BR 7.1.3.2 prescribes for the issuer's key. */
static const char *algorithm_does_not_fit_issuer(const struct lint *l)
{
	static const uint8_t rsa[] = {0x30, 0x0d, 0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d,
		0x01, 0x01, 0x0b, 0x05, 0x00};
	static const uint8_t ecdsa[] = {0x30, 0x0a, 0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04,
		0x03, 0x02};
	struct bytes algorithm = l->cert.outer_algorithm;
	uint8_t expected[sizeof(ecdsa)];

	memcpy(expected, ecdsa, sizeof(ecdsa));
	switch (l->issuer_key.kind) {
	case PUBKEY_RSA:
		return bytes_equal(algorithm, bytes_of(rsa, sizeof(rsa)))
			? NULL
			: "not sha256WithRSAEncryption";
	case PUBKEY_P256:
		break;
	case PUBKEY_P384:
		expected[11] = 0x03;
		break;
	case PUBKEY_P521:
		expected[11] = 0x04;
		break;
	case PUBKEY_ED25519:
		return "the issuer's key may not sign certificates";
	}
	return bytes_equal(algorithm, bytes_of(expected, sizeof(expected)))
		? NULL
		: "not the ECDSA of the issuer's curve";
}

static const char *issuer_differs(const struct lint *l)
{
	return bytes_equal(l->cert.issuer, l->issuer.subject)
		? NULL
		: "the issuer is not, byte for byte, the subject of the issuing certificate";
}

/* Digits at *text as a number; *text moves on. -1 when there are none. */
static int number(const uint8_t **text, int digits)
{
	int value = 0;

	for (int i = 0; i < digits; i++, (*text)++) {
		if (**text < '0' || **text > '9')
			return -1;
		value = value * 10 + (**text - '0');
	}
	return value;
}

/* YYMMDDHHMMSSZ or YYYYMMDDHHMMSSZ, of the type that its year demands. */
static bool read_time(struct bytes *in, int64_t *ret_secs)
{
	struct bytes text;
	struct tm tm = {0}, again;
	const uint8_t *at;
	uint8_t tag;
	int year;
	time_t t;

	if (der_read(in, &tag, &text, NULL) < 0 || text.len != (tag == DER_UTC_TIME ? 13 : 15) ||
		(tag != DER_UTC_TIME && tag != DER_GENERALIZED_TIME) ||
		text.ptr[text.len - 1] != 'Z')
		return false;
	at = text.ptr;
	year = number(&at, tag == DER_UTC_TIME ? 2 : 4);
	if (year < 0)
		return false;
	if (tag == DER_UTC_TIME)
		year += year < 50 ? 2000 : 1900;
	tm.tm_year = year - 1900;
	tm.tm_mon = number(&at, 2) - 1;
	tm.tm_mday = number(&at, 2);
	tm.tm_hour = number(&at, 2);
	tm.tm_min = number(&at, 2);
	tm.tm_sec = number(&at, 2);
	again = tm;
	t = timegm(&again);
	/* What timegm had to set right was no date. */
	if (again.tm_mon != tm.tm_mon || again.tm_mday != tm.tm_mday ||
		again.tm_hour != tm.tm_hour || again.tm_min != tm.tm_min ||
		again.tm_sec != tm.tm_sec || again.tm_year != tm.tm_year)
		return false;
	*ret_secs = t;
	return tag == DER_UTC_TIME || year >= 2050;
}

static bool read_validity(const struct lint *l, int64_t *ret_begin, int64_t *ret_end)
{
	struct bytes validity = l->cert.validity;

	return read_time(&validity, ret_begin) && read_time(&validity, ret_end) &&
		validity.len == 0;
}

/* UTCTime through 2049, GeneralizedTime from 2050, seconds, Z. */
static const char *validity_is_badly_encoded(const struct lint *l)
{
	int64_t begin, end;

	return read_validity(l, &begin, &end)
		? NULL
		: "notBefore or notAfter is not written as it must be";
}

/* notAfter is part of the validity: 90 days are 90 * 86400 - 1 seconds later. */
static const char *validity_has_another_length(const struct lint *l)
{
	int64_t begin, end;

	if (!read_validity(l, &begin, &end))
		return NULL;
	if (end <= begin)
		return "notAfter is not after notBefore";
	return end - begin + 1 == l->want->validity_secs
		? NULL
		: "the validity has not the length that was asked for";
}

/* A leaf must not outlive or predate its issuer. */
static const char *validity_leaves_the_issuers(const struct lint *l)
{
	struct bytes issuers = l->issuer.validity;
	int64_t begin, end, from, to;

	if (!read_validity(l, &begin, &end))
		return NULL;
	if (!read_time(&issuers, &from) || !read_time(&issuers, &to))
		return "the issuing certificate's validity cannot be read";
	return begin < from || end > to ? "the validity is not within the issuing certificate's"
					: NULL;
}

/* The contents of the only attribute, a commonName; ptr NULL when the subject is anything else. */
static struct bytes only_common_name(struct bytes name)
{
	struct bytes rdns, rdn, pair, oid, value;
	uint8_t tag;

	if (der_expect(&name, DER_SEQUENCE, &rdns) < 0 || der_expect(&rdns, DER_SET, &rdn) < 0 ||
		rdns.len > 0 || der_expect(&rdn, DER_SEQUENCE, &pair) < 0 || rdn.len > 0 ||
		der_expect(&pair, DER_OID, &oid) < 0 || der_read(&pair, &tag, &value, NULL) < 0 ||
		pair.len > 0 || !bytes_equal(oid, OID_COMMON_NAME) ||
		(tag != DER_UTF8_STRING && tag != DER_PRINTABLE_STRING))
		return bytes_of(NULL, 0);
	return value;
}

/* Nothing that was not validated: empty, or one commonName. */
static const char *subject_has_other_parts(const struct lint *l)
{
	struct bytes value = only_common_name(l->cert.subject);

	if (!l->want->common_name)
		return bytes_equal(l->cert.subject, bytes_of("\x30\x00", 2))
			? NULL
			: "the subject is not empty";
	if (value.ptr == NULL)
		return "the subject is not one commonName, UTF8String or PrintableString";
	return value.len == 0 || value.len > COMMON_NAME_MAX
		? "the commonName has not 1 to 64 characters"
		: NULL;
}

static const char *common_name_is_no_name(const struct lint *l)
{
	struct bytes value = only_common_name(l->cert.subject);

	if (value.ptr == NULL || lint_has_name(l, value))
		return NULL;
	return "the commonName is not, character for character, one of the dNSNames";
}

/* The octets of the AlgorithmIdentifier and the form of the key. */
static const char *spki_is_badly_encoded(const struct lint *l)
{
	return l->has_key ? NULL
			  : "the subjectPublicKeyInfo is no RSA key or uncompressed point as it "
			    "must be written";
}

static const char *spki_is_not_the_requests(const struct lint *l)
{
	return l->want->spki.len == 0 || bytes_equal(l->cert.spki, l->want->spki)
		? NULL
		: "the key is not that of the request";
}

static const char *key_is_not_allowed(const struct lint *l)
{
	CLEANUP(EVP_PKEY_free) EVP_PKEY *key = NULL;
	CLEANUP_PROBLEM struct problem pb = {0};

	if (!l->has_key)
		return NULL;
	if (keypolicy_check_pubkey(&l->key, KEY_FOR_CERTIFICATE, PROBLEM_BAD_CSR, &pb) < 0 ||
		pubkey_make(&l->key, &key) < 0)
		return "the key is weak, or not a point of its curve";
	return NULL;
}

static const char *key_is_the_issuers(const struct lint *l)
{
	return bytes_equal(l->cert.spki, l->issuer.spki) ? "the key is the issuer's own" : NULL;
}

static const char *unique_ids_are_there(const struct lint *l)
{
	return l->cert.unique_ids ? "issuerUniqueID or subjectUniqueID is there" : NULL;
}

const struct lint_rule lint_field_rules[] = {
	{"version", "RFC 5280 section 4.1.2.1", version_is_not_3},
	{"serial_range", "RFC 5280 section 4.1.2.2", serial_is_out_of_range},
	{"serial_length", "BR 7.1.2.7", serial_has_another_length},
	{"algorithm_identical", "RFC 5280 section 4.1.1.2", algorithms_differ},
	{"algorithm_of_issuer", "BR 7.1.3.2", algorithm_does_not_fit_issuer},
	{"issuer", "RFC 5280 section 4.1.2.4, BR 7.1.4.1", issuer_differs},
	{"validity_encoding", "RFC 5280 section 4.1.2.5", validity_is_badly_encoded},
	{"validity_length", "BR 6.3.2", validity_has_another_length},
	{"validity_within_issuer", "BR 6.3.2", validity_leaves_the_issuers},
	{"subject", "BR 7.1.2.7.2", subject_has_other_parts},
	{"common_name", "BR 7.1.4.3", common_name_is_no_name},
	{"spki_encoding", "BR 7.1.3.1", spki_is_badly_encoded},
	{"spki_expected", "RFC 8555 section 7.4", spki_is_not_the_requests},
	{"key_policy", "BR 6.1.1.3, 6.1.5 and 6.1.6", key_is_not_allowed},
	{"key_of_issuer", "BR 6.1.1.3", key_is_the_issuers},
	{"unique_ids", "RFC 5280 section 4.1.2.8", unique_ids_are_there},
	{0},
};
