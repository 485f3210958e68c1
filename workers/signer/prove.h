/* prove.h — from a verdict to the bytes that will be signed, and the proof that they may be.
 *
 * The proof (BR section 4.3.1.2): a throw-away key of the same algorithm signs a copy, and the
 * linter, which shares no code with the templates, judges it against what the order and the
 * configuration ask for. The real key signs these bytes and no others. */
#pragma once

#include "workers/signer/decide.h"
#include "workers/signer/serial.h"

struct draft {
	uint8_t serial[SERIAL_LEN];
	int crl_shard; /* 0: it names no revocation list */
	struct buf tbs;
};
/* ERR_SYNTAX: the proof failed, findings (one a line) say where: a fault of ours, never of the
 * client. */
MUST_CHECK int draft_make(const struct issuance_job *job, const struct verdict *verdict,
	struct draft *ret, struct buf *ret_findings);
void draft_done(struct draft *draft);
