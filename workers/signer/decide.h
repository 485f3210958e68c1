/* decide.h — may this order be signed, and as what? Decided from the database's row, the CSR's
 * bytes and the configuration alone.
 *
 * The queue, the handlers and the validators have said yes before; none of them is believed here.
 * Pure: no I/O, no clock of its own (job->now_us is the database's), so that a table of cases can
 * test every rule. */
#pragma once

#include "lib/base/conf.h"
#include "lib/base/problem.h"
#include "lib/pki/csr.h"
#include "lib/store/issuance.h"
#include "workers/signer/issuer.h"

/* BR section 4.2.2.1: a CAA result is good for 8 hours, whatever the configuration says. */
#define CAA_AGE_MAX_SECS (8 * 3600)
/* notBefore lies this long before the signing, so that a client whose clock is slow can use its
 * certificate at once; a twenty-fourth of the validity when that is less. */
#define BACKDATE_MAX_SECS 3600
/* BR section 7.1.2.7: notBefore within 48 hours of signing. Bounds what an order may ask for. */
#define NOT_BEFORE_DISTANCE_MAX_SECS (48 * 3600)

enum verdict_action {
	VERDICT_ISSUE,
	VERDICT_REFUSE, /* the problem says why: the order becomes invalid */
	VERDICT_CAA,    /* CAA must be looked up again first */
	VERDICT_WAIT,   /* the issuers that would do cannot be reached just now */
	VERDICT_DROP, /* not an order that waits for a signer, or one that we are unable to examine
			 just now: it is left to a later claim */
};

struct verdict {
	enum verdict_action action;
	struct csr *csr;                    /* ISSUE: owned */
	const struct conf_profile *profile; /* ISSUE: borrowed from conf */
	const struct issuer *issuer;        /* ISSUE: borrowed from the set */
	int64_t not_before_us;              /* ISSUE: whole seconds */
	int64_t not_after_us;
};

/* Always sets *ret; pb is set exactly for VERDICT_REFUSE. */
void decide(const struct conf *conf, const struct issuer_set *issuers,
	const struct issuance_job *job, struct problem *pb, struct verdict *ret);
void verdict_done(struct verdict *verdict);
