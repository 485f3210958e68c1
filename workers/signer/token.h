/* token.h — private keys in PKCS#11 tokens (smart cards, HSMs, SoftHSM) as EVP_PKEYs: keys.c signs
 * with them as with any other, and nobody else needs to know.
 *
 * Such an EVP_PKEY holds the public half; the way to the private one hangs on it and goes with it.
 * A token that was away (restarted, unplugged) is looked for again, at growing pauses, and what it
 * signs first is verified: it must be the same key. A PIN that was refused is never tried again,
 * since tokens lock themselves. Thread safe. */
#pragma once

#include "lib/base/buf.h"
#include "lib/pki/ossl.h"

bool token_is_uri(const char *text);

/* uri: RFC 7512, with module-path. pin: as secret_load takes it; NULL: pin-source of the URI, or
 * none. public_key NULL: it is read from the token. Else the key must be its pair (ERR_CONFLICT
 * otherwise), and a token that is away just now is no failure: see token_is_reachable. Errors and
 * *ret_why: as token_session_open's; ERR_SYNTAX. */
MUST_CHECK int token_key_load(const char *uri, const char *pin, EVP_PKEY *public_key,
	EVP_PKEY **ret, char **ret_why);
/* The key was made by token_key_load. */
bool token_holds(EVP_PKEY *key);
/* Keys that are not in a token always are. Tries to reach the token, when it is time to. */
bool token_is_reachable(EVP_PKEY *key);
/* Why the token cannot be reached; "" when it can. Copied into out. */
void token_complaint(EVP_PKEY *key, char *out, size_t room);

/* Signs a hash: DER Ecdsa-Sig-Value (RFC 3279), or RSASSA-PKCS1-v1_5 with SHA-256. *len: room, then
 * length. ERR_NET: the token is away, also after it was looked for again. */
MUST_CHECK int token_sign(EVP_PKEY *key, struct bytes hash, uint8_t *sig, size_t *len);
