/* url.h — every path of this server and every URL it sends out, in one place. URLs begin with
 * server.base_url of the configuration, never with anything a client sent. The route tables use the
 * same path templates. */
#pragma once

#include "lib/base/conf.h"
#include "lib/base/ident.h"

/* {} is one path segment: an id in text form; the second one is a type name in URL_CHALLENGE, a
 * number from 1 in URL_CERTIFICATE_ALTERNATE. */
#define URL_DIRECTORY "/directory"
#define URL_NEW_NONCE "/acme/new-nonce"
#define URL_NEW_ACCOUNT "/acme/new-account"
#define URL_ACCOUNT "/acme/account/{}"
#define URL_ACCOUNT_ORDERS "/acme/account/{}/orders"
#define URL_KEY_CHANGE "/acme/key-change"
#define URL_NEW_ORDER "/acme/new-order"
#define URL_ORDER "/acme/order/{}"
#define URL_FINALIZE "/acme/order/{}/finalize"
#define URL_AUTHZ "/acme/authz/{}"
#define URL_CHALLENGE "/acme/challenge/{}/{}"
#define URL_CERTIFICATE "/acme/certificate/{}"
#define URL_CERTIFICATE_ALTERNATE "/acme/certificate/{}/{}"
#define URL_REVOKE_CERT "/acme/revoke-cert"
/* RFC 9773 section 4.1: the resource of one certificate is a segment below. */
#define URL_RENEWAL_INFO "/acme/renewal-info"
#define URL_RENEWAL_INFO_OF URL_RENEWAL_INFO "/{}"

/* base_url and a path without {}. Free it. */
char *url_of(const struct conf *conf, const char *path);
/* base_url and a path with one {}. Free it. */
char *url_of_object(const struct conf *conf, const char *path, const struct ident *id);
/* The nth alternate chain of a certificate; 0: its first chain. Free it. */
char *url_of_chain(const struct conf *conf, const struct ident *order, int32_t n);
/* Free it. */
char *url_of_challenge(const struct conf *conf, const struct ident *authz, const char *type_name);
/* Exactly one of our account URLs (a kid, the "account" of keyChange). ERR_SYNTAX otherwise. */
MUST_CHECK int url_parse_account(const struct conf *conf, struct bytes url, struct ident *ret);
