/* envelope.h — the signed request of ACME (RFC 8555 section 6.2 to 6.5): a strict JWS whose
 * protected header holds alg, nonce, url and exactly one of jwk and kid. Everything that can be
 * decided without I/O is decided here. */
#pragma once

#include "lib/base/conf.h"
#include "lib/base/ident.h"
#include "lib/pki/jws.h"

enum envelope_key { ENVELOPE_KID = 1, ENVELOPE_JWK = 2, ENVELOPE_EITHER = 3 };

struct envelope {
	struct jws *jws;
	struct bytes nonce; /* borrowed */
	struct bytes url;   /* borrowed */
	bool has_kid;
	struct ident account; /* from kid: our account URL */
	struct jwk *jwk;      /* from jwk, policy applied; NULL with kid */
};
/* ERR_PROBLEM: malformed, badSignatureAlgorithm, badPublicKey; kid that is not an account URL of
 * ours: malformed; a missing nonce: badNonce. */
MUST_CHECK int envelope_parse(const struct conf *conf, struct bytes body, enum envelope_key allowed,
	struct problem *pb, struct envelope **ret);
void envelope_free(struct envelope *env);
DEFINE_CLEANUP(envelope_free, struct envelope *)
/* url must be base_url + request_uri, byte for byte (section 6.4): unauthorized otherwise. */
MUST_CHECK int envelope_check_url(const struct envelope *env, const struct conf *conf,
	const char *request_uri, struct problem *pb);
