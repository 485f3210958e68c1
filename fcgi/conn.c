/* conn.c — see conn.h.
 *
 * A connection is armed with EPOLLONESHOT, so exactly one thread gets it, and no thread touches it
 * after arming it again. FCGX_Accept_r reads the request: with listen_sock -1 it returns an error
 * instead of accepting when the peer has closed. */
#include "fcgi/conn.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#include "fcgi/answer.h"
#include "fcgi/lane.h"
#include "fcgi/pipeline.h"
#include "lib/base/log.h"

/* nginx buffers whole requests: whoever is slower than this is broken. */
#define PEER_TIMEOUT_SECS 10

enum conn_state { CONN_IDLE, CONN_BUSY, CONN_CLOSING };

static struct {
	int epoll, listener, resume, quit;
	struct lane resumed;
	pthread_t *threads;
	int nthreads;
	atomic_bool stopping;
	pthread_mutex_t mutex; /* of the list */
	struct exchange *first;
	size_t live;
} conns = {.mutex = PTHREAD_MUTEX_INITIALIZER};

/* Markers of what an event is about; anything else is an exchange. */
static char on_listener, on_resume, on_quit;

static void enlist(struct exchange *x)
{
	pthread_mutex_lock(&conns.mutex);
	x->conn_next = conns.first;
	if (conns.first != NULL)
		conns.first->conn_prev = x;
	conns.first = x;
	conns.live++;
	pthread_mutex_unlock(&conns.mutex);
}

/* The connection is closed. */
static void forget(struct exchange *x)
{
	pthread_mutex_lock(&conns.mutex);
	if (x->conn_prev != NULL)
		x->conn_prev->conn_next = x->conn_next;
	else
		conns.first = x->conn_next;
	if (x->conn_next != NULL)
		x->conn_next->conn_prev = x->conn_prev;
	conns.live--;
	pthread_mutex_unlock(&conns.mutex);
	http_done(&x->in);
	answer_done(&x->r.answer);
	free(x);
}

static void arm(struct exchange *x, int op)
{
	struct epoll_event event = {.events = EPOLLIN | EPOLLRDHUP | EPOLLONESHOT, .data.ptr = x};

	atomic_store(&x->conn_state, CONN_IDLE);
	if (epoll_ctl(conns.epoll, op, x->fcgi.ipcFd, &event) != 0) {
		log_event(LOG_LEVEL_ERROR, "connection lost", F_STR("error", strerror(errno)));
		FCGX_Free(&x->fcgi, 1);
		forget(x);
	}
}

static void take_connection(void)
{
	const struct timeval patience = {.tv_sec = PEER_TIMEOUT_SECS};
	int fd = accept4(conns.listener, NULL, NULL, SOCK_CLOEXEC);
	struct exchange *x;

	if (fd < 0) {
		const struct timespec pause = {.tv_nsec = 20000000};

		if (errno == EAGAIN || errno == EINTR || errno == ECONNABORTED)
			return;
		/* Out of descriptors or memory: the backlog waits, our connections go on. */
		log_event(LOG_LEVEL_ERROR, "accept failed", F_STR("error", strerror(errno)));
		nanosleep(&pause, NULL);
		return;
	}
	(void)setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	(void)setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience));
	x = xcalloc(1, sizeof(*x));
	FCGX_InitRequest(&x->fcgi, -1, 0);
	x->fcgi.ipcFd = fd;
	x->fcgi.keepConnection = 1;
	enlist(x);
	arm(x, EPOLL_CTL_ADD);
}

static void serve(struct exchange *x)
{
	int idle = CONN_IDLE;

	/* Fails when it is being closed: then a request that came before is still answered. */
	(void)atomic_compare_exchange_strong(&x->conn_state, &idle, CONN_BUSY);
	if (FCGX_Accept_r(&x->fcgi) < 0)
		return forget(x);
	http_read(&x->fcgi, &x->in);
	pipeline_begin(x);
}

void conn_finish(struct exchange *x)
{
	FCGX_Finish_r(&x->fcgi);
	http_reset(&x->in);
	if (x->fcgi.ipcFd >= 0 && atomic_load(&conns.stopping))
		FCGX_Free(&x->fcgi, 1);
	if (x->fcgi.ipcFd < 0)
		forget(x);
	else
		arm(x, EPOLL_CTL_MOD);
}

void conn_resume(struct exchange *x)
{
	lane_push(&conns.resumed, x);
	if (eventfd_write(conns.resume, 1) != 0)
		die("eventfd: %s", strerror(errno));
}

static void resume_all(void)
{
	struct exchange *x;

	while ((x = lane_take(&conns.resumed, 1)) != NULL)
		pipeline_resume(x);
}

static void *worker(void *arg)
{
	struct epoll_event event;

	for (;;) {
		if (epoll_wait(conns.epoll, &event, 1, -1) != 1)
			continue;
		if (event.data.ptr == &on_quit)
			return NULL;
		if (event.data.ptr == &on_listener)
			take_connection();
		else if (event.data.ptr == &on_resume)
			resume_all();
		else
			serve(event.data.ptr);
		pipeline_help();
	}
}

static void watch(int fd, uint32_t events, void *marker)
{
	struct epoll_event event = {.events = events, .data.ptr = marker};

	if (fd < 0 || epoll_ctl(conns.epoll, EPOLL_CTL_ADD, fd, &event) != 0)
		die("epoll: %s", strerror(errno));
}

void conn_start(int listener, int threads)
{
	int flags = fcntl(listener, F_GETFL);

	if (flags < 0 || fcntl(listener, F_SETFL, flags | O_NONBLOCK) != 0)
		die("listening socket: %s", strerror(errno));
	lane_init(&conns.resumed);
	conns.listener = listener;
	conns.epoll = epoll_create1(EPOLL_CLOEXEC);
	conns.resume = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	conns.quit = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	watch(listener, EPOLLIN | EPOLLEXCLUSIVE, &on_listener);
	/* Edge triggered, never read: one thread wakes for each piece of work that comes back. */
	watch(conns.resume, EPOLLIN | EPOLLET, &on_resume);
	watch(conns.quit, EPOLLIN, &on_quit);
	conns.nthreads = threads;
	conns.threads = xcalloc((size_t)threads, sizeof(*conns.threads));
	for (int i = 0; i < threads; i++) {
		if (pthread_create(&conns.threads[i], NULL, worker, NULL) != 0)
			die("cannot start a thread");
	}
}

void conn_stop_accepting(void)
{
	atomic_store(&conns.stopping, true);
	(void)epoll_ctl(conns.epoll, EPOLL_CTL_DEL, conns.listener, NULL);
}

void conn_close_idle(void)
{
	pthread_mutex_lock(&conns.mutex);
	for (struct exchange *x = conns.first; x != NULL; x = x->conn_next) {
		int idle = CONN_IDLE;

		/* The descriptor is open: only forget() ends it, behind this lock. What has arrived
		 * can still be read; a worker sees the end of the stream and closes. nginx repeats
		 * on another connection what it could not send. */
		if (atomic_compare_exchange_strong(&x->conn_state, &idle, CONN_CLOSING))
			(void)shutdown(x->fcgi.ipcFd, SHUT_RD);
	}
	pthread_mutex_unlock(&conns.mutex);
}

size_t conn_live(void)
{
	size_t live;

	pthread_mutex_lock(&conns.mutex);
	live = conns.live;
	pthread_mutex_unlock(&conns.mutex);
	return live;
}

void conn_stop(void)
{
	if (eventfd_write(conns.quit, 1) != 0)
		die("eventfd: %s", strerror(errno));
	for (int i = 0; i < conns.nthreads; i++)
		pthread_join(conns.threads[i], NULL);
	free(conns.threads);
}

void conn_done(void)
{
	lane_done(&conns.resumed);
	close(conns.epoll);
	close(conns.resume);
	close(conns.quit);
}
