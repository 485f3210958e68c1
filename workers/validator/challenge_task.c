/* challenge_task.c — see challenge_task.h. */
#include "workers/validator/challenge_task.h"

#include "lib/acme/challenge.h"
#include "lib/acme/url.h"
#include "lib/base/b64url.h"
#include "lib/base/rnd.h"

#define RETRY_MAX_MS (3600 * 1000LL)

static const struct probe_method *method_of(enum challenge_type type)
{
	switch (type) {
	case CHALLENGE_HTTP_01:
		return &http01_method;
	case CHALLENGE_DNS_01:
		return &dns01_method;
	case CHALLENGE_TLS_ALPN_01:
		return &tlsalpn01_method;
	case CHALLENGE_NONE:
		break;
	}
	return NULL;
}

static void on_result(void *arg, struct attempt_result *result_take)
{
	struct challenge_task *t = arg;

	t->attempt = NULL;
	t->result = *result_take;
	task_finished(&t->task);
}

static void run(struct task *task, struct perspective *px)
{
	struct challenge_task *t = (struct challenge_task *)task;
	struct attempt_request rq = {
		.method = method_of(t->type),
		.name = t->name,
		.wildcard = t->wildcard,
		.token = t->token,
		.key_authorization = t->key_authorization,
		.account_uri = t->account_uri,
	};

	/* CA/B BR 3.2.2.4.19 and .20 prove no wildcard. The handlers offer none; here it is
	 * decided. */
	if (rq.method == NULL || (t->wildcard && rq.method != &dns01_method)) {
		t->result.hopeless = true;
		problem_set(&t->result.problem, PROBLEM_UNAUTHORIZED,
			"this challenge cannot prove control of %s%s", t->wildcard ? "*." : "",
			t->name);
		task_finished(&t->task);
		return;
	}
	t->attempt = attempt_start(px, &rq, on_result, t);
}

static void cancel(struct task *task, struct perspective *px)
{
	struct challenge_task *t = (struct challenge_task *)task;

	attempt_cancel(t->attempt);
	t->attempt = NULL;
}

struct challenge_task *challenge_task_new(const struct conf *conf, const struct job *job,
	const struct validation_job *row)
{
	struct challenge_task *t = xcalloc(1, sizeof(*t));
	CLEANUP_BUF struct buf key_authorization = {0};
	char token[CHALLENGE_TOKEN_LEN + 1];

	t->task = (struct task){.kind = TASK_CHALLENGE, .run = run, .cancel = cancel};
	t->job = *job;
	t->authz = row->authz;
	t->account = row->account;
	t->attempt_number = row->attempt;
	t->tries = row->tries;
	t->type = row->type;
	t->wildcard = row->wildcard;
	t->name = xstrndup((const char *)row->name.ptr, row->name.len);
	challenge_token(row->secret, row->type, token);
	t->token = xstrdup(token);
	/* RFC 8555 section 8.1. */
	buf_addf(&key_authorization, "%s.", token);
	b64url_append(&key_authorization, row->key_thumbprint);
	t->key_authorization = buf_take_str(&key_authorization);
	t->account_uri = url_of_object(conf, URL_ACCOUNT, &row->account);
	return t;
}

void challenge_task_free(struct challenge_task *t)
{
	if (t == NULL)
		return;
	free(t->name);
	free(t->token);
	free(t->key_authorization);
	free(t->account_uri);
	attempt_result_done(&t->result);
	buf_done(&t->problem);
	free(t);
}

int64_t challenge_retry_ms(int64_t retry_secs, int32_t tries)
{
	int64_t ms = retry_secs < 1 ? 1000 : retry_secs * 1000;

	for (int32_t i = 0; i < tries && ms < RETRY_MAX_MS; i++)
		ms *= 2;
	if (ms > RETRY_MAX_MS)
		ms = RETRY_MAX_MS;
	return ms + rnd_below((uint32_t)(ms / 4) + 1);
}

void challenge_task_outcome(struct challenge_task *t, const struct conf *conf, int64_t now_us,
	struct validation_result *ret)
{
	const struct problem *pb = &t->result.problem;
	bool last = t->result.hopeless || t->tries + 1 >= conf->validation.attempts;

	*ret = (struct validation_result){.authz = t->authz,
		.attempt = t->attempt_number,
		.outcome = VALIDATION_VALID,
		.caa_us = t->result.caa_us,
		.evidence = buf_bytes(&t->result.evidence)};
	if (pb->type == PROBLEM_NONE)
		return;
	ret->outcome = last ? VALIDATION_INVALID : VALIDATION_RETRY;
	if (!last)
		ret->retry_us =
			now_us + challenge_retry_ms(conf->validation.retry_secs, t->tries) * 1000;
	buf_reset(&t->problem);
	problem_render(pb, &t->problem);
	ret->problem = buf_bytes(&t->problem);
}
