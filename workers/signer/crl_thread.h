/* crl_thread.h — the signer's second thread, with a connection of its own: makes revocation lists,
 * however long they are, while certificates are issued.
 *
 * A job that is handed over counts as done: the shard's row stays due until its list is published,
 * so whatever is lost here comes back by the keeper's sweep. */
#pragma once

#include "workers/signer/crl_task.h"
#include "workers/signer/issuer.h"
#include "workers/worker.h"

struct crl_thread;
/* Ends the program when there is no thread to be had. */
struct crl_thread *crl_thread_start(const struct worker *w);
/* At start and after a reload; what it needs of them is kept. */
void crl_thread_set(struct crl_thread *t, const struct issuer_set *set,
	const struct conf_crl *conf);
void crl_thread_push(struct crl_thread *t, const struct ident *id);
/* Gives up what is under way, which takes no longer than one statement. */
void crl_thread_stop(struct crl_thread *t);
