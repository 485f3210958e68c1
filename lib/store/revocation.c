/* revocation.c — see revocation.h. Column numbers are those of sql/api/admin.sql. */
#include "lib/store/revocation.h"

#define SELECTION "$1, $2, $3, $4, $5, $6, $7, $8"
#define SELECTION_TYPES                                                                            \
	DB_T_BYTESES, DB_T_IDENT, DB_T_TEXT, DB_T_BYTES, DB_T_TIME, DB_T_TIME, DB_T_TEXT, DB_T_TEXT
const struct db_stmt revocation_selected_stmt = {"revocation_selected",
	"SELECT found, to_change, revoked_before, unknown_or_expired, accounts, coalesce(issuers, "
	"'')"
	" FROM assay.admin_selected(" SELECTION ", $9)",
	DB_ONE_ROW, 9, {SELECTION_TYPES, DB_T_INT}};
const struct db_stmt revocation_sample_stmt = {"revocation_sample",
	"SELECT serial, names, not_after, issued, revoked_at IS NOT NULL, coalesce(reason, 0)"
	" FROM assay.admin_sample(" SELECTION ", $9)",
	DB_ROWS, 9, {SELECTION_TYPES, DB_T_INT}};
const struct db_stmt revocation_begin_stmt = {"revocation_begin",
	"SELECT coalesce(assay.admin_revoke(" SELECTION ", $9, $10, $11), 0)", DB_ONE_ROW, 11,
	{SELECTION_TYPES, DB_T_INT, DB_T_TEXT, DB_T_BIGINT}};
const struct db_stmt revocation_step_stmt = {"revocation_step",
	"SELECT looked_at FROM assay.admin_revoke_step($1)", DB_ROWS, 1, {DB_T_INT}};
const struct db_stmt revocation_act_stmt = {"revocation_act",
	"SELECT found, revoked, ended_at IS NOT NULL FROM assay.admin_acts($1)", DB_ONE_ROW, 1,
	{DB_T_INT}};

static void bind_text_or_null(struct db_call *c, struct bytes text)
{
	if (text.ptr == NULL)
		db_bind_null(c);
	else
		db_bind_text(c, text);
}

static void begin_selection(struct db_call *c, const struct db_stmt *stmt,
	const struct revocation_selection *in)
{
	db_call_init(c, stmt);
	if (in->serials == NULL)
		db_bind_null(c);
	else
		db_bind_byteses(c, in->serials, in->nserials);
	if (in->account == NULL)
		db_bind_null(c);
	else
		db_bind_ident(c, in->account);
	bind_text_or_null(c, in->name);
	if (in->spki_sha256.ptr == NULL)
		db_bind_null(c);
	else
		db_bind_bytes(c, in->spki_sha256);
	db_bind_time_or_null(c, in->from_us);
	db_bind_time_or_null(c, in->until_us);
	bind_text_or_null(c, in->issuer);
	bind_text_or_null(c, in->profile);
}

void revocation_selected_call(struct db_call *c, const struct revocation_selection *in, int reason)
{
	begin_selection(c, &revocation_selected_stmt, in);
	db_bind_int(c, reason);
}

void revocation_selected_result(const struct db_call *c, struct revocation_selected *ret)
{
	*ret = (struct revocation_selected){
		.found = db_bigint(c->result, 0, 0),
		.to_change = db_bigint(c->result, 0, 1),
		.before = db_bigint(c->result, 0, 2),
		.missing = db_bigint(c->result, 0, 3),
		.accounts = db_bigint(c->result, 0, 4),
		.issuers = db_bytes(c->result, 0, 5),
	};
}

void revocation_sample_call(struct db_call *c, const struct revocation_selection *in, int limit)
{
	begin_selection(c, &revocation_sample_stmt, in);
	db_bind_int(c, limit);
}

size_t revocation_sample_count(const struct db_call *c)
{
	return (size_t)db_nrows(c->result);
}

void revocation_sample_at(const struct db_call *c, size_t i, struct revocation_certificate *ret)
{
	int row = (int)i;

	*ret = (struct revocation_certificate){
		.serial = db_bytes(c->result, row, 0),
		.nnames = (size_t)db_array_count(c->result, row, 1),
		.not_after_us = db_time(c->result, row, 2),
		.issued = db_bool(c->result, row, 3),
		.revoked = db_bool(c->result, row, 4),
		.reason = db_int(c->result, row, 5),
	};
	ret->names = xcalloc(ret->nnames + 1, sizeof(*ret->names));
	for (size_t n = 0; n < ret->nnames; n++)
		ret->names[n] = db_array_at(c->result, row, 1, (int)n);
}

void revocation_certificate_done(struct revocation_certificate *certificate)
{
	free(certificate->names);
	*certificate = (struct revocation_certificate){0};
}

void revocation_begin_call(struct db_call *c, const struct revocation_selection *in, int reason,
	const char *why, int64_t expect)
{
	begin_selection(c, &revocation_begin_stmt, in);
	db_bind_int(c, reason);
	db_bind_str(c, why);
	db_bind_bigint(c, expect);
}

int32_t revocation_begin_result(const struct db_call *c)
{
	return db_int(c->result, 0, 0);
}

void revocation_step_call(struct db_call *c, int32_t act)
{
	db_call_init(c, &revocation_step_stmt);
	db_bind_int(c, act);
}

bool revocation_step_result(const struct db_call *c)
{
	return db_nrows(c->result) > 0;
}

void revocation_act_call(struct db_call *c, int32_t act)
{
	db_call_init(c, &revocation_act_stmt);
	db_bind_int(c, act);
}

void revocation_act_result(const struct db_call *c, struct revocation_act *ret)
{
	*ret = (struct revocation_act){
		.found = db_int(c->result, 0, 0),
		.revoked = db_int(c->result, 0, 1),
		.ended = db_bool(c->result, 0, 2),
	};
}
