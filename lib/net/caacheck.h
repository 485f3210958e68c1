/* caacheck.h — CAA for one name: asks the name and then its parents until a set is found (RFC 8659
 * section 3) and judges that set. A lookup that fails at any step ends the check: failure is never
 * permission. */
#pragma once

#include "lib/base/jx.h"
#include "lib/net/caa.h"
#include "lib/net/perspective.h"

struct caacheck;

struct caacheck_request {
	const char *name; /* lower-case A-labels, without "*." */
	bool wildcard;
	const char *account_uri; /* borrowed like all of these until the end */
	const char *method;
};

/* evidence: an open object; a member "caa" is put into it. Calls done once, later; pb is set unless
 * issuance is permitted: caa for a refusal by the records, dns for a lookup that failed. */
struct caacheck *caacheck_start(struct perspective *px, const struct caacheck_request *rq,
	struct jx_out *evidence, struct problem *pb, void (*done)(void *arg), void *arg);
/* Time is up: sets pb (dns), closes the evidence, frees. done is not called. */
void caacheck_expire(struct caacheck *c);
