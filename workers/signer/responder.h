/* responder.h — certificates for delegated OCSP responders: the jobs of that kind in a batch, from
 * the claim to the certificate (lib/store/responder.h). Record before signing holds as for orders:
 * no signature exists without a committed serial, nor without a record in the journal. */
#pragma once

#include "workers/record.h"
#include "workers/signer/issuer.h"
#include "workers/worker.h"

struct responder_shop {
	const struct conf *conf;
	const struct issuer_set *issuers;
	struct db *db;
	struct record *record;
};
/* The jobs of kind JOB_RESPONDER among these; the others are passed over. OK, or the first error of
 * the database: what is not done then comes back. */
MUST_CHECK int responders_certify(const struct responder_shop *shop, const struct job *jobs,
	size_t count);
