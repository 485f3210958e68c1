/* caa_task.h — CAA again for all names of one order before it is signed: one check for each name,
 * each by its own name and method (once, another CA checked one name of an order as often as it had
 * names). */
#pragma once

#include "lib/base/problem.h"
#include "lib/queue/jobs.h"
#include "lib/store/validation.h"
#include "workers/validator/network.h"

struct caa_task;

/* rows: those of one order, copied. give_up_secs: lookups that fail are repeated no longer than
 * that. */
struct caa_task *caa_task_new(const struct conf *conf, const struct job *job,
	const struct caa_job *rows, size_t count, int64_t give_up_secs);
void caa_task_free(struct caa_task *t);
const struct job *caa_task_job(const struct caa_task *t);

struct caa_result {
	struct ident order;
	int32_t attempt;
	struct bytes problem;  /* JSON, borrowed; ptr NULL: every name is permitted */
	int64_t caa_us;        /* no check began earlier */
	struct bytes evidence; /* JSON, borrowed: what was seen for each name */
};
void caa_task_result(const struct caa_task *t, struct caa_result *ret);
