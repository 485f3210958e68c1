/* authority.h — the certificates of a new CA: a root that stays offline and an issuing certificate
 * below it.
 *
 * Built with OpenSSL's own X.509 code, unlike what the signer writes. Used by assayctl init, and by
 * tests that need a CA. */
#pragma once

#include "lib/base/buf.h"
#include "lib/pki/ossl.h"

#define AUTHORITY_ROOT_DAYS (20 * 365 + 5)
#define AUTHORITY_ISSUING_DAYS (10 * 365 + 2)

struct authority_name {
	const char *country;      /* two letters, or NULL */
	const char *organization; /* or NULL */
	const char *common_name;
};

/* Its entries, in this order, into an empty name. */
MUST_CHECK int authority_name_fill(X509_NAME *subject, const struct authority_name *name);
/* type: p256 p384 rsa2048 rsa3072 rsa4096. ERR_NOENT for other words. */
MUST_CHECK int authority_key_new(const char *type, EVP_PKEY **ret);
/* Both are valid from a day before now_us, so that machines whose clocks are behind take them at
 * once. */
MUST_CHECK int authority_root_new(EVP_PKEY *key, const struct authority_name *name, int64_t now_us,
	X509 **ret);
/* pathlen 0: it issues to servers (and their clients) and to nobody else. crl_url: of the root's
 * revocation list, or NULL. */
MUST_CHECK int authority_issuing_new(EVP_PKEY *root_key, X509 *root, EVP_PKEY *key,
	const struct authority_name *name, const char *crl_url, int64_t now_us, X509 **ret);

/* PEM texts. A key is PKCS#8, encrypted (AES-256) when there is a passphrase. */
MUST_CHECK int authority_certificate_pem(X509 *certificate, struct buf *out);
MUST_CHECK int authority_key_pem(EVP_PKEY *key, const char *passphrase, struct buf *out);
