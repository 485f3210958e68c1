/* resource.h — the routes of assay-account and assay-order, each defined in the file of its
 * resource, and what these files share. */
#pragma once

#include "fcgi/app.h"
#include "lib/store/order.h"

/* account.c */
extern const struct route account_new_route, account_route, account_orders_route, key_change_route;
/* order.c */
extern const struct route order_new_route, order_route;
/* authz.c */
extern const struct route authz_route;
/* challenge.c */
extern const struct route challenge_route;
/* finalize.c */
extern const struct route finalize_route;
/* certificate.c */
extern const struct route certificate_route;
extern const struct route certificate_alternate_route;
/* revoke.c */
extern const struct route revoke_route;

/* How soon a client should ask again for an object that still moves. */
#define RETRY_AFTER_SECS 2

/* The id in the path's first segment. What is no id at all gets the answer of an unknown one. */
MUST_CHECK int resource_id(const struct request *r, struct problem *pb, struct ident *ret);
/* prepare: watches the object, which workers may finish while the answer waits. */
void resource_watch(struct request *r, const struct ident *id);
/* respond: the object still moves, or not: Retry-After and the wish to wait. */
void resource_moves(struct request *r, bool moves);
/* respond: an order as the answer, with Location. Frees order. */
int resource_answer_order(struct request *r, int status, struct order *order);
