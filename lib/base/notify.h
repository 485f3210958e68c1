/* notify.h — tells the service manager how the program is doing (sd_notify(3): datagrams to
 * $NOTIFY_SOCKET). Without one, nothing happens. */
#pragma once

#include <stdbool.h>

/* Once, before any thread is started: reads and clears the environment. */
void notify_init(void);
/* It does its work, or will as soon as its servers answer. */
void notify_ready(void);
/* It finishes what it has begun, and ends. */
void notify_stopping(void);
/* The main loop went round. To be called as often as one likes: a message goes out when a third of
 * the watchdog's time (WatchdogSec=) has passed since the last one. */
void notify_alive(void);
