/* publish.h — files for nginx: revocation lists and issuing certificates, from the database into
 * the configured folder of this machine, each at the path of its URL.
 *
 * A file is replaced whole or not at all: written beside, compared with the hash that the signer
 * recorded, forced to disk, renamed. A list's number never goes back. What cannot be written leaves
 * the file from before, and is tried again at the next sweep. */
#pragma once

#include "workers/process.h"

struct publisher {
	int64_t whole_ms; /* when everything is compared again */
	bool told;        /* of a folder that cannot be used */
};
/* To be called at each sweep, when the database is there. */
void publish_run(struct publisher *pub, struct process *p);
