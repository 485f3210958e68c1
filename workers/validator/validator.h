/* validator.h — assay-validator's service: claims what the stream names, has it checked by the
 * network thread, and writes what came out, all finished results in one transaction.
 *
 * Results that cannot be written are kept and tried again: the fencing number of each claim decides
 * whether they still count. */
#pragma once

#include "workers/worker.h"

extern const struct worker_ops validator_ops;
