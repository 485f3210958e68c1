/* answer.c — see answer.h. */
#include "fcgi/answer.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>

#include "lib/base/log.h"

#define AWAY_RETRY_SECS 5
#define BUSY_RETRY_SECS 1
#define STOPPED_RETRY_SECS 300
#define PATH_LOGGED_MAX_BYTES 256

void answer_reset(struct answer *a)
{
	buf_reset(&a->headers);
	buf_reset(&a->body);
	a->status = 0;
	a->content_type = a->caching = NULL;
	a->front_secs = 0;
	a->no_index = a->no_nonce = false;
}

void answer_done(struct answer *a)
{
	buf_done(&a->headers);
	buf_done(&a->body);
}

void answer_header(struct answer *a, const char *name, const char *fmt, ...)
{
	char text[1024];
	va_list args;
	int len;

	va_start(args, fmt);
	len = vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	assert(len >= 0 && (size_t)len < sizeof(text) && strpbrk(text, "\r\n") == NULL);
	buf_add_str(&a->headers, name);
	buf_add_str(&a->headers, ": ");
	buf_add(&a->headers, text, (size_t)len);
	buf_add_str(&a->headers, "\r\n");
}

/* RFC 9773 section 5. */
static int problem_of_replaces(enum store_code code, struct problem *pb)
{
	switch (code) {
	case STORE_REPLACES_UNKNOWN:
		return problem_set(pb, PROBLEM_MALFORMED,
			"\"replaces\" names no certificate of this CA");
	case STORE_REPLACES_OTHERS:
		return problem_set(pb, PROBLEM_UNAUTHORIZED,
			"the certificate that \"replaces\" names is another account's");
	case STORE_REPLACES_UNLIKE:
		return problem_set(pb, PROBLEM_MALFORMED,
			"the certificate that \"replaces\" names has no identifier in common with "
			"the order");
	default: /* STORE_REPLACED */
		return problem_set(pb, PROBLEM_ALREADY_REPLACED,
			"another order replaces that certificate already; order without "
			"\"replaces\" if you want one more");
	}
}

int problem_of_store(enum store_code code, struct problem *pb)
{
	int err;

	switch (code) {
	case STORE_OK:
		return OK;
	case STORE_ACCOUNT_UNKNOWN:
		return problem_set(pb, PROBLEM_ACCOUNT_DOES_NOT_EXIST, "there is no such account");
	case STORE_ACCOUNT_DEACTIVATED: /* RFC 8555 section 7.3.6 */
		return problem_set_status(pb, 401, PROBLEM_UNAUTHORIZED,
			"the account has been deactivated or revoked");
	case STORE_ACCOUNT_KEY_CHANGED:
		return ERR_CONFLICT;
	case STORE_NOT_FOUND:
		return problem_set_status(pb, 404, PROBLEM_MALFORMED,
			"there is no such resource, or it is not this account's");
	case STORE_CONFLICT:
		return problem_set(pb, PROBLEM_MALFORMED,
			"the state of the resource does not allow this");
	case STORE_NOT_READY:
		return problem_set(pb, PROBLEM_ORDER_NOT_READY,
			"the order is not ready to be finalized");
	case STORE_NAMES_DIFFER:
		return problem_set(pb, PROBLEM_BAD_CSR,
			"the CSR's names are not exactly the order's identifiers");
	case STORE_KEY_BLOCKED:
		return problem_set(pb, PROBLEM_BAD_PUBLIC_KEY,
			"this key is known to be compromised");
	case STORE_KEY_IS_ACCOUNT:
		return problem_set(pb, PROBLEM_BAD_CSR,
			"the certificate's key must not be an account key");
	case STORE_EXPIRED:
		return problem_set_status(pb, 404, PROBLEM_MALFORMED, "the resource has expired");
	case STORE_ALREADY_REVOKED:
		return problem_set(pb, PROBLEM_ALREADY_REVOKED,
			"the certificate was revoked before");
	case STORE_UNAUTHORIZED:
		return problem_set(pb, PROBLEM_UNAUTHORIZED,
			"this account or key has no right to do this");
	case STORE_KEY_TYPE:
		return problem_set(pb, PROBLEM_BAD_CSR,
			"the order's profile does not take keys of this type");
	case STORE_KEY_IN_USE:
		return problem_set_status(pb, 409, PROBLEM_MALFORMED,
			"the key is another account's key");
	case STORE_ISSUANCE_STOPPED:
		/* RFC 8555 section 6.7 has no type of its own for it, and rateLimited would blame
		 * the client. */
		err = problem_set_status(pb, 503, PROBLEM_SERVER_INTERNAL,
			"this CA issues no certificates at the moment; please try again later");
		pb->retry_after_secs = STOPPED_RETRY_SECS;
		return err;
	case STORE_REPLACES_UNKNOWN:
	case STORE_REPLACES_OTHERS:
	case STORE_REPLACES_UNLIKE:
	case STORE_REPLACED:
		return problem_of_replaces(code, pb);
	}
	return ERR_INTERNAL;
}

/* Internal errors as the client may see them: what to do, and the id that finds the log line. */
static void set_internal(struct exchange *x, int err)
{
	bool away = err == ERR_DB || err == ERR_DB_UNCERTAIN || err == ERR_QUEUE ||
		err == ERR_TIMEOUT || err == ERR_BUSY;

	(void)problem_set_status(&x->problem, away ? 503 : 500, PROBLEM_SERVER_INTERNAL,
		"%s; request %s",
		away ? "the server cannot do this at the moment, please try again"
		     : "the server failed",
		x->r.trace);
	if (away)
		x->problem.retry_after_secs = err == ERR_BUSY ? BUSY_RETRY_SECS : AWAY_RETRY_SECS;
}

static void log_refusal(const struct exchange *x, int err, int status)
{
	const struct request *r = &x->r;
	enum log_level level = err == ERR_PROBLEM ? LOG_LEVEL_INFO : LOG_LEVEL_WARNING;
	char account[IDENT_TEXT_LEN + 1] = "";
	CLEANUP_BUF struct buf shown = {0};

	if (!log_enabled(level))
		return;
	if (r->env != NULL && r->env->has_kid)
		ident_format(&r->account, account);
	problem_quote(&shown, x->in.path, PATH_LOGGED_MAX_BYTES);
	log_event(level, err == ERR_PROBLEM ? "request refused" : "request failed",
		F_STR("trace", r->trace), F_STR("method", x->in.method),
		F_STR("path", buf_str(&shown)), F_INT("status", status), F_STR("account", account),
		F_STR("type", problem_type_name(x->problem.type)),
		F_STR("detail", x->problem.detail), F_STR("error", err_name(err)));
}

void answer_refusal(struct exchange *x, int err)
{
	struct problem *pb = &x->problem;
	struct answer *a = &x->r.answer;

	assert(err != OK);
	if (err != ERR_PROBLEM && x->r.route != NULL && x->r.route->failed != NULL) {
		answer_reset(a);
		x->r.route->failed(&x->r);
		return log_refusal(x, err, a->status);
	}
	if (err != ERR_PROBLEM)
		set_internal(x, err);
	a->status = problem_status(pb);
	a->content_type = "application/problem+json";
	a->caching = NULL;
	a->front_secs = 0;
	a->no_index = a->no_nonce = false;
	buf_reset(&a->body);
	problem_render(pb, &a->body);
	if (pb->retry_after_secs > 0)
		answer_header(a, "Retry-After", "%d", pb->retry_after_secs);
	if (pb->location != NULL)
		answer_header(a, "Location", "%s", pb->location);
	log_refusal(x, err, a->status);
}

void answer_send(struct exchange *x, struct nonce_pool *nonces_or_null)
{
	struct request *r = &x->r;
	struct answer *a = &r->answer;
	struct http_answer out;

	/* RFC 8555 section 6.5: in every answer to a POST, and where else the route wants one. */
	if (nonces_or_null != NULL && (!a->no_nonce || strcmp(x->in.method, "POST") == 0)) {
		char nonce[NONCE_TEXT_LEN + 1];

		nonce_issue(nonces_or_null, nonce);
		answer_header(a, "Replay-Nonce", "%s", nonce);
	}
	if (nonces_or_null != NULL && !a->no_index) /* section 7.1 */
		answer_header(a, "Link", "<%s/directory>;rel=\"index\"", r->conf->server.base_url);
	answer_header(a, "Cache-Control", "%s", a->caching != NULL ? a->caching : "no-store");
	/* Behind Cache-Control: nginx before 1.23 takes no stale-if-error from that otherwise. */
	if (a->front_secs > 0)
		answer_header(a, "X-Accel-Expires", "%d", a->front_secs);
	out = (struct http_answer){
		.status = a->status,
		.content_type = a->content_type != NULL ? a->content_type : "application/json",
		.headers = buf_bytes(&a->headers),
		.body = buf_bytes(&a->body),
		.head = strcmp(x->in.method, "HEAD") == 0,
	};
	http_write(&x->fcgi, &out);
}
