/* rds.h — the only place that includes hiredis: one connection over a Unix socket, authenticated, pipelined.
 * Not thread safe: a connection belongs to one thread. After ERR_QUEUE the connection is unusable until rds_ensure. */
#pragma once

#include "lib/base/bytes.h"
#include "lib/base/err.h"

struct rds;
struct rds_reply; /* wraps redisReply */

MUST_CHECK int rds_open(const char *socket, const char *user, const char *password, struct rds **ret);
void rds_close(struct rds *rds);
DEFINE_CLEANUP(rds_close, struct rds *)
/* Reconnects when needed (bounded time). *ret_new (may be NULL) is set when the connection is a new one. */
MUST_CHECK int rds_ensure(struct rds *rds, bool *ret_new);
/* The server's run id: changes whenever Redis restarts or another one takes over. Read at each (re)connection. */
const char *rds_run_id(const struct rds *rds);
const char *rds_error(const struct rds *rds);

/* Pipelining: append any number, then read the replies in order. A command is argc binary-safe arguments. */
void rds_append(struct rds *rds, int argc, const struct bytes argv[]);
MUST_CHECK int rds_read(struct rds *rds, struct rds_reply **ret); /* error replies are replies */
/* One command and its reply. timeout_ms bounds the wait (for BLOCK commands: above their own). */
MUST_CHECK int rds_command(struct rds *rds, int argc, const struct bytes argv[], struct rds_reply **ret);
void rds_set_timeout(struct rds *rds, int timeout_ms);
int rds_fd(const struct rds *rds);

void rds_reply_free(struct rds_reply *r);
DEFINE_CLEANUP(rds_reply_free, struct rds_reply *)
bool rds_is_error(const struct rds_reply *r, const char *prefix_or_null); /* "NOGROUP", "NOPERM" … */
bool rds_is_nil(const struct rds_reply *r);
bool rds_is_array(const struct rds_reply *r);
int64_t rds_int(const struct rds_reply *r);      /* 0 unless an integer */
struct bytes rds_str(const struct rds_reply *r); /* string, status or error text; ptr NULL otherwise */
size_t rds_count(const struct rds_reply *r);
const struct rds_reply *rds_at(const struct rds_reply *r, size_t i); /* borrowed */
