/* outbox.h — revocations and blocked keys from the database into the keeper's journal. Whoever made
 * them, by ACME, psql or assayctl, wrote a row in the same transaction; the database wakes the
 * keeper when it commits (NOTIFY). */
#pragma once

#include "workers/process.h"
#include "workers/record.h"

#define OUTBOX_LISTEN "LISTEN assay_journal"

struct outbox {
	struct record record;
	int64_t look_ms; /* when to look even if nobody woke us */
	int64_t tidy_ms;
};

/* Opens the journal. ERR_INTERNAL: it cannot be used, and the log says why. */
MUST_CHECK int outbox_open(struct outbox *o, const struct process *p);
void outbox_close(struct outbox *o);
/* To be called while the database is there: writes what waits, and tells those who wait for it. */
void outbox_empty(struct outbox *o, struct process *p);
