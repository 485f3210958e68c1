/* order.c — see order.h. Column numbers are those of sql/api/order.sql and revocation.sql. */
#include "lib/store/order.h"

#define ANSWER                                                                                     \
	"code, id, status, expires_at, not_before, not_after, names, authz_ids, profile, error, "  \
	"has_certificate, replaces"

const struct db_stmt order_new_stmt = {"order_new",
	"SELECT " ANSWER " FROM assay.order_new($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)",
	DB_ONE_ROW, 12,
	{DB_T_IDENT, DB_T_BYTES, DB_T_IDENT, DB_T_TEXTS, DB_T_IDENTS, DB_T_BYTESES, DB_T_TEXT,
		DB_T_TIME, DB_T_TIME, DB_T_TIME, DB_T_TIME, DB_T_TIME}};
/* Of its own, so that who replaces nothing pays nothing. */
const struct db_stmt order_new_replacing_stmt = {"order_new_replacing",
	"SELECT " ANSWER " FROM assay.order_new_replacing($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, "
	"$11, $12, $13, $14, $15)",
	DB_ONE_ROW, 15,
	{DB_T_IDENT, DB_T_BYTES, DB_T_IDENT, DB_T_TEXTS, DB_T_IDENTS, DB_T_BYTESES, DB_T_TEXT,
		DB_T_TIME, DB_T_TIME, DB_T_TIME, DB_T_TIME, DB_T_TIME, DB_T_TEXT, DB_T_BYTES,
		DB_T_BYTES}};
const struct db_stmt order_get_stmt = {"order_get",
	"SELECT " ANSWER " FROM assay.order_get($1, $2, $3)", DB_ONE_ROW, 3,
	{DB_T_IDENT, DB_T_BYTES, DB_T_IDENT}};
const struct db_stmt order_finalize_stmt = {"order_finalize",
	"SELECT " ANSWER " FROM assay.order_finalize($1, $2, $3, $4, $5, $6, $7, $8)", DB_ONE_ROW,
	8,
	{DB_T_IDENT, DB_T_BYTES, DB_T_IDENT, DB_T_TEXTS, DB_T_BYTES, DB_T_BYTES, DB_T_BYTES,
		DB_T_TEXTS}};
const struct db_stmt certificate_get_stmt = {"certificate_get",
	"SELECT code, der, chain_pem, chains FROM assay.certificate_get($1, $2, $3, $4)",
	DB_ONE_ROW, 4, {DB_T_IDENT, DB_T_BYTES, DB_T_IDENT, DB_T_INT}};
const struct db_stmt revoke_stmt = {"revoke", "SELECT code FROM assay.revoke($1, $2, $3, $4, $5)",
	DB_ONE_ROW, 5, {DB_T_IDENT, DB_T_BYTES, DB_T_BYTES, DB_T_BYTES, DB_T_INT}};

void order_done(struct order *o)
{
	free(o->names);
	free(o->authzs);
	*o = (struct order){0};
}

static void begin_signed(struct db_call *c, const struct db_stmt *stmt, const struct ident *account,
	const uint8_t thumbprint[THUMBPRINT_LEN])
{
	db_call_init(c, stmt);
	db_bind_ident(c, account);
	db_bind_bytes(c, bytes_of(thumbprint, THUMBPRINT_LEN));
}

static int64_t time_or_min(const struct db_result *r, int col)
{
	return db_is_null(r, 0, col) ? INT64_MIN : db_time(r, 0, col);
}

void order_new_call(struct db_call *c, const struct ident *account,
	const uint8_t thumbprint[THUMBPRINT_LEN], const struct order_new *in)
{
	bool replacing = in->replaces.ptr != NULL;

	begin_signed(c, replacing ? &order_new_replacing_stmt : &order_new_stmt, account,
		thumbprint);
	db_bind_ident(c, &in->id);
	db_bind_texts(c, in->names, in->count);
	db_bind_idents(c, in->authz_ids, in->count);
	db_bind_byteses(c, in->tokens, in->count);
	db_bind_text(c, in->profile);
	db_bind_time_or_null(c, in->not_before_us);
	db_bind_time_or_null(c, in->not_after_us);
	db_bind_time(c, in->expires_us);
	db_bind_time(c, in->authz_expires_us);
	db_bind_time(c, in->min_reuse_us);
	if (replacing) {
		db_bind_text(c, in->replaces);
		db_bind_bytes(c, in->replaces_key_id);
		db_bind_bytes(c, in->replaces_serial);
		db_locks_row(c, DB_RANK_REPLACED, in->replaces_serial);
	}
}

void order_get_call(struct db_call *c, const struct ident *account,
	const uint8_t thumbprint[THUMBPRINT_LEN], const struct ident *id)
{
	begin_signed(c, &order_get_stmt, account, thumbprint);
	db_bind_ident(c, id);
}

void order_finalize_call(struct db_call *c, const struct ident *account,
	const uint8_t thumbprint[THUMBPRINT_LEN], const struct order_finalize *in)
{
	begin_signed(c, &order_finalize_stmt, account, thumbprint);
	db_locks_row(c, DB_RANK_ORDER, bytes_of(in->id.b, sizeof(in->id.b)));
	db_bind_ident(c, &in->id);
	db_bind_texts(c, in->names, in->count);
	db_bind_bytes(c, in->csr);
	db_bind_bytes(c, bytes_of(in->spki_sha256, sizeof(in->spki_sha256)));
	db_bind_bytes(c, bytes_of(in->key_thumbprint, sizeof(in->key_thumbprint)));
	if (in->profiles == NULL)
		db_bind_null(c);
	else
		db_bind_texts(c, in->profiles, in->nprofiles);
}

enum store_code order_result(const struct db_call *c, struct order *ret)
{
	const struct db_result *r = c->result;
	enum store_code code = (enum store_code)db_int(r, 0, 0);
	struct order o = {0};

	if (code != STORE_OK)
		return code;
	o.id = db_ident(r, 0, 1);
	o.status = (enum order_status)db_int(r, 0, 2);
	o.expires_us = db_time(r, 0, 3);
	o.not_before_us = time_or_min(r, 4);
	o.not_after_us = time_or_min(r, 5);
	o.nnames = (size_t)db_array_count(r, 0, 6);
	o.names = xcalloc(o.nnames + 1, sizeof(*o.names));
	for (size_t i = 0; i < o.nnames; i++)
		o.names[i] = db_array_at(r, 0, 6, (int)i);
	o.nauthzs = (size_t)db_array_count(r, 0, 7);
	o.authzs = xcalloc(o.nauthzs + 1, sizeof(*o.authzs));
	for (size_t i = 0; i < o.nauthzs; i++)
		o.authzs[i] = db_array_ident(r, 0, 7, (int)i);
	o.profile = db_bytes(r, 0, 8);
	if (!db_is_null(r, 0, 9))
		o.error = db_bytes(r, 0, 9);
	o.has_certificate = db_bool(r, 0, 10);
	if (!db_is_null(r, 0, 11))
		o.replaces = db_bytes(r, 0, 11);
	*ret = o;
	return STORE_OK;
}

void certificate_get_call(struct db_call *c, const struct ident *account,
	const uint8_t thumbprint[THUMBPRINT_LEN], const struct ident *order, int32_t chain)
{
	begin_signed(c, &certificate_get_stmt, account, thumbprint);
	db_bind_ident(c, order);
	db_bind_int(c, chain);
}

enum store_code certificate_get_result(const struct db_call *c, struct certificate_answer *ret)
{
	enum store_code code = (enum store_code)db_int(c->result, 0, 0);

	if (code == STORE_OK)
		*ret = (struct certificate_answer){
			.der = db_bytes(c->result, 0, 1),
			.chain_pem = db_bytes(c->result, 0, 2),
			.chains = db_int(c->result, 0, 3),
		};
	return code;
}

void revoke_call(struct db_call *c, const struct ident *account,
	const uint8_t thumbprint[THUMBPRINT_LEN], struct bytes serial, struct bytes der, int reason)
{
	if (account != NULL) {
		begin_signed(c, &revoke_stmt, account, thumbprint);
	} else {
		db_call_init(c, &revoke_stmt);
		db_bind_null(c);
		db_bind_null(c);
	}
	db_bind_bytes(c, serial);
	db_bind_bytes(c, der);
	db_bind_int(c, reason);
	db_locks_rows(c); /* every certificate of a compromised key */
}

enum store_code revoke_result(const struct db_call *c)
{
	return (enum store_code)db_int(c->result, 0, 0);
}
