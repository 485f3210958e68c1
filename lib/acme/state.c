/* state.c — one table for each kind of object; a value outside its table is a bug. */
#include "lib/acme/state.h"

#include <assert.h>

static const char *const account_words[] = {
	[ACCOUNT_VALID] = "valid",
	[ACCOUNT_DEACTIVATED] = "deactivated",
	[ACCOUNT_REVOKED] = "revoked",
};

static const char *const order_words[] = {
	[ORDER_PENDING] = "pending",
	[ORDER_READY] = "ready",
	[ORDER_PROCESSING] = "processing",
	[ORDER_VALID] = "valid",
	[ORDER_INVALID] = "invalid",
};

static const char *const authz_words[] = {
	[AUTHZ_PENDING] = "pending",
	[AUTHZ_VALID] = "valid",
	[AUTHZ_INVALID] = "invalid",
	[AUTHZ_DEACTIVATED] = "deactivated",
	[AUTHZ_EXPIRED] = "expired",
	[AUTHZ_REVOKED] = "revoked",
};

static const char *const challenge_words[] = {
	[CHALLENGE_PENDING] = "pending",
	[CHALLENGE_PROCESSING] = "processing",
	[CHALLENGE_VALID] = "valid",
	[CHALLENGE_INVALID] = "invalid",
};

const char *state_of_account(enum account_status status)
{
	assert(status < ARRAY_LEN(account_words));
	return account_words[status];
}

const char *state_of_order(enum order_status status)
{
	assert(status < ARRAY_LEN(order_words));
	return order_words[status];
}

const char *state_of_authz(enum authz_status status)
{
	assert(status < ARRAY_LEN(authz_words));
	return authz_words[status];
}

const char *state_of_challenge(enum challenge_status status)
{
	assert(status < ARRAY_LEN(challenge_words));
	return challenge_words[status];
}
