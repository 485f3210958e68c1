/* test_token.c — keys in a PKCS#11 token, on SoftHSM: what is taken, what is refused, and a token
 * that goes away and comes back. Skipped without softhsm2. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <stdio.h>
#include <unistd.h>

#include "tests/unit/scratch_folder.h"
#include "tools/authority.h"
#include "workers/signer/keys.h"
#include "workers/signer/token.h"

#define MODULE "/usr/lib/softhsm/libsofthsm2.so"
#define AT "?module-path=" MODULE
#define SKIP 77

static char *pin, *wrong_pin;
static EVP_PKEY *p256, *other;

static void shell(const char *fmt, ...) PRINTF_LIKE(1, 2);

static void shell(const char *fmt, ...)
{
	char *command;
	va_list args;

	va_start(args, fmt);
	assert_true(vasprintf(&command, fmt, args) > 0);
	va_end(args);
	if (system(command) != 0)
		fail_msg("%s", command);
	free(command);
}

/* Puts the key and its public half into a token. */
static void import(const char *token, EVP_PKEY *key, const char *label, const char *id)
{
	CLEANUP_BUF struct buf pem = {0};
	CLEANUP_STR char *path = NULL;

	assert_int_equal(authority_key_pem(key, NULL, &pem), OK);
	path = scratch_write("import.pem", buf_bytes(&pem), 0600);
	shell("softhsm2-util --import %s --token %s --label %s --id %s --pin 12345678 >/dev/null",
		path, token, label, id);
	unlink(path);
}

static void make_token(const char *label)
{
	shell("softhsm2-util --init-token --free --label %s --so-pin 87654321 --pin 12345678 "
	      ">/dev/null",
		label);
}

static int make(void **state)
{
	CLEANUP_BUF struct buf conf = {0};
	CLEANUP_STR char *path = NULL;

	if (scratch_folder_make(state) != 0)
		return -1;
	buf_addf(&conf, "directories.tokendir = %s/tokens\nlog.level = ERROR\n", scratch_folder());
	path = scratch_write("softhsm2.conf", buf_bytes(&conf), 0600);
	setenv("SOFTHSM2_CONF", path, 1);
	shell("mkdir %s/tokens", scratch_folder());
	make_token("ca");
	pin = scratch_write("pin", bytes_str("12345678\n"), 0400);
	wrong_pin = scratch_write("wrong-pin", bytes_str("11111111\n"), 0400);
	if (authority_key_new("p256", &p256) != OK || authority_key_new("p256", &other) != OK)
		return -1;
	import("ca", p256, "issuing", "01");
	return 0;
}

static int drop(void **state)
{
	EVP_PKEY_free(p256);
	EVP_PKEY_free(other);
	free(pin);
	free(wrong_pin);
	shell("rm -r %s/tokens", scratch_folder());
	return scratch_folder_remove(state);
}

/* Loads it, expects err, and wants the word in the message. The key, when it is OK. */
static EVP_PKEY *expect(const char *uri, const char *pin_file, EVP_PKEY *public_key, int err,
	const char *word)
{
	CLEANUP_STR char *why = NULL;
	EVP_PKEY *key = NULL;
	int got = token_key_load(uri, pin_file, public_key, &key, &why);

	if (got != err)
		fail_msg("%s: %s instead of %s: %s", uri, err_name(got), err_name(err),
			why != NULL ? why : "");
	if (err == OK) {
		assert_non_null(key);
		assert_null(why);
		return key;
	}
	assert_null(key);
	if (why == NULL || strstr(why, word) == NULL)
		fail_msg("\"%s\" does not speak of \"%s\"", why != NULL ? why : "", word);
	return NULL;
}

static int try_sign(EVP_PKEY *key)
{
	CLEANUP_BUF struct buf out = {0};

	return key_sign_tbs_checked(key, bytes_str("to be signed"), &out);
}

/* As revocation lists are signed. */
static int try_stream(EVP_PKEY *key)
{
	CLEANUP(key_stream_free) struct key_stream *stream = NULL;
	CLEANUP_BUF struct buf out = {0};

	assert_int_equal(key_stream_begin(key, &stream), OK);
	assert_int_equal(key_stream_add(stream, bytes_str("a long ")), OK);
	assert_int_equal(key_stream_add(stream, bytes_str("list")), OK);
	return key_stream_end(stream, key, &out);
}

static void signs_with_every_kind_of_key(void **state)
{
	static const char *const types[] = {"p256", "p384", "rsa2048", "rsa3072", "rsa4096"};

	for (size_t i = 0; i < ARRAY_LEN(types); i++) {
		CLEANUP(EVP_PKEY_free) EVP_PKEY *soft = NULL;
		CLEANUP(EVP_PKEY_free) EVP_PKEY *hard = NULL;
		CLEANUP(EVP_PKEY_free) EVP_PKEY *trial = NULL;
		CLEANUP_STR char *why = NULL;
		char id[8], uri[200];

		assert_int_equal(authority_key_new(types[i], &soft), OK);
		snprintf(id, sizeof(id), "%02zu", 10 + i);
		snprintf(uri, sizeof(uri), "pkcs11:token=ca;object=%s;type=private" AT, types[i]);
		import("ca", soft, types[i], id);
		/* As any key file is loaded: the public half comes from the token. */
		assert_int_equal(key_load(uri, pin, &hard, &why), OK);
		assert_int_equal(EVP_PKEY_eq(soft, hard), 1);
		assert_true(token_holds(hard) && !token_holds(soft));
		assert_true(token_is_reachable(hard));
		assert_int_equal(key_check_pair(hard, soft), OK);
		assert_int_not_equal(key_check_pair(hard, p256), OK);
		assert_int_equal(try_sign(hard), OK);
		assert_int_equal(try_stream(hard), OK);
		assert_int_equal(key_generate_alike(hard, &trial), OK);
		assert_false(token_holds(trial));
	}
}

static void finds_the_key_by_id_by_label_and_by_both(void **state)
{
	static const char *const uris[] = {"pkcs11:token=ca;id=%01" AT,
		"pkcs11:token=ca;object=issuing;id=%01" AT,
		"pkcs11:object=issuing;type=private" AT};

	for (size_t i = 0; i < ARRAY_LEN(uris); i++)
		EVP_PKEY_free(expect(uris[i], pin, p256, OK, NULL));
	expect("pkcs11:token=ca;object=issuing;id=%02" AT, pin, p256, ERR_NOENT, "no private key");
	expect("pkcs11:token=ca;object=nothing" AT, pin, p256, ERR_NOENT, "no private key");
	import("ca", p256, "twice", "20");
	import("ca", other, "twice", "21");
	expect("pkcs11:token=ca;object=twice" AT, pin, p256, ERR_LIMIT, "several keys");
	expect("pkcs11:token=ca;object=issuing;id=%01" AT, pin, other, ERR_CONFLICT,
		"not the key of the certificate");
}

static void refuses_uris_that_are_none_or_say_too_little(void **state)
{
	expect("pkcs11:nonsense" AT, pin, NULL, ERR_SYNTAX, "RFC 7512");
	expect("pkcs11:colour=red;object=a" AT, pin, NULL, ERR_SYNTAX, "unknown");
	expect("pkcs11:token=ca" AT, pin, NULL, ERR_SYNTAX, "names no key");
	expect("pkcs11:token=ca;object=issuing;type=cert" AT, pin, NULL, ERR_SYNTAX,
		"type=private");
	expect("pkcs11:token=ca;object=issuing", pin, NULL, ERR_SYNTAX, "module-path");
	expect("pkcs11:object=issuing?module-path=softhsm.so", pin, NULL, ERR_SYNTAX,
		"module-path");
	expect("pkcs11:object=issuing" AT "&pin-value=12345678", NULL, NULL, ERR_SYNTAX,
		"pin-value");
	expect("pkcs11:object=issuing" AT "&pin-source=pin", NULL, NULL, ERR_SYNTAX, "absolute");
	expect("pkcs11:object=issuing?module-path=/nonexistent.so", pin, NULL, ERR_NOENT,
		"cannot load");
}

static void takes_the_pin_from_the_uri_and_from_a_credential(void **state)
{
	char uri[400];

	snprintf(uri, sizeof(uri), "pkcs11:object=issuing" AT "&pin-source=file:%s", pin);
	EVP_PKEY_free(expect(uri, NULL, p256, OK, NULL));
	snprintf(uri, sizeof(uri), "pkcs11:object=issuing" AT "&pin-source=%s", wrong_pin);
	expect(uri, NULL, p256, ERR_CONFLICT, "cannot log in");
	EVP_PKEY_free(expect(uri, pin, p256, OK, NULL));
	expect("pkcs11:object=issuing" AT, NULL, p256, ERR_CONFLICT, "wants a PIN");
	expect("pkcs11:object=issuing" AT, "credential:pin", p256, ERR_NOENT, "LoadCredential=pin");
	setenv("CREDENTIALS_DIRECTORY", scratch_folder(), 1);
	EVP_PKEY_free(expect("pkcs11:object=issuing" AT, "credential:pin", p256, OK, NULL));
	unsetenv("CREDENTIALS_DIRECTORY");
}

/* The pause before the next look at a token is half a second at first. */
static bool comes_back(EVP_PKEY *key)
{
	for (int i = 0; i < 200; i++) {
		if (token_is_reachable(key))
			return true;
		usleep(20000);
	}
	return false;
}

static void a_token_that_goes_away_comes_back(void **state)
{
	CLEANUP(EVP_PKEY_free)
	EVP_PKEY *key = expect("pkcs11:token=ca;object=issuing" AT, pin, p256, OK, NULL);
	char complaint[256];

	assert_int_equal(try_sign(key), OK);
	token_complaint(key, complaint, sizeof(complaint));
	assert_string_equal(complaint, "");
	shell("mv %s/tokens %s/away && mkdir %s/tokens", scratch_folder(), scratch_folder(),
		scratch_folder());
	/* SoftHSM goes on with what it has read; another key's look at the tokens takes it away. */
	CLEANUP(EVP_PKEY_free)
	EVP_PKEY *second = expect("pkcs11:token=later;object=issuing" AT, pin, p256, OK, NULL);
	assert_false(token_is_reachable(second));
	assert_int_equal(try_sign(key), ERR_NET);
	assert_false(token_is_reachable(key));
	assert_int_equal(try_sign(key), ERR_NET);
	token_complaint(key, complaint, sizeof(complaint));
	assert_non_null(strstr(complaint, "away"));
	shell("rmdir %s/tokens && mv %s/away %s/tokens", scratch_folder(), scratch_folder(),
		scratch_folder());
	assert_true(comes_back(key));
	assert_int_equal(try_sign(key), OK);
	make_token("later");
	import("later", p256, "issuing", "01");
	assert_true(comes_back(second));
	assert_int_equal(try_sign(second), OK);
	/* The look for the second ended the first one's session: nobody notices. */
	assert_int_equal(try_sign(key), OK);
}

/* Handles are used again: a key that lost its session must not sign with another's. */
static void another_key_of_the_same_label_is_not_used(void **state)
{
	CLEANUP(EVP_PKEY_free) EVP_PKEY *key = NULL;

	make_token("swap");
	import("swap", p256, "issuing", "01");
	key = expect("pkcs11:token=swap;object=issuing" AT, pin, p256, OK, NULL);
	assert_int_equal(try_sign(key), OK);
	shell("softhsm2-util --delete-token --token swap >/dev/null");
	make_token("swap");
	import("swap", other, "issuing", "01");
	/* A look for what is not there has the module read its tokens again. */
	EVP_PKEY_free(expect("pkcs11:token=nowhere;object=x" AT, pin, p256, OK, NULL));
	assert_int_not_equal(try_sign(key), OK);
	assert_false(token_is_reachable(key));
	assert_int_equal(EVP_PKEY_eq(key, p256), 1);
}

static void a_pin_that_is_refused_is_not_tried_again(void **state)
{
	CLEANUP(EVP_PKEY_free) EVP_PKEY *key = NULL;

	shell("mv %s/tokens %s/away && mkdir %s/tokens", scratch_folder(), scratch_folder(),
		scratch_folder());
	key = expect("pkcs11:token=ca;object=issuing" AT, wrong_pin, p256, OK, NULL);
	shell("rmdir %s/tokens && mv %s/away %s/tokens", scratch_folder(), scratch_folder(),
		scratch_folder());
	assert_false(comes_back(key));
	char complaint[256];
	token_complaint(key, complaint, sizeof(complaint));
	assert_non_null(strstr(complaint, "cannot log in"));
	/* Even if it were right now. */
	shell("softhsm2-util --init-token --token ca --label ca --so-pin 87654321 --pin 11111111 "
	      ">/dev/null");
	import("later", p256, "unrelated", "02");
	assert_false(comes_back(key));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(signs_with_every_kind_of_key),
		cmocka_unit_test(finds_the_key_by_id_by_label_and_by_both),
		cmocka_unit_test(refuses_uris_that_are_none_or_say_too_little),
		cmocka_unit_test(takes_the_pin_from_the_uri_and_from_a_credential),
		cmocka_unit_test(a_token_that_goes_away_comes_back),
		cmocka_unit_test(another_key_of_the_same_label_is_not_used),
		cmocka_unit_test(a_pin_that_is_refused_is_not_tried_again),
	};

	if (access(MODULE, R_OK) != 0 || system("softhsm2-util --version >/dev/null 2>&1") != 0)
		return SKIP;
	return cmocka_run_group_tests_name("token", tests, make, drop);
}
