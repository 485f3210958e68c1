/* tbs.h — TBSCertificates from DER templates (RFC 5280 section 4.1), shaped by policy alone: of
 * what the client sent, only its public key and its proven names come in.
 *
 * The profile is that of a domain-validated server certificate (Baseline Requirements
 * section 7.1.2.7): v3, empty subject with a critical subjectAltName or a common name, key usage by
 * the kind of key, basicConstraints CA:FALSE, one reserved policy. */
#pragma once

#include "lib/base/buf.h"
#include "lib/base/conf.h"
#include "workers/signer/issuer.h"

struct tbs_input {
	const struct issuer *issuer;
	struct bytes serial;   /* contents of the INTEGER */
	int64_t not_before_us; /* whole seconds */
	int64_t not_after_us;
	const struct bytes *names; /* canonical dns names, sorted */
	size_t nnames;
	struct bytes spki; /* DER SubjectPublicKeyInfo */
	bool rsa;          /* the subject's key is RSA */
	bool common_name;
	bool client_auth;
	int crl_shard; /* 0: no CRL distribution point */
};
void tbs_build(const struct tbs_input *in, struct buf *out);

/* The name that becomes the common name: the first that fits X.520's 64 characters. ptr NULL when
 * none does (or none is wanted): then the subject is empty and subjectAltName is critical. */
struct bytes tbs_common_name(const struct tbs_input *in);

/* The extensions that depend on the issuer alone: authority key identifier, authority information
 * access (both URLs may be NULL) and policy. */
void tbs_issuer_extensions(struct buf *out, struct bytes key_id, const char *ocsp_url,
	const char *ca_issuers_url);
/* The extension that depends on the shard: one CRL distribution point, a fullName of one URL. */
void tbs_crl_extension(struct buf *out, const char *url);
