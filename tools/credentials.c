/* credentials.c — see credentials.h. */
#include "tools/credentials.h"

#include <assert.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

#include "lib/base/b64url.h"
#include "lib/base/rnd.h"
#include "lib/pki/ossl.h"

#define SCRAM_ROUNDS 4096 /* PostgreSQL's own number; the passwords are 144 random bits */
#define SCRAM_SALT_BYTES 16
#define HASH_BYTES 32

const char *const credential_names[] = {
	"assay-directory", "assay-account", "assay-order", "assay-validator", "assay-signer", "assay-keeper", "assay-admin",
	NULL,
};

void credential_new(char out[CREDENTIAL_LEN + 1])
{
	uint8_t random[CREDENTIAL_LEN * 3 / 4];

	rnd_bytes(random, sizeof(random));
	b64url_format(bytes_of(random, sizeof(random)), out);
	OPENSSL_cleanse(random, sizeof(random));
}

/* What each user may do, and nothing else: no other key, no scripting, no administration. */
#define ACL_CONNECT "+auth +ping +info "
#define ACL_NONCES "~nonce:* +get +set +getbit +bitfield +expire "
#define ACL_STREAM "+xreadgroup +xack +xdel +xautoclaim +xpending +xgroup|create +xadd +publish &done "

static const struct {
	const char *name;
	const char *rules;
} redis_rules[] = {
	{"assay-directory", ACL_CONNECT ACL_NONCES},
	{"assay-account", ACL_CONNECT ACL_NONCES},
	{"assay-order", ACL_CONNECT ACL_NONCES "~q:val ~q:sign +xadd +subscribe &done "},
	/* Each worker reads one stream; it may add to the other (CAA checks and orders go back and forth) and to the dead letters. */
	{"assay-validator", ACL_CONNECT ACL_STREAM "~q:val ~q:sign ~q:dead "},
	{"assay-signer", ACL_CONNECT ACL_STREAM "~q:sign ~q:val ~q:dead "},
	{"assay-keeper", ACL_CONNECT "~q:val ~q:sign ~q:dead +xadd +xdel +xrange +xlen +xpending +xgroup|create "
		"+xgroup|delconsumer +xinfo|consumers +xinfo|groups +publish &done "},
	{"assay-admin", ACL_CONNECT "~q:val ~q:sign ~q:dead +xlen +xrange +xpending +xinfo "},
};

void credential_redis_acl(struct buf *out, const char *name, const char *password)
{
	uint8_t hash[HASH_BYTES];

	ossl_sha256_of(bytes_str(password), hash);
	for (size_t i = 0; i < ARRAY_LEN(redis_rules); i++) {
		if (strcmp(redis_rules[i].name, name) != 0)
			continue;
		buf_addf(out, "user %s on resetpass #", name);
		for (size_t b = 0; b < sizeof(hash); b++)
			buf_addf(out, "%02x", hash[b]);
		buf_addf(out, " resetkeys resetchannels -@all %.*s\n", (int)strlen(redis_rules[i].rules) - 1,
			redis_rules[i].rules);
		return;
	}
	assert(!"a name without rules");
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

	if (HMAC(ossl_sha256(), key, HASH_BYTES, (const uint8_t *)message, strlen(message), out, &len) == NULL || len != HASH_BYTES)
		return ossl_drain("HMAC");
	return OK;
}

int credential_scram(struct buf *out, const char *password)
{
	uint8_t salt[SCRAM_SALT_BYTES], salted[HASH_BYTES], client_key[HASH_BYTES], stored_key[HASH_BYTES], server_key[HASH_BYTES];

	rnd_bytes(salt, sizeof(salt));
	if (PKCS5_PBKDF2_HMAC(password, (int)strlen(password), salt, sizeof(salt), SCRAM_ROUNDS, ossl_sha256(), sizeof(salted),
		salted) != 1)
		return ossl_drain("PKCS5_PBKDF2_HMAC");
	/* RFC 5802 section 3. */
	if (hmac(salted, "Client Key", client_key) != OK || hmac(salted, "Server Key", server_key) != OK)
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
