/* pipeline.h — the way of an exchange through the stages; the only place that knows their order.
 *
 * Each function takes over the exchange; the thread it is called in is named with it. */
#pragma once

#include "fcgi/exchange.h"
#include "fcgi/keycache.h"
#include "fcgi/lane.h"

struct pipeline {
	const struct app *app;
	struct keycache *keys;
	struct nonce_pool *nonces;
	struct park *park;
	struct lane database;
	struct lane redis;
};
extern struct pipeline pipeline; /* one a process */

void pipeline_init(const struct app *app);
void pipeline_done(void);

/* Worker thread: x->in has been read. */
void pipeline_begin(struct exchange *x);
/* Worker thread: the database brought the account's key. */
void pipeline_resume(struct exchange *x);

/* Redis thread: the verdict on the nonce; ERR_QUEUE when Redis is away. */
void pipeline_nonce(struct exchange *x, int err, bool accepted);
/* Redis thread: the job was queued, or not, which only costs delay: the keeper's sweep finds the row. */
void pipeline_job(struct exchange *x, int err);

/* Database thread: the call of x->step has run; its err is set. */
void pipeline_row(struct exchange *x);
struct db_call *pipeline_call(struct exchange *x);
