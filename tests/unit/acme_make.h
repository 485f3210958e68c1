/* acme_make.h — what the unit tests of lib/acme make for themselves: configurations, JSON, P-256
 * keys, JWSs, CSRs and certificates. All is made at test time and must be freed by the test. */
#pragma once

#include "lib/base/conf.h"
#include "lib/base/jx.h"
#include "lib/pki/jwk.h"

#define MAKE_BASE "https://acme.example"
#define MAKE_SERVER "[server]\nbase_url = " MAKE_BASE "\n"

/* A configuration file holding the lines (which begin with a [server] section) and what else is
 * required. */
struct conf *make_conf(const char *lines);
struct jx *make_json(const char *text);

EVP_PKEY *make_key(void);
/* The JWK as JSON text. */
char *make_jwk_text(EVP_PKEY *key);
struct jwk *make_jwk(EVP_PKEY *key);
/* A flattened ES256 JWS as JSON text. */
char *make_jws(EVP_PKEY *key, const char *header, const char *payload);

/* base64url of DER. names ends with NULL; the first is not put into the subject. */
char *make_csr(EVP_PKEY *key, const char *const names[]);
char *make_certificate(EVP_PKEY *key);
