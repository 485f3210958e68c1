/* private_redis.h — a redis-server of the test's own: in a fresh folder, on a Unix socket, gone
 * with the test. Programs that use it exit with 77 (skipped) when redis-server is not installed. */
#pragma once

#include "lib/queue/rds.h"

struct private_redis {
	char dir[64];
	char socket[96];
	char port[8];     /* "0" without TCP */
	char address[32]; /* 127.0.0.1:PORT */
	int pid;
	const char *const *extra; /* more arguments, NULL-terminated; may be NULL */
};

/* Exits with 77 when there is no redis-server. */
void private_redis_require(void);
void private_redis_start(struct private_redis *server, const char *const *extra);
/* Reachable on a port of the loopback, too. */
void private_redis_start_tcp(struct private_redis *server);
/* Ends the process with the signal; the folder stays for private_redis_again. */
void private_redis_kill(struct private_redis *server, int sig);
void private_redis_again(struct private_redis *server);
/* Ends the process and removes the folder. */
void private_redis_stop(struct private_redis *server);
/* A connection, or the test fails. */
struct rds *private_redis_connect(const struct private_redis *server);
/* One command, words separated by single spaces; the test fails on a lost connection. */
struct rds_reply *private_redis_do(struct rds *rds, const char *words);
/* The same for its integer. */
int64_t private_redis_int(struct rds *rds, const char *words);
