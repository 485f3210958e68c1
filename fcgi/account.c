/* account.c — accounts over HTTP (RFC 8555 sections 7.3 and 7.1.2.1): newAccount, reading, updating
 * and deactivating one, its list of orders, keyChange. Rules: lib/acme/account_rules,
 * lib/acme/keychange_rules. Rows: lib/store/account. */
#include "fcgi/resource.h"

#include "lib/acme/account_rules.h"
#include "lib/acme/keychange_rules.h"
#include "lib/acme/url.h"
#include "lib/acme/view.h"

#define ORDERS_PAGE 100
#define CURSOR "cursor="

/* Frees account. */
static int answer_account(struct request *r, int status, struct account *account)
{
	r->answer.status = status;
	view_account(r->conf, account, &r->answer.body);
	account_done(account);
	return OK;
}

/* ---- newAccount ---- */

struct new_account {
	struct account_wish wish;
	struct problem refusal; /* told only when the key turns out to have no account */
};

static void free_new_account(void *state)
{
	struct new_account *new = state;

	account_rules_done(&new->wish);
	problem_done(&new->refusal);
	free(new);
}

static int prepare_new(struct request *r, struct problem *pb)
{
	struct new_account *new = xcalloc(1, sizeof(*new));
	struct account_new in = {.id = ident_new(), .jwk = bytes_str(r->key->canonical)};
	int err;

	r->state = new;
	r->free_state = free_new_account;
	/* RFC 8555 section 7.3.1: for a key that has an account the request's members do not
	 * matter. */
	err = account_rules_new(r->conf, r->payload, &new->refusal, &new->wish);
	if (err != OK && err != ERR_PROBLEM)
		return err;
	in.only_existing = new->wish.only_existing || err == ERR_PROBLEM;
	in.terms_agreed = new->wish.terms_agreed;
	in.contacts = new->wish.contacts;
	in.ncontacts = new->wish.ncontacts;
	memcpy(in.thumbprint, r->key->thumbprint, sizeof(in.thumbprint));
	memcpy(in.spki_sha256, r->key->spki_sha256, sizeof(in.spki_sha256));
	account_new_call(&r->call, &in);
	return OK;
}

static void link_terms(struct request *r)
{
	if (r->conf->server.terms_of_service != NULL)
		answer_header(&r->answer, "Link", "<%s>;rel=\"terms-of-service\"",
			r->conf->server.terms_of_service);
}

/* The key has no account, and none was made. */
static int refuse_new(struct new_account *new, struct problem *pb)
{
	if (new->refusal.type == PROBLEM_NONE)
		return problem_set(pb, PROBLEM_ACCOUNT_DOES_NOT_EXIST, "no account has this key");
	problem_done(pb);
	*pb = new->refusal;
	new->refusal = (struct problem){0};
	return ERR_PROBLEM;
}

static int respond_new(struct request *r, struct problem *pb)
{
	struct account account = {0};
	bool created = false;
	enum store_code code = account_new_result(&r->call, &account, &created);

	link_terms(r);
	if (code == STORE_ACCOUNT_UNKNOWN)
		return refuse_new(r->state, pb);
	if (code != STORE_OK)
		return problem_of_store(code, pb);

	CLEANUP_STR char *url = url_of_object(r->conf, URL_ACCOUNT, &account.id);

	answer_header(&r->answer, "Location", "%s", url);
	return answer_account(r, created ? 201 : 200, &account);
}

const struct route account_new_route = {
	.path = URL_NEW_ACCOUNT,
	.auth = AUTH_JWK,
	.payload = PAYLOAD_JSON,
	.prepare = prepare_new,
	.respond = respond_new,
};

/* ---- one account ---- */

/* Another account's URL gets the answer of an unknown one. */
static int check_owner(const struct request *r, struct problem *pb)
{
	struct ident id;
	int err = resource_id(r, pb, &id);

	if (err != OK)
		return err;
	return ident_equal(&id, &r->account) ? OK : problem_of_store(STORE_NOT_FOUND, pb);
}

static int prepare_account(struct request *r, struct problem *pb)
{
	struct account_wish wish = {0};
	const uint8_t *thumbprint = r->key->thumbprint;
	int err = check_owner(r, pb);

	if (err == OK)
		err = account_rules_update(r->conf, r->payload, pb, &wish);
	if (err == OK && wish.deactivate)
		account_deactivate_call(&r->call, &r->account, thumbprint);
	else if (err == OK && wish.has_contacts)
		account_update_call(&r->call, &r->account, thumbprint, wish.contacts,
			wish.ncontacts, false);
	else if (err == OK)
		account_get_call(&r->call, &r->account, thumbprint);
	account_rules_done(&wish);
	return err;
}

static int respond_account(struct request *r, struct problem *pb)
{
	struct account account = {0};
	enum store_code code = account_result(&r->call, &account);

	return code == STORE_OK ? answer_account(r, 200, &account) : problem_of_store(code, pb);
}

const struct route account_route = {
	.path = URL_ACCOUNT,
	.auth = AUTH_KID,
	.payload = PAYLOAD_ANY,
	.prepare = prepare_account,
	.respond = respond_account,
};

/* ---- its orders, newest first, in pages ---- */

/* The query is empty or "cursor=" and the last id of the page before. */
static int read_cursor(const struct request *r, struct problem *pb, struct ident *ret,
	bool *ret_given)
{
	size_t skip = strlen(CURSOR);

	*ret_given = r->query.len > 0;
	if (!*ret_given)
		return OK;
	if (r->query.len > skip && memcmp(r->query.ptr, CURSOR, skip) == 0 &&
		ident_parse(bytes_of(r->query.ptr + skip, r->query.len - skip), ret) == OK)
		return OK;
	return problem_set(pb, PROBLEM_MALFORMED, "the query is not a cursor of this list");
}

static int prepare_orders(struct request *r, struct problem *pb)
{
	struct ident before;
	bool given;
	int err = check_owner(r, pb);

	if (err == OK)
		err = read_cursor(r, pb, &before, &given);
	if (err != OK)
		return err;
	account_orders_call(&r->call, &r->account, r->key->thumbprint, given ? &before : NULL,
		ORDERS_PAGE);
	return OK;
}

static int respond_orders(struct request *r, struct problem *pb)
{
	struct ident ids[ORDERS_PAGE], next;
	size_t count = 0;
	enum store_code code = account_orders_result(&r->call, &count);

	if (code != STORE_OK)
		return problem_of_store(code, pb);
	for (size_t i = 0; i < count && i < ORDERS_PAGE; i++)
		ids[i] = account_orders_at(&r->call, i);
	r->answer.status = 200;
	view_orders(r->conf, ids, count < ORDERS_PAGE ? count : ORDERS_PAGE, &r->answer.body);
	/* RFC 8555 section 7.1.2.1: more pages by Link rel="next". */
	if (account_orders_more(&r->call, &next)) {
		CLEANUP_STR char *url = url_of_object(r->conf, URL_ACCOUNT_ORDERS, &r->account);
		char last[IDENT_TEXT_LEN + 1];

		ident_format(&next, last);
		answer_header(&r->answer, "Link", "<%s?" CURSOR "%s>;rel=\"next\"", url, last);
	}
	return OK;
}

const struct route account_orders_route = {
	.path = URL_ACCOUNT_ORDERS,
	.auth = AUTH_KID,
	.payload = PAYLOAD_EMPTY,
	.prepare = prepare_orders,
	.respond = respond_orders,
};

/* ---- keyChange ---- */

static int prepare_key_change(struct request *r, struct problem *pb)
{
	CLEANUP(jwk_free) struct jwk *new = NULL;
	int err = keychange_rules_check(r->conf, r->env, r->key, r->payload, pb, &new);

	if (err != OK)
		return err;
	account_rekey_call(&r->call, &r->account, r->key->thumbprint, new->thumbprint,
		bytes_str(new->canonical), new->spki_sha256);
	return OK;
}

static int respond_key_change(struct request *r, struct problem *pb)
{
	struct account account = {0};
	struct ident other;
	enum store_code code = account_rekey_result(&r->call, &account, &other);

	/* RFC 8555 section 7.3.5: 409 and the account that has the key. */
	if (code == STORE_KEY_IN_USE) {
		int err = problem_of_store(code, pb);

		pb->location = url_of_object(r->conf, URL_ACCOUNT, &other);
		return err;
	}
	return code == STORE_OK ? answer_account(r, 200, &account) : problem_of_store(code, pb);
}

const struct route key_change_route = {
	.path = URL_KEY_CHANGE,
	.auth = AUTH_KID,
	.payload = PAYLOAD_JSON,
	.prepare = prepare_key_change,
	.respond = respond_key_change,
};
