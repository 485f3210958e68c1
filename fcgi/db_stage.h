/* db_stage.h — the database threads (database.connections of them): each takes what arrived while
 * its last batch ran and runs it as one pipeline, one transaction, one commit; then the routes'
 * respond. */
#pragma once

#include "lib/store/sweep.h"

void db_stage_start(void);
/* After lane_close(&pipeline.database). */
void db_stage_stop(void);
bool db_stage_up(void);
/* As the database has them, some seconds ago. */
struct workers_alive db_stage_workers(void);
