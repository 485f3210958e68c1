/* answer.h — from what a route or a check decided to the bytes of the answer, and the log line of a
 * refusal. */
#pragma once

#include "fcgi/exchange.h"

/* Back to nothing said; keeps the memory. */
void answer_reset(struct answer *a);
void answer_done(struct answer *a);
/* Fills r.answer from x->problem (ERR_PROBLEM) or with serverInternal, and logs one line. Headers
 * that were added stay. */
void answer_refusal(struct exchange *x, int err);
/* Writes r.answer with the headers every answer has. Without a pool they are not those of ACME. */
void answer_send(struct exchange *x, struct nonce_pool *nonces_or_null);
