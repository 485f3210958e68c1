/* ocsp.h — calls about certificate status (sql/api/ocsp.sql): of assay-ocsp, which looks stored
 * responses up, and of assay-ocsp-signer, which signs them.
 *
 * The truth is the certificate's row. A stored response is handed out only while it agrees with
 * that row and its nextUpdate has not come; a serial that was never issued, is another issuer's, or
 * expired more than archive_secs ago is unknown: never good (BR 4.9.10). Issuers are called by the
 * numbers of ocsp_issuers. */
#pragma once

#include "lib/store/db.h"

/* Every issuer there is, in order of id. */
struct ocsp_issuer {
	int32_t id;
	struct bytes sha256;      /* of certificate */
	struct bytes certificate; /* DER; RFC 6960 section 4.1.1 names issuers by its parts */
	struct bytes name;        /* [issuer NAME] when it was registered last */
	bool answers;             /* it has a responder certificate that has not expired */
};
extern const struct db_stmt ocsp_issuers_stmt;
void ocsp_issuers_call(struct db_call *c);
size_t ocsp_issuers_count(const struct db_call *c);
void ocsp_issuers_at(const struct db_call *c, size_t i, struct ocsp_issuer *ret);

/* For the handler: what to answer about one serial (contents of the INTEGER). */
enum ocsp_found {
	OCSP_STORED = 0, /* with ret_response */
	OCSP_LIVE = 1,   /* it is known; a response must be signed */
	OCSP_UNKNOWN = 2
};
struct ocsp_stored {
	struct bytes response; /* DER OCSPResponse, borrowed */
	int64_t this_update_us, next_update_us;
};
extern const struct db_stmt ocsp_get_stmt;
void ocsp_get_call(struct db_call *c, int32_t issuer, struct bytes serial, int64_t archive_secs);
/* *ret is set when the answer is OCSP_STORED. */
enum ocsp_found ocsp_get_result(const struct db_call *c, struct ocsp_stored *ret);

/* For the signer: a certificate whose status is to be signed. */
enum ocsp_status { OCSP_STATUS_GOOD = 0, OCSP_STATUS_REVOKED = 1, OCSP_STATUS_UNKNOWN = 2 };
struct ocsp_subject {
	struct bytes serial;
	int32_t issuer;
	enum ocsp_status status;
	int64_t revoked_us; /* INT64_MIN unless revoked */
	int32_t reason;     /* CRLReason; -1 unless revoked */
	/* INT64_MIN: unknown, and nobody ever reserved that serial. */
	int64_t not_after_us;
};
/* The status of each, in the order asked for. */
extern const struct db_stmt ocsp_status_stmt;
void ocsp_status_call(struct db_call *c, const int32_t *issuers, const struct bytes *serials,
	size_t count, int64_t archive_secs);

/* Signing ahead. Each duty is one worker's at a time: it has it as long as it goes on asking within
 * lease_secs; to everybody else there is nothing to do. What was returned and is not stored is
 * returned again. */
enum ocsp_duty {
	OCSP_DUTY_CHANGED, /* revoked, or revoked for another reason */
	OCSP_DUTY_NEW,     /* has no response yet */
	OCSP_DUTY_AGAIN    /* refresh_at has come */
};
#define OCSP_DUTIES 3
struct ocsp_due {
	struct ident worker; /* of this process alone */
	const int32_t *issuers;
	size_t nissuers; /* that it can sign for */
	int limit;
	int lease_secs;
	int64_t archive_secs;
	int overlap_secs; /* how long issuing may take from serial to certificate */
};
extern const struct db_stmt ocsp_due_changed_stmt, ocsp_due_new_stmt, ocsp_due_again_stmt;
void ocsp_due_call(struct db_call *c, enum ocsp_duty duty, const struct ocsp_due *in);
/* At the end: its duties are free at once. */
extern const struct db_stmt ocsp_leave_stmt;
void ocsp_leave_call(struct db_call *c, const struct ident *worker);
/* Of ocsp_status and ocsp_due. */
size_t ocsp_subject_count(const struct db_call *c);
void ocsp_subject_at(const struct db_call *c, size_t i, struct ocsp_subject *ret);

struct ocsp_signed {
	struct bytes serial;
	int64_t this_update_us, next_update_us;
	int64_t refresh_us; /* INT64_MIN: never again */
	int64_t revoked_us; /* what the response says; INT64_MIN: good */
	int32_t reason;
	struct bytes response;
};
/* One int: how many were stored; one that was signed earlier than the stored one is not. */
extern const struct db_stmt ocsp_store_stmt;
void ocsp_store_call(struct db_call *c, const struct ocsp_signed *in, size_t count);
