/* validation.h — calls of the validator (sql/api/validation.sql), which alone may move a challenge
 * to valid or invalid.
 *
 * A claim bumps the row's attempt number and lends it for lease_secs; results count only while the
 * attempt number is still the claimer's (a fencing token). Rows claimed too often are made invalid
 * by the claim itself. */
#pragma once

#include "lib/store/authz.h"

struct validation_job { /* a claimed authorization */
	struct ident authz;
	struct ident account;
	int32_t attempt;
	int32_t tries;     /* completed attempts that failed before this one */
	struct bytes name; /* without "*." */
	bool wildcard;
	enum challenge_type type;
	struct bytes secret;         /* 32 bytes; see authz.h for the token */
	struct bytes key_thumbprint; /* 32 bytes: key authorization = token "." base64url(this) */
};
/* full: accounts whose authorizations are left where they are, to be queued again by the sweep. */
extern const struct db_stmt validation_claim_stmt;
void validation_claim_call(struct db_call *c, const struct ident *ids, size_t count, int lease_secs,
	const struct ident *full, size_t nfull);
size_t validation_claim_count(const struct db_call *c);
void validation_claim_at(const struct db_call *c, size_t i, struct validation_job *ret);

/* For claims that take longer: lends their rows for lease_secs from now. Those that are another's
 * by now stay his. */
extern const struct db_stmt validation_renew_stmt;
void validation_renew_call(struct db_call *c, const struct ident *authzs,
	const int32_t *authz_attempts, size_t nauthzs, const struct ident *caa_orders,
	const int32_t *order_attempts, size_t norders, int lease_secs);

enum validation_outcome { VALIDATION_VALID = 0, VALIDATION_INVALID = 1, VALIDATION_RETRY = 2 };

struct validation_result {
	struct ident authz;
	int32_t attempt;
	enum validation_outcome outcome;
	struct bytes problem;  /* JSON, for INVALID and RETRY (shown while it is retried) */
	int64_t retry_us;      /* RETRY: when to try again */
	int64_t caa_us;        /* VALID: when CAA was found to permit issuance */
	struct bytes evidence; /* JSON: method, CA/B method number and version, addresses, resolver,
				  hops, what was seen */
};
/* One transaction: challenge, authorization, order (ready when its last authorization became valid;
 * invalid with subproblem when one failed) and an evidence row for each result. Results that lost
 * their lease are dropped. valid_until_us: expiry of authorizations that become valid. The rows
 * that come back name the orders that reached ready or invalid, for waking clients. */
extern const struct db_stmt validation_finish_stmt;
void validation_finish_call(struct db_call *c, const struct validation_result *results,
	size_t count, int64_t valid_until_us);
size_t validation_finish_count(const struct db_call *c);
struct ident validation_finish_order(const struct db_call *c, size_t i);

/* CAA again before signing: an order whose CAA results are too old waits in processing with caa_due
 * set. */
struct caa_job {
	struct ident order;
	struct ident account;
	int32_t attempt;
	struct ident authz;
	struct bytes name;
	bool wildcard;
	enum challenge_type
		method; /* the method that validated it, for RFC 8657 validationmethods */
};
extern const struct db_stmt caa_claim_stmt, caa_finish_stmt;
/* Rows: one for each (order, authorization), orders together. */
void caa_claim_call(struct db_call *c, const struct ident *orders, size_t count, int lease_secs);
size_t caa_claim_count(const struct db_call *c);
void caa_claim_at(const struct db_call *c, size_t i, struct caa_job *ret);
/* problem ptr NULL: every name permitted at caa_us, the order goes on to the signer; otherwise it
 * becomes invalid. evidence: JSON, what was seen, for the audit log. */
void caa_finish_call(struct db_call *c, const struct ident *orders, const int32_t *attempts,
	const struct bytes *problems, const struct bytes *evidence, size_t count, int64_t caa_us);
