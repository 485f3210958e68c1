/* authz.h — calls of authorizations and challenges for assay-order (sql/api/authz.sql). See
 * account.h.
 *
 * One row is the authorization and its challenge set. The tokens of its challenges are derived from
 * the row's 32 random bytes: base64url(SHA-256(secret || type name)), so each challenge has its
 * own. At most one challenge is attempted. */
#pragma once

#include "lib/store/account.h"

enum authz_status {
	AUTHZ_PENDING = 0,
	AUTHZ_VALID = 1,
	AUTHZ_INVALID = 2,
	AUTHZ_DEACTIVATED = 3,
	AUTHZ_EXPIRED = 4,
	AUTHZ_REVOKED = 5
};
enum challenge_type {
	CHALLENGE_NONE = 0,
	CHALLENGE_HTTP_01 = 1,
	CHALLENGE_DNS_01 = 2,
	CHALLENGE_TLS_ALPN_01 = 3
};
enum challenge_status {
	CHALLENGE_PENDING = 0,
	CHALLENGE_PROCESSING = 1,
	CHALLENGE_VALID = 2,
	CHALLENGE_INVALID = 3
};

struct authz {
	struct ident id;
	struct ident order;       /* the order that made it */
	enum authz_status status; /* as the client should see it now: pending or valid past expires
				     is expired */
	struct bytes name;        /* without "*." */
	bool wildcard;
	int64_t expires_us;
	struct bytes secret;             /* 32 bytes */
	enum challenge_type attempted;   /* NONE while no challenge was responded to */
	enum challenge_status challenge; /* of the attempted one */
	int64_t validated_us;            /* INT64_MIN while not valid */
	struct bytes error;              /* JSON problem of the attempted challenge, or ptr NULL */
};

extern const struct db_stmt authz_get_stmt, authz_deactivate_stmt, challenge_respond_stmt;
void authz_get_call(struct db_call *c, const struct ident *account,
	const uint8_t thumbprint[THUMBPRINT_LEN], const struct ident *id);
/* Section 7.5.2: pending or valid → deactivated (STORE_CONFLICT otherwise); orders that are pending
 * or ready and use it become invalid. */
void authz_deactivate_call(struct db_call *c, const struct ident *account,
	const uint8_t thumbprint[THUMBPRINT_LEN], const struct ident *id);
/* Section 7.5.1: pending authorization with no attempted challenge → challenge processing, with the
 * key thumbprint of now (the key authorization's second half). *ret_queued tells whether this call
 * made the move; when the same challenge is processing, valid or invalid already the row is
 * returned unchanged. STORE_CONFLICT: another challenge is being tried; STORE_EXPIRED. */
void challenge_respond_call(struct db_call *c, const struct ident *account,
	const uint8_t thumbprint[THUMBPRINT_LEN], const struct ident *id, enum challenge_type type);
/* For all three. No allocation: everything is borrowed from the result. */
enum store_code authz_result(const struct db_call *c, struct authz *ret, bool *ret_queued);
