/* responder.h — calls about delegated OCSP responder certificates (sql/api/responder.sql).
 *
 * assay-ocsp-signer registers a public key under an id that it made; the keeper queues the job;
 * assay-signer claims it, reserves a serial with the bytes that it will sign, signs, and issues, as
 * with any certificate (issuance.h). A crash after reserve leaves a burnt serial. */
#pragma once

#include "lib/store/db.h"

/* Of the OCSP signer. Registering the same again is fine. */
enum responder_code {
	RESPONDER_OK = 0,
	RESPONDER_ISSUER_UNKNOWN = 1, /* no signer has registered that issuer yet */
	RESPONDER_KEY_IN_USE = 2,     /* this id, or this key, is another responder's */
	RESPONDER_KEY_BLOCKED = 3,
	RESPONDER_TOO_MANY = 4 /* the issuer has as many as it may have */
};
extern const struct db_stmt responder_register_stmt, responder_get_stmt;
void responder_register_call(struct db_call *c, const struct ident *id, struct bytes issuer_sha256,
	struct bytes spki, const char *host);
enum responder_code responder_register_result(const struct db_call *c);

struct responder_state {
	struct ident id;
	int32_t issuer;                      /* as in ocsp_issuers */
	struct bytes der;                    /* ptr NULL: not issued (yet) */
	int64_t not_before_us, not_after_us; /* with der */
	struct bytes error;                  /* ptr NULL: not refused */
};
/* Rows: those of the ids that are known, in their order. */
void responder_get_call(struct db_call *c, const struct ident *ids, size_t count);
size_t responder_get_count(const struct db_call *c);
void responder_get_at(const struct db_call *c, size_t i, struct responder_state *ret);

/* Of the signer. */
struct responder_job {
	struct ident id;
	int32_t attempt;
	struct bytes issuer; /* SHA-256 of the issuing certificate */
	struct bytes spki;
	int64_t now_us; /* the database's clock */
};
extern const struct db_stmt responder_claim_stmt, responder_reserve_stmt, responder_issue_stmt,
	responder_refuse_stmt;
void responder_claim_call(struct db_call *c, const struct ident *ids, size_t count, int lease_secs);
size_t responder_claim_count(const struct db_call *c);
void responder_claim_at(const struct db_call *c, size_t i, struct responder_job *ret);

/* One at a time: responders are rare. Each returns a row when it was accepted. */
void responder_reserve_call(struct db_call *c, const struct ident *id, int32_t attempt,
	struct bytes serial, struct bytes tbs, int64_t not_before_us, int64_t not_after_us);
void responder_issue_call(struct db_call *c, const struct ident *id, int32_t attempt,
	struct bytes serial, struct bytes der);
bool responder_accepted(const struct db_call *c);
void responder_refuse_call(struct db_call *c, const struct ident *id, int32_t attempt,
	const char *why);

/* Of operators (assayctl): the responders that are not over, and those refused in the last week. */
struct admin_responder {
	struct bytes issuer; /* its name */
	struct ident id;
	struct bytes host; /* where it registered */
	int64_t registered_us;
	struct bytes serial;  /* ptr NULL: no certificate yet */
	int64_t not_after_us; /* INT64_MIN as well then */
	struct bytes error;   /* ptr NULL: not refused */
};
extern const struct db_stmt admin_responders_stmt;
void admin_responders_call(struct db_call *c);
size_t admin_responders_count(const struct db_call *c);
void admin_responders_at(const struct db_call *c, size_t i, struct admin_responder *ret);
