/* attempt.c — see attempt.h. Hopeless are: refusals by CAA records, redirects and addresses that
 * policy forbids. All else (no answer, wrong answer, records not there yet) may heal while the
 * client's web server or DNS catches up. */
#include "lib/net/attempt.h"

#include "lib/base/clock.h"
#include "lib/net/caacheck.h"

struct attempt {
	struct probe probe;
	const struct probe_method *method;
	char *name, *token, *key_authorization, *account_uri;
	bool wildcard;
	void *probing;             /* the method's state while it works */
	struct caacheck *checking; /* CAA, afterwards */
	struct loop_timer deadline;
	struct attempt_result result;
	struct jx_out evidence;
	attempt_fn done;
	void *arg;
};

void attempt_result_done(struct attempt_result *result)
{
	problem_done(&result->problem);
	buf_done(&result->evidence);
	*result = (struct attempt_result){.hopeless = false};
}

static void put_now(struct jx_out *out, const char *name)
{
	char text[CLOCK_RFC3339_LEN + 1];

	clock_rfc3339_format(clock_wall_us(), text);
	jx_put_str(out, name, text);
}

static void free_attempt(struct attempt *a)
{
	loop_timer_clear(a->probe.px->loop, &a->deadline);
	problem_done(&a->probe.pb);
	attempt_result_done(&a->result);
	free(a->name);
	free(a->token);
	free(a->key_authorization);
	free(a->account_uri);
	free(a);
}

static void finish(struct attempt *a)
{
	struct attempt_result result = a->result;
	attempt_fn done = a->done;
	void *arg = a->arg;
	bool proved = a->probe.pb.type == PROBLEM_NONE;

	put_now(&a->evidence, "finished");
	jx_put_str(&a->evidence, "result", proved ? "valid" : problem_type_name(a->probe.pb.type));
	jx_end_object(&a->evidence);
	result.evidence = *a->evidence.buf;
	result.problem = a->probe.pb;
	result.hopeless = a->probe.hopeless;
	a->probe.pb = (struct problem){.type = PROBLEM_NONE};
	a->result = (struct attempt_result){.hopeless = false};
	free_attempt(a);
	done(arg, &result);
}

static void on_caa(void *arg)
{
	struct attempt *a = arg;

	a->checking = NULL;
	if (a->probe.pb.type == PROBLEM_NONE)
		a->result.caa_us = clock_wall_us();
	else if (a->probe.pb.type == PROBLEM_CAA)
		a->probe.hopeless = true;
	finish(a);
}

static void on_probe(void *arg)
{
	struct attempt *a = arg;

	a->probing = NULL;
	jx_end_object(&a->evidence);
	if (a->probe.pb.type != PROBLEM_NONE) {
		finish(a);
		return;
	}
	/* Only now: CAA is to be read at the time of issuance, and a name that is not proved needs
	 * no lookups. */
	struct caacheck_request rq = {.name = a->name,
		.wildcard = a->wildcard,
		.account_uri = a->account_uri,
		.method = a->method->name};

	a->checking = caacheck_start(a->probe.px, &rq, &a->evidence, &a->probe.pb, on_caa, a);
}

static void on_deadline(void *arg)
{
	struct attempt *a = arg;

	if (a->probing != NULL) {
		a->method->expire(a->probing);
		a->probing = NULL;
		jx_end_object(&a->evidence);
	} else {
		caacheck_expire(a->checking);
		a->checking = NULL;
	}
	finish(a);
}

static void begin_evidence(struct attempt *a)
{
	a->evidence = (struct jx_out){.buf = &a->result.evidence};
	jx_begin_object(&a->evidence, NULL);
	jx_put_str(&a->evidence, "method", a->method->name);
	jx_put_str(&a->evidence, "br_method", a->method->br_method);
	jx_put_str(&a->evidence, "br_version", BR_VERSION);
	jx_put_str(&a->evidence, "perspective", "primary");
	jx_put_str(&a->evidence, "name", a->name);
	jx_put_str(&a->evidence, "resolver", dns_resolvers(a->probe.px->dns));
	put_now(&a->evidence, "started");
	jx_begin_object(&a->evidence, "challenge");
}

struct attempt *attempt_start(struct perspective *px, const struct attempt_request *rq,
	attempt_fn done, void *arg)
{
	struct attempt *a = xcalloc(1, sizeof(*a));

	a->method = rq->method;
	a->name = xstrdup(rq->name);
	a->token = xstrdup(rq->token);
	a->key_authorization = xstrdup(rq->key_authorization);
	a->account_uri = xstrdup(rq->account_uri);
	a->wildcard = rq->wildcard;
	a->done = done;
	a->arg = arg;
	a->probe = (struct probe){.px = px,
		.name = a->name,
		.token = a->token,
		.key_authorization = a->key_authorization,
		.evidence = &a->evidence,
		.done = on_probe,
		.arg = a};
	begin_evidence(a);
	loop_timer_set(px->loop, &a->deadline, px->conf->validation.attempt_secs * 1000,
		on_deadline, a);
	a->probing = a->method->start(&a->probe);
	return a;
}

void attempt_cancel(struct attempt *a)
{
	if (a->probing != NULL)
		a->method->expire(a->probing);
	else
		caacheck_expire(a->checking);
	free_attempt(a);
}
