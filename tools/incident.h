/* incident.h — what assayctl incident's two files share. */
#pragma once

#include "lib/store/incident.h"

/* Runs it, or ends the program. */
void incident_run(struct db *db, struct db_call *call);
/* One incident in full, or (id 0) all of them in a line each. */
void incident_show(struct db *db, int32_t id);
