/* ossl.c — see ossl.h. An algorithm that cannot be fetched is a broken installation, so it ends the
 * process: every later check would fail in a less readable way. */
#include "lib/pki/ossl.h"

#include <assert.h>
#include <openssl/err.h>
#include <openssl/provider.h>
#include <pthread.h>

#include "lib/base/log.h"

static struct {
	EVP_MD *sha1;
	EVP_MD *sha256;
	EVP_MD *sha384;
	EVP_MD *sha512;
	EVP_CIPHER *aes256_gcm;
} fetched;
static pthread_once_t fetched_once = PTHREAD_ONCE_INIT;

static void fetch_all(void)
{
	fetched.sha1 = EVP_MD_fetch(NULL, "SHA1", NULL);
	fetched.sha256 = EVP_MD_fetch(NULL, "SHA2-256", NULL);
	fetched.sha384 = EVP_MD_fetch(NULL, "SHA2-384", NULL);
	fetched.sha512 = EVP_MD_fetch(NULL, "SHA2-512", NULL);
	fetched.aes256_gcm = EVP_CIPHER_fetch(NULL, "AES-256-GCM", NULL);
	if (fetched.sha1 == NULL || fetched.sha256 == NULL || fetched.sha384 == NULL ||
		fetched.sha512 == NULL || fetched.aes256_gcm == NULL)
		die("OpenSSL offers no SHA-1, SHA-2 or AES-256-GCM: check openssl.cnf and its "
		    "providers");
}

const EVP_MD *ossl_sha1(void)
{
	pthread_once(&fetched_once, fetch_all);
	return fetched.sha1;
}

const EVP_MD *ossl_sha256(void)
{
	pthread_once(&fetched_once, fetch_all);
	return fetched.sha256;
}

const EVP_MD *ossl_sha384(void)
{
	pthread_once(&fetched_once, fetch_all);
	return fetched.sha384;
}

const EVP_MD *ossl_sha512(void)
{
	pthread_once(&fetched_once, fetch_all);
	return fetched.sha512;
}

const EVP_CIPHER *ossl_aes256_gcm(void)
{
	pthread_once(&fetched_once, fetch_all);
	return fetched.aes256_gcm;
}

static OSSL_LIB_CTX *keyless;
static pthread_once_t keyless_once = PTHREAD_ONCE_INIT;

static void make_keyless(void)
{
	keyless = OSSL_LIB_CTX_new();
	/* A provider that offers nothing keeps the default one from being loaded. */
	if (keyless == NULL || OSSL_PROVIDER_load(keyless, "null") == NULL)
		die("OpenSSL offers no empty library context");
}

OSSL_LIB_CTX *ossl_keyless(void)
{
	pthread_once(&keyless_once, make_keyless);
	return keyless;
}

int ossl_drain(const char *what)
{
	unsigned long code;

	while ((code = ERR_get_error()) != 0) {
		char text[256];

		if (!log_enabled(LOG_LEVEL_DEBUG))
			continue;
		ERR_error_string_n(code, text, sizeof(text));
		log_event(LOG_LEVEL_DEBUG, "openssl", F_STR("call", what), F_STR("error", text));
	}
	return ERR_CRYPTO;
}

void ossl_sha256_of(struct bytes in, uint8_t out[32])
{
	int done = EVP_Digest(in.ptr, in.len, out, NULL, ossl_sha256(), NULL);

	assert(done == 1);
}
