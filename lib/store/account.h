/* account.h — calls of the account resource (sql/api/account.sql). Used by assay-account and, for
 * account_key, by assay-order. Each *_call fills a db_call; after db_run the matching *_result
 * reads it.
 *
 * Every call made for a signed request carries the account id and the thumbprint of the key that
 * verified the signature; the function answers STORE_ACCOUNT_* when that pair is no longer good,
 * before anything else. */
#pragma once

#include "lib/store/db.h"

/* Codes shared by every function called for a client. */
enum store_code {
	STORE_OK = 0,
	STORE_ACCOUNT_UNKNOWN = 1,     /* no such account */
	STORE_ACCOUNT_DEACTIVATED = 2, /* deactivated or revoked: 401 (RFC 8555 section 7.3.6) */
	STORE_ACCOUNT_KEY_CHANGED =
		3,           /* the signature was made with a key that is no longer the account's */
	STORE_NOT_FOUND = 4, /* no such object, or another account's: the same answer for both */
	STORE_CONFLICT = 5,  /* its state forbids it */
	STORE_NOT_READY = 6, /* finalize: the order is not ready */
	STORE_NAMES_DIFFER = 7,   /* finalize: CSR names are not the order's */
	STORE_KEY_BLOCKED = 8,    /* the key is on the blocked list */
	STORE_KEY_IS_ACCOUNT = 9, /* finalize: the certificate key is an account key */
	STORE_EXPIRED = 10,       /* the order or authorization has expired */
	STORE_ALREADY_REVOKED = 11,
	STORE_UNAUTHORIZED = 12, /* revoke: no right to it */
	/* 13 was never returned. */
	STORE_KEY_IN_USE = 14,       /* keyChange, newAccount race: the other account is returned */
	STORE_KEY_TYPE = 15,         /* finalize: the order's profile does not take such keys */
	STORE_ISSUANCE_STOPPED = 16, /* newOrder, finalize: the operator stopped issuance */
	/* newOrder with "replaces" (RFC 9773 section 5): */
	STORE_REPLACES_UNKNOWN = 20, /* there is no such certificate */
	STORE_REPLACES_OTHERS = 21,  /* it is another account's */
	STORE_REPLACES_UNLIKE = 22,  /* it has no name in common with the order */
	STORE_REPLACED = 23,         /* another order replaces it */
};

enum account_status { ACCOUNT_VALID = 0, ACCOUNT_DEACTIVATED = 1, ACCOUNT_REVOKED = 2 };

struct account {
	struct ident id;
	enum account_status status;
	bool terms_agreed;
	int64_t created_us;
	struct bytes jwk; /* canonical JSON as of RFC 7638; borrowed from the result */
	size_t ncontacts;
	struct bytes *contacts; /* array owned by the struct; texts borrowed from the result */
};
void account_done(struct account *a);

#define THUMBPRINT_LEN 32

/* Parsed-key cache miss: id → jwk, status. STORE_OK, STORE_ACCOUNT_UNKNOWN,
 * STORE_ACCOUNT_DEACTIVATED. */
extern const struct db_stmt account_key_stmt;
void account_key_call(struct db_call *c, const struct ident *id);
enum store_code account_key_result(const struct db_call *c, struct bytes *ret_jwk);

/* newAccount (RFC 8555 section 7.3): returns the existing account of that thumbprint, or inserts
 * one. With only_existing nothing is inserted and STORE_ACCOUNT_UNKNOWN is returned when there is
 * none. STORE_OK (created set), STORE_ACCOUNT_DEACTIVATED, STORE_KEY_BLOCKED. spki_sha256 is
 * checked against blocked keys. */
struct account_new {
	struct ident id;
	uint8_t thumbprint[THUMBPRINT_LEN];
	struct bytes jwk;
	uint8_t spki_sha256[32];
	const struct bytes *contacts;
	size_t ncontacts;
	bool terms_agreed;
	bool only_existing;
};
extern const struct db_stmt account_new_stmt;
void account_new_call(struct db_call *c, const struct account_new *in);
enum store_code account_new_result(const struct db_call *c, struct account *ret, bool *ret_created);

/* Read, update contacts (contacts NULL = leave, count 0 = none), deactivate. Deactivation also
 * makes the account's pending authorizations and unfinished orders unusable. All three return the
 * account as it is now. */
extern const struct db_stmt account_get_stmt, account_update_stmt, account_deactivate_stmt;
void account_get_call(struct db_call *c, const struct ident *id,
	const uint8_t thumbprint[THUMBPRINT_LEN]);
void account_update_call(struct db_call *c, const struct ident *id,
	const uint8_t thumbprint[THUMBPRINT_LEN], const struct bytes *contacts, size_t ncontacts,
	bool terms_agreed);
void account_deactivate_call(struct db_call *c, const struct ident *id,
	const uint8_t thumbprint[THUMBPRINT_LEN]);
enum store_code account_result(const struct db_call *c, struct account *ret);

/* keyChange (section 7.3.5). STORE_OK returns the account; STORE_KEY_IN_USE sets *ret_other to the
 * account that has the new key. STORE_KEY_BLOCKED. */
extern const struct db_stmt account_rekey_stmt;
void account_rekey_call(struct db_call *c, const struct ident *id,
	const uint8_t thumbprint[THUMBPRINT_LEN], const uint8_t new_thumbprint[THUMBPRINT_LEN],
	struct bytes new_jwk, const uint8_t new_spki_sha256[32]);
enum store_code account_rekey_result(const struct db_call *c, struct account *ret,
	struct ident *ret_other);

/* The orders list (section 7.1.2.1), newest first, invalid ones left out: up to limit ids older
 * than before (NULL: from the newest). */
extern const struct db_stmt account_orders_stmt;
void account_orders_call(struct db_call *c, const struct ident *id,
	const uint8_t thumbprint[THUMBPRINT_LEN], const struct ident *before, int limit);
enum store_code account_orders_result(const struct db_call *c, size_t *ret_count);
struct ident account_orders_at(const struct db_call *c, size_t i);
/* True when there is another page, which is asked for with *ret_before; this one may hold fewer
 * than limit all the same. */
bool account_orders_more(const struct db_call *c, struct ident *ret_before);
