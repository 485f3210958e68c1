/* token_session.h — a private key in a PKCS#11 token, as one session with its module sees it: the
 * door to p11-kit, which reads the URI (RFC 7512) and loads the module.
 *
 * Called by token.c alone, which holds a lock: nothing here may run twice at once. A session is
 * good until the first error; then it is closed, and another one opened. */
#pragma once

#include "lib/base/buf.h"
#include "lib/pki/ossl.h"

/* ---- what the URI says ---- */

struct token_uri;
/* *ret_why, here and below: one line for the operator (free it), set on every failure. ERR_SYNTAX:
 * not a PKCS#11 URI of a private key, or without an absolute module-path, which says what is loaded
 * into this process. */
MUST_CHECK int token_uri_parse(const char *text, struct token_uri **ret, char **ret_why);
void token_uri_free(struct token_uri *uri);
DEFINE_CLEANUP(token_uri_free, struct token_uri *)
/* The path in pin-source, or NULL. */
const char *token_uri_pin_source(const struct token_uri *uri);

/* ---- a session ---- */

struct token_session;
/* Logs in and finds the one key that the URI names. anew: the module is initialized again first,
 * which ends every other session with it: for tokens that were away. Errors: ERR_NET, the token
 * cannot be reached just now; ERR_CONFLICT, it refuses the PIN: it must not be tried again, since
 * tokens lock themselves; ERR_NOENT, no such key; ERR_LIMIT, several, or none that may sign. */
MUST_CHECK int token_session_open(const struct token_uri *uri, const char *pin, bool anew,
	struct token_session **ret, char **ret_why);
void token_session_close(struct token_session *s);
DEFINE_CLEANUP(token_session_close, struct token_session *)
/* From the public key object beside it. ERR_NOENT: there is none; ERR_LIMIT: of another kind than
 * RSA, P-256 and P-384. */
MUST_CHECK int token_session_public_key(struct token_session *s, EVP_PKEY **ret, char **ret_why);
/* CKM_RSA_PKCS or CKM_ECDSA of input. *len: room, then length. ERR_NET: the session is lost. */
MUST_CHECK int token_session_sign(struct token_session *s, struct bytes input, uint8_t *out,
	size_t *len, char **ret_why);
