/* resource.c — see resource.h. */
#include "fcgi/resource.h"

#include "lib/acme/url.h"
#include "lib/acme/view.h"

int resource_id(const struct request *r, struct problem *pb, struct ident *ret)
{
	return ident_parse(r->args[0], ret) == OK ? OK : problem_of_store(STORE_NOT_FOUND, pb);
}

void resource_watch(struct request *r, const struct ident *id)
{
	r->watch = *id;
	r->watching = true;
}

void resource_moves(struct request *r, bool moves)
{
	r->unfinished = moves;
	if (moves)
		answer_header(&r->answer, "Retry-After", "%d", RETRY_AFTER_SECS);
}

int resource_answer_order(struct request *r, int status, struct order *order)
{
	CLEANUP_STR char *url = url_of_object(r->conf, URL_ORDER, &order->id);

	r->answer.status = status;
	answer_header(&r->answer, "Location", "%s", url);
	resource_moves(r, order->status == ORDER_PROCESSING);
	view_order(r->conf, order, &r->answer.body);
	order_done(order);
	return OK;
}
