/* issuer.h — an issuing certificate with its key, its chain and the parts of a certificate that it
 * fixes.
 *
 * Loaded once at start and proved whole before the first order: the chains link up, every link may
 * issue, the key is the certificate's. assayctl check-config runs the same proof. Immutable
 * afterwards. */
#pragma once

#include "lib/base/buf.h"
#include "lib/base/conf.h"
#include "lib/pki/ossl.h"

#define ISSUER_ALTERNATES_MAX 8

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
		chain_pem; /* what a client gets behind its certificate; begins with certificate */
	struct buf alternates[ISSUER_ALTERNATES_MAX]; /* other chains, each like chain_pem */
	size_t nalternates;
	size_t nended;      /* alternate chains left out: one of their certificates has expired */
	uint8_t sha256[32]; /* of certificate */
	int64_t not_before_us;
	int64_t not_after_us;
	bool retired;                      /* signs no certificates any more */
	int64_t active_from_us;            /* none before; INT64_MIN: no such time */
	int64_t active_until_us;           /* none from then on; INT64_MAX: no such time */
	const struct conf_list *key_types; /* of the keys it certifies; borrowed; empty: all */
	bool ecdsa;                        /* its own key */
	bool unreachable;     /* its key cannot be used just now: see issuer_set_refresh */
	bool was_unreachable; /* before the last refresh */
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

/* *ret_why: one line for the operator (free it), set on every failure. ERR_TIMEOUT: the issuing
 * certificate has expired. conf must outlive the issuer. */
MUST_CHECK int issuer_load(const struct conf_issuer *conf, int64_t now_us, struct issuer **ret,
	char **ret_why);
/* How much longer it lives than the longest certificate that profiles of the configuration would
 * have it sign now: below 0, other issuers must do that. INT64_MAX: no profile names it. */
int64_t issuer_spare_secs(const struct issuer *issuer, const struct conf *conf, int64_t now_us);
void issuer_free(struct issuer *issuer);
DEFINE_CLEANUP(issuer_free, struct issuer *)

/* Every issuer of the configuration whose certificate has not expired, in its order. */
struct issuer_set {
	struct issuer **items;
	size_t count;
	size_t nended; /* left out */
};
/* *ret_why must be NULL or allocated, and is NULL again on success. */
MUST_CHECK int issuer_set_load(const struct conf *conf, int64_t now_us, struct issuer_set *ret,
	char **ret_why);
/* Looks which keys can be reached; false: none. */
bool issuer_set_refresh(struct issuer_set *set);
void issuer_set_done(struct issuer_set *set);
