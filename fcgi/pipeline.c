/* pipeline.c — see pipeline.h. receive → verify → nonce → call → respond (→ job) (→ park → reread →
 * respond) → answer. */
#include "fcgi/pipeline.h"

#include <assert.h>

#include "fcgi/answer.h"
#include "fcgi/conn.h"
#include "fcgi/db_stage.h"
#include "fcgi/redis_stage.h"
#include "fcgi/route.h"
#include "fcgi/verify.h"
#include "lib/base/log.h"

#define KEYCACHE_KEYS 8192

struct pipeline pipeline;

static void after_verdict(struct exchange *x);
static void reply_came(struct exchange *x);

static struct exchange *exchange_of(struct park_seat *seat)
{
	return (struct exchange *)((char *)seat - offsetof(struct exchange, seat));
}

/* The request is over: everything it owned goes, the connection stays. */
static void clear(struct exchange *x)
{
	struct request *r = &x->r;
	struct answer answer = r->answer;

	park_leave(pipeline.park, &x->seat);
	if (r->state != NULL && r->free_state != NULL)
		r->free_state(r->state);
	db_call_done(&r->call);
	db_call_done(&x->key_call);
	jx_free(r->payload);
	jwk_free(r->key);
	envelope_free(r->env);
	problem_done(&x->problem);
	settings_drop(x->settings);
	answer_reset(&answer);
	*r = (struct request){.answer = answer};
	x->settings = NULL;
	x->verdict = OK;
	x->nonce_spent = x->key_cached = x->rekeyed = false;
}

static void finish(struct exchange *x)
{
	answer_send(x, pipeline.app->plain ? NULL : pipeline.nonces);
	clear(x);
	conn_finish(x);
}

static void refuse(struct exchange *x, int err)
{
	answer_refusal(x, err);
	finish(x);
}

static void to_database(struct exchange *x, enum exchange_step step)
{
	x->step = step;
	if (pipeline.app->stmts == NULL)
		return refuse(x, ERR_DB);
	lane_push(&pipeline.database, x);
}

static void to_redis(struct exchange *x, enum exchange_step step)
{
	x->step = step;
	lane_push(&pipeline.redis, x);
}

static void go_on(struct exchange *x, enum verified verified)
{
	switch (verified) {
	case VERIFY_REFUSED:
		refuse(x, x->verdict);
		break;
	case VERIFY_NEEDS_KEY:
		to_database(x, STEP_KEY);
		break;
	case VERIFY_DONE:
		if (x->nonce_spent)
			after_verdict(x);
		else
			to_redis(x, STEP_NONCE);
		break;
	}
}

/* There is an answer already; without a seat it has to do. */
static void ask(struct exchange *x)
{
	struct request *r = &x->r;

	park_watch(pipeline.park, &x->seat, &r->watch, r->conf->handlers.wait_max);
	if (x->seat.state == PARK_FREE)
		return finish(x);
	to_redis(x, STEP_ASK);
}

static void wait_for_reply(struct exchange *x)
{
	switch (park_wait(pipeline.park, &x->seat, x->r.ask_ms)) {
	case PARK_ANSWER:
		finish(x);
		break;
	case PARK_REREAD:
		reply_came(x);
		break;
	case PARK_TAKEN:
		break;
	}
}

/* Woken without a note: only that messages may have been lost, perhaps not ours. */
static void reply_came(struct exchange *x)
{
	CLEANUP_BUF struct buf note = {0};

	park_note(pipeline.park, &x->seat, &note);
	if (note.len == 0)
		return wait_for_reply(x);
	x->r.route->replied(&x->r, buf_bytes(&note));
	finish(x);
}

/* A public route has its answer, or a statement that brings it, or asks somebody. */
static void public_prepared(struct exchange *x)
{
	if (x->r.asks)
		ask(x);
	else if (x->r.call.stmt != NULL)
		to_database(x, STEP_CALL);
	else
		finish(x);
}

void pipeline_begin(struct exchange *x)
{
	struct request *r = &x->r;
	struct ident trace = ident_new();
	int err;

	x->settings = settings_hold();
	r->conf = x->settings->conf;
	ident_format(&trace, r->trace);
	err = route_check(pipeline.app->routes, pipeline.app->nroutes, &x->in, r, &x->problem);
	if (err != OK)
		return refuse(x, err);
	if (r->answer.status != 0)
		return finish(x);
	if (strcmp(r->method, "POST") == 0 && r->route->post_type == NULL)
		return go_on(x, verify_begin(x, pipeline.keys, pipeline.nonces));
	err = r->route->prepare(r, &x->problem);
	if (err != OK)
		return refuse(x, err);
	public_prepared(x);
}

void pipeline_resume(struct exchange *x)
{
	go_on(x, verify_with_key_call(x, pipeline.keys, pipeline.nonces));
}

static void nonce_judged(struct exchange *x)
{
	int err = x->redis_err;

	if (err == OK && !x->accepted)
		err = problem_set(&x->problem, PROBLEM_BAD_NONCE,
			"the nonce was used before, or is too old");
	if (err != OK) {
		answer_reset(&x->r.answer); /* what prepare said is not for this request */
		return refuse(x, err);
	}
	x->nonce_spent = true;
	after_verdict(x);
}

/* The nonce is good: the verdict may be told, or the statement run. */
static void after_verdict(struct exchange *x)
{
	struct request *r = &x->r;

	if (x->verdict != OK)
		return refuse(x, x->verdict);
	if (r->route->auth == AUTH_NONE)
		return public_prepared(x);
	assert(r->call.stmt != NULL);
	if (r->watching && r->route->reread != NULL && r->conf->handlers.wait_ms > 0)
		park_watch(pipeline.park, &x->seat, &r->watch, r->conf->handlers.wait_max);
	to_database(x, STEP_CALL);
}

struct db_call *pipeline_call(struct exchange *x)
{
	return x->step == STEP_KEY ? &x->key_call : &x->r.call;
}

static void reread(struct exchange *x)
{
	x->r.waited = true;
	x->r.route->reread(&x->r);
	to_database(x, STEP_CALL);
}

static void wait_or_finish(struct exchange *x)
{
	const struct request *r = &x->r;

	if (!r->unfinished)
		return finish(x);
	switch (park_wait(pipeline.park, &x->seat, r->conf->handlers.wait_ms)) {
	case PARK_ANSWER:
		finish(x);
		break;
	case PARK_REREAD:
		reread(x);
		break;
	case PARK_TAKEN:
		break;
	}
}

/* What prepare made goes; it will run again with the account's key of now. */
static void key_changed(struct exchange *x)
{
	struct request *r = &x->r;

	park_leave(pipeline.park, &x->seat);
	if (r->state != NULL && r->free_state != NULL)
		r->free_state(r->state);
	r->state = NULL;
	r->free_state = NULL;
	r->watching = r->waited = false;
	db_call_done(&r->call);
	jx_free(TAKE(r->payload));
	answer_reset(&r->answer);
	go_on(x, verify_key_changed(x, pipeline.keys));
}

/* A newer answer after a wait. The account may have changed its key or ended meanwhile: what the
 * request asked for was done all the same, so the answer from before the wait is told then. */
static void respond_again(struct exchange *x)
{
	struct request *r = &x->r;
	struct answer before = r->answer;

	r->answer = (struct answer){0};
	r->unfinished = false;
	if (r->route->respond(r, &x->problem) == OK) {
		answer_done(&before);
		return wait_or_finish(x);
	}
	answer_done(&r->answer);
	r->answer = before;
	problem_done(&x->problem);
	finish(x);
}

static void respond(struct exchange *x)
{
	struct request *r = &x->r;
	int err;

	if (r->waited)
		return respond_again(x);
	answer_reset(&r->answer);
	r->enqueue = r->unfinished = false;
	err = r->route->respond(r, &x->problem);
	if (err == ERR_CONFLICT)
		return key_changed(x);
	if (err != OK)
		return refuse(x, err);
	if (r->enqueue)
		return to_redis(x, STEP_JOB);
	if (r->asks)
		return ask(x);
	wait_or_finish(x);
}

void pipeline_row(struct exchange *x)
{
	const struct db_call *call = pipeline_call(x);

	if (call->err != OK) {
		/* After a wait there is an answer already, and it is still true. */
		if (x->step == STEP_CALL && x->r.waited)
			return finish(x);
		return refuse(x, call->err == ERR_CONFLICT ? ERR_INTERNAL : call->err);
	}
	if (x->step == STEP_KEY)
		conn_resume(x); /* a signature takes as long as many rows: a worker's work */
	else
		respond(x);
}

/* A job that could not be queued costs delay only: the keeper's sweep finds the row. */
static void job_queued(struct exchange *x)
{
	if (x->redis_err != OK)
		log_event(LOG_LEVEL_WARNING, "job not queued, left to the keeper",
			F_STR("trace", x->r.trace));
	wait_or_finish(x);
}

static void asked(struct exchange *x)
{
	if (x->redis_err == OK)
		return wait_for_reply(x);
	log_event(LOG_LEVEL_WARNING, "nobody could be asked", F_STR("trace", x->r.trace));
	finish(x);
}

void pipeline_redis(struct exchange *x)
{
	switch (x->step) {
	case STEP_NONCE:
		nonce_judged(x);
		break;
	case STEP_ASK:
		asked(x);
		break;
	default:
		job_queued(x);
	}
}

static void seat_woken(struct park_seat *seat)
{
	struct exchange *x = exchange_of(seat);

	if (x->step == STEP_ASK)
		reply_came(x);
	else
		reread(x);
}

static void seat_expired(struct park_seat *seat)
{
	finish(exchange_of(seat));
}

void pipeline_help(void)
{
	bool more = true;

	while (more) {
		more = redis_stage_help();
		more |= db_stage_help();
	}
}

void pipeline_init(const struct app *app)
{
	static const struct park_calls calls = {.woken = seat_woken, .expired = seat_expired};

	pipeline.app = app;
	pipeline.keys = keycache_new(KEYCACHE_KEYS);
	pipeline.nonces = nonce_pool_new();
	pipeline.park = park_new(&calls);
	lane_init(&pipeline.database);
	lane_init(&pipeline.redis);
}

void pipeline_done(void)
{
	lane_done(&pipeline.redis);
	lane_done(&pipeline.database);
	park_free(pipeline.park);
	nonce_pool_free(pipeline.nonces);
	keycache_free(pipeline.keys);
}
