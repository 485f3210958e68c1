/* attempt.h — one try to validate one authorization from this perspective: the challenge, then CAA,
 * under one deadline, with a record of all that was seen (CA/B BR 5.4.1: method, its number and
 * version, addresses, answers, times). */
#pragma once

#include "lib/base/buf.h"
#include "lib/base/problem.h"
#include "lib/net/perspective.h"
#include "lib/net/probe.h"

/* Of the CA/B Baseline Requirements whose method numbers are recorded. */
#define BR_VERSION "2.2.6"

struct attempt_request { /* strings are copied */
	const struct probe_method *method;
	const char *name; /* without "*." */
	bool wildcard;
	const char *token;
	const char *key_authorization;
	const char *account_uri;
};

struct attempt_result {
	struct problem problem; /* PROBLEM_NONE: the challenge is proved and CAA permits */
	bool hopeless;          /* trying again soon would end the same way */
	int64_t caa_us;         /* when CAA was found to permit */
	struct buf evidence;    /* JSON object */
};
void attempt_result_done(struct attempt_result *result);

struct attempt;
/* Calls done once, later, with a result that done takes over (attempt_result_done). */
typedef void (*attempt_fn)(void *arg, struct attempt_result *result_take);
struct attempt *attempt_start(struct perspective *px, const struct attempt_request *rq,
	attempt_fn done, void *arg);
/* Gives up without a result. */
void attempt_cancel(struct attempt *a);
