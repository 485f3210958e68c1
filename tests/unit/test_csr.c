/* test_csr.c — good requests of every key type, and each refusal of csr.h as a request that is good
 * in all else. */
#include "tests/unit/pki_fixture.h"

#include <openssl/core_names.h>
#include <stdio.h>

#include "lib/pki/csr.h"
#include "lib/pki/der.h"
#include "lib/pki/oid.h"
#include "lib/pki/pubkey.h"

static void assert_der_refused(struct bytes der, size_t names_max, const char *detail)
{
	struct problem pb = {0};
	struct csr *csr = NULL;

	assert_int_equal(csr_parse(der, names_max, &pb, &csr), ERR_PROBLEM);
	assert_problem(&pb, PROBLEM_BAD_CSR, detail);
	assert_null(csr);
}

static void assert_refused(const struct csr_recipe *recipe, const char *detail)
{
	CLEANUP_BUF struct buf der = {0};

	fixture_csr(recipe, &der);
	assert_der_refused(buf_bytes(&der), 100, detail);
}

static struct csr *accepted(const struct csr_recipe *recipe)
{
	CLEANUP_BUF struct buf der = {0};
	struct problem pb = {0};
	struct csr *csr = NULL;

	fixture_csr(recipe, &der);
	if (csr_parse(buf_bytes(&der), 100, &pb, &csr) < 0)
		fail_msg("refused: %s", pb.detail);
	assert_true(bytes_equal(buf_bytes(&csr->der), buf_bytes(&der)));
	return csr;
}

static void every_certificate_key_type_is_accepted(void **state)
{
	static const char *const types[] = {"rsa2048", "rsa3072", "rsa4096", "p256", "p384",
		"p521"};

	for (size_t i = 0; i < ARRAY_LEN(types); i++) {
		EVP_PKEY *key = fixture_key(types[i]);
		CLEANUP(csr_free) struct csr *csr = accepted(&(struct csr_recipe){.key = key});
		CLEANUP(jwk_free) struct jwk *jwk = fixture_load(key);
		uint8_t digest[32];

		assert_string_equal(csr->key_type, types[i]);
		assert_int_equal(EVP_PKEY_eq(csr->key, key), 1);
		assert_memory_equal(csr->key_thumbprint, jwk->thumbprint, 32);
		assert_memory_equal(csr->spki_sha256, jwk->spki_sha256, 32);
		ossl_sha256_of(csr->spki, digest);
		assert_memory_equal(csr->spki_sha256, digest, 32);
		assert_true(csr->spki.ptr > csr->der.ptr &&
			csr->spki.ptr < csr->der.ptr + csr->der.len);
		assert_int_equal(csr->nnames, 2);
		assert_string_equal(csr->names[0], "a.example");
		assert_string_equal(csr->names[1], "b.example");
	}
}

static void requests_of_openssl_are_accepted(void **state)
{
	CLEANUP(X509_REQ_free) X509_REQ *req = X509_REQ_new();
	STACK_OF(X509_EXTENSION) *extensions = sk_X509_EXTENSION_new_null();
	ASN1_OCTET_STRING *value = ASN1_OCTET_STRING_new();
	CLEANUP_BUF struct buf san = {0};
	struct problem pb = {0};
	CLEANUP(csr_free) struct csr *csr = NULL;
	unsigned char *der = NULL;
	int len;

	der_put(&san, DER_SEQUENCE,
		bytes_str("\x82\x09"
			  "X.EXAMPLE"));
	assert_int_equal(ASN1_OCTET_STRING_set(value, san.ptr, (int)san.len), 1);
	sk_X509_EXTENSION_push(extensions,
		X509_EXTENSION_create_by_NID(NULL, NID_subject_alt_name, 0, value));
	assert_int_equal(X509_REQ_set_version(req, X509_REQ_VERSION_1), 1);
	assert_int_equal(X509_NAME_add_entry_by_txt(X509_REQ_get_subject_name(req), "CN",
				 MBSTRING_ASC, (const unsigned char *)"x.example", -1, -1, 0),
		1);
	assert_int_equal(X509_REQ_set_pubkey(req, fixture_key("p384")), 1);
	assert_int_equal(X509_REQ_add_extensions(req, extensions), 1);
	assert_true(X509_REQ_sign(req, fixture_key("p384"), EVP_sha384()) > 0);
	len = i2d_X509_REQ(req, &der);
	assert_true(len > 0);
	assert_int_equal(csr_parse(bytes_of(der, (size_t)len), 1, &pb, &csr), OK);
	assert_int_equal(csr->nnames, 1);
	assert_string_equal(csr->names[0], "x.example");
	OPENSSL_free(der);
	ASN1_OCTET_STRING_free(value);
	sk_X509_EXTENSION_pop_free(extensions, X509_EXTENSION_free);
}

static void other_digests_are_accepted(void **state)
{
	csr_free(accepted(&(struct csr_recipe){.md = ossl_sha384(),
		.algorithm = bytes_of("\x30\x0a\x06\x08\x2a\x86\x48\xce\x3d\x04\x03\x03", 12)}));
	csr_free(accepted(&(struct csr_recipe){.md = ossl_sha512(),
		.key = fixture_key("rsa2048"),
		.algorithm =
			bytes_of("\x30\x0d\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x01\x0d\x05\x00",
				15)}));
	/* RFC 4055 section 5: absent parameters must be accepted, too. */
	csr_free(accepted(&(struct csr_recipe){.key = fixture_key("rsa2048"),
		.algorithm =
			bytes_of("\x30\x0b\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x01\x0b", 13)}));
}

static void weak_and_wrong_signature_algorithms_are_refused(void **state)
{
	/* sha1WithRSA, ecdsa-with-SHA1, SHA-224, RSA's on an EC key, PSS, parameters of an ECDSA
	 * algorithm. */
	assert_refused(
		&(struct csr_recipe){.key = fixture_key("rsa2048"),
			.md = EVP_sha1(),
			.algorithm = bytes_of(
				"\x30\x0d\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x01\x05\x05\x00",
				15)},
		"SHA-1");
	assert_refused(&(struct csr_recipe){.md = EVP_sha1(),
			       .algorithm = bytes_of("\x30\x09\x06\x07\x2a\x86\x48\xce\x3d\x04\x01",
				       11)},
		"SHA-1");
	assert_refused(&(struct csr_recipe){.md = EVP_sha224(),
			       .algorithm =
				       bytes_of("\x30\x0a\x06\x08\x2a\x86\x48\xce\x3d\x04\x03\x01",
					       12)},
		"unknown");
	assert_refused(
		&(struct csr_recipe){
			.algorithm = bytes_of(
				"\x30\x0d\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x01\x0b\x05\x00",
				15)},
		"does not fit");
	assert_refused(&(struct csr_recipe){.key = fixture_key("rsa2048"),
			       .algorithm = bytes_of(
				       "\x30\x0b\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x01\x0a", 13)},
		"unknown");
	assert_refused(
		&(struct csr_recipe){
			.algorithm =
				bytes_of("\x30\x0c\x06\x08\x2a\x86\x48\xce\x3d\x04\x03\x02\x05\x00",
					14)},
		"parameters");
	assert_refused(&(struct csr_recipe){.key = fixture_key("rsa2048"),
			       .algorithm = bytes_of("\x30\x0f\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01"
						     "\x01\x0b\x05\x00\x05\x00",
				       17)},
		"parameters");
	assert_refused(&(struct csr_recipe){.algorithm = bytes_of("\x30\x00", 2)}, "DER");
}

static void another_keys_signature_is_refused(void **state)
{
	CLEANUP_BUF struct buf spki = {0};
	struct pubkey numbers;

	assert_int_equal(pubkey_from_evp(fixture_other_key("p256"), &numbers), OK);
	pubkey_put_spki(&numbers, &spki);
	assert_refused(&(struct csr_recipe){.spki = buf_bytes(&spki)}, "self-signature");
}

static void every_flipped_bit_is_refused(void **state)
{
	CLEANUP_BUF struct buf der = {0};

	fixture_csr(&(struct csr_recipe){.common_name = "a.example"}, &der);
	for (size_t i = 0; i < der.len; i++) {
		for (uint8_t bit = 1; bit != 0; bit = (uint8_t)(bit << 1)) {
			der.ptr[i] ^= bit;
			assert_der_refused(buf_bytes(&der), 100, "");
			der.ptr[i] ^= bit;
		}
	}
}

static void cut_trailing_and_oversized_requests_are_refused(void **state)
{
	CLEANUP_BUF struct buf der = {0};
	CLEANUP_BUF struct buf big = {0};

	fixture_csr(&(struct csr_recipe){0}, &der);
	for (size_t len = 0; len < der.len; len++)
		assert_der_refused(bytes_of(der.ptr, len), 100, "DER");
	buf_add_byte(&der, 0);
	assert_der_refused(buf_bytes(&der), 100, "not exactly one");
	for (size_t i = 0; i <= CSR_MAX_BYTES; i++)
		buf_add_byte(&big, 0x30);
	assert_der_refused(buf_bytes(&big), 100, "longer than");
	assert_der_refused(bytes_of(NULL, 0), 100, "DER");
}

static void other_versions_are_refused(void **state)
{
	assert_refused(&(struct csr_recipe){.version = bytes_of("\x01", 1)}, "version");
	assert_refused(&(struct csr_recipe){.version = bytes_of("\x00\x00", 2)}, "version");
	assert_refused(&(struct csr_recipe){.version = bytes_of("", 0)}, "version");
}

static void weak_and_strange_keys_are_refused(void **state)
{
	CLEANUP(EVP_PKEY_free) EVP_PKEY *explicit_key = EVP_PKEY_dup(fixture_key("p256"));

	assert_refused(&(struct csr_recipe){.key = fixture_key("rsa1024")}, "2048");
	assert_refused(&(struct csr_recipe){.key = fixture_key("secp256k1")}, "named curves");
	assert_refused(&(struct csr_recipe){.key = fixture_key("ed25519")}, "P-256");
	assert_int_equal(EVP_PKEY_set_utf8_string_param(explicit_key, OSSL_PKEY_PARAM_EC_ENCODING,
				 "explicit"),
		1);
	assert_refused(&(struct csr_recipe){.key = explicit_key}, "named curves");
}

static void a_point_off_the_curve_is_refused(void **state)
{
	CLEANUP_BUF struct buf spki = {0};
	struct pubkey numbers;

	assert_int_equal(pubkey_from_evp(fixture_key("p256"), &numbers), OK);
	numbers.octets[64] ^= 1;
	pubkey_put_spki(&numbers, &spki);
	assert_refused(&(struct csr_recipe){.spki = buf_bytes(&spki)}, "not a point");
}

static void an_enormous_rsa_key_costs_nothing(void **state)
{
	CLEANUP_BUF struct buf spki = {0};
	CLEANUP_BUF struct buf n = {0};
	size_t outer, bits, body;

	for (size_t i = 0; i < 8192; i++)
		buf_add_byte(&n, 0x55);
	outer = der_begin(&spki, DER_SEQUENCE);
	buf_add(&spki, "\x30\x0d\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x01\x01\x05\x00", 15);
	bits = der_begin(&spki, DER_BIT_STRING);
	buf_add_byte(&spki, 0);
	body = der_begin(&spki, DER_SEQUENCE);
	der_put_uint(&spki, buf_bytes(&n));
	der_put_uint(&spki, bytes_of("\1\0\1", 3));
	der_end(&spki, body);
	der_end(&spki, bits);
	der_end(&spki, outer);
	assert_refused(&(struct csr_recipe){.spki = buf_bytes(&spki)}, "4096");
}

static void assert_san(struct bytes names, const char *detail)
{
	assert_refused(&(struct csr_recipe){.san = names}, detail);
}

static void only_dns_names_are_accepted(void **state)
{
	assert_san(bytes_str("\x81\x09"
			     "a@example"),
		"DNS names"); /* rfc822Name */
	assert_san(bytes_str("\x86\x09"
			     "http://a/"),
		"DNS names");                                             /* URI */
	assert_san(bytes_of("\x87\x04\x7f\x00\x00\x01", 6), "DNS names"); /* iPAddress */
	assert_san(bytes_of("\xa4\x02\x30\x00", 4), "DNS names");         /* directoryName */
	assert_san(bytes_of("\xa0\x09\x06\x03\x2a\x03\x04\xa0\x02\x05\x00", 11),
		"DNS names");                                         /* otherName */
	assert_san(bytes_of("\x88\x03\x2a\x03\x04", 5), "DNS names"); /* registeredID */
	assert_san(bytes_str("\x82\x09"
			     "a.example"
			     "\x81\x09"
			     "a@example"),
		"DNS names");
	assert_san(bytes_of("", 0), "empty");
	assert_san(bytes_of("\x82\x00", 2), "empty");
	assert_san(bytes_of("\x82\x05"
			    "a",
			   3),
		"DER");
}

static void names_are_plain_ascii(void **state)
{
	assert_san(bytes_of("\x82\x0b"
			    "a.ex\0.evil.",
			   13),
		"not a DNS name");
	assert_san(bytes_str("\x82\x0a"
			     "b\xc3\xbc"
			     "cher.de"),
		"not a DNS name");
	assert_san(bytes_str("\x82\x09"
			     "a example"),
		"not a DNS name");
	assert_san(bytes_str("\x82\x09"
			     "a,example"),
		"not a DNS name");
	assert_san(bytes_str("\x82\x09"
			     "a.exampl\n"),
		"not a DNS name");
	assert_refused(&(struct csr_recipe){.no_san = true, .common_name = "Example Inc"},
		"not a DNS name");
}

static void names_are_lower_case_sorted_and_unique(void **state)
{
	CLEANUP_BUF struct buf san = {0};
	CLEANUP(csr_free) struct csr *csr = NULL;

	fixture_dns_name(&san, "z.EXAMPLE");
	fixture_dns_name(&san, "*.a.example");
	fixture_dns_name(&san, "a.example");
	fixture_dns_name(&san, "Z.example");
	fixture_dns_name(&san, "a.example");
	csr = accepted(&(struct csr_recipe){.san = buf_bytes(&san), .common_name = "A.Example"});
	assert_int_equal(csr->nnames, 3);
	assert_string_equal(csr->names[0], "*.a.example");
	assert_string_equal(csr->names[1], "a.example");
	assert_string_equal(csr->names[2], "z.example");
}

static void the_common_name_alone_is_a_name(void **state)
{
	CLEANUP(csr_free)
	struct csr *csr =
		accepted(&(struct csr_recipe){.no_san = true, .common_name = "A.example"});

	assert_int_equal(csr->nnames, 1);
	assert_string_equal(csr->names[0], "a.example");
}

static void the_common_name_must_be_among_the_names(void **state)
{
	assert_refused(&(struct csr_recipe){.common_name = "c.example"}, "commonName");
	assert_refused(&(struct csr_recipe){.common_name = "Example Inc"}, "commonName");
	assert_refused(&(struct csr_recipe){.common_name = ""}, "commonName");
}

static void no_name_at_all_is_refused(void **state)
{
	assert_refused(&(struct csr_recipe){.no_san = true}, "names nothing");
	assert_refused(&(struct csr_recipe){.extensions = bytes_of("", 0)}, "names nothing");
}

static void other_subject_attributes_are_ignored(void **state)
{
	CLEANUP_BUF struct buf subject = {0};

	fixture_rdn(&subject, bytes_of("\x55\x04\x0a", 3), DER_UTF8_STRING, "Example Inc");
	fixture_rdn(&subject, OID_COMMON_NAME, DER_PRINTABLE_STRING, "a.example");
	csr_free(accepted(&(struct csr_recipe){.subject = buf_bytes(&subject)}));
}

static void a_strange_subject_is_refused(void **state)
{
	CLEANUP_BUF struct buf two = {0};
	CLEANUP_BUF struct buf bmp = {0};

	fixture_rdn(&two, OID_COMMON_NAME, DER_UTF8_STRING, "a.example");
	fixture_rdn(&two, OID_COMMON_NAME, DER_UTF8_STRING, "b.example");
	assert_refused(&(struct csr_recipe){.subject = buf_bytes(&two)},
		"more than one commonName");
	fixture_rdn(&bmp, OID_COMMON_NAME, 0x1e, "a.example");
	assert_refused(&(struct csr_recipe){.subject = buf_bytes(&bmp)}, "UTF8String");
	assert_refused(&(struct csr_recipe){.subject = bytes_of("\x31\x00", 2)}, "DER");
	assert_refused(&(struct csr_recipe){.subject = bytes_of("\x31\x02\x30\x00", 4)}, "DER");
	assert_refused(&(struct csr_recipe){.subject = bytes_of("\x05\x00", 2)}, "DER");
}

static void more_names_than_allowed_are_refused(void **state)
{
	CLEANUP_BUF struct buf san = {0};
	CLEANUP_BUF struct buf der = {0};
	struct problem pb = {0};
	CLEANUP(csr_free) struct csr *csr = NULL;

	for (int i = 0; i < 11; i++) {
		char name[16];

		snprintf(name, sizeof(name), "n%d.example", i);
		fixture_dns_name(&san, name);
	}
	fixture_csr(&(struct csr_recipe){.san = buf_bytes(&san)}, &der);
	assert_der_refused(buf_bytes(&der), 10, "more than 10 names");
	assert_int_equal(csr_parse(buf_bytes(&der), 11, &pb, &csr), OK);
}

/* One further extension beside a good subjectAltName. */
static void with_extension(struct bytes oid, struct bytes value, const char *detail)
{
	CLEANUP_BUF struct buf extensions = {0};
	struct csr_recipe recipe;

	fixture_extension(&extensions, OID_SUBJECT_ALT_NAME, false,
		bytes_str("\x30\x0b\x82\x09"
			  "a.example"));
	fixture_extension(&extensions, oid, true, value);
	recipe = (struct csr_recipe){.extensions = buf_bytes(&extensions)};
	if (detail == NULL)
		csr_free(accepted(&recipe));
	else
		assert_refused(&recipe, detail);
}

static void harmless_extensions_are_ignored(void **state)
{
	with_extension(OID_BASIC_CONSTRAINTS, bytes_of("\x30\x00", 2), NULL);
	with_extension(OID_BASIC_CONSTRAINTS, bytes_of("\x30\x03\x01\x01\x00", 5), NULL);
	with_extension(OID_KEY_USAGE, bytes_of("\x03\x02\x05\xa0", 4), NULL);
	with_extension(OID_EXT_KEY_USAGE,
		bytes_of("\x30\x0a\x06\x08\x2b\x06\x01\x05\x05\x07\x03\x01", 12), NULL);
	with_extension(bytes_of("\x2a\x03\x04", 3), bytes_of("junk", 4), NULL);
}

static void extensions_of_a_ca_are_refused(void **state)
{
	with_extension(OID_BASIC_CONSTRAINTS, bytes_of("\x30\x03\x01\x01\xff", 5),
		"basicConstraints");
	with_extension(OID_BASIC_CONSTRAINTS, bytes_of("\x30\x03\x01\x01\x01", 5),
		"basicConstraints");
	with_extension(OID_BASIC_CONSTRAINTS, bytes_of("\x30\x06\x01\x01\xff\x02\x01\x00", 8),
		"basicConstraints");
	with_extension(OID_BASIC_CONSTRAINTS, bytes_of("\x30\x00\x00", 3), "basicConstraints");
	with_extension(OID_KEY_USAGE, bytes_of("\x03\x02\x02\x04", 4), "key usages");
	with_extension(OID_KEY_USAGE, bytes_of("\x03\x02\x01\x06", 4), "key usages");
	with_extension(OID_KEY_USAGE, bytes_of("\x03\x02\x01\x82", 4), "key usages");
	with_extension(OID_KEY_USAGE, bytes_of("\x03\x01\x00", 3), "keyUsage");
	with_extension(OID_NAME_CONSTRAINTS, bytes_of("\x30\x00", 2), "nameConstraints");
}

static void must_staple_is_refused(void **state)
{
	with_extension(OID_TLS_FEATURE, bytes_of("\x30\x03\x02\x01\x05", 5), "must staple");
}

static void duplicate_extensions_are_refused(void **state)
{
	with_extension(OID_SUBJECT_ALT_NAME,
		bytes_str("\x30\x0b\x82\x09"
			  "b.example"),
		"twice");
	with_extension(OID_SUBJECT_ALT_NAME,
		bytes_str("\x30\x0b\x82\x09"
			  "a.example"),
		"twice");
}

static void broken_extensions_are_refused(void **state)
{
	CLEANUP_BUF struct buf many = {0};

	assert_refused(&(struct csr_recipe){.extensions = bytes_of("\x30\x00", 2)}, "DER");
	assert_refused(&(struct csr_recipe){.extensions =
						    bytes_of("\x30\x05\x06\x03\x55\x1d\x11", 7)},
		"DER");
	assert_refused(
		&(struct csr_recipe){
			.extensions = bytes_of("\x30\x09\x06\x03\x55\x1d\x11\x04\x00\x05\x00", 11)},
		"DER");
	assert_refused(
		&(struct csr_recipe){
			.extensions =
				bytes_of("\x30\x0b\x06\x03\x55\x1d\x11\x01\x02\xff\xff\x04\x00",
					13)},
		"DER");
	assert_refused(&(struct csr_recipe){.extensions =
						    bytes_of("\x30\x07\x06\x03\x55\x1d\x11\x04\x00",
							    9)},
		"subjectAltName");
	for (uint8_t i = 0; i < 33; i++)
		fixture_extension(&many, bytes_of((uint8_t[]){0x2a, i}, 2), false, bytes_of("", 0));
	assert_refused(&(struct csr_recipe){.extensions = buf_bytes(&many)}, "32");
}

static void attributes_are_walked(void **state)
{
	CLEANUP_BUF struct buf twice = {0};
	CLEANUP_BUF struct buf password = {0};
	static const char request[] = "\x30\x22\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x09\x0e\x31\x15"
				      "\x30\x13\x30\x11\x06\x03\x55\x1d\x11"
				      "\x04\x0a\x30\x08\x82\x06"
				      "a.test";
	static const char challenge[] =
		"\x30\x11\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x09\x07\x31\x04\x0c\x02pw";

	assert_int_equal(sizeof(request) - 1, 36);
	buf_add(&password, challenge, sizeof(challenge) - 1);
	buf_add(&password, request, sizeof(request) - 1);
	csr_free(accepted(&(struct csr_recipe){.attributes = buf_bytes(&password)}));
	buf_add(&twice, request, sizeof(request) - 1);
	buf_add(&twice, request, sizeof(request) - 1);
	assert_refused(&(struct csr_recipe){.attributes = buf_bytes(&twice)},
		"more than one extensionRequest");
	assert_refused(&(struct csr_recipe){.attributes = bytes_of("\x05\x00", 2)}, "DER");
	assert_refused(
		&(struct csr_recipe){
			.attributes = bytes_of(
				"\x30\x0d\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x09\x0e\x31\x00",
				15)},
		"exactly one list");
	assert_refused(&(struct csr_recipe){.attributes = bytes_of(
						    "\x30\x11\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01"
						    "\x09\x0e\x31\x04\x30\x00\x30\x00",
						    19)},
		"exactly one list");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_certificate_key_type_is_accepted),
		cmocka_unit_test(requests_of_openssl_are_accepted),
		cmocka_unit_test(other_digests_are_accepted),
		cmocka_unit_test(weak_and_wrong_signature_algorithms_are_refused),
		cmocka_unit_test(another_keys_signature_is_refused),
		cmocka_unit_test(every_flipped_bit_is_refused),
		cmocka_unit_test(cut_trailing_and_oversized_requests_are_refused),
		cmocka_unit_test(other_versions_are_refused),
		cmocka_unit_test(weak_and_strange_keys_are_refused),
		cmocka_unit_test(a_point_off_the_curve_is_refused),
		cmocka_unit_test(an_enormous_rsa_key_costs_nothing),
		cmocka_unit_test(only_dns_names_are_accepted),
		cmocka_unit_test(names_are_plain_ascii),
		cmocka_unit_test(names_are_lower_case_sorted_and_unique),
		cmocka_unit_test(the_common_name_alone_is_a_name),
		cmocka_unit_test(the_common_name_must_be_among_the_names),
		cmocka_unit_test(no_name_at_all_is_refused),
		cmocka_unit_test(other_subject_attributes_are_ignored),
		cmocka_unit_test(a_strange_subject_is_refused),
		cmocka_unit_test(more_names_than_allowed_are_refused),
		cmocka_unit_test(harmless_extensions_are_ignored),
		cmocka_unit_test(extensions_of_a_ca_are_refused),
		cmocka_unit_test(must_staple_is_refused),
		cmocka_unit_test(duplicate_extensions_are_refused),
		cmocka_unit_test(broken_extensions_are_refused),
		cmocka_unit_test(attributes_are_walked),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
