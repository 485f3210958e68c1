/* revocation.h — revoking many certificates, made by assayctl as assay-admin (sql/api/admin.sql):
 * what is selected, what would become of it, and the act. The keeper's part is in sweep.h, a
 * client's in order.h. */
#pragma once

#include "lib/store/db.h"

extern const struct db_stmt revocation_selected_stmt, revocation_sample_stmt, revocation_begin_stmt,
	revocation_step_stmt, revocation_act_stmt;

/* Which unexpired certificates are meant: those that fit everything given. ptr NULL, account NULL,
 * INT64_MIN: not given. Of serials, account, name, key and from_us one at least must be. */
struct revocation_selection {
	const struct bytes *serials; /* NULL: not given */
	size_t nserials;
	const struct ident *account;
	struct bytes name;         /* as it stands in the certificate */
	struct bytes spki_sha256;  /* 32 bytes */
	int64_t from_us, until_us; /* of the record before signing; until is not in it */
	struct bytes issuer;       /* name, or SHA-256 of its certificate in hexadecimal */
	struct bytes profile;
};

/* What revoking them with that reason would do. */
struct revocation_selected {
	int64_t found;
	int64_t to_change; /* not revoked, or to become keyCompromise */
	int64_t before;    /* revoked */
	int64_t missing;   /* serials that are unknown, expired or not selected */
	int64_t accounts;
	struct bytes issuers; /* names; borrowed */
};
void revocation_selected_call(struct db_call *c, const struct revocation_selection *in, int reason);
void revocation_selected_result(const struct db_call *c, struct revocation_selected *ret);

/* The first of them, those first that are not revoked. */
struct revocation_certificate {
	struct bytes serial;
	size_t nnames;
	struct bytes *names; /* array owned, texts borrowed: revocation_certificate_done */
	int64_t not_after_us;
	bool issued; /* false: reserved, and perhaps signed by a signer that died */
	bool revoked;
	int32_t reason;
};
void revocation_sample_call(struct db_call *c, const struct revocation_selection *in, int limit);
size_t revocation_sample_count(const struct db_call *c);
void revocation_sample_at(const struct db_call *c, size_t i, struct revocation_certificate *ret);
void revocation_certificate_done(struct revocation_certificate *certificate);

/* Begins an act on those that would change; an error of the database when they are not expect many,
 * or a serial is missing. The act's number; 0 when there is nothing to change. */
void revocation_begin_call(struct db_call *c, const struct revocation_selection *in, int reason,
	const char *why, int64_t expect);
int32_t revocation_begin_result(const struct db_call *c);
/* A batch of it. False: none is left that nobody has in hand. */
void revocation_step_call(struct db_call *c, int32_t act);
bool revocation_step_result(const struct db_call *c);
struct revocation_act {
	int32_t found;
	int32_t revoked;
	bool ended;
};
void revocation_act_call(struct db_call *c, int32_t act);
void revocation_act_result(const struct db_call *c, struct revocation_act *ret);
