/* process.h — what every program in workers/ does besides its work: options, configuration and its
 * reload, secrets, the two connections with their outages, and the heartbeat. A server that is away
 * never ends the program: each outage is logged once with its cause, tried again at growing but
 * bounded pauses, and its end is logged, too. */
#pragma once

#include "lib/base/conf.h"
#include "lib/queue/rds.h"
#include "lib/store/db.h"

struct outage {             /* of one server, as one thread sees it */
	const char *server; /* for the log; NULL = silent, another thread tells of it */
	int64_t since_ms;   /* 0 = it is there */
	int64_t retry_ms;   /* not before */
	int64_t pause_ms;
};

/* True when a try is due now. */
bool outage_may_try(const struct outage *o);
void outage_failed(struct outage *o, const char *cause);
void outage_over(struct outage *o);

struct process {
	const char *program; /* also database role and Redis user */
	const char *conf_path;
	struct conf *conf;
	struct conf **retired; /* earlier configurations: somebody may still hold a piece of them */
	size_t nretired;
	char host[65];
	char *db_password;
	char *rds_password;
	const char *listen_sql;       /* LISTEN for each database session; NULL: none */
	const struct db_stmt **stmts; /* the program's and the heartbeat's */
	struct db *db;                /* NULL until the first connection */
	struct rds *rds;
	struct outage db_outage, rds_outage;
	int64_t heartbeat_ms; /* next one */
};

/* Options, configuration, log, signals and secrets. Ends the program with a message when one of
 * them is wrong, or after
 * --help and --version. Connects to nothing. */
void process_init(struct process *p, int argc, char **argv, const char *program,
	const char *summary, const struct db_stmt *const *stmts);
void process_done(struct process *p);

/* Connects when needed and due. True when the connection is usable, as far as one can know. Each
 * call shows the service manager that the main loop goes round, as process_wait does. */
bool process_db_ready(struct process *p);
bool process_rds_ready(struct process *p);
bool process_both_ready(struct process *p);
/* One more connection to the database, for another thread; not connected yet: db_ensure. */
struct db *process_new_db(const struct process *p, const struct db_stmt *const stmts[]);
/* Readable when the database has something to say to a listener (listen_sql); -1 while it is away.
 */
int process_db_fd(const struct process *p);
/* One more Redis connection, for another thread. */
struct rds *process_new_rds(const struct process *p);
/* Sends the heartbeat when it is due; to be called when the database is ready. */
void process_heartbeat(struct process *p);
/* After SIGHUP: the new configuration, or the old one and a line in the log that says why. True
 * when it is new. */
bool process_reload(struct process *p);
/* Sleeps until fd (-1: none) is readable, a signal came, or the time is over. */
void process_wait(const struct process *p, int fd, int64_t timeout_ms);
