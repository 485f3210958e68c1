/* shares.h — how many validations each account has under way in this validator, so that one
 * account's slow targets do not fill the house. Used by the main thread alone. */
#pragma once

#include "lib/base/ident.h"

struct shares;

/* At most so many are counted at once. */
struct shares *shares_new(size_t max);
void shares_free(struct shares *s);
/* One more, one less of the account's. */
void shares_take(struct shares *s, const struct ident *account);
void shares_give(struct shares *s, const struct ident *account);
/* The accounts that have limit or more: their number, and the first max of them in ret. */
size_t shares_full(const struct shares *s, size_t limit, struct ident *ret, size_t max);
