/* stop.h — SIGTERM and SIGINT become one readable eventfd; SIGHUP another; SIGPIPE is ignored.
 * Call stop_init before any thread is started. */
#pragma once

#include <stdbool.h>

void stop_init(void);
int stop_fd(void); /* readable (and never drained) once stopping */
bool stop_requested(void);
void stop_request(void);     /* as if SIGTERM had come */
int stop_reload_fd(void);    /* readable when SIGHUP came */
bool stop_reload_take(void); /* true once per SIGHUP */
