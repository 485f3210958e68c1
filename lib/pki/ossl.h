/* ossl.h — OpenSSL 3 wrapped once: cleanable types, algorithms fetched once, the error queue
 * drained to the debug log. */
#pragma once

#include <openssl/bn.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/x509.h>

#include "lib/base/bytes.h"
#include "lib/base/err.h"

DEFINE_CLEANUP(EVP_PKEY_free, EVP_PKEY *)
DEFINE_CLEANUP(EVP_PKEY_CTX_free, EVP_PKEY_CTX *)
DEFINE_CLEANUP(EVP_MD_CTX_free, EVP_MD_CTX *)
DEFINE_CLEANUP(EVP_CIPHER_CTX_free, EVP_CIPHER_CTX *)
DEFINE_CLEANUP(X509_free, X509 *)
DEFINE_CLEANUP(X509_REQ_free, X509_REQ *)
DEFINE_CLEANUP(X509_NAME_free, X509_NAME *)
DEFINE_CLEANUP(BN_free, BIGNUM *)
DEFINE_CLEANUP(ECDSA_SIG_free, ECDSA_SIG *)
DEFINE_CLEANUP(BIO_free_all, BIO *)
DEFINE_CLEANUP(ASN1_OBJECT_free, ASN1_OBJECT *)

/* Fetched once at the first use; never freed. */
const EVP_MD *ossl_sha1(void); /* names things in OCSP; signs nothing */
const EVP_MD *ossl_sha256(void);
const EVP_MD *ossl_sha384(void);
const EVP_MD *ossl_sha512(void);
const EVP_CIPHER *ossl_aes256_gcm(void);

/* A library context without algorithms, made once, never freed. What X509_new_ex makes in it is
 * read by d2i_X509 in every field and extension, but its key is not decoded, which costs ten times
 * as much as all the rest; pubkey.h reads keys. */
OSSL_LIB_CTX *ossl_keyless(void);

/* Empties the error queue into debug log lines. Returns ERR_CRYPTO, so: return
 * ossl_drain("d2i_X509"). */
int ossl_drain(const char *what);
void ossl_sha256_of(struct bytes in, uint8_t out[32]);
