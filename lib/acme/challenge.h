/* challenge.h — challenge types: their names, their tokens, and which of them an authorization
 * shows (RFC 8555 sections 7.1.4 and 8, RFC 8737). Used by the views, by the challenge route and by
 * the validator. */
#pragma once

#include "lib/base/conf.h"
#include "lib/store/authz.h"

#define CHALLENGE_TOKEN_LEN 43 /* base64url of 32 bytes */

/* "http-01". NULL for CHALLENGE_NONE. */
const char *challenge_type_name(enum challenge_type type);
/* CHALLENGE_NONE when unknown. */
enum challenge_type challenge_type_parse(struct bytes name);
/* The token of one challenge: base64url(SHA-256(secret || type name)), secret being the
 * authorization's 32 bytes. */
void challenge_token(struct bytes secret, enum challenge_type type,
	char out[CHALLENGE_TOKEN_LEN + 1]);
/* validation.challenges names it. */
bool challenge_is_enabled(const struct conf *conf, enum challenge_type type);
/* While nothing is decided every enabled type that fits the name is shown (a wildcard: dns-01
 * alone); afterwards only the one that was attempted, if any. */
bool challenge_is_shown(const struct conf *conf, const struct authz *authz,
	enum challenge_type type);
/* The state of one shown challenge. An authorization that can no longer be used has no pending
 * challenges. */
enum challenge_status challenge_status_of(const struct authz *authz, enum challenge_type type);
