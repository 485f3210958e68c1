/* rds.h — the only place that includes hiredis: one connection over a Unix socket or
 * TCP, authenticated, pipelined. Not thread safe: a connection belongs to one thread. After
 * ERR_QUEUE the connection is unusable until rds_ensure.
 *
 * The socket, its deadlines and the request encoding are ours; hiredis parses replies under our
 * limits, so that neither a slow nor a hostile server can hold a thread, exhaust memory or get
 * replies out of step with their commands. A server that loads its data set or is a replica counts
 * as away. */
#pragma once

#include "lib/base/bytes.h"
#include "lib/base/err.h"

struct rds;
struct rds_reply; /* wraps redisReply */

#define RDS_TIMEOUT_MS 2000             /* default: connecting, and each reply */
#define RDS_STRING_MAX_BYTES 65536      /* longer strings arrive cut off here */
#define RDS_PARTIAL_MAX_BYTES (4 << 20) /* an element longer than this ends the connection */
#define RDS_OBJECTS_MAX 65536           /* elements of one reply, all levels together */
#define RDS_REPLY_MAX_BYTES                                                                        \
	(16 << 20) /* string bytes kept of one reply; later strings arrive empty */

/* An unconnected one, for programs that wait for Redis: rds_ensure connects and rds_error says why
 * not. where: path of a Unix socket, or ADDRESS:PORT, [IPV6]:PORT. password NULL: no AUTH (a server
 * without ACL users). */
struct rds *rds_new(const char *where, const char *user, const char *password);
/* rds_new and rds_ensure in one; ERR_QUEUE when Redis cannot be reached now. */
MUST_CHECK int rds_open(const char *where, const char *user, const char *password,
	struct rds **ret);
void rds_close(struct rds *rds);
DEFINE_CLEANUP(rds_close, struct rds *)
/* Reconnects when needed (bounded time): never connected, failed, closed by the server while idle,
 * or replies left unread. *ret_new (may be NULL) is true once for each connection, the first
 * included. */
MUST_CHECK int rds_ensure(struct rds *rds, bool *ret_new);
/* The server's run id, 40 hex digits: changes whenever Redis restarts or another one takes over.
 * Read at each (re)connection. */
const char *rds_run_id(const struct rds *rds);
const char *rds_error(const struct rds *rds);

/* Pipelining: append any number, then read the replies in order. A command is argc binary-safe
 * arguments. */
void rds_append(struct rds *rds, int argc, const struct bytes argv[]);
MUST_CHECK int rds_read(struct rds *rds, struct rds_reply **ret); /* error replies are replies */
/* As rds_read, but an error reply is ERR_QUEUE with its text in rds_error; the connection stays in
 * step. */
MUST_CHECK int rds_read_ok(struct rds *rds, struct rds_reply **ret);
/* For subscribed connections: the next message. ERR_TIMEOUT when none came; the connection stays
 * usable. */
MUST_CHECK int rds_listen(struct rds *rds, int timeout_ms, struct rds_reply **ret);
/* One command and its reply. */
MUST_CHECK int rds_command(struct rds *rds, int argc, const struct bytes argv[],
	struct rds_reply **ret);
/* Bounds the wait for a reply (for BLOCK commands: above their own). */
void rds_set_timeout(struct rds *rds, int timeout_ms);
int rds_timeout(const struct rds *rds);
int rds_fd(const struct rds *rds); /* -1 while unconnected */

void rds_reply_free(struct rds_reply *r);
DEFINE_CLEANUP(rds_reply_free, struct rds_reply *)
bool rds_is_error(const struct rds_reply *r,
	const char *prefix_or_null); /* "NOGROUP", "NOPERM" … */
bool rds_is_nil(const struct rds_reply *r);
bool rds_is_array(const struct rds_reply *r);
int64_t rds_int(const struct rds_reply *r); /* 0 unless an integer */
struct bytes rds_str(
	const struct rds_reply *r);          /* string, status or error text; ptr NULL otherwise */
size_t rds_count(const struct rds_reply *r); /* 0 unless an array */
const struct rds_reply *rds_at(const struct rds_reply *r,
	size_t i); /* borrowed; NULL when out of range */
