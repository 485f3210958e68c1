/* issuance.h — calls of the signer (sql/api/issuance.sql), which alone may create serials and
 * certificates.
 *
 * claim → the signer decides everything again from what claim returned → reserve (serial, TBS,
 * audit row: committed before the key is used) → sign → issue. A crash after reserve leaves a burnt
 * serial: the next claim marks it, and the order goes on with a new one. Attempt numbers fence as
 * in validation.h. */
#pragma once

#include "lib/store/authz.h"
#include "lib/store/order.h"

struct issuance_authz {
	enum authz_status status; /* raw, as stored */
	bool same_account;
	struct bytes name;
	bool wildcard;
	int64_t expires_us;
	enum challenge_type method;
	int64_t validated_us;
	int64_t caa_us; /* INT64_MIN = never */
};

struct issuance_job {
	struct ident order;
	struct ident account;
	int32_t attempt;
	enum account_status account_status;
	enum order_status status;
	int64_t expires_us;
	int64_t now_us; /* the database's clock */
	struct bytes profile;
	int64_t not_before_us, not_after_us; /* asked for; INT64_MIN = not */
	struct bytes csr;
	bool key_blocked;    /* the CSR's key is on the blocked list */
	bool key_is_account; /* the CSR's key is an account key */
	size_t nnames;
	struct bytes *names; /* owned array, borrowed texts, canonical and sorted */
	size_t nauthzs;
	struct issuance_authz
		*authzs; /* owned; one for each name of the order, in order of names */
};
void issuance_job_done(struct issuance_job *job);

extern const struct db_stmt issuance_claim_stmt, issuance_reserve_stmt, issuance_issue_stmt,
	issuance_refuse_stmt, issuance_defer_caa_stmt, issuance_wait_stmt, issuer_record_stmt;
void issuance_claim_call(struct db_call *c, const struct ident *orders, size_t count,
	int lease_secs);
size_t issuance_claim_count(const struct db_call *c);
void issuance_claim_at(const struct db_call *c, size_t i, struct issuance_job *ret);

struct issuance_reservation {
	struct ident order;
	int32_t attempt;
	struct bytes serial; /* 18 bytes, see workers/signer/serial.h */
	struct bytes tbs;    /* the DER that will be signed, byte for byte */
	struct bytes spki_sha256;
	struct bytes issuer; /* SHA-256 of the issuing certificate */
	int32_t crl_shard;   /* of its CRL distribution point; 0 = it has none */
	int64_t not_before_us, not_after_us;
};
/* Rows that come back: the orders whose reservation was accepted (still processing, same attempt,
 * serial unknown). */
void issuance_reserve_call(struct db_call *c, const struct issuance_reservation *in, size_t count);
size_t issuance_reserve_count(const struct db_call *c);
struct ident issuance_reserve_order(const struct db_call *c, size_t i);

/* Certificates that were signed: stores the DER, order → valid, audit row. Rows: orders that became
 * valid. */
void issuance_issue_call(struct db_call *c, const struct ident *orders, const int32_t *attempts,
	const struct bytes *serials, const struct bytes *ders, size_t count);
size_t issuance_issue_count(const struct db_call *c);
struct ident issuance_issue_order(const struct db_call *c, size_t i);

/* Orders → invalid with a problem document each. */
void issuance_refuse_call(struct db_call *c, const struct ident *orders, const int32_t *attempts,
	const struct bytes *problems, size_t count);
/* CAA results too old: sets caa_due, gives the lease back; the caller enqueues them for the
 * validators. */
void issuance_defer_caa_call(struct db_call *c, const struct ident *orders, const int32_t *attempts,
	size_t count);
/* No issuing key can be reached: gives the claim back for so many seconds, without counting it
 * among the attempts that end an order. */
void issuance_wait_call(struct db_call *c, const struct ident *orders, const int32_t *attempts,
	size_t count, int secs);

/* At start: records an issuing certificate and its chains (idempotent). */
struct issuer_row {
	struct bytes sha256;
	struct bytes certificate_der;
	struct bytes chain_pem;
	struct bytes name;
	const struct bytes *alternates; /* PEM, each like chain_pem */
	size_t nalternates;
};
void issuer_record_call(struct db_call *c, const struct issuer_row *in);
