/* redis_stage.h — the Redis thread: consumes nonces and queues jobs, one pipeline for whatever
 * arrived while the last one ran. */
#pragma once

#include <stdbool.h>

void redis_stage_start(void);
/* After lane_close(&pipeline.redis). */
void redis_stage_stop(void);
bool redis_stage_up(void);
/* An unconnected connection of the program's Redis user. */
struct rds *redis_stage_rds(void);
