/* batch.h — one batch of orders on its way to certificates, step by step; signer.c calls the steps
 * in order.
 *
 * claim → decide and prove → record (one committed transaction: refusals, postponements,
 * reservations; and, at the same time, the journal outside the database) → sign → issue (one
 * transaction). Whatever happens between two steps, no signature exists without a committed serial
 * and a record in the journal, and the next claim of the order finds out how far this one came. */
#pragma once

#include "workers/record.h"
#include "workers/signer/prove.h"
#include "workers/worker.h"

/* No signature is begun when this part of the lease is over: the order may soon be another
 * signer's. */
#define LEASE_USABLE_PERCENT 50

struct item {
	struct issuance_job job; /* borrows from batch.claim */
	struct verdict verdict;
	struct problem problem;
	struct buf problem_json;
	struct draft draft;
	bool reserved;
	struct buf certificate; /* DER, once signed */
	bool final;             /* committed as valid or invalid: clients may be woken */
	bool postponed;         /* committed as waiting for CAA */
};

struct batch {
	const struct conf *conf;
	const struct issuer_set *issuers;
	struct db *db;
	struct record *record;
	struct db_call claim;
	struct item *items;
	size_t count;
	int64_t claimed_mono_us;
};

/* Each returns OK, or the first error of the database; the steps behind it are then left out. */
MUST_CHECK int batch_claim(struct batch *b, const struct job *jobs, size_t count);
void batch_decide(struct batch *b);
MUST_CHECK int batch_record(struct batch *b);
void batch_sign(struct batch *b);
MUST_CHECK int batch_issue(struct batch *b);
void batch_done(struct batch *b);
