/* authz.c — see authz.h. Column numbers are those of sql/api/authz.sql. */
#include "lib/store/authz.h"

#define ANSWER                                                                                     \
	"code, id, order_id, status, name, wildcard, expires_at, secret, attempted, challenge, "   \
	"validated_at, error, queued"

const struct db_stmt authz_get_stmt = {"authz_get",
	"SELECT " ANSWER " FROM assay.authz_get($1, $2, $3)", DB_ONE_ROW, 3,
	{DB_T_IDENT, DB_T_BYTES, DB_T_IDENT}};
const struct db_stmt authz_deactivate_stmt = {"authz_deactivate",
	"SELECT " ANSWER " FROM assay.authz_deactivate($1, $2, $3)", DB_ONE_ROW, 3,
	{DB_T_IDENT, DB_T_BYTES, DB_T_IDENT}};
const struct db_stmt challenge_respond_stmt = {"challenge_respond",
	"SELECT " ANSWER " FROM assay.challenge_respond($1, $2, $3, $4)", DB_ONE_ROW, 4,
	{DB_T_IDENT, DB_T_BYTES, DB_T_IDENT, DB_T_INT}};

static void begin_signed(struct db_call *c, const struct db_stmt *stmt, const struct ident *account,
	const uint8_t thumbprint[THUMBPRINT_LEN], const struct ident *id)
{
	db_call_init(c, stmt);
	db_bind_ident(c, account);
	db_bind_bytes(c, bytes_of(thumbprint, THUMBPRINT_LEN));
	db_bind_ident(c, id);
}

void authz_get_call(struct db_call *c, const struct ident *account,
	const uint8_t thumbprint[THUMBPRINT_LEN], const struct ident *id)
{
	begin_signed(c, &authz_get_stmt, account, thumbprint, id);
}

void authz_deactivate_call(struct db_call *c, const struct ident *account,
	const uint8_t thumbprint[THUMBPRINT_LEN], const struct ident *id)
{
	begin_signed(c, &authz_deactivate_stmt, account, thumbprint, id);
	db_locks_rows(c); /* its orders, too */
}

void challenge_respond_call(struct db_call *c, const struct ident *account,
	const uint8_t thumbprint[THUMBPRINT_LEN], const struct ident *id, enum challenge_type type)
{
	begin_signed(c, &challenge_respond_stmt, account, thumbprint, id);
	db_locks_row(c, DB_RANK_AUTHZ, bytes_of(id->b, sizeof(id->b)));
	db_bind_int(c, (int32_t)type);
}

enum store_code authz_result(const struct db_call *c, struct authz *ret, bool *ret_queued)
{
	const struct db_result *r = c->result;
	enum store_code code = (enum store_code)db_int(r, 0, 0);
	struct authz a = {0};

	if (code != STORE_OK)
		return code;
	a.id = db_ident(r, 0, 1);
	a.order = db_ident(r, 0, 2);
	a.status = (enum authz_status)db_int(r, 0, 3);
	a.name = db_bytes(r, 0, 4);
	a.wildcard = db_bool(r, 0, 5);
	a.expires_us = db_time(r, 0, 6);
	a.secret = db_bytes(r, 0, 7);
	a.attempted = (enum challenge_type)db_int(r, 0, 8);
	a.challenge = (enum challenge_status)db_int(r, 0, 9);
	a.validated_us = db_is_null(r, 0, 10) ? INT64_MIN : db_time(r, 0, 10);
	if (!db_is_null(r, 0, 11))
		a.error = db_bytes(r, 0, 11);
	if (ret_queued != NULL)
		*ret_queued = db_bool(r, 0, 12);
	*ret = a;
	return STORE_OK;
}
