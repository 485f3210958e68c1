/* state.h — the words of RFC 8555 section 7.1.6 for the states that PostgreSQL keeps. Which moves
 * are legal is decided by the guarded statements of sql/api; here they only get their names. Used
 * by lib/acme/view. */
#pragma once

#include "lib/store/authz.h"
#include "lib/store/order.h"

const char *state_of_account(enum account_status status);
const char *state_of_order(enum order_status status);
const char *state_of_authz(enum authz_status status);
const char *state_of_challenge(enum challenge_status status);
