/* token.c — see token.h. */
#include "workers/signer/token.h"

#include <openssl/ecdsa.h>
#include <openssl/rsa.h>
#include <pthread.h>
#include <stdio.h>

#include "lib/base/clock.h"
#include "workers/signer/secret.h"
#include "workers/signer/token_session.h"
#include "workers/signer/why.h"

#define PAUSE_MIN_MS 500
#define PAUSE_MAX_MS 30000
#define HASH_LEN 32 /* of the proof, and of every RSA signature */
#define RAW_MAX_BYTES 512

struct token_key {
	struct token_uri *uri;
	struct secret *pin;            /* or NULL */
	EVP_PKEY *public_key;          /* what its signatures are proved by */
	struct token_session *session; /* NULL: lost */
	bool refused;                  /* the PIN: never again */
	int64_t retry_ms, pause_ms;    /* when the token is looked for next */
	char *complaint;               /* while it is lost */
};

/* One for all: modules are shared, and a key is used by one thread at a time as a rule. */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_once_t once = PTHREAD_ONCE_INIT;
static int index_of_key;

static void token_key_free(struct token_key *k)
{
	if (k == NULL)
		return;
	token_session_close(k->session);
	token_uri_free(k->uri);
	secret_free(k->pin);
	EVP_PKEY_free(k->public_key);
	free(k->complaint);
	free(k);
}
DEFINE_CLEANUP(token_key_free, struct token_key *)

static void free_with_key(void *parent, void *ptr, CRYPTO_EX_DATA *ad, int idx, long argl,
	void *argp)
{
	/* Called for every EVP_PKEY that ends; most have none. */
	if (ptr == NULL)
		return;
	pthread_mutex_lock(&lock);
	token_key_free(ptr);
	pthread_mutex_unlock(&lock);
}

/* A copy of the EVP_PKEY is the public half alone. */
static int leave_with_key(CRYPTO_EX_DATA *to, const CRYPTO_EX_DATA *from, void **from_d, int idx,
	long argl, void *argp)
{
	*from_d = NULL;
	return 1;
}

static void make_index(void)
{
	index_of_key = EVP_PKEY_get_ex_new_index(0, NULL, NULL, leave_with_key, free_with_key);
	if (index_of_key < 0)
		abort();
}

static struct token_key *key_of(EVP_PKEY *key)
{
	pthread_once(&once, make_index);
	return EVP_PKEY_get_ex_data(key, index_of_key);
}

bool token_is_uri(const char *text)
{
	return strncmp(text, "pkcs11:", 7) == 0;
}

bool token_holds(EVP_PKEY *key)
{
	return key_of(key) != NULL;
}

/* ---- signing in the forms that certificates have ---- */

/* RFC 3279 section 2.2.3: SEQUENCE of r and s; PKCS#11 gives them side by side, of one length. */
static int encode_ecdsa(struct bytes raw, uint8_t *sig, size_t *len)
{
	CLEANUP(ECDSA_SIG_free) ECDSA_SIG *pair = ECDSA_SIG_new();
	BIGNUM *r = BN_bin2bn(raw.ptr, (int)raw.len / 2, NULL);
	BIGNUM *s = BN_bin2bn(raw.ptr + raw.len / 2, (int)raw.len / 2, NULL);
	int needed;

	if (pair == NULL || r == NULL || s == NULL || ECDSA_SIG_set0(pair, r, s) != 1) {
		BN_free(r);
		BN_free(s);
		return ossl_drain("ECDSA_SIG_set0");
	}
	needed = i2d_ECDSA_SIG(pair, NULL);
	if (needed <= 0 || (size_t)needed > *len)
		return ERR_LIMIT;
	*len = (size_t)i2d_ECDSA_SIG(pair, &sig);
	return OK;
}

static int sign_rsa(struct token_session *s, struct bytes hash, uint8_t *sig, size_t *len,
	char **ret_why)
{
	/* RFC 8017 section 9.2, note 1: DigestInfo of SHA-256 up to the hash. */
	static const uint8_t head[] = {0x30, 0x31, 0x30, 0x0d, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01,
		0x65, 0x03, 0x04, 0x02, 0x01, 0x05, 0x00, 0x04, 0x20};
	uint8_t info[sizeof(head) + HASH_LEN];

	if (hash.len != HASH_LEN)
		return why_set(ret_why, ERR_LIMIT, "RSA keys sign SHA-256 alone");
	memcpy(info, head, sizeof(head));
	memcpy(info + sizeof(head), hash.ptr, HASH_LEN);
	return token_session_sign(s, bytes_of(info, sizeof(info)), sig, len, ret_why);
}

static int sign_now(const struct token_key *k, struct bytes hash, uint8_t *sig, size_t *len,
	char **ret_why)
{
	uint8_t raw[RAW_MAX_BYTES];
	size_t raw_len = sizeof(raw);
	int err;

	if (EVP_PKEY_is_a(k->public_key, "RSA"))
		return sign_rsa(k->session, hash, sig, len, ret_why);
	err = token_session_sign(k->session, hash, raw, &raw_len, ret_why);
	if (err == OK && (raw_len == 0 || raw_len % 2 != 0))
		err = why_set(ret_why, ERR_CRYPTO, "the token gave no ECDSA signature");
	if (err == OK)
		err = encode_ecdsa(bytes_of(raw, raw_len), sig, len);
	return err;
}

/* ---- reaching the token ---- */

/* The private key is the public one's: nothing is signed with whatever else has its label. */
static int prove_pair(const struct token_key *k, char **ret_why)
{
	static const uint8_t hash[HASH_LEN] = "assay: is this key that one?";
	CLEANUP(EVP_PKEY_CTX_free) EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new(k->public_key, NULL);
	uint8_t sig[RAW_MAX_BYTES];
	size_t len = sizeof(sig);
	int err = sign_now(k, bytes_of(hash, sizeof(hash)), sig, &len, ret_why);

	if (err != OK)
		return err;
	if (ctx == NULL || EVP_PKEY_verify_init(ctx) != 1 ||
		EVP_PKEY_CTX_set_signature_md(ctx, ossl_sha256()) != 1 ||
		EVP_PKEY_verify(ctx, sig, len, hash, sizeof(hash)) != 1) {
		ossl_drain("EVP_PKEY_verify");
		return why_set(ret_why, ERR_CONFLICT,
			"the token's key is not the key of the certificate");
	}
	return OK;
}

static int open_session(struct token_key *k, bool anew, char **ret_why)
{
	const char *pin = k->pin != NULL ? k->pin->text : NULL;
	int err = token_session_open(k->uri, pin, anew, &k->session, ret_why);

	/* A PIN that is refused stays so; another key of this label may be gone tomorrow. */
	k->refused = k->refused || err == ERR_CONFLICT;
	if (err == OK && k->public_key == NULL)
		err = token_session_public_key(k->session, &k->public_key, ret_why);
	if (err == OK)
		err = prove_pair(k, ret_why);
	if (err != OK) {
		token_session_close(k->session);
		k->session = NULL;
	}
	return err;
}

static void note_lost(struct token_key *k, char **why)
{
	token_session_close(k->session);
	k->session = NULL;
	k->pause_ms = k->pause_ms == 0           ? PAUSE_MIN_MS
		: 2 * k->pause_ms < PAUSE_MAX_MS ? 2 * k->pause_ms
						 : PAUSE_MAX_MS;
	k->retry_ms = clock_mono_ms() + k->pause_ms;
	free(k->complaint);
	k->complaint = *why;
	*why = NULL;
}

/* First a new session; then a module that looks for its tokens anew. */
static int reopen(struct token_key *k, char **ret_why)
{
	int err = ERR_NET;

	token_session_close(k->session);
	k->session = NULL;
	for (int anew = 0; anew <= 1 && err == ERR_NET && !k->refused; anew++) {
		free(*ret_why);
		*ret_why = NULL;
		err = open_session(k, anew == 1, ret_why);
	}
	if (err == OK) {
		free(*ret_why);
		*ret_why = NULL;
		k->pause_ms = 0;
		free(k->complaint);
		k->complaint = NULL;
	}
	return err;
}

static bool is_reachable(struct token_key *k)
{
	CLEANUP_STR char *why = NULL;

	if (k->session != NULL)
		return true;
	if (k->refused || clock_mono_ms() < k->retry_ms)
		return false;
	if (reopen(k, &why) == OK)
		return true;
	note_lost(k, &why);
	return false;
}

bool token_is_reachable(EVP_PKEY *key)
{
	struct token_key *k = key_of(key);
	bool reachable;

	if (k == NULL)
		return true;
	pthread_mutex_lock(&lock);
	reachable = is_reachable(k);
	pthread_mutex_unlock(&lock);
	return reachable;
}

void token_complaint(EVP_PKEY *key, char *out, size_t room)
{
	struct token_key *k = key_of(key);

	pthread_mutex_lock(&lock);
	snprintf(out, room, "%s", k != NULL && k->complaint != NULL ? k->complaint : "");
	pthread_mutex_unlock(&lock);
}

int token_sign(EVP_PKEY *key, struct bytes hash, uint8_t *sig, size_t *len)
{
	struct token_key *k = key_of(key);
	CLEANUP_STR char *why = NULL;
	size_t room = *len;
	int err = ERR_NET;

	pthread_mutex_lock(&lock);
	if (is_reachable(k)) {
		err = sign_now(k, hash, sig, len, &why);
		if (err == ERR_NET && reopen(k, &why) == OK) {
			*len = room;
			err = sign_now(k, hash, sig, len, &why);
		}
		if (err != OK)
			note_lost(k, &why);
	}
	pthread_mutex_unlock(&lock);
	return err;
}

/* ---- loading ---- */

static int prepare(const char *uri, const char *pin, EVP_PKEY *public_key, struct token_key *k,
	char **ret_why)
{
	int err = token_uri_parse(uri, &k->uri, ret_why);

	if (err != OK)
		return err;
	if (pin == NULL)
		pin = token_uri_pin_source(k->uri);
	if (pin != NULL)
		err = secret_load_line(pin, &k->pin, ret_why);
	if (err == OK && public_key != NULL) {
		k->public_key = EVP_PKEY_dup(public_key);
		if (k->public_key == NULL)
			err = ossl_drain("EVP_PKEY_dup");
	}
	return err;
}

int token_key_load(const char *uri, const char *pin, EVP_PKEY *public_key, EVP_PKEY **ret,
	char **ret_why)
{
	CLEANUP(token_key_free) struct token_key *k = xcalloc(1, sizeof(*k));
	CLEANUP(EVP_PKEY_free) EVP_PKEY *key = NULL;
	int err = prepare(uri, pin, public_key, k, ret_why);

	if (err != OK)
		return err;
	pthread_once(&once, make_index);
	pthread_mutex_lock(&lock);
	err = reopen(k, ret_why);
	/* An issuer whose token comes later is better than a signer that does not start. */
	if (err == ERR_NET && public_key != NULL) {
		note_lost(k, ret_why);
		err = OK;
	}
	pthread_mutex_unlock(&lock);
	if (err != OK)
		return err;
	key = EVP_PKEY_dup(k->public_key);
	if (key == NULL || EVP_PKEY_set_ex_data(key, index_of_key, k) != 1)
		return ossl_drain("EVP_PKEY_set_ex_data");
	k = NULL;
	*ret = TAKE(key);
	return OK;
}
