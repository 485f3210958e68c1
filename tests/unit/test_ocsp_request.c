/* test_ocsp_request.c — requests as OpenSSL writes them are read, and each rule of
 * ocsp_request.h is broken once in a request that is good in all else. */
#include "tests/unit/pki_fixture.h"

#include <openssl/ocsp.h>

#include "lib/pki/der.h"
#include "lib/pki/ocsp_request.h"
#include "lib/pki/oid.h"

DEFINE_CLEANUP(OCSP_REQUEST_free, OCSP_REQUEST *)
DEFINE_CLEANUP(ASN1_INTEGER_free, ASN1_INTEGER *)

#define NAME "\x30\x0c\x31\x0a\x30\x08\x06\x03\x55\x04\x03\x0c\x01\x41"

/* A CertID of a made-up issuer for a serial of serial_len octets. */
static OCSP_CERTID *an_id(const EVP_MD *md, uint8_t first, size_t serial_len)
{
	static const unsigned char key_bits[65] = {4};
	const unsigned char *at = (const unsigned char *)NAME;
	CLEANUP(X509_NAME_free) X509_NAME *name = d2i_X509_NAME(NULL, &at, sizeof(NAME) - 1);
	CLEANUP(ASN1_INTEGER_free) ASN1_INTEGER *serial = ASN1_INTEGER_new();
	ASN1_BIT_STRING key = {.data = (unsigned char *)key_bits, .length = sizeof(key_bits)};
	uint8_t octets[64] = {first};
	CLEANUP(BN_free) BIGNUM *number = BN_bin2bn(octets, (int)serial_len, NULL);

	assert_non_null(name);
	assert_non_null(BN_to_ASN1_INTEGER(number, serial));
	return OCSP_cert_id_new(md, name, &key, serial);
}

static void encode(OCSP_REQUEST *request, struct buf *out)
{
	unsigned char *der = NULL;
	int len = i2d_OCSP_REQUEST(request, &der);

	assert_true(len > 0);
	buf_reset(out);
	buf_add(out, der, (size_t)len);
	OPENSSL_free(der);
}

static OCSP_REQUEST *request_for(const EVP_MD *md, size_t count)
{
	OCSP_REQUEST *request = OCSP_REQUEST_new();

	for (size_t i = 0; i < count; i++)
		assert_non_null(OCSP_request_add0_id(request, an_id(md, (uint8_t)(i + 1), 18)));
	return request;
}

static void assert_same_octets(struct bytes ours, const ASN1_OCTET_STRING *theirs)
{
	assert_true(bytes_equal(ours,
		bytes_of(ASN1_STRING_get0_data(theirs), (size_t)ASN1_STRING_length(theirs))));
}

/* The request is read, and as OpenSSL reads it. */
static struct ocsp_request assert_read(OCSP_REQUEST *theirs, struct buf *der)
{
	struct ocsp_request ours;

	encode(theirs, der);
	assert_int_equal(ocsp_request_parse(buf_bytes(der), &ours), OK);
	assert_int_equal(ours.count, OCSP_request_onereq_count(theirs));
	for (size_t i = 0; i < ours.count; i++) {
		OCSP_ONEREQ *one = OCSP_request_onereq_get0(theirs, (int)i);
		ASN1_OCTET_STRING *name, *key;
		ASN1_OBJECT *md;
		ASN1_INTEGER *serial;

		assert_int_equal(OCSP_id_get0_info(&name, &md, &key, &serial,
					 OCSP_onereq_get0_id(one)),
			1);
		assert_same_octets(ours.certs[i].name_hash, name);
		assert_same_octets(ours.certs[i].key_hash, key);
		assert_same_octets(ours.certs[i].serial, serial);
		assert_int_equal(OBJ_obj2nid(md),
			ours.certs[i].hash == OCSP_SHA1 ? NID_sha1 : NID_sha256);
	}
	return ours;
}

static void assert_verdict(struct buf *der, int verdict)
{
	struct ocsp_request request = {.count = 77};

	assert_int_equal(ocsp_request_parse(buf_bytes(der), &request), verdict);
	assert_true(verdict == OK || request.count == 77);
}

static void requests_of_openssl_are_read(void **state)
{
	const EVP_MD *const hashes[] = {EVP_sha1(), EVP_sha256()};

	for (size_t h = 0; h < ARRAY_LEN(hashes); h++) {
		for (size_t count = 1; count <= OCSP_REQUEST_CERTS_MAX; count++) {
			CLEANUP(OCSP_REQUEST_free)
			OCSP_REQUEST *request = request_for(hashes[h], count);
			CLEANUP_BUF struct buf der = {0};

			assert_null(assert_read(request, &der).nonce.ptr);
		}
	}
}

static void a_nonce_of_1_to_128_octets_is_read_and_no_other(void **state)
{
	uint8_t value[200];

	for (size_t i = 0; i < sizeof(value); i++)
		value[i] = (uint8_t)i;
	for (int len = 1; len <= OCSP_NONCE_MAX_BYTES + 1; len++) {
		CLEANUP(OCSP_REQUEST_free) OCSP_REQUEST *request = request_for(EVP_sha1(), 1);
		CLEANUP_BUF struct buf der = {0};

		assert_int_equal(OCSP_request_add1_nonce(request, value, len), 1);
		if (len <= OCSP_NONCE_MAX_BYTES) {
			struct ocsp_request read = assert_read(request, &der);

			assert_true(bytes_equal(read.nonce, bytes_of(value, (size_t)len)));
		} else {
			encode(request, &der);
			assert_verdict(&der, ERR_SYNTAX);
		}
	}
}

static void signature_and_requestor_are_passed_over(void **state)
{
	CLEANUP(OCSP_REQUEST_free) OCSP_REQUEST *request = request_for(EVP_sha1(), 1);
	CLEANUP(X509_free) X509 *cert = X509_new();
	EVP_PKEY *key = fixture_key("p256");
	CLEANUP_BUF struct buf der = {0};

	ASN1_INTEGER_set(X509_get_serialNumber(cert), 1);
	X509_gmtime_adj(X509_getm_notBefore(cert), 0);
	X509_gmtime_adj(X509_getm_notAfter(cert), 3600);
	assert_int_equal(X509_set_pubkey(cert, key), 1);
	assert_true(X509_sign(cert, key, EVP_sha256()) > 0);
	assert_int_equal(OCSP_request_sign(request, cert, key, EVP_sha256(), NULL, 0), 1);
	assert_read(request, &der);
}

static void what_no_certificate_of_ours_is_exceeds_the_limit(void **state)
{
	CLEANUP_BUF struct buf der = {0};

	CLEANUP(OCSP_REQUEST_free)
	OCSP_REQUEST *nine = request_for(EVP_sha1(), OCSP_REQUEST_CERTS_MAX + 1);
	encode(nine, &der);
	assert_verdict(&der, ERR_LIMIT);

	CLEANUP(OCSP_REQUEST_free) OCSP_REQUEST *sha384 = request_for(EVP_sha384(), 1);
	encode(sha384, &der);
	assert_verdict(&der, ERR_LIMIT);

	CLEANUP(OCSP_REQUEST_free) OCSP_REQUEST *serial = OCSP_REQUEST_new();
	assert_non_null(OCSP_request_add0_id(serial, an_id(EVP_sha1(), 1, 20)));
	assert_read(serial, &der);
	assert_non_null(OCSP_request_add0_id(serial, an_id(EVP_sha1(), 1, 21)));
	encode(serial, &der);
	assert_verdict(&der, ERR_LIMIT);
}

static void extensions_count_when_critical(void **state)
{
	static const struct {
		bool of_one, critical;
		int verdict;
	} cases[] = {{false, false, OK}, {true, false, OK}, {false, true, ERR_SYNTAX},
		{true, true, ERR_SYNTAX}};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		CLEANUP(OCSP_REQUEST_free) OCSP_REQUEST *request = request_for(EVP_sha256(), 1);
		OCSP_ONEREQ *one = OCSP_request_onereq_get0(request, 0);
		CLEANUP_BUF struct buf der = {0};
		unsigned char null[] = {5, 0};
		ASN1_OCTET_STRING *value = ASN1_OCTET_STRING_new();
		X509_EXTENSION *ext;

		ASN1_OCTET_STRING_set(value, null, sizeof(null));
		ext = X509_EXTENSION_create_by_NID(NULL, NID_id_pkix_OCSP_serviceLocator,
			cases[i].critical, value);
		assert_int_equal(cases[i].of_one ? OCSP_ONEREQ_add_ext(one, ext, -1)
						 : OCSP_REQUEST_add_ext(request, ext, -1),
			1);
		encode(request, &der);
		assert_verdict(&der, cases[i].verdict);
		X509_EXTENSION_free(ext);
		ASN1_OCTET_STRING_free(value);
	}
}

/* ---- requests put together by hand ---- */

struct recipe {                    /* zero members take their usual value: a good request */
	struct bytes before;       /* in front of requestList */
	struct bytes list;         /* contents of requestList */
	struct bytes hash;         /* whole AlgorithmIdentifier */
	struct bytes name, serial; /* contents */
	struct bytes extensions;   /* contents of requestExtensions' SEQUENCE */
	struct bytes behind;       /* behind tbsRequest */
};

#define BYTES(literal) bytes_of((literal), sizeof(literal) - 1)

static struct bytes or_else(struct bytes chosen, struct bytes usual)
{
	return chosen.ptr != NULL ? chosen : usual;
}

static void make(const struct recipe *recipe, struct buf *out)
{
	static const uint8_t hash[20];
	size_t outer, tbs, list, one, id, explicit, extensions;

	buf_reset(out);
	outer = der_begin(out, DER_SEQUENCE);
	tbs = der_begin(out, DER_SEQUENCE);
	buf_add(out, recipe->before.ptr, recipe->before.len);
	list = der_begin(out, DER_SEQUENCE);
	if (recipe->list.ptr != NULL) {
		buf_add(out, recipe->list.ptr, recipe->list.len);
	} else {
		struct bytes algorithm = or_else(recipe->hash, ocsp_hash_algorithm(OCSP_SHA1));

		one = der_begin(out, DER_SEQUENCE);
		id = der_begin(out, DER_SEQUENCE);
		buf_add(out, algorithm.ptr, algorithm.len);
		der_put(out, DER_OCTET_STRING, or_else(recipe->name, bytes_of(hash, sizeof(hash))));
		der_put(out, DER_OCTET_STRING, bytes_of(hash, sizeof(hash)));
		der_put(out, DER_INTEGER, or_else(recipe->serial, BYTES("\x01")));
		der_end(out, id);
		der_end(out, one);
	}
	der_end(out, list);
	if (recipe->extensions.ptr != NULL) {
		explicit = der_begin(out, 0xa2);
		extensions = der_begin(out, DER_SEQUENCE);
		buf_add(out, recipe->extensions.ptr, recipe->extensions.len);
		der_end(out, extensions);
		der_end(out, explicit);
	}
	der_end(out, tbs);
	buf_add(out, recipe->behind.ptr, recipe->behind.len);
	der_end(out, outer);
}

static void assert_made(struct recipe recipe, int verdict)
{
	CLEANUP_BUF struct buf der = {0};

	make(&recipe, &der);
	assert_verdict(&der, verdict);
}

static void the_usual_request_is_good(void **state)
{
	assert_made((struct recipe){0}, OK);
}

static void versions_but_the_first_are_malformed(void **state)
{
	assert_made((struct recipe){.before = BYTES("\xa0\x03\x02\x01\x00")}, OK);
	assert_made((struct recipe){.before = BYTES("\xa0\x03\x02\x01\x01")}, ERR_SYNTAX);
	assert_made((struct recipe){.before = BYTES("\xa0\x04\x02\x02\x00\x00")}, ERR_SYNTAX);
	assert_made((struct recipe){.before = BYTES("\xa0\x05\x02\x01\x00\x05\x00")}, ERR_SYNTAX);
	assert_made((struct recipe){.before = BYTES("\xa0\x02\x05\x00")}, ERR_SYNTAX);
}

static void a_requestor_is_one_general_name(void **state)
{
	assert_made((struct recipe){.before = BYTES("\xa1\x03\x82\x01\x61")}, OK);
	assert_made((struct recipe){.before = BYTES("\xa1\x00")}, ERR_SYNTAX);
	assert_made((struct recipe){.before = BYTES("\xa1\x06\x82\x01\x61\x82\x01\x61")},
		ERR_SYNTAX);
}

static void a_list_holds_requests_and_at_least_one(void **state)
{
	assert_made((struct recipe){.list = BYTES("")}, ERR_SYNTAX);
	assert_made((struct recipe){.list = BYTES("\x30\x00")}, ERR_SYNTAX);
	assert_made((struct recipe){.list = BYTES("\x05\x00")}, ERR_SYNTAX);
	assert_made((struct recipe){.list = BYTES("\x30\x02\x30\x00")}, ERR_SYNTAX);
}

static void hash_algorithms_are_judged(void **state)
{
	static const char sha1_without_null[] = "\x30\x07\x06\x05\x2b\x0e\x03\x02\x1a";
	static const char sha1_with_integer[] = "\x30\x0a\x06\x05\x2b\x0e\x03\x02\x1a\x02\x01\x01";
	static const char sha1_twice[] = "\x30\x0b\x06\x05\x2b\x0e\x03\x02\x1a\x05\x00\x05\x00";
	static const char md5[] = "\x30\x0c\x06\x08\x2a\x86\x48\x86\xf7\x0d\x02\x05\x05\x00";
	static const char unknown_twice[] = "\x30\x08\x06\x02\x2a\x03\x05\x00\x05\x00";

	assert_made((struct recipe){.hash = BYTES(sha1_without_null)}, OK);
	assert_made((struct recipe){.hash = BYTES(sha1_with_integer)}, ERR_SYNTAX);
	assert_made((struct recipe){.hash = BYTES(sha1_twice)}, ERR_SYNTAX);
	assert_made((struct recipe){.hash = BYTES(md5)}, ERR_LIMIT);
	assert_made((struct recipe){.hash = BYTES(unknown_twice)}, ERR_SYNTAX);
	assert_made((struct recipe){.hash = BYTES("\x30\x02\x06\x00")}, ERR_SYNTAX);
	assert_made((struct recipe){.hash = BYTES("\x30\x04\x06\x02\x2a\x83")}, ERR_SYNTAX);
	assert_made((struct recipe){.hash = BYTES("\x30\x05\x06\x03\x2a\x80\x01")}, ERR_SYNTAX);
	assert_made((struct recipe){.hash = BYTES("\x30\x05\x06\x03\x2a\x83\x01")}, ERR_LIMIT);
	assert_made((struct recipe){.hash = BYTES("\x30\x00")}, ERR_SYNTAX);
	/* A hash of SHA-1 has twenty octets. */
	assert_made((struct recipe){.hash = ocsp_hash_algorithm(OCSP_SHA256)}, ERR_SYNTAX);
	assert_made((struct recipe){.name = BYTES("short")}, ERR_SYNTAX);
	assert_made((struct recipe){.name = BYTES("")}, ERR_SYNTAX);
}

static void serials_are_integers_in_their_shortest_form(void **state)
{
	assert_made((struct recipe){.serial = BYTES("\x00")}, OK);
	assert_made((struct recipe){.serial = BYTES("\x00\x80")}, OK);
	assert_made((struct recipe){.serial = BYTES("\xff\x7f")}, OK);
	assert_made((struct recipe){.serial = BYTES("")}, ERR_SYNTAX);
	assert_made((struct recipe){.serial = BYTES("\x00\x7f")}, ERR_SYNTAX);
	assert_made((struct recipe){.serial = BYTES("\xff\x80")}, ERR_SYNTAX);
}

#define NONCE_OID "\x06\x09\x2b\x06\x01\x05\x05\x07\x30\x01\x02"
#define NONCE "\x30\x10" NONCE_OID "\x04\x03\x04\x01\x61"
#define ACCEPTABLE_OID "\x06\x09\x2b\x06\x01\x05\x05\x07\x30\x01\x04"
#define BASIC "\x06\x09\x2b\x06\x01\x05\x05\x07\x30\x01\x01"

static void extensions_follow_their_grammar(void **state)
{
	const struct {
		struct bytes der;
		int verdict;
	} cases[] = {
		{BYTES(NONCE), OK},
		{BYTES(NONCE NONCE), ERR_SYNTAX},
		{BYTES(""), ERR_SYNTAX},
		{BYTES("\x30\x00"), ERR_SYNTAX},
		/* critical: TRUE, FALSE, another value */
		{BYTES("\x30\x13" NONCE_OID "\x01\x01\xff\x04\x03\x04\x01\x61"), OK},
		{BYTES("\x30\x13" NONCE_OID "\x01\x01\x00\x04\x03\x04\x01\x61"), OK},
		{BYTES("\x30\x13" NONCE_OID "\x01\x01\x01\x04\x03\x04\x01\x61"), ERR_SYNTAX},
		/* no octets; no inner OCTET STRING; something behind it */
		{BYTES("\x30\x0f" NONCE_OID "\x04\x02\x04\x00"), ERR_SYNTAX},
		{BYTES("\x30\x0e" NONCE_OID "\x04\x01\x61"), ERR_SYNTAX},
		{BYTES("\x30\x12" NONCE_OID "\x04\x05\x04\x01\x61\x05\x00"), ERR_SYNTAX},
		{BYTES("\x30\x12" NONCE_OID "\x04\x03\x04\x01\x61\x05\x00"), ERR_SYNTAX},
		{BYTES("\x30\x1a" ACCEPTABLE_OID "\x04\x0d\x30\x0b" BASIC), OK},
		{BYTES("\x30\x1e" ACCEPTABLE_OID "\x04\x11\x30\x0f\x06\x02\x2a\x03" BASIC), OK},
		{BYTES("\x30\x13" ACCEPTABLE_OID "\x04\x06\x30\x04\x06\x02\x2a\x03"), ERR_SYNTAX},
		{BYTES("\x30\x0f" ACCEPTABLE_OID "\x04\x02\x30\x00"), ERR_SYNTAX},
		{BYTES("\x30\x08\x06\x02\x2a\x03\x04\x02\x05\x00"), OK},
		{BYTES("\x30\x0b\x06\x02\x2a\x03\x01\x01\xff\x04\x02\x05\x00"), ERR_SYNTAX},
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++)
		assert_made((struct recipe){.extensions = cases[i].der}, cases[i].verdict);
}

static void extensions_are_few(void **state)
{
	CLEANUP_BUF struct buf list = {0};

	for (int i = 0; i <= 16; i++) {
		uint8_t ext[] = {0x30, 0x06, 0x06, 0x02, 0x2a, (uint8_t)i, 0x04, 0x00};

		buf_add(&list, ext, sizeof(ext));
		assert_made((struct recipe){.extensions = buf_bytes(&list)},
			i < 16 ? OK : ERR_SYNTAX);
	}
}

static void signatures_follow_their_grammar(void **state)
{
	assert_made((struct recipe){.behind = BYTES("\xa0\x08\x30\x06\x30\x00\x03\x02\x00\x61")},
		OK);
	assert_made((struct recipe){.behind = BYTES("\xa0\x0c\x30\x0a\x30\x00\x03\x02\x00\x61\xa0"
						    "\x02\x30\x00")},
		OK);
	assert_made((struct recipe){.behind = BYTES("\xa0\x02\x30\x00")}, ERR_SYNTAX);
	assert_made((struct recipe){.behind = BYTES("\xa0\x0a\x30\x06\x30\x00\x03\x02\x00\x61\x05"
						    "\x00")},
		ERR_SYNTAX);
	assert_made((struct recipe){.behind = BYTES("\x05\x00")}, ERR_SYNTAX);
}

static void malformed_wins_over_unknown(void **state)
{
	CLEANUP(OCSP_REQUEST_free) OCSP_REQUEST *request = request_for(EVP_sha512(), 1);
	CLEANUP_BUF struct buf der = {0};

	encode(request, &der);
	assert_verdict(&der, ERR_LIMIT);
	buf_add_byte(&der, 0);
	assert_verdict(&der, ERR_SYNTAX);
}

static void every_shorter_or_longer_request_is_malformed(void **state)
{
	CLEANUP(OCSP_REQUEST_free) OCSP_REQUEST *request = request_for(EVP_sha256(), 2);
	CLEANUP_BUF struct buf der = {0};
	struct ocsp_request read;

	assert_int_equal(OCSP_request_add1_nonce(request, NULL, 32), 1);
	encode(request, &der);
	for (size_t len = 0; len < der.len; len++)
		assert_int_equal(ocsp_request_parse(bytes_of(der.ptr, len), &read), ERR_SYNTAX);
	assert_verdict(&der, OK);
	buf_add_byte(&der, 0);
	assert_verdict(&der, ERR_SYNTAX);
}

/* What is good for us is good for OpenSSL, however a request is damaged. */
static void no_damaged_request_is_read_that_openssl_refuses(void **state)
{
	CLEANUP(OCSP_REQUEST_free) OCSP_REQUEST *request = request_for(EVP_sha1(), 2);
	CLEANUP_BUF struct buf der = {0};
	size_t read_all_the_same = 0;

	assert_int_equal(OCSP_request_add1_nonce(request, NULL, 16), 1);
	encode(request, &der);
	for (size_t bit = 0; bit < der.len * 8; bit++) {
		struct ocsp_request ours;

		der.ptr[bit / 8] ^= (uint8_t)(1 << bit % 8);
		if (ocsp_request_parse(buf_bytes(&der), &ours) == OK) {
			const unsigned char *at = der.ptr;
			CLEANUP(OCSP_REQUEST_free)
			OCSP_REQUEST *theirs = d2i_OCSP_REQUEST(NULL, &at, (long)der.len);

			assert_non_null(theirs);
			assert_ptr_equal(at, der.ptr + der.len);
			read_all_the_same++;
		}
		der.ptr[bit / 8] ^= (uint8_t)(1 << bit % 8);
	}
	/* The hashes, the serials and the nonce may be anything. */
	assert_true(read_all_the_same >= (2 * (20 + 20 + 17) + 16) * 8);
}

static void more_than_four_kilobytes_are_malformed(void **state)
{
	CLEANUP_BUF struct buf list = {0}, der = {0};
	static const uint8_t filler[OCSP_REQUEST_MAX_BYTES];
	const size_t filled = 4000;
	size_t ext = der_begin(&list, DER_SEQUENCE);

	der_put_oid(&list, BYTES("\x2a\x03"));
	der_put(&list, DER_OCTET_STRING, bytes_of(filler, filled));
	der_end(&list, ext);
	make(&(struct recipe){.extensions = buf_bytes(&list)}, &der);
	assert_in_range(der.len, 4001, OCSP_REQUEST_MAX_BYTES);
	assert_verdict(&der, OK);
	buf_reset(&list);
	ext = der_begin(&list, DER_SEQUENCE);
	der_put_oid(&list, BYTES("\x2a\x03"));
	der_put(&list, DER_OCTET_STRING,
		bytes_of(filler, filled + OCSP_REQUEST_MAX_BYTES - der.len));
	der_end(&list, ext);
	make(&(struct recipe){.extensions = buf_bytes(&list)}, &der);
	assert_int_equal(der.len, OCSP_REQUEST_MAX_BYTES);
	assert_verdict(&der, OK);
	make(&(struct recipe){.extensions = buf_bytes(&list), .serial = BYTES("\x01\x01")}, &der);
	assert_verdict(&der, ERR_SYNTAX);
}

/* ---- the path of a GET ---- */

static void assert_path(const char *path, const char *expected)
{
	uint8_t out[OCSP_GET_MAX_BYTES];
	size_t len = 999;

	if (expected == NULL) {
		if (ocsp_request_from_path(bytes_str(path), out, &len) != ERR_SYNTAX)
			fail_msg("%s was read", path);
		assert_int_equal(len, 999);
		return;
	}
	if (ocsp_request_from_path(bytes_str(path), out, &len) != OK)
		fail_msg("%s was refused", path);
	assert_true(bytes_is(bytes_of(out, len), expected));
}

static void paths_are_url_encoded_base64(void **state)
{
	assert_path("TWFu", "Man");
	assert_path("TWE=", "Ma");
	assert_path("TQ==", "M");
	assert_path("TWE%3D", "Ma");
	assert_path("TQ%3d%3D", "M");
	assert_path("TWE", "Ma");
	assert_path("TQ", "M");
	assert_path("//TWFu", "Man");
	assert_path("%54WFu", "Man");
	assert_path("MP//+/8=", "0\xff\xff\xfb\xff");
	assert_path("MP%2F%2f%2B%2f8%3d", "0\xff\xff\xfb\xff");
	assert_path("MP/%2F%2B/8=", "0\xff\xff\xfb\xff");
}

static void other_paths_are_malformed(void **state)
{
	static const char *const paths[] = {"", "/", "=", "T", "TWFuT",
		"TQ=", "TQ===", "TWE==", "TWFu=", "TWFu====", "TR==", "TWF=", "TW=u", "TWFu ",
		"TWFu\n", "TWF-", "TWF_", "TWFu%", "TWFu%3", "TWFu%3g", "TWFu%00", "TWFu%20",
		"TWFu?", "TWFu&", "TWFu.", "TQ==/", "TWFu%253D"};

	for (size_t i = 0; i < ARRAY_LEN(paths); i++)
		assert_path(paths[i], NULL);
	uint8_t out[OCSP_GET_MAX_BYTES];
	size_t len = 999;
	assert_int_equal(ocsp_request_from_path(bytes_of("TWFu\0", 5), out, &len), ERR_SYNTAX);
}

static void paths_hold_255_octets_at_most(void **state)
{
	char path[4 * 86 + 1];
	uint8_t out[OCSP_GET_MAX_BYTES];
	size_t len;

	memset(path, 'M', sizeof(path));
	assert_int_equal(ocsp_request_from_path(bytes_of(path, 340), out, &len), OK);
	assert_int_equal(len, 255);
	assert_int_equal(ocsp_request_from_path(bytes_of(path, 341), out, &len), ERR_SYNTAX);
	assert_int_equal(ocsp_request_from_path(bytes_of("MMMMMMMMMA", 10), out, &len), OK);
	path[341] = 'A';
	assert_int_equal(ocsp_request_from_path(bytes_of(path, 342), out, &len), ERR_SYNTAX);
	assert_int_equal(ocsp_request_from_path(bytes_of(path, 344), out, &len), ERR_SYNTAX);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(requests_of_openssl_are_read),
		cmocka_unit_test(a_nonce_of_1_to_128_octets_is_read_and_no_other),
		cmocka_unit_test(signature_and_requestor_are_passed_over),
		cmocka_unit_test(what_no_certificate_of_ours_is_exceeds_the_limit),
		cmocka_unit_test(extensions_count_when_critical),
		cmocka_unit_test(the_usual_request_is_good),
		cmocka_unit_test(versions_but_the_first_are_malformed),
		cmocka_unit_test(a_requestor_is_one_general_name),
		cmocka_unit_test(a_list_holds_requests_and_at_least_one),
		cmocka_unit_test(hash_algorithms_are_judged),
		cmocka_unit_test(serials_are_integers_in_their_shortest_form),
		cmocka_unit_test(extensions_follow_their_grammar),
		cmocka_unit_test(extensions_are_few),
		cmocka_unit_test(signatures_follow_their_grammar),
		cmocka_unit_test(malformed_wins_over_unknown),
		cmocka_unit_test(every_shorter_or_longer_request_is_malformed),
		cmocka_unit_test(no_damaged_request_is_read_that_openssl_refuses),
		cmocka_unit_test(more_than_four_kilobytes_are_malformed),
		cmocka_unit_test(paths_are_url_encoded_base64),
		cmocka_unit_test(other_paths_are_malformed),
		cmocka_unit_test(paths_hold_255_octets_at_most),
	};

	return cmocka_run_group_tests_name("ocsp_request", tests, NULL, NULL);
}
