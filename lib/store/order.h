/* order.h — calls of the order resource for assay-order (sql/api/order.sql). See account.h for the
 * conventions.
 *
 * An order's identifiers are kept as its canonical names: lower-case A-labels, "*." kept, sorted
 * bytewise, no duplicates. */
#pragma once

#include "lib/store/account.h"

enum order_status {
	ORDER_PENDING = 0,
	ORDER_READY = 1,
	ORDER_PROCESSING = 2,
	ORDER_VALID = 3,
	ORDER_INVALID = 4
};

struct order {
	struct ident id;
	enum order_status status; /* as the client should see it now: a pending or ready order past
				     expires is invalid */
	int64_t expires_us;
	int64_t not_before_us; /* INT64_MIN = not asked */
	int64_t not_after_us;
	size_t nnames;
	struct bytes *names; /* array owned, texts borrowed */
	size_t nauthzs;
	struct ident *authzs; /* owned */
	struct bytes profile;
	struct bytes error;    /* JSON problem document, or ptr NULL */
	bool has_certificate;  /* its URL is made from the order's id */
	struct bytes replaces; /* as it was ordered, or ptr NULL; borrowed */
};
void order_done(struct order *o);

/* newOrder: one row for the order, one for each authorization that cannot be reused. names,
 * authz_ids and tokens are parallel and sorted by name. A valid authorization of the same account,
 * name and wildcard flag that lives at least until min_reuse_us is used instead of the new one.
 * Created ready when all are reused.
 *
 * With replaces (RFC 9773 section 5) the certificate with that key identifier and serial number is
 * marked as replaced by the order, as long as the order is not invalid; STORE_REPLACES_* and
 * STORE_REPLACED otherwise, and nothing is created. */
struct order_new {
	struct ident id;
	const struct bytes *names;
	const struct ident *authz_ids;
	const struct bytes *tokens; /* 32 random bytes each */
	size_t count;
	struct bytes profile;
	int64_t not_before_us, not_after_us; /* INT64_MIN = not asked */
	int64_t expires_us;
	int64_t authz_expires_us;
	int64_t min_reuse_us;
	struct bytes replaces; /* the whole certificate id; ptr NULL: none */
	struct bytes replaces_key_id;
	struct bytes replaces_serial;
};
extern const struct db_stmt order_new_stmt, order_new_replacing_stmt, order_get_stmt,
	order_finalize_stmt;
void order_new_call(struct db_call *c, const struct ident *account,
	const uint8_t thumbprint[THUMBPRINT_LEN], const struct order_new *in);
void order_get_call(struct db_call *c, const struct ident *account,
	const uint8_t thumbprint[THUMBPRINT_LEN], const struct ident *id);
/* finalize: guarded ready → processing. Refusals leave the order as it was: STORE_NOT_READY (also
 * when it is processing or valid already), STORE_NAMES_DIFFER, STORE_KEY_BLOCKED,
 * STORE_KEY_IS_ACCOUNT, STORE_KEY_TYPE, STORE_EXPIRED, STORE_NOT_FOUND. names: the CSR's canonical
 * sorted names. key_thumbprint: RFC 7638 thumbprint of the CSR's key. profiles: those that take
 * keys of its kind; NULL: all. */
struct order_finalize {
	struct ident id;
	const struct bytes *names;
	size_t count;
	struct bytes csr;
	uint8_t spki_sha256[32];
	uint8_t key_thumbprint[THUMBPRINT_LEN];
	const struct bytes *profiles;
	size_t nprofiles;
};
void order_finalize_call(struct db_call *c, const struct ident *account,
	const uint8_t thumbprint[THUMBPRINT_LEN], const struct order_finalize *in);
/* For all three. On STORE_OK the order is as it is now; otherwise *ret is untouched. */
enum store_code order_result(const struct db_call *c, struct order *ret);

/* Certificate download by order id. chain: 0 for the issuer's first one, n for its nth alternate.
 * STORE_NOT_FOUND while there is no certificate, and when there is no such chain. */
struct certificate_answer {
	struct bytes der;       /* of the certificate; borrowed */
	struct bytes chain_pem; /* what stands behind it; borrowed */
	int32_t chains;         /* there are so many, the first one included */
};
extern const struct db_stmt certificate_get_stmt;
void certificate_get_call(struct db_call *c, const struct ident *account,
	const uint8_t thumbprint[THUMBPRINT_LEN], const struct ident *order, int32_t chain);
enum store_code certificate_get_result(const struct db_call *c, struct certificate_answer *ret);

/* revokeCert (section 7.6). der is compared whole with what is stored (STORE_NOT_FOUND otherwise).
 * account NULL: signed by the certificate's own key; the caller has proved that the request's key
 * is the certificate's. Whatever becomes of it then, the key is blocked and the keeper revokes its
 * other certificates; the reason is keyCompromise, also instead of an earlier one. account given:
 * its own certificate, or it holds valid authorizations for every name (STORE_UNAUTHORIZED
 * otherwise) and the reason is cessationOfOperation. STORE_EXPIRED, STORE_ALREADY_REVOKED. */
extern const struct db_stmt revoke_stmt;
void revoke_call(struct db_call *c, const struct ident *account,
	const uint8_t thumbprint[THUMBPRINT_LEN], struct bytes serial, struct bytes der,
	int reason);
enum store_code revoke_result(const struct db_call *c);
