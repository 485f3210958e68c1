/* keychange_rules.h — the inner JWS of keyChange (RFC 8555 section 7.3.5): proof that the holder of
 * the new key agrees. Used by fcgi/account.c after the outer JWS, signed with the account's present
 * key, has been verified. */
#pragma once

#include "lib/acme/envelope.h"

/* payload: of the outer request env, signed with old_key. *ret is the new key, checked like any
 * account key. A new key that some account has already, this one included, is for the database to
 * find. malformed, badPublicKey, badSignatureAlgorithm. */
MUST_CHECK int keychange_rules_check(const struct conf *conf, const struct envelope *env,
	const struct jwk *old_key, const struct jx *payload, struct problem *pb, struct jwk **ret);
