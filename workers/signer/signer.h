/* signer.h — the signer as a worker (workers/worker.h): main.c hands signer_ops to the skeleton. */
#pragma once

#include "workers/worker.h"

extern const struct worker_ops signer_ops;
