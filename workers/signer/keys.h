/* keys.h — private keys from PEM files and PKCS#11 tokens, and signing with them: the only code of
 * assay that touches an issuing key.
 *
 * Lives here and not in lib/pki, so that no handler program can link it. Accepted: P-256, P-384 and
 * RSA of 2048 to 4096 bits, as PKCS#8 (plain or encrypted), SEC1 or PKCS#1. A key file that others
 * may read is refused: it must count as disclosed. */
#pragma once

#include "lib/base/buf.h"
#include "lib/pki/ossl.h"

/* path: a file, "credential:NAME" (secret.h) or a PKCS#11 URI (token.h, whose errors it then has).
 * passphrase: where its first line is the passphrase or PIN, under the same rules; or NULL. On
 * failure *ret_why is one line for the operator (free it). ERR_NOENT: no such file; ERR_LIMIT: a
 * kind of key we do not sign with; ERR_CONFLICT: wrong owner or mode; ERR_CRYPTO: not a key, or the
 * passphrase is wrong. */
MUST_CHECK int key_load(const char *path, const char *passphrase, EVP_PKEY **ret, char **ret_why);

/* The same for a file whose passphrase a person has typed; "": it has none. */
MUST_CHECK int key_load_told(const char *path, const char *passphrase, EVP_PKEY **ret,
	char **ret_why);

/* How a key signs: the digest and the AlgorithmIdentifier that goes into the certificate (RFC 5758
 * section 3.2, RFC 4055 section 5). ERR_LIMIT for kinds we do not sign with. */
struct signature_scheme {
	const EVP_MD *md;
	struct bytes algorithm; /* DER, static */
};
MUST_CHECK int key_scheme(EVP_PKEY *key, struct signature_scheme *ret);

/* A fresh key that signs by the same algorithm, for proofs that must not use the real one. */
MUST_CHECK int key_generate_alike(EVP_PKEY *key, EVP_PKEY **ret);

/* Appends a Certificate made of exactly these TBS bytes and their signature by key. */
MUST_CHECK int key_sign_tbs(EVP_PKEY *key, struct bytes tbs, struct buf *out);
/* The same, and the signature is verified before it is handed out: one that a faulty processor or
 * memory spoilt is useless to the client, and may give an RSA key away. */
MUST_CHECK int key_sign_tbs_checked(EVP_PKEY *key, struct bytes tbs, struct buf *out);

/* Signing what is too long to be held: it is hashed as it comes, and the key signs the hash. */
struct key_stream;
MUST_CHECK int key_stream_begin(EVP_PKEY *key, struct key_stream **ret);
void key_stream_free(struct key_stream *stream);
DEFINE_CLEANUP(key_stream_free, struct key_stream *)
MUST_CHECK int key_stream_add(struct key_stream *stream, struct bytes piece);
/* Appends the contents of a BIT STRING, once public_key has verified the signature in it. */
MUST_CHECK int key_stream_end(struct key_stream *stream, EVP_PKEY *public_key, struct buf *out);

/* The private key belongs to the public one, shown by a signature rather than by the public half
 * that the file claims. */
MUST_CHECK int key_check_pair(EVP_PKEY *key, EVP_PKEY *public_key);
