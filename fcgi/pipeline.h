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

/* Runs the Redis and the database stage until nothing waits in their lanes that another thread does
 * not run already: the thread that brought the work does it, so that it need not wake another one.
 * Called after every event that may have pushed something. Blocks as long as the servers take. */
void pipeline_help(void);

/* Worker thread: x->in has been read. */
void pipeline_begin(struct exchange *x);
/* Worker thread: the database brought the account's key. */
void pipeline_resume(struct exchange *x);

/* In the Redis stage: the command of x->step has run; redis_err and accepted are set. */
void pipeline_redis(struct exchange *x);

/* In the database stage: the call of x->step has run; its err is set. */
void pipeline_row(struct exchange *x);
struct db_call *pipeline_call(struct exchange *x);
