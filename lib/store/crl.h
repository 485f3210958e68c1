/* crl.h — calls about revocation lists (sql/api/crl.sql): the signer makes them, the keeper
 * schedules and publishes them, operators bring those of a root.
 *
 * claim (a number of its own) → entries, page by page → parts → publish (one swap). Numbers fence:
 * a list with a lower number than the newest is refused, whoever comes late. */
#pragma once

#include "lib/store/db.h"

#define CRL_PART_MAX 65536

/* ---- the signer ---- */

extern const struct db_stmt crl_register_stmt, crl_claim_stmt, crl_renew_stmt, crl_entries_stmt,
	crl_part_store_stmt, crl_publish_stmt, crl_fail_stmt;

/* At start, after issuer_record: the issuer's shards exist from now on. False: the issuer has
 * another crl_url, or the files' paths are another's. */
void crl_register_call(struct db_call *c, struct bytes issuer_sha256, int64_t not_after_us,
	const char *crl_url, int shards, const char *ca_issuers_url);
bool crl_register_result(const struct db_call *c);

struct crl_claim {
	struct bytes issuer; /* SHA-256 of its certificate */
	struct bytes url;
	int64_t number;
	int64_t this_update_us; /* whole seconds */
	int64_t changes;        /* for publish */
};
/* False: not due, another's, or of an issuer that is not among these. */
void crl_claim_call(struct db_call *c, const struct ident *id, const struct bytes *issuers,
	size_t count, int lease_secs);
bool crl_claim_result(const struct db_call *c, struct crl_claim *ret);
/* False: the shard is another's now. */
void crl_renew_call(struct db_call *c, const struct ident *id, int64_t number, int lease_secs);
bool crl_renew_result(const struct db_call *c);

struct crl_row {
	struct bytes serial;
	int64_t revoked_us;
	int32_t reason; /* as stored */
};
/* The next limit entries behind this serial, in order of serial. */
void crl_entries_call(struct db_call *c, const struct ident *id, struct bytes after,
	int64_t this_update_us, int limit);
size_t crl_entries_count(const struct db_call *c);
void crl_entries_at(const struct db_call *c, size_t i, struct crl_row *ret);

void crl_part_store_call(struct db_call *c, const struct ident *id, int64_t number, int part,
	struct bytes bytes);

struct crl_publication {
	int64_t number;
	int64_t this_update_us, next_update_us;
	int64_t entries, size;
	struct bytes sha256;
	int64_t changes;
	int refresh_secs, delay_secs;
};
/* False: a newer list is there, or the database's clock went back. */
void crl_publish_call(struct db_call *c, const struct ident *id, const struct crl_publication *p);
bool crl_publish_result(const struct db_call *c);
/* Given up; due again after a pause. */
void crl_fail_call(struct db_call *c, const struct ident *id, int64_t number, int pause_secs);

/* ---- the keeper ---- */

extern const struct db_stmt crl_schedule_stmt, crl_due_stmt, crl_files_stmt, crl_part_stmt,
	crl_overtaken_stmt, issuer_files_stmt;

/* One int: how many revocations were collected; limit means that there may be more. */
void crl_schedule_call(struct db_call *c, int limit, int delay_secs);
/* Shards to queue as JOB_CRL, pushed back so that the next sweep does not queue them again. */
void crl_due_call(struct db_call *c, int limit, int backoff_secs);
size_t crl_due_count(const struct db_call *c);
struct ident crl_due_at(const struct db_call *c, size_t i);

struct crl_file {
	struct ident id;
	struct bytes path; /* below the folder that is served */
	int64_t number, size;
	struct bytes sha256;
};
/* Every list, or (secs > 0) those that were made within so many seconds. */
void crl_files_call(struct db_call *c, int secs);
size_t crl_files_count(const struct db_call *c);
void crl_files_at(const struct db_call *c, size_t i, struct crl_file *ret);
/* ptr NULL: there is no such part, or a newer list has replaced it. */
void crl_part_call(struct db_call *c, const struct ident *id, int64_t number, int part);
struct bytes crl_part_result(const struct db_call *c);
/* A published file has this number, which the database does not know of. */
void crl_overtaken_call(struct db_call *c, const struct ident *id, int64_t number);

void issuer_files_call(struct db_call *c);
size_t issuer_files_count(const struct db_call *c);
void issuer_files_at(const struct db_call *c, size_t i, struct bytes *ret_path,
	struct bytes *ret_der);

/* ---- operators ---- */

extern const struct db_stmt admin_crls_stmt, admin_crl_import_stmt;

struct admin_crls {
	struct bytes name; /* of the issuer, or the path of a list that was brought here */
	int64_t lists, missing, overdue, entries, size;
	int64_t oldest_us, ends_us; /* INT64_MIN: none was made yet */
};
void admin_crls_call(struct db_call *c);
size_t admin_crls_count(const struct db_call *c);
void admin_crls_at(const struct db_call *c, size_t i, struct admin_crls *ret);

/* ERR_NOENT: no URL to publish at, or one of our own lists'. ERR_CONFLICT: there is one with this
 * number or a higher one. */
void admin_crl_import_call(struct db_call *c, const char *url, int64_t number,
	int64_t this_update_us, int64_t next_update_us, int64_t entries, struct bytes der);
int admin_crl_import_result(const struct db_call *c);
