/* credentials.c — see credentials.h. */
#include "tools/credentials.h"

#include <assert.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

#include "lib/base/b64url.h"
#include "lib/base/rnd.h"
#include "lib/pki/ossl.h"
#include "lib/queue/acl.h"

#define SCRAM_ROUNDS 4096 /* PostgreSQL's own number; the passwords are 144 random bits */
#define SCRAM_SALT_BYTES 16
#define HASH_BYTES 32

const char *const credential_names[CREDENTIALS + 1] = {
	"assay-directory",
	"assay-account",
	"assay-order",
	"assay-ocsp",
	"assay-validator",
	"assay-signer",
	"assay-ocsp-signer",
	"assay-keeper",
	"assay-admin",
	NULL,
};

void credential_new(char out[CREDENTIAL_LEN + 1])
{
	uint8_t random[CREDENTIAL_LEN * 3 / 4];

	rnd_bytes(random, sizeof(random));
	b64url_format(bytes_of(random, sizeof(random)), out);
	OPENSSL_cleanse(random, sizeof(random));
}

void credential_redis_acl(struct buf *out, const char *name, const char *password)
{
	const char *rules = acl_rules(name);
	uint8_t hash[HASH_BYTES];

	assert(rules != NULL);
	ossl_sha256_of(bytes_str(password), hash);
	buf_addf(out, "user %s on resetpass #", name);
	for (size_t i = 0; i < sizeof(hash); i++)
		buf_addf(out, "%02x", hash[i]);
	buf_addf(out, " %s\n", rules);
}

/* Standard base64 with padding, as RFC 5802 wants. */
static void add_base64(struct buf *out, const uint8_t *ptr, int len)
{
	uint8_t text[64];

	assert(len <= HASH_BYTES);
	buf_add(out, text, (size_t)EVP_EncodeBlock(text, ptr, len));
}

static int hmac(const uint8_t *key, const char *message, uint8_t out[HASH_BYTES])
{
	unsigned len = 0;

	if (HMAC(ossl_sha256(), key, HASH_BYTES, (const uint8_t *)message, strlen(message), out,
		    &len) == NULL ||
		len != HASH_BYTES)
		return ossl_drain("HMAC");
	return OK;
}

int credential_scram(struct buf *out, const char *password)
{
	uint8_t salt[SCRAM_SALT_BYTES], salted[HASH_BYTES], client_key[HASH_BYTES],
		stored_key[HASH_BYTES], server_key[HASH_BYTES];

	rnd_bytes(salt, sizeof(salt));
	if (PKCS5_PBKDF2_HMAC(password, (int)strlen(password), salt, sizeof(salt), SCRAM_ROUNDS,
		    ossl_sha256(), sizeof(salted), salted) != 1)
		return ossl_drain("PKCS5_PBKDF2_HMAC");
	/* RFC 5802 section 3. */
	if (hmac(salted, "Client Key", client_key) != OK ||
		hmac(salted, "Server Key", server_key) != OK)
		return ERR_CRYPTO;
	ossl_sha256_of(bytes_of(client_key, sizeof(client_key)), stored_key);
	buf_addf(out, "SCRAM-SHA-256$%d:", SCRAM_ROUNDS);
	add_base64(out, salt, sizeof(salt));
	buf_add_str(out, "$");
	add_base64(out, stored_key, sizeof(stored_key));
	buf_add_str(out, ":");
	add_base64(out, server_key, sizeof(server_key));
	OPENSSL_cleanse(salted, sizeof(salted));
	OPENSSL_cleanse(client_key, sizeof(client_key));
	return OK;
}
