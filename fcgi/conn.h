/* conn.h — kept FastCGI connections and the worker threads that serve them (spikes section 1): one
 * epoll for the listener, the connections and the work that comes back from the database; an idle
 * connection costs no thread. */
#pragma once

#include "fcgi/exchange.h"

/* Watches the listening socket (made non-blocking) and starts the threads. Ends the process when
 * that is impossible. */
void conn_start(int listener, int threads);
/* Any thread: the answer has been written into the stream. Sends it, and keeps or closes the
 * connection. */
void conn_finish(struct exchange *x);
/* Any thread: a worker thread shall call pipeline_resume. */
void conn_resume(struct exchange *x);

/* Stopping, by the main thread: no new connections; then again and again until conn_live is 0 (or
 * patience ends); then the end of the threads. */
void conn_stop_accepting(void);
void conn_close_idle(void);
size_t conn_live(void);
void conn_stop(void);
/* When the other stages have ended, too: until then one may be on its way out of conn_resume. */
void conn_done(void);
