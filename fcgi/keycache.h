/* keycache.h — parsed account keys by account, least recently used ones dropped. Thread safe.
 *
 * A cached key is only a hint: every database call made for the request checks that the account
 * still has it. */
#pragma once

#include "lib/base/ident.h"
#include "lib/pki/jwk.h"

struct keycache;

struct keycache *keycache_new(size_t capacity);
void keycache_free(struct keycache *cache);
DEFINE_CLEANUP(keycache_free, struct keycache *)
/* A reference of the caller's own, or NULL. */
struct jwk *keycache_get(struct keycache *cache, const struct ident *account);
/* Keeps a reference; replaces an older key of the account. */
void keycache_put(struct keycache *cache, const struct ident *account, struct jwk *key);
/* Drops the account's key if it is still this one. */
void keycache_drop(struct keycache *cache, const struct ident *account, const struct jwk *stale);
