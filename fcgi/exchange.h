/* exchange.h — one request and its answer on one FastCGI connection, as it moves through the
 * stages.
 *
 * An exchange lives as long as its connection; what belongs to one request is cleared when the
 * answer has been written. It is owned by exactly one thread, lane or seat at a time, and whoever
 * hands it on no longer touches it. */
#pragma once

#include <fcgiapp.h>
#include <stdatomic.h>

#include "fcgi/app.h"
#include "fcgi/http.h"
#include "fcgi/park.h"
#include "fcgi/settings.h"

enum exchange_step {
	STEP_KEY,   /* database: the account's key */
	STEP_NONCE, /* Redis: consume the nonce */
	STEP_CALL,  /* database: the route's statement */
	STEP_JOB,   /* Redis: queue the job */
	STEP_ASK,   /* Redis: ask another program */
};

struct exchange {
	struct request r;
	struct exchange *next; /* in a lane */
	enum exchange_step step;
	struct snapshot *settings; /* what r.conf points into */
	struct http_request in;
	struct problem problem;
	int verdict;        /* of what follows the nonce: url, payload, prepare; OK or the error */
	struct nonce nonce; /* opened, not consumed yet */
	int redis_err;      /* of the Redis stage: OK, or ERR_QUEUE */
	bool accepted;      /* the nonce was good */
	bool nonce_spent;
	bool key_cached; /* r.key came from the cache and may be out of date */
	bool rekeyed;    /* the account's key changed under us: verified once more already */
	struct db_call key_call; /* account_key, on a cache miss */
	struct park_seat seat;

	/* The connection, for conn.c and http.c alone. */
	FCGX_Request fcgi;
	atomic_int conn_state;
	struct exchange *conn_prev, *conn_next;
};
