/* chain.h — a PEM file of certificates, proved to be a chain: what a client gets behind its own
 * certificate. RFC 8555 section 7.4.2: each certificate certifies the one before it.
 *
 * Read once when an issuer is loaded. */
#pragma once

#include "lib/base/buf.h"
#include "lib/pki/certview.h"

#define CHAIN_MAX 8

struct chain {
	char *path;
	struct buf pem;   /* the file */
	struct buf *ders; /* of each certificate */
	size_t count;
	struct certview *views[CHAIN_MAX];
};
void chain_done(struct chain *chain);

/* *ret_why, here and below: one line for the operator (free it), set on every failure. */
MUST_CHECK int chain_load(const char *path, struct chain *ret, char **ret_why);
/* Every certificate may issue, is in its time, and was issued by the one behind it; a self-signed
 * one is signed by itself. ERR_TIMEOUT: one of them has expired. The first one's notBefore may lie
 * ahead. */
MUST_CHECK int chain_check(const struct chain *chain, int64_t now_us, char **ret_why);
/* Ends with one of the roots, or below one. */
MUST_CHECK int chain_check_root(const struct chain *chain, const struct chain *roots,
	char **ret_why);
/* The certificates and nothing that stood around them. */
void chain_format(const struct chain *chain, struct buf *out);
/* A certificate's first and last moment, in wall-clock microseconds. */
MUST_CHECK int chain_dates(X509 *x509, int64_t *ret_not_before_us, int64_t *ret_not_after_us);
