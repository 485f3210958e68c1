/* incident.h — what assayctl incident's files share. */
#pragma once

#include "lib/store/incident.h"
#include "tools/selection.h"

#define INCIDENT_METHODS_MAX 3

/* Where nothing was said, numbers are 0 (a wave lasts ten minutes), texts NULL, times INT64_MIN and
 * the reason -1. */
struct incident_options {
	struct selection selection;
	bool selected; /* an option of it was given */
	int32_t methods[INCIDENT_METHODS_MAX];
	size_t nmethods;
	const char *why;
	const char *explanation_url;
	int64_t expect;
	int64_t id;
	int64_t rate;
	int64_t slot_secs;
	int64_t begin_us;
	int64_t deadline_us;
	int reason;
	bool again;
	bool yes;
};

/* Fills a zeroed structure, or ends the program; end it by selection_done of its selection. */
void incident_options_parse(int argc, char **argv, struct incident_options *o);

/* Runs it, or ends the program. */
void incident_run(struct db *db, struct db_call *call);
/* One incident in full, or (id 0) all of them in a line each. */
void incident_show(struct db *db, int32_t id);
