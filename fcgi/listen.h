/* listen.h — where the listening socket comes from: systemd (LISTEN_FDS, or standard input), else a
 * Unix socket of ours. */
#pragma once

#include <stdbool.h>

/* The listening socket; path is made (0660, replacing a stale one) when nothing was passed. Ends
 * the process on failure. */
int listen_open(const char *path);
/* Removes the socket's name if this process made it and it is still its own. */
void listen_remove(void);
