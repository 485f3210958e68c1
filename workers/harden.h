/* harden.h — what a process that holds an issuing key gives up: core dumps, being traced, running
 * other programs. */
#pragma once

#include "lib/base/err.h"

/* Before a key is read. systemd's sandbox (assay-signer.service) does more; this holds without it,
 * too. */
MUST_CHECK int harden_process(void);
