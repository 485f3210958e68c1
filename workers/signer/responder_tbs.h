/* responder_tbs.h — the certificate of a delegated OCSP responder (RFC 6960 section 4.2.2.2, CA/B
 * BR 7.1.2.8) from its template, proved like any other before its issuer signs it (prove.h). Of
 * what the worker registered, only its public key comes in. */
#pragma once

#include "workers/signer/issuer.h"
#include "workers/signer/serial.h"

struct responder_draft {
	uint8_t serial[SERIAL_LEN];
	struct buf tbs;
	int64_t not_before_us, not_after_us;
};

/* ERR_LIMIT: no certificate for this key, or not by this issuer; *ret_why (static) says why.
 * ERR_SYNTAX: the proof failed, findings (one a line) say where: a fault of ours. */
MUST_CHECK int responder_draft_make(const struct issuer *issuer, struct bytes spki, int64_t now_us,
	int64_t validity_secs, struct responder_draft *ret, const char **ret_why,
	struct buf *ret_findings);
void responder_draft_done(struct responder_draft *draft);
