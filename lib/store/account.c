/* account.c — see account.h. Column numbers are those of the functions of sql/api/account.sql. */
#include "lib/store/account.h"

#define ANSWER "code, id, status, terms_agreed, created_at, jwk, contacts, created"

const struct db_stmt account_key_stmt = {"account_key",
	"SELECT code, jwk FROM assay.account_key($1)", DB_ONE_ROW, 1, {DB_T_IDENT}};
const struct db_stmt account_new_stmt = {"account_new",
	"SELECT " ANSWER " FROM assay.account_new($1, $2, $3, $4, $5, $6, $7)", DB_ONE_ROW, 7,
	{DB_T_IDENT, DB_T_BYTES, DB_T_TEXT, DB_T_BYTES, DB_T_TEXTS, DB_T_BOOL, DB_T_BOOL}};
const struct db_stmt account_get_stmt = {"account_get",
	"SELECT " ANSWER " FROM assay.account_get($1, $2)", DB_ONE_ROW, 2,
	{DB_T_IDENT, DB_T_BYTES}};
const struct db_stmt account_update_stmt = {"account_update",
	"SELECT " ANSWER " FROM assay.account_update($1, $2, $3, $4)", DB_ONE_ROW, 4,
	{DB_T_IDENT, DB_T_BYTES, DB_T_TEXTS, DB_T_BOOL}};
const struct db_stmt account_deactivate_stmt = {"account_deactivate",
	"SELECT " ANSWER " FROM assay.account_deactivate($1, $2)", DB_ONE_ROW, 2,
	{DB_T_IDENT, DB_T_BYTES}};
const struct db_stmt account_rekey_stmt = {"account_rekey",
	"SELECT " ANSWER " FROM assay.account_rekey($1, $2, $3, $4, $5)", DB_ONE_ROW, 5,
	{DB_T_IDENT, DB_T_BYTES, DB_T_BYTES, DB_T_TEXT, DB_T_BYTES}};
const struct db_stmt account_orders_stmt = {"account_orders",
	"SELECT code, ids, next_before FROM assay.account_orders($1, $2, $3, $4)", DB_ONE_ROW, 4,
	{DB_T_IDENT, DB_T_BYTES, DB_T_IDENT, DB_T_INT}};

void account_done(struct account *a)
{
	free(a->contacts);
	*a = (struct account){0};
}

static void begin_signed(struct db_call *c, const struct db_stmt *stmt, const struct ident *id,
	const uint8_t thumbprint[THUMBPRINT_LEN])
{
	db_call_init(c, stmt);
	db_bind_ident(c, id);
	db_bind_bytes(c, bytes_of(thumbprint, THUMBPRINT_LEN));
}

void account_key_call(struct db_call *c, const struct ident *id)
{
	db_call_init(c, &account_key_stmt);
	db_bind_ident(c, id);
}

enum store_code account_key_result(const struct db_call *c, struct bytes *ret_jwk)
{
	enum store_code code = (enum store_code)db_int(c->result, 0, 0);

	if (code == STORE_OK)
		*ret_jwk = db_bytes(c->result, 0, 1);
	return code;
}

void account_new_call(struct db_call *c, const struct account_new *in)
{
	db_call_init(c, &account_new_stmt);
	db_locks_row(c, DB_RANK_KEY, bytes_of(in->thumbprint, sizeof(in->thumbprint)));
	db_bind_ident(c, &in->id);
	db_bind_bytes(c, bytes_of(in->thumbprint, sizeof(in->thumbprint)));
	db_bind_text(c, in->jwk);
	db_bind_bytes(c, bytes_of(in->spki_sha256, sizeof(in->spki_sha256)));
	db_bind_texts(c, in->contacts, in->ncontacts);
	db_bind_bool(c, in->terms_agreed);
	db_bind_bool(c, in->only_existing);
}

enum store_code account_result(const struct db_call *c, struct account *ret)
{
	enum store_code code = (enum store_code)db_int(c->result, 0, 0);
	struct account a = {0};

	if (code != STORE_OK)
		return code;
	a.id = db_ident(c->result, 0, 1);
	a.status = (enum account_status)db_int(c->result, 0, 2);
	a.terms_agreed = db_bool(c->result, 0, 3);
	a.created_us = db_time(c->result, 0, 4);
	a.jwk = db_bytes(c->result, 0, 5);
	a.ncontacts = (size_t)db_array_count(c->result, 0, 6);
	a.contacts = xcalloc(a.ncontacts + 1, sizeof(*a.contacts));
	for (size_t i = 0; i < a.ncontacts; i++)
		a.contacts[i] = db_array_at(c->result, 0, 6, (int)i);
	*ret = a;
	return STORE_OK;
}

enum store_code account_new_result(const struct db_call *c, struct account *ret, bool *ret_created)
{
	enum store_code code = account_result(c, ret);

	if (code == STORE_OK)
		*ret_created = db_bool(c->result, 0, 7);
	return code;
}

void account_get_call(struct db_call *c, const struct ident *id,
	const uint8_t thumbprint[THUMBPRINT_LEN])
{
	begin_signed(c, &account_get_stmt, id, thumbprint);
}

void account_update_call(struct db_call *c, const struct ident *id,
	const uint8_t thumbprint[THUMBPRINT_LEN], const struct bytes *contacts, size_t ncontacts,
	bool terms_agreed)
{
	begin_signed(c, &account_update_stmt, id, thumbprint);
	db_locks_row(c, DB_RANK_ACCOUNT, bytes_of(id->b, sizeof(id->b)));
	if (contacts == NULL)
		db_bind_null(c);
	else
		db_bind_texts(c, contacts, ncontacts);
	db_bind_bool(c, terms_agreed);
}

void account_deactivate_call(struct db_call *c, const struct ident *id,
	const uint8_t thumbprint[THUMBPRINT_LEN])
{
	begin_signed(c, &account_deactivate_stmt, id, thumbprint);
	db_locks_rows(c);
}

void account_rekey_call(struct db_call *c, const struct ident *id,
	const uint8_t thumbprint[THUMBPRINT_LEN], const uint8_t new_thumbprint[THUMBPRINT_LEN],
	struct bytes new_jwk, const uint8_t new_spki_sha256[32])
{
	begin_signed(c, &account_rekey_stmt, id, thumbprint);
	db_locks_rows(c); /* the account's, and the new key's */
	db_bind_bytes(c, bytes_of(new_thumbprint, THUMBPRINT_LEN));
	db_bind_text(c, new_jwk);
	db_bind_bytes(c, bytes_of(new_spki_sha256, 32));
}

enum store_code account_rekey_result(const struct db_call *c, struct account *ret,
	struct ident *ret_other)
{
	enum store_code code = account_result(c, ret);

	if (code == STORE_KEY_IN_USE)
		*ret_other = db_ident(c->result, 0, 1);
	return code;
}

void account_orders_call(struct db_call *c, const struct ident *id,
	const uint8_t thumbprint[THUMBPRINT_LEN], const struct ident *before, int limit)
{
	begin_signed(c, &account_orders_stmt, id, thumbprint);
	if (before == NULL)
		db_bind_null(c);
	else
		db_bind_ident(c, before);
	db_bind_int(c, limit);
}

enum store_code account_orders_result(const struct db_call *c, size_t *ret_count)
{
	enum store_code code = (enum store_code)db_int(c->result, 0, 0);

	if (code == STORE_OK)
		*ret_count = (size_t)db_array_count(c->result, 0, 1);
	return code;
}

struct ident account_orders_at(const struct db_call *c, size_t i)
{
	return db_array_ident(c->result, 0, 1, (int)i);
}

bool account_orders_more(const struct db_call *c, struct ident *ret_before)
{
	if (db_is_null(c->result, 0, 2))
		return false;
	*ret_before = db_ident(c->result, 0, 2);
	return true;
}
