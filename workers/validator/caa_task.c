/* caa_task.c — see caa_task.h. A refusal by records is final. A lookup that fails is repeated after
 * a pause (CA/B BR 3.2.2.8.1 asks for at least one more try) until the attempts or the time are
 * used up; then the order fails with type dns. */
#include "workers/validator/caa_task.h"

#include "lib/acme/challenge.h"
#include "lib/acme/url.h"
#include "lib/base/clock.h"
#include "lib/net/caacheck.h"
#include "workers/validator/challenge_task.h"

#define NAMES_AT_ONCE 8

struct caa_name {
	struct caa_task *task;
	char *name;
	bool wildcard;
	const char *method;
	int32_t tries;
	struct caacheck *check;  /* while it runs */
	struct loop_timer timer; /* deadline of the check, or the pause before the next */
	struct problem problem;
	struct buf evidence_text;
	struct jx_out evidence;
};

struct caa_task {
	struct task task;
	struct job job;
	struct ident order;
	int32_t attempt_number;
	char *account_uri;
	struct perspective *px;
	int64_t caa_us;
	int64_t give_up_ms; /* how long, then when, on the monotonic clock */
	size_t nnames, next, ndone;
	struct caa_name *names;
	struct buf problem;  /* JSON */
	struct buf evidence; /* JSON */
};

static void start_check(void *arg);
static void start_more(struct caa_task *t);

/* What was seen for each name, in the last of its tries. */
static void put_evidence(struct caa_task *t)
{
	buf_add_byte(&t->evidence, '[');
	for (size_t i = 0; i < t->nnames; i++) {
		const struct buf *seen = &t->names[i].evidence_text;

		if (i > 0)
			buf_add_byte(&t->evidence, ',');
		buf_add(&t->evidence, seen->ptr, seen->len);
	}
	buf_add_byte(&t->evidence, ']');
}

static void seal(struct caa_task *t)
{
	CLEANUP_PROBLEM struct problem pb = {0};

	for (size_t i = 0; i < t->nnames; i++) {
		const struct caa_name *n = &t->names[i];
		CLEANUP_BUF struct buf identifier = {0};

		if (n->problem.type == PROBLEM_NONE)
			continue;
		buf_addf(&identifier, "%s%s", n->wildcard ? "*." : "", n->name);
		problem_add_sub(&pb, buf_str(&identifier), n->problem.type, "%s",
			n->problem.detail);
	}
	if (problem_seal(&pb, "CAA does not permit issuance for some of the names.") != OK)
		problem_render(&pb, &t->problem);
	put_evidence(t);
}

static void name_is_done(struct caa_name *n)
{
	struct caa_task *t = n->task;

	if (++t->ndone < t->nnames) {
		start_more(t);
		return;
	}
	seal(t);
	task_finished(&t->task);
}

/* The check has ended, its verdict is in the name's problem. */
static void judge(struct caa_name *n)
{
	struct caa_task *t = n->task;
	const struct conf *conf = t->px->conf;
	int64_t pause_ms = challenge_retry_ms(conf->validation.retry_secs, n->tries);

	n->check = NULL;
	jx_end_object(&n->evidence);
	n->tries++;
	if (n->problem.type == PROBLEM_DNS && n->tries < conf->validation.attempts &&
		clock_mono_ms() + pause_ms < t->give_up_ms)
		loop_timer_set(t->px->loop, &n->timer, pause_ms, start_check, n);
	else
		name_is_done(n);
}

static void on_verdict(void *arg)
{
	struct caa_name *n = arg;

	loop_timer_clear(n->task->px->loop, &n->timer);
	judge(n);
}

static void on_deadline(void *arg)
{
	struct caa_name *n = arg;

	caacheck_expire(n->check);
	judge(n);
}

/* CA/B BR 5.4.1: what the CA relies on when it signs is on record. */
static void begin_evidence(struct caa_name *n)
{
	char now[CLOCK_RFC3339_LEN + 1];

	clock_rfc3339_format(clock_wall_us(), now);
	buf_reset(&n->evidence_text);
	n->evidence = (struct jx_out){.buf = &n->evidence_text};
	jx_begin_object(&n->evidence, NULL);
	jx_put_str(&n->evidence, "name", n->name);
	jx_put_str(&n->evidence, "method", n->method);
	jx_put_str(&n->evidence, "perspective", "primary");
	jx_put_str(&n->evidence, "resolver", dns_resolvers(n->task->px->dns));
	jx_put_str(&n->evidence, "started", now);
	jx_put_int(&n->evidence, "try", n->tries + 1);
}

static void start_check(void *arg)
{
	struct caa_name *n = arg;
	struct perspective *px = n->task->px;
	struct caacheck_request rq = {.name = n->name,
		.wildcard = n->wildcard,
		.account_uri = n->task->account_uri,
		.method = n->method};

	problem_done(&n->problem);
	n->problem = (struct problem){.type = PROBLEM_NONE};
	begin_evidence(n);
	loop_timer_set(px->loop, &n->timer, px->conf->validation.attempt_secs * 1000, on_deadline,
		n);
	n->check = caacheck_start(px, &rq, &n->evidence, &n->problem, on_verdict, n);
}

static void start_more(struct caa_task *t)
{
	while (t->next < t->nnames && t->next < t->ndone + NAMES_AT_ONCE)
		start_check(&t->names[t->next++]);
}

static void run(struct task *task, struct perspective *px)
{
	struct caa_task *t = (struct caa_task *)task;

	t->px = px;
	t->caa_us = clock_wall_us();
	t->give_up_ms += clock_mono_ms();
	start_more(t);
}

static void cancel(struct task *task, struct perspective *px)
{
	struct caa_task *t = (struct caa_task *)task;

	for (size_t i = 0; i < t->next; i++) {
		struct caa_name *n = &t->names[i];

		loop_timer_clear(px->loop, &n->timer);
		if (n->check != NULL)
			caacheck_expire(n->check);
		n->check = NULL;
	}
}

struct caa_task *caa_task_new(const struct conf *conf, const struct job *job,
	const struct caa_job *rows, size_t count, int64_t give_up_secs)
{
	struct caa_task *t = xcalloc(1, sizeof(*t));

	t->task = (struct task){.kind = TASK_CAA, .run = run, .cancel = cancel};
	t->job = *job;
	t->order = rows[0].order;
	t->attempt_number = rows[0].attempt;
	t->account_uri = url_of_object(conf, URL_ACCOUNT, &rows[0].account);
	t->give_up_ms = give_up_secs * 1000;
	t->nnames = count;
	t->names = xcalloc(count, sizeof(*t->names));
	for (size_t i = 0; i < count; i++) {
		struct caa_name *n = &t->names[i];
		const char *method = challenge_type_name(rows[i].method);

		n->task = t;
		n->name = xstrndup((const char *)rows[i].name.ptr, rows[i].name.len);
		n->wildcard = rows[i].wildcard;
		n->method = method != NULL ? method : "";
	}
	return t;
}

void caa_task_free(struct caa_task *t)
{
	if (t == NULL)
		return;
	for (size_t i = 0; i < t->nnames; i++) {
		free(t->names[i].name);
		problem_done(&t->names[i].problem);
		buf_done(&t->names[i].evidence_text);
	}
	free(t->names);
	free(t->account_uri);
	buf_done(&t->problem);
	buf_done(&t->evidence);
	free(t);
}

const struct job *caa_task_job(const struct caa_task *t)
{
	return &t->job;
}

void caa_task_result(const struct caa_task *t, struct caa_result *ret)
{
	*ret = (struct caa_result){.order = t->order,
		.attempt = t->attempt_number,
		.caa_us = t->caa_us,
		.evidence = buf_bytes(&t->evidence)};
	if (t->problem.len > 0)
		ret->problem = buf_bytes(&t->problem);
}
