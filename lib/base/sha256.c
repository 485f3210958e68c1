/* sha256.c — see sha256.h. The algorithm is fetched once. */
#include "lib/base/sha256.h"

#include <openssl/evp.h>
#include <pthread.h>

#include "lib/base/log.h"

static EVP_MD *md;

static void fetch(void)
{
	md = EVP_MD_fetch(NULL, "SHA256", NULL);
}

void sha256_of_two(struct bytes first, struct bytes second, uint8_t out[32])
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;
	EVP_MD_CTX *ctx;

	pthread_once(&once, fetch);
	ctx = EVP_MD_CTX_new();
	if (md == NULL || ctx == NULL || EVP_DigestInit_ex2(ctx, md, NULL) != 1 ||
		EVP_DigestUpdate(ctx, first.ptr, first.len) != 1 ||
		EVP_DigestUpdate(ctx, second.ptr, second.len) != 1 ||
		EVP_DigestFinal_ex(ctx, out, NULL) != 1)
		die("SHA-256 of OpenSSL failed");
	EVP_MD_CTX_free(ctx);
}
