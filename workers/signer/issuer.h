/* issuer.h — an issuing certificate with its key, its chain and the parts of a certificate that it
 * fixes.
 *
 * Loaded once at start and proved whole before the first order: the chain links up, every link may
 * issue, the key is the certificate's. assayctl check-config runs the same proof. Immutable
 * afterwards. */
#pragma once

#include "lib/base/buf.h"
#include "lib/base/conf.h"
#include "lib/pki/ossl.h"

/* One shard of its revocation lists, as its certificates name it. */
struct issuer_crl_point {
	char *url;
	struct buf extension; /* DER */
};

struct issuer {
	char *name; /* as in the configuration */
	X509 *x509;
	struct buf certificate; /* DER */
	struct buf
		chain_pem;  /* what a client gets behind its certificate; begins with certificate */
	uint8_t sha256[32]; /* of certificate */
	int64_t not_before_us;
	int64_t not_after_us;
	EVP_PKEY *key;
	EVP_PKEY *trial;        /* a throw-away key that signs by the same algorithm */
	struct bytes algorithm; /* AlgorithmIdentifier, static */
	struct buf subject;     /* DER Name, byte for byte as in certificate */
	struct buf extensions;  /* DER: the extensions that are the same in all its certificates */
	char *ocsp_url;         /* or NULL: no OCSP */
	char *ca_issuers_url;   /* or NULL */
	char *crl_url;          /* or NULL */
	struct issuer_crl_point *crl_points; /* shard 1 first */
	int crl_shards;                      /* 0: no crl_url */
};

/* *ret_why: one line for the operator (free it), set on every failure. */
MUST_CHECK int issuer_load(const struct conf_issuer *conf, int64_t now_us, struct issuer **ret,
	char **ret_why);
void issuer_free(struct issuer *issuer);
DEFINE_CLEANUP(issuer_free, struct issuer *)

/* Every issuer of the configuration. */
struct issuer_set {
	struct issuer **items;
	size_t count;
};
MUST_CHECK int issuer_set_load(const struct conf *conf, int64_t now_us, struct issuer_set *ret,
	char **ret_why);
void issuer_set_done(struct issuer_set *set);
