/* redis_stage.h — the Redis connection: whoever runs it consumes nonces and queues jobs, one
 * pipeline for whatever arrived while the last one ran. A thread of its own looks after it without
 * requests. */
#pragma once

#include <stdbool.h>

void redis_stage_start(void);
/* After lane_close(&pipeline.redis). */
void redis_stage_stop(void);
/* As db_stage_help, for pipeline.redis. */
bool redis_stage_help(void);
bool redis_stage_up(void);
/* An unconnected connection of the program's Redis user. */
struct rds *redis_stage_rds(void);
