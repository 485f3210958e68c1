/* challenge_task.h — one claimed authorization on its way through the network thread. */
#pragma once

#include "lib/net/attempt.h"
#include "lib/queue/jobs.h"
#include "lib/store/validation.h"
#include "workers/validator/network.h"

struct challenge_task {
	struct task task;
	struct job job; /* to be acknowledged */
	struct ident authz;
	struct ident account;
	int32_t attempt_number; /* fences the result */
	int32_t tries;
	enum challenge_type type;
	bool wildcard;
	char *name;
	char *token;
	char *key_authorization;
	char *account_uri;
	struct attempt *attempt; /* while it runs */
	struct attempt_result result;
	struct buf problem; /* JSON, made with the outcome */
};

/* Copies all it needs of the claimed row. */
struct challenge_task *challenge_task_new(const struct conf *conf, const struct job *job,
	const struct validation_job *row);
void challenge_task_free(struct challenge_task *t);
/* What to write for the finished task; texts are borrowed from it. A failure that may heal is RETRY
 * while attempts are left, at now_us plus a pause that doubles each time. Can be called again. */
void challenge_task_outcome(struct challenge_task *t, const struct conf *conf, int64_t now_us,
	struct validation_result *ret);
/* The pause in milliseconds after `tries` failures and the one just now: bounded, monotone, with up
 * to a quarter of jitter on top. */
int64_t challenge_retry_ms(int64_t retry_secs, int32_t tries);
