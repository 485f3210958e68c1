/* dial.h — where Redis is and how to get there; for rds.c. */
#pragma once

#include "lib/base/err.h"

#define DIAL_ERROR_MAX 160

/* Connects within the time: a path of a Unix socket, or an address ADDRESS:PORT or [IPV6]:PORT
 * (numbers: nothing is looked up). Reads and writes of the socket are bounded by the same time. On
 * failure the reason stands in error, without a newline. */
MUST_CHECK int dial_redis(const char *where, int timeout_ms, char error[DIAL_ERROR_MAX],
	int *ret_fd);
/* Bounds each read and write from now on. */
void dial_set_timeout(int fd, int timeout_ms);
