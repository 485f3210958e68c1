/* app.h — the FastCGI program skeleton: one process, few threads, no blocked thread.
 *
 * Stages of a request:
 *   worker threads    accept, read, route, JWS parse, key (cached, or one extra database call),
 *                     signature, url check, route->prepare (its verdict waits for the nonce's)
 *   redis thread      consume the nonce; later XADD the job; whatever arrived in one pipeline
 *   database threads  run r->call in one pipelined batch, then route->respond
 *   listener thread   hears the workers' "done" messages and wakes parked requests
 *
 * A route is two small functions. Public requests (AUTH_NONE) are answered in the worker thread,
 * where prepare fills the answer; or prepare binds r->call, and respond answers as for any other
 * route.
 *
 * The verdicts a client sees come in the order of DESIGN: method, content type, size, JWS, alg,
 * key, signature, nonce, url, account state, terms, ownership, handler. */
#pragma once

#include "lib/acme/envelope.h"
#include "lib/base/conf.h"
#include "lib/queue/jobs.h"
#include "lib/queue/nonce.h"
#include "lib/store/account.h"
#include "lib/store/sweep.h"

#define BODY_MAX_BYTES 65536
#define PATH_ARGS_MAX 2

struct request;

enum route_auth { AUTH_NONE, AUTH_KID, AUTH_JWK, AUTH_EITHER };
/* EMPTY: POST-as-GET; ANY: empty or a JSON object. */
enum route_payload { PAYLOAD_EMPTY, PAYLOAD_JSON, PAYLOAD_ANY };

struct route {
	/* "/acme/order/{}/finalize"; {} is one path segment, {*} whatever follows. */
	const char *path;
	enum route_auth auth;
	enum route_payload payload;
	/* Verified request → one statement (r->call), or a refusal (ERR_PROBLEM), or for AUTH_NONE
	 * the answer itself. A statement of AUTH_NONE carries no account, so its respond never
	 * returns ERR_CONFLICT. */
	int (*prepare)(struct request *r, struct problem *pb);
	/* The call's result → status, headers, body; or ERR_PROBLEM. Runs again after a wait, with
	 * r->waited set. What problem_of_store returns is passed on: ERR_CONFLICT makes the
	 * skeleton verify with the account's key of now, and start over with prepare. Headers added
	 * before a refusal go out with its problem document. */
	int (*respond)(struct request *r, struct problem *pb);
	/* Instead: another program is asked. When prepare or respond set r->asks, ask appends one
	 * command for Redis; replied sees what came back under r->watch and may make a better
	 * answer than the one that is there, which goes out when nothing comes in r->ask_ms. */
	void (*ask)(const struct request *r, struct rds *rds);
	void (*replied)(struct request *r, struct bytes reply);
	/* The answer when the server failed; NULL: a problem document. */
	void (*failed)(struct request *r);
	/* After a wait: puts the reading statement into r->call. NULL: this route never waits. */
	void (*reread)(struct request *r);
	bool get;  /* AUTH_NONE: GET and HEAD are allowed */
	bool post; /* AUTH_NONE: POST-as-GET is allowed too (directory, newNonce: RFC 8555
		    * section 6.3); its JWS is verified like any other, with kid or jwk */
	const char *post_type; /* AUTH_NONE: POST of a document of this type, no JWS: r->body */
	size_t post_max_bytes; /* of that document */
};

struct answer {
	int status;
	const char *content_type; /* NULL: application/json */
	struct buf headers; /* "Name: value\r\n" lines; Replay-Nonce, Link index, Cache-Control come
			       from the skeleton */
	struct buf body;
	const char *caching; /* value of Cache-Control; NULL: no-store. Refusals are never kept */
	int front_secs;      /* how long our own nginx may keep it instead; 0: as caching says */
	bool no_index;       /* the directory itself: no Link rel="index" */
	bool no_nonce;       /* directory by GET: no Replay-Nonce */
};

struct request {
	const struct conf *conf;
	const struct route *route;
	struct bytes args[PATH_ARGS_MAX]; /* what {} matched */
	struct bytes query;               /* behind '?', raw */
	const char *method;
	const char *accept;                            /* the Accept header as sent, or NULL */
	const char *if_none_match, *if_modified_since; /* as sent, or NULL */
	struct bytes body;                             /* of a POST that is no JWS */
	/* Request id: in the log line and in serverInternal problems. */
	char trace[IDENT_TEXT_LEN + 1];

	struct envelope *env; /* NULL for plain GET */
	struct jwk *key;      /* the key that verified the signature */
	struct ident account; /* of kid */
	struct jx *payload;   /* NULL: empty payload */

	struct db_call call; /* prepare binds it; respond reads it */
	void *state;         /* the route's own, freed with free_state */
	void (*free_state)(void *);

	/* respond may ask for these: */
	bool enqueue; /* XADD job before answering */
	enum job_kind job;
	struct ident job_id;
	bool unfinished;    /* the object still moves: wait for watch, bounded, then reread */
	struct ident watch; /* prepare sets it (and watching) so that no wake-up is lost */
	bool watching;
	bool waited; /* respond runs after a wait */
	bool asks;   /* ask, and wait for the reply called watch */
	int64_t ask_ms;

	struct answer answer;
};

struct app {
	const char *program; /* "assay-order" */
	const char *role;    /* database role and Redis user */
	const struct route *routes;
	size_t nroutes;
	const struct db_stmt *const *stmts; /* NULL-terminated; account_key_stmt is among them. With
					     * heartbeat_stmt the program shows that it lives */
	const char *socket_name;            /* "order.sock" in handlers.socket_dir */
	bool plain; /* not ACME: no Replay-Nonce, no index, no nonces in Redis */
	/* Where routes that ask hear replies, instead of the workers' "done". */
	int (*subscribe)(struct rds *rds);
	int (*listen)(struct rds *rds, int timeout_ms,
		void (*fn)(void *arg, const struct ident *id, struct bytes note), void *arg);
	/* A statement that is repeated from the start on; its rows are for the program. */
	struct {
		void (*bind)(struct db_call *c); /* NULL: none */
		void (*take)(const struct db_call *c);
		int secs;
	} tick;
	/* What reading a configuration does not show; one that fails is refused, with *ret_error in
	 * one line (to be freed). NULL: nothing. */
	int (*check_conf)(const struct conf *conf, char **ret_error);
};

/* The whole program: options (-c FILE, -l SOCKET, --version, --help), configuration, socket (fd 0
 * or LISTEN_FDS when systemd passed one), threads, drain on SIGTERM. Returns the exit status. */
int app_main(int argc, char **argv, const struct app *app);

/* Helpers for routes: */
/* Appends "Name: value\r\n"; value must not hold CR or LF (asserted). */
void answer_header(struct answer *a, const char *name, const char *fmt, ...) PRINTF_LIKE(3, 4);
/* Code of a database function → problem, for the codes every route shares (account state, not
 * found, …). OK for STORE_OK, ERR_CONFLICT for STORE_ACCOUNT_KEY_CHANGED: respond returns either as
 * it is. */
int problem_of_store(enum store_code code, struct problem *pb);
/* Whether PostgreSQL and Redis answered when they were last used, at most some seconds ago, and
 * which workers the database has heard of (only with workers_alive_stmt among stmts): for /ready.
 */
struct app_health {
	bool database;
	bool redis;
	struct workers_alive workers;
};
struct app_health app_health(void);
