/* order.c — orders over HTTP (RFC 8555 section 7.4): newOrder and reading one. Rules:
 * lib/acme/order_rules. Rows: lib/store/order. */
#include "fcgi/allowance.h"
#include "fcgi/resource.h"

#include "lib/acme/order_rules.h"
#include "lib/acme/url.h"
#include "lib/base/clock.h"
#include "lib/base/rnd.h"

#define SECRET_LEN 32

/* ---- newOrder ---- */

/* Ids and secrets for the authorizations that will be new; one allocation of each, freed by the
 * caller. */
static void draw_authorizations(size_t count, struct ident *ids, uint8_t *secrets,
	struct bytes *tokens)
{
	rnd_bytes(secrets, count * SECRET_LEN);
	for (size_t i = 0; i < count; i++) {
		ids[i] = ident_new();
		tokens[i] = bytes_of(secrets + i * SECRET_LEN, SECRET_LEN);
	}
}

/* RFC 8555 section 6.6. What an account may have pending is what it may ask for in the lifetime of
 * an order. */
static int check_allowance(const struct request *r, size_t names, struct problem *pb)
{
	int hourly = r->conf->orders.names_hourly, wait_secs, err;

	if (hourly == 0)
		return OK;
	wait_secs = allowance_take(&r->account, (int)names, hourly, clock_mono_ms());
	if (wait_secs == 0)
		return OK;
	err = problem_set(pb, PROBLEM_RATE_LIMITED,
		"this account may order %d names an hour; see Retry-After", hourly);
	pb->retry_after_secs = wait_secs;
	return err;
}

static int prepare_new(struct request *r, struct problem *pb)
{
	CLEANUP(order_rules_free) struct order_wish *wish = NULL;
	CLEANUP(free) struct ident *ids = NULL;
	CLEANUP(free) uint8_t *secrets = NULL;
	CLEANUP(free) struct bytes *tokens = NULL;
	int64_t now = clock_wall_us();
	int err = order_rules_new(r->conf, r->payload, now, pb, &wish);

	if (err == OK)
		err = check_allowance(r, wish->count, pb);
	if (err != OK)
		return err;
	ids = xcalloc(wish->count, sizeof(*ids));
	secrets = xmalloc(wish->count * SECRET_LEN);
	tokens = xcalloc(wish->count, sizeof(*tokens));
	draw_authorizations(wish->count, ids, secrets, tokens);

	const struct order_new in = {
		.id = ident_new(),
		.names = wish->names,
		.authz_ids = ids,
		.tokens = tokens,
		.count = wish->count,
		.profile = bytes_str(wish->profile->name),
		.not_before_us = wish->not_before_us,
		.not_after_us = wish->not_after_us,
		.expires_us = now + r->conf->orders.order_secs * USEC_PER_SEC,
		.authz_expires_us = now + r->conf->orders.pending_authz_secs * USEC_PER_SEC,
		.min_reuse_us = order_rules_min_reuse(r->conf, now),
		.replaces = wish->replaces.text,
		.replaces_key_id = bytes_of(wish->replaces.key_id, wish->replaces.key_id_len),
		.replaces_serial = bytes_of(wish->replaces.serial, wish->replaces.serial_len),
	};

	order_new_call(&r->call, &r->account, r->key->thumbprint, &in);
	return OK;
}

static int respond_new(struct request *r, struct problem *pb)
{
	struct order order = {0};
	enum store_code code = order_result(&r->call, &order);

	return code == STORE_OK ? resource_answer_order(r, 201, &order)
				: problem_of_store(code, pb);
}

const struct route order_new_route = {
	.path = URL_NEW_ORDER,
	.auth = AUTH_KID,
	.payload = PAYLOAD_JSON,
	.prepare = prepare_new,
	.respond = respond_new,
};

/* ---- one order ---- */

static int prepare_order(struct request *r, struct problem *pb)
{
	struct ident id;
	int err = resource_id(r, pb, &id);

	if (err != OK)
		return err;
	resource_watch(r, &id);
	order_get_call(&r->call, &r->account, r->key->thumbprint, &id);
	return OK;
}

static int respond_order(struct request *r, struct problem *pb)
{
	struct order order = {0};
	enum store_code code = order_result(&r->call, &order);

	return code == STORE_OK ? resource_answer_order(r, 200, &order)
				: problem_of_store(code, pb);
}

static void reread_order(struct request *r)
{
	order_get_call(&r->call, &r->account, r->key->thumbprint, &r->watch);
}

const struct route order_route = {
	.path = URL_ORDER,
	.auth = AUTH_KID,
	.payload = PAYLOAD_EMPTY,
	.prepare = prepare_order,
	.respond = respond_order,
	.reread = reread_order,
};
