/* allowance.h — how much each account may still ask for: a bucket that refills evenly, in the
 * memory of this process. Thread safe.
 *
 * It costs no server anything, and is no exact count: each process has its own, a restart forgets
 * them, and of very many accounts the least used are forgotten first. */
#pragma once

#include "lib/base/ident.h"

/* Takes amount from the account's bucket, which holds hourly at most and gains hourly in an hour.
 * Returns 0, or, when there is too little in it, in how many seconds there will be enough; nothing
 * is taken then. An amount above hourly is taken from a full bucket. */
int allowance_take(const struct ident *account, int amount, int hourly, int64_t now_ms);
