/* wakeups.h — the thread that hears which objects the workers have finished, and ends the waits
 * whose time is over. */
#pragma once

/* For programs with routes that wait; others need no such thread. */
void wakeups_start(void);
void wakeups_stop(void);
