/* db_stage.h — the database connections (database.connections of them): whoever runs one takes what
 * arrived while its last batch ran and runs it as one pipeline, one transaction, one commit; then
 * the routes' respond. Each has a thread of its own for what is due without requests. */
#pragma once

#include "lib/store/sweep.h"

void db_stage_start(void);
/* After lane_close(&pipeline.database). */
void db_stage_stop(void);
/* Runs what waits in pipeline.database on a connection that nobody runs now. False: there was
 * nothing to do, or all are being run: those who do take what waits. */
bool db_stage_help(void);
bool db_stage_up(void);
/* As the database has them, some seconds ago. */
struct workers_alive db_stage_workers(void);
