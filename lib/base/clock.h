/* clock.h — the two clocks. Wall time is microseconds since 1970 UTC; durations and deadlines use
 * the monotonic clock. */
#pragma once

#include "lib/base/buf.h"

#define USEC_PER_SEC 1000000LL

int64_t clock_wall_us(void);
int64_t clock_mono_us(void);
int64_t clock_mono_ms(void);
/* RFC 3339 in UTC, whole seconds: 2026-11-21T20:00:00Z. out holds CLOCK_RFC3339_LEN + 1 bytes. */
#define CLOCK_RFC3339_LEN 20
void clock_rfc3339_format(int64_t wall_us, char *out);
/* RFC 3339 date-time with offset and optional fraction (truncated). ERR_SYNTAX otherwise. */
MUST_CHECK int clock_rfc3339_parse(struct bytes text, int64_t *ret_us);
