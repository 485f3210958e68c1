/* caacheck.c — see caacheck.h. */
#include "lib/net/caacheck.h"

#include <assert.h>

#define EVIDENCE_RECORDS_MAX 8

struct caacheck {
	struct perspective *px;
	struct caacheck_request rq;
	struct jx_out *evidence;
	struct problem *pb;
	void (*done)(void *arg);
	void *arg;
	struct dns_query *query;
	const char *at; /* the name being asked: rq.name or the rest of it behind a dot */
};

static void release(struct caacheck *c)
{
	jx_end_array(c->evidence);
	jx_put_bool(c->evidence, "permitted", c->pb->type == PROBLEM_NONE);
	jx_end_object(c->evidence);
	free(c);
}

static void finish(struct caacheck *c)
{
	void (*done)(void *arg) = c->done;
	void *arg = c->arg;

	release(c);
	done(arg);
}

static void put_step(struct caacheck *c, const struct dns_answer *answer)
{
	jx_begin_object(c->evidence, NULL);
	jx_put_str(c->evidence, "name", c->at);
	jx_put_bool(c->evidence, "dnssec", answer->authenticated);
	if (answer->status == DNS_FAILED)
		jx_put_str(c->evidence, "fault", answer->reason);
	jx_begin_array(c->evidence, "records");
	for (size_t i = 0; i < answer->nrecords && i < EVIDENCE_RECORDS_MAX; i++) {
		CLEANUP_BUF struct buf text = {0};

		caa_format(answer->records[i], &text);
		jx_put_bytes(c->evidence, NULL, buf_bytes(&text));
	}
	jx_end_array(c->evidence);
	jx_end_object(c->evidence);
}

static void judge(struct caacheck *c, const struct dns_answer *answer)
{
	const struct conf_list *ids = &c->px->conf->server.caa_identities;
	struct caa_question q = {
		.identities = (const char *const *)ids->items,
		.nidentities = ids->count,
		.wildcard = c->rq.wildcard,
		.account_uri = c->rq.account_uri,
		.method = c->rq.method,
	};

	int rc = caa_check_set(c->at, answer->records, answer->nrecords, &q, c->pb);

	/* The verdict travels in *pb: unset = permitted. */
	assert((rc == OK) == (c->pb->type == PROBLEM_NONE));
	finish(c);
}

static void on_answer(void *arg, const struct dns_answer *answer)
{
	struct caacheck *c = arg;
	const char *dot = strchr(c->at, '.');

	c->query = NULL;
	put_step(c, answer);
	if (answer->status == DNS_FOUND) {
		judge(c, answer);
	} else if (answer->status == DNS_FAILED) {
		problem_set(c->pb, PROBLEM_DNS, "looking up CAA records of %s for %s: %s", c->at,
			c->rq.name, answer->reason);
		finish(c);
	} else if (dot != NULL) {
		c->at = dot + 1;
		c->query = dns_ask(c->px->dns, c->at, DNS_CAA, on_answer, c);
	} else {
		finish(c);
	}
}

struct caacheck *caacheck_start(struct perspective *px, const struct caacheck_request *rq,
	struct jx_out *evidence, struct problem *pb, void (*done)(void *arg), void *arg)
{
	struct caacheck *c = xcalloc(1, sizeof(*c));

	*c = (struct caacheck){.px = px,
		.rq = *rq,
		.evidence = evidence,
		.pb = pb,
		.done = done,
		.arg = arg};
	c->at = rq->name;
	jx_begin_object(evidence, "caa");
	jx_put_bool(evidence, "wildcard", rq->wildcard);
	jx_begin_array(evidence, "steps");
	c->query = dns_ask(px->dns, c->at, DNS_CAA, on_answer, c);
	return c;
}

void caacheck_expire(struct caacheck *c)
{
	problem_set(c->pb, PROBLEM_DNS,
		"looking up CAA records of %s for %s: no answer in time (timeout)", c->at,
		c->rq.name);
	dns_cancel(c->query);
	release(c);
}
