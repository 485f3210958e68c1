/* ocsp_peek.h — the little that a server reads of an OCSPResponse that it passes on: whether it is
 * one, and how long it may be kept. Its signature is the client's to verify. */
#pragma once

#include "lib/pki/ocsp_response.h"

struct ocsp_peek {
	int status; /* 0: successful; else one of enum ocsp_refusal */
	/* Of the first SingleResponse, when successful; INT64_MIN: without nextUpdate. */
	int64_t this_update_us, next_update_us;
};
/* ERR_SYNTAX: no OCSPResponse, or one without the times. */
MUST_CHECK int ocsp_peek(struct bytes der, struct ocsp_peek *ret);
