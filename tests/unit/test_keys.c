/* test_keys.c — which key files and issuers are taken, and which are refused with which words. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/base/clock.h"
#include "tests/unit/scratch_folder.h"
#include "tests/unit/signer_pki.h"
#include "tools/authority.h"
#include "workers/signer/keys.h"

static EVP_PKEY *p256;

static int make(void **state)
{
	return scratch_folder_make(state) == 0 ? authority_key_new("p256", &p256) : -1;
}

static int drop(void **state)
{
	EVP_PKEY_free(p256);
	return scratch_folder_remove(state);
}

/* Loads path, expects err, and wants the word in the message. */
static void expect(const char *path, const char *passphrase, int err, const char *word)
{
	CLEANUP(EVP_PKEY_free) EVP_PKEY *key = NULL;
	CLEANUP_STR char *why = NULL;

	assert_int_equal(key_load(path, passphrase, &key, &why), err);
	if (err == OK) {
		assert_non_null(key);
		return;
	}
	assert_null(key);
	assert_non_null(why);
	if (strstr(why, word) == NULL)
		fail_msg("\"%s\" does not speak of \"%s\"", why, word);
}

static char *write_key(const char *name, EVP_PKEY *key, const char *passphrase, unsigned mode)
{
	CLEANUP_BUF struct buf pem = {0};

	assert_int_equal(authority_key_pem(key, passphrase, &pem), OK);
	return scratch_write(name, buf_bytes(&pem), mode);
}

static void takes_every_kind_it_signs_with(void **state)
{
	static const char *const types[] = {"p256", "p384", "rsa2048", "rsa3072"};

	for (size_t i = 0; i < ARRAY_LEN(types); i++) {
		CLEANUP(EVP_PKEY_free) EVP_PKEY *key = NULL;
		CLEANUP_STR char *path = NULL;

		assert_int_equal(authority_key_new(types[i], &key), OK);
		path = write_key(types[i], key, NULL, 0400);
		expect(path, NULL, OK, NULL);
	}
}

/* SEC1 and PKCS#1, as older tools write them. */
static void takes_traditional_formats(void **state)
{
	static const char *const types[] = {"p256", "rsa2048"};

	for (size_t i = 0; i < ARRAY_LEN(types); i++) {
		CLEANUP(EVP_PKEY_free) EVP_PKEY *key = NULL;
		CLEANUP(BIO_free_all) BIO *bio = BIO_new(BIO_s_mem());
		CLEANUP_STR char *path = NULL;
		char *pem;
		long len;

		assert_int_equal(authority_key_new(types[i], &key), OK);
		assert_int_equal(PEM_write_bio_PrivateKey_traditional(bio, key, NULL, NULL, 0, NULL,
					 NULL),
			1);
		len = BIO_get_mem_data(bio, &pem);
		assert_non_null(memmem(pem, (size_t)len,
			i == 0 ? "BEGIN EC PRIVATE" : "BEGIN RSA PRIVATE", 16));
		path = scratch_write("traditional", bytes_of(pem, (size_t)len), 0400);
		expect(path, NULL, OK, NULL);
	}
}

static void refuses_weak_and_foreign_keys(void **state)
{
	static const struct {
		const char *algorithm;
		const char *curve;
		size_t bits;
	} kinds[] = {{"RSA", NULL, 1024}, {"EC", "P-521", 0}, {"EC", "P-224", 0},
		{"EC", "secp256k1", 0}};

	for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
		CLEANUP(EVP_PKEY_free) EVP_PKEY *key = NULL;
		CLEANUP_STR char *path = NULL;

		key = kinds[i].curve != NULL ? EVP_EC_gen(kinds[i].curve)
					     : EVP_RSA_gen(kinds[i].bits);
		assert_non_null(key);
		path = write_key("weak", key, NULL, 0400);
		expect(path, NULL, ERR_LIMIT, "P-256, P-384 or RSA");
	}
	CLEANUP(EVP_PKEY_free) EVP_PKEY *ed = EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
	CLEANUP_STR char *path = write_key("ed25519", ed, NULL, 0400);

	expect(path, NULL, ERR_LIMIT, "P-256, P-384 or RSA");
}

static void refuses_what_others_may_read(void **state)
{
	static const unsigned modes[] = {0440, 0404, 0644, 0660, 0420, 0402, 0410};

	for (size_t i = 0; i < ARRAY_LEN(modes); i++) {
		CLEANUP_STR char *path = write_key("open", p256, NULL, modes[i]);

		expect(path, NULL, ERR_CONFLICT, "others may have read it");
		unlink(path);
	}
	CLEANUP_STR char *path = write_key("closed", p256, NULL, 0600);

	expect(path, NULL, OK, NULL);
}

/* systemd's ACL shows as the group's bit, inside the unit's own folder alone. */
static void takes_group_readable_credentials_of_its_unit(void **state)
{
	CLEANUP_STR char *path = write_key("credential", p256, NULL, 0440);
	CLEANUP_STR char *outside = NULL;
	const char *folder = scratch_folder();

	expect(path, NULL, ERR_CONFLICT, "others may have read it");
	setenv("CREDENTIALS_DIRECTORY", folder, 1);
	expect(path, NULL, OK, NULL);
	assert_true(
		asprintf(&outside, "%s/../%s/credential", folder, strrchr(folder, '/') + 1) > 0);
	expect(outside, NULL, ERR_CONFLICT, "others may have read it");
	unsetenv("CREDENTIALS_DIRECTORY");
}

static void opens_encrypted_keys_with_the_right_passphrase_only(void **state)
{
	CLEANUP_STR char *path = write_key("encrypted", p256, "correct horse", 0400);
	CLEANUP_STR char *right =
		scratch_write("right", bytes_str("correct horse\nsecond line\n"), 0400);
	CLEANUP_STR char *wrong = scratch_write("wrong", bytes_str("battery staple\n"), 0400);
	CLEANUP_STR char *empty = scratch_write("empty", bytes_str("\n"), 0400);
	CLEANUP_STR char *open = scratch_write("world", bytes_str("correct horse\n"), 0444);

	expect(path, right, OK, NULL);
	expect(path, wrong, ERR_CRYPTO, "missing or wrong");
	expect(path, empty, ERR_SYNTAX, "is empty");
	expect(path, NULL, ERR_CRYPTO, "missing or wrong");
	expect(path, open, ERR_CONFLICT, "others may have read it");
}

static void refuses_what_is_no_key(void **state)
{
	CLEANUP_STR char *text = scratch_write("text", bytes_str("hello\n"), 0400);
	CLEANUP_STR char *none = scratch_write("none", bytes_str(""), 0400);
	CLEANUP_BUF struct buf big = {0};

	for (int i = 0; i < 40000; i++)
		buf_add_byte(&big, 'A');
	CLEANUP_STR char *huge = scratch_write("huge", buf_bytes(&big), 0400);

	expect(text, NULL, ERR_CRYPTO, "no PEM private key");
	expect(none, NULL, ERR_CRYPTO, "no PEM private key");
	expect(huge, NULL, ERR_LIMIT, "larger than");
	expect(scratch_folder(), NULL, ERR_CONFLICT, "not a regular file");
	expect("/nonexistent/key", NULL, ERR_NOENT, "cannot open");
}

static void tells_a_pair_from_two_strangers(void **state)
{
	CLEANUP(EVP_PKEY_free) EVP_PKEY *other = NULL;

	assert_int_equal(authority_key_new("p256", &other), OK);
	assert_int_equal(key_check_pair(p256, p256), OK);
	assert_int_not_equal(key_check_pair(p256, other), OK);
}

/* Issuers: the whole of what start-up proves. */

static void expect_issuer(const struct conf_issuer *conf, int64_t now_us, int err, const char *word)
{
	CLEANUP(issuer_free) struct issuer *issuer = NULL;
	CLEANUP_STR char *why = NULL;

	assert_int_equal(issuer_load(conf, now_us, &issuer, &why), err);
	if (err != OK && (why == NULL || strstr(why, word) == NULL))
		fail_msg("\"%s\" does not speak of \"%s\"", why != NULL ? why : "", word);
}

static void takes_a_whole_issuer(void **state)
{
	struct test_ca ca;

	test_ca_make(&ca, "whole", "p384", clock_wall_us());
	expect_issuer(&ca.conf, clock_wall_us(), OK, NULL);
	free(ca.conf.chain);
	ca.conf.chain = NULL;
	expect_issuer(&ca.conf, clock_wall_us(), OK, NULL);
	test_ca_done(&ca);
}

static void refuses_a_key_of_another_certificate(void **state)
{
	struct test_ca a, b;

	test_ca_make(&a, "a", "p256", clock_wall_us());
	test_ca_make(&b, "b", "p256", clock_wall_us());
	struct conf_issuer mixed = a.conf;

	mixed.key = b.conf.key;
	expect_issuer(&mixed, clock_wall_us(), ERR_CONFLICT, "is not the key of");
	mixed = a.conf;
	mixed.chain = b.conf.chain;
	expect_issuer(&mixed, clock_wall_us(), ERR_CONFLICT, "must begin with");
	test_ca_done(&a);
	test_ca_done(&b);
}

static void refuses_issuers_out_of_their_time(void **state)
{
	struct test_ca ca;
	int64_t now = clock_wall_us(), day = 86400 * USEC_PER_SEC;

	test_ca_make(&ca, "time", "p256", now);
	/* It may be prepared ahead; what it is below must be valid already. */
	expect_issuer(&ca.conf, now - 2 * day, ERR_CONFLICT, "certificate 2 is not valid yet");
	expect_issuer(&ca.conf, now + (AUTHORITY_ISSUING_DAYS + 1) * day, ERR_TIMEOUT, "expired");
	free(ca.conf.chain);
	ca.conf.chain = NULL;
	expect_issuer(&ca.conf, now - 2 * day, OK, NULL);
	test_ca_done(&ca);
}

static void refuses_chains_that_do_not_hold(void **state)
{
	struct test_ca a, b;
	CLEANUP_BUF struct buf pem = {0};

	test_ca_make(&a, "a", "p256", clock_wall_us());
	test_ca_make(&b, "b", "p256", clock_wall_us());
	assert_int_equal(authority_certificate_pem(a.certificate, &pem), OK);
	assert_int_equal(authority_certificate_pem(b.root, &pem), OK);
	struct conf_issuer conf = a.conf;

	/* The roots have one name and two keys. */
	conf.chain = scratch_write("strange.pem", buf_bytes(&pem), 0644);
	expect_issuer(&conf, clock_wall_us(), ERR_CONFLICT, "not issued by the one behind it");
	free(conf.chain);

	/* An issuing CA below an issuing CA: pathlen 0 forbids it. */
	CLEANUP(X509_free) X509 *below = NULL;
	const struct authority_name name = {NULL, NULL, "Below"};

	assert_int_equal(authority_issuing_new(a.key, a.certificate, b.key, &name, NULL,
				 clock_wall_us(), &below),
		OK);
	buf_reset(&pem);
	assert_int_equal(authority_certificate_pem(below, &pem), OK);
	conf = b.conf;
	conf.certificate = scratch_write("below.pem", buf_bytes(&pem), 0644);
	assert_int_equal(authority_certificate_pem(a.certificate, &pem), OK);
	conf.chain = scratch_write("deep.pem", buf_bytes(&pem), 0644);
	expect_issuer(&conf, clock_wall_us(), ERR_CONFLICT, "pathlen 0");
	free(conf.certificate);
	free(conf.chain);
	test_ca_done(&a);
	test_ca_done(&b);
}

/* A certificate of the same issuing key, below another root of the CA. */
static X509 *cross_sign(const struct test_ca *ca, const struct test_ca *by, int64_t now_us)
{
	const struct authority_name name = {NULL, NULL, "Test Issuing"};
	X509 *cross = NULL;

	assert_int_equal(authority_issuing_new(by->root_key, by->root, ca->key, &name, NULL, now_us,
				 &cross),
		OK);
	return cross;
}

static char *write_chain(const char *name, X509 *first, X509 *second)
{
	CLEANUP_BUF struct buf pem = {0};

	assert_int_equal(authority_certificate_pem(first, &pem), OK);
	if (second != NULL)
		assert_int_equal(authority_certificate_pem(second, &pem), OK);
	return scratch_write(name, buf_bytes(&pem), 0644);
}

static void takes_alternate_chains_that_hold(void **state)
{
	struct test_ca a, b;
	int64_t now = clock_wall_us();

	test_ca_make(&a, "a", "p256", now);
	test_ca_make(&b, "b", "p256", now);
	CLEANUP(X509_free) X509 *cross = cross_sign(&a, &b, now);
	CLEANUP_STR char *good = write_chain("cross.pem", cross, b.root);
	CLEANUP_STR char *broken = write_chain("broken.pem", cross, a.root);
	CLEANUP_STR char *foreign = write_chain("foreign.pem", b.certificate, b.root);
	CLEANUP_STR char *roots = write_chain("roots.pem", a.root, b.root);
	CLEANUP_STR char *one_root = write_chain("one-root.pem", a.root, NULL);
	CLEANUP(issuer_free) struct issuer *issuer = NULL;
	CLEANUP_STR char *why = NULL;
	char *files[] = {good, a.conf.chain};
	struct conf_issuer conf = a.conf;

	conf.alternate_chains = (struct conf_list){files, 2};
	conf.roots = roots;
	assert_int_equal(issuer_load(&conf, now, &issuer, &why), OK);
	assert_int_equal(issuer->nalternates, 2);
	assert_true(bytes_equal(buf_bytes(&issuer->alternates[1]), buf_bytes(&issuer->chain_pem)));
	assert_false(bytes_equal(buf_bytes(&issuer->alternates[0]), buf_bytes(&issuer->chain_pem)));
	/* Its root is not among those that clients are meant to trust. */
	conf.roots = one_root;
	expect_issuer(&conf, now, ERR_CONFLICT, "does not end at a certificate of");
	conf.roots = NULL;
	files[0] = broken;
	expect_issuer(&conf, now, ERR_CONFLICT, "not issued by the one behind it");
	files[0] = foreign;
	expect_issuer(&conf, now, ERR_CONFLICT, "must begin with a certificate of the subject");
	test_ca_done(&a);
	test_ca_done(&b);
}

/* The old root's end: the issuer goes on without that chain. */
static void leaves_out_alternate_chains_that_have_expired(void **state)
{
	struct test_ca a, b;
	int64_t now = clock_wall_us(), day = 86400 * USEC_PER_SEC;
	int64_t long_ago = now - (AUTHORITY_ISSUING_DAYS + 10) * day;

	test_ca_make(&a, "a", "p256", now);
	test_ca_make(&b, "b", "p256", long_ago);
	CLEANUP(X509_free) X509 *cross = cross_sign(&a, &b, long_ago);
	CLEANUP_STR char *ended = write_chain("ended.pem", cross, b.root);
	CLEANUP(issuer_free) struct issuer *issuer = NULL;
	CLEANUP_STR char *why = NULL;
	struct conf_issuer conf = a.conf;

	conf.alternate_chains = (struct conf_list){&ended, 1};
	assert_int_equal(issuer_load(&conf, now, &issuer, &why), OK);
	assert_null(why);
	assert_int_equal(issuer->nalternates, 0);
	assert_int_equal(issuer->nended, 1);
	test_ca_done(&a);
	test_ca_done(&b);
}

/* One issuer's end does not stop the others; that of the last one does. */
static void a_set_goes_on_without_what_has_expired(void **state)
{
	struct test_ca a, b;
	int64_t now = clock_wall_us(), day = 86400 * USEC_PER_SEC;
	struct issuer_set set;
	char *why = NULL;

	test_ca_make(&a, "a", "p256", now - (AUTHORITY_ISSUING_DAYS + 10) * day);
	test_ca_make(&b, "b", "p256", now);
	char *names[] = {b.conf.name};
	struct conf_issuer sections[] = {a.conf, b.conf};
	struct conf_profile profile = {.name = (char *)"default",
		.validity_secs = 90 * 86400,
		.issuers = {names, 1}};
	struct conf conf = {.path = (char *)"assay.conf",
		.issuers = sections,
		.nissuers = 2,
		.profiles = &profile,
		.nprofiles = 1};

	assert_int_equal(issuer_set_load(&conf, now, &set, &why), OK);
	assert_null(why);
	assert_int_equal(set.count, 1);
	assert_int_equal(set.nended, 1);
	assert_string_equal(set.items[0]->name, "b");
	assert_true(issuer_set_refresh(&set));
	assert_true(issuer_spare_secs(set.items[0], &conf, now) > 0);
	assert_true(issuer_spare_secs(set.items[0], &conf,
			    now + (AUTHORITY_ISSUING_DAYS - 90) * day) < 0);
	issuer_set_done(&set);
	conf.nissuers = 1;
	assert_int_equal(issuer_set_load(&conf, now, &set, &why), ERR_TIMEOUT);
	assert_non_null(strstr(why, "expired"));
	free(why);
	test_ca_done(&a);
	test_ca_done(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(takes_every_kind_it_signs_with),
		cmocka_unit_test(takes_traditional_formats),
		cmocka_unit_test(refuses_weak_and_foreign_keys),
		cmocka_unit_test(refuses_what_others_may_read),
		cmocka_unit_test(takes_group_readable_credentials_of_its_unit),
		cmocka_unit_test(opens_encrypted_keys_with_the_right_passphrase_only),
		cmocka_unit_test(refuses_what_is_no_key),
		cmocka_unit_test(tells_a_pair_from_two_strangers),
		cmocka_unit_test(takes_a_whole_issuer),
		cmocka_unit_test(refuses_a_key_of_another_certificate),
		cmocka_unit_test(refuses_issuers_out_of_their_time),
		cmocka_unit_test(refuses_chains_that_do_not_hold),
		cmocka_unit_test(takes_alternate_chains_that_hold),
		cmocka_unit_test(leaves_out_alternate_chains_that_have_expired),
		cmocka_unit_test(a_set_goes_on_without_what_has_expired),
	};

	return cmocka_run_group_tests_name("keys", tests, make, drop);
}
