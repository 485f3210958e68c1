/* revoke_rules.h — the payload of revokeCert (RFC 8555 section 7.6). Whether the certificate is
 * ours and the account may revoke it is for the database to say. Used by fcgi/revoke.c. */
#pragma once

#include "lib/base/jx.h"
#include "lib/base/problem.h"
#include "lib/pki/certview.h"
#include "lib/pki/jwk.h"

#define CERTIFICATE_MAX_BYTES 16384

/* RFC 5280 section 5.3.1; what a subscriber may say (BR 7.2.2, 4.9.13: never certificateHold). */
enum revoke_reason {
	REVOKE_UNSPECIFIED = 0,
	REVOKE_KEY_COMPROMISE = 1,
	REVOKE_AFFILIATION_CHANGED = 3,
	REVOKE_SUPERSEDED = 4,
	REVOKE_CESSATION_OF_OPERATION = 5,
};

struct revoke_wish {
	struct buf der;
	struct certview_outline outline; /* of der */
	int reason;
};

/* key: the JWK that signed the request, or NULL when an account did. A JWK must be the
 * certificate's own key (unauthorized otherwise), and having it shown to us that way makes the
 * reason keyCompromise, whatever was sent. malformed, badRevocationReason. */
MUST_CHECK int revoke_rules_parse(const struct jx *payload, const struct jwk *key,
	struct problem *pb, struct revoke_wish **ret);
void revoke_rules_free(struct revoke_wish *wish);
DEFINE_CLEANUP(revoke_rules_free, struct revoke_wish *)
