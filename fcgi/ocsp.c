/* ocsp.c — see ocsp.h. One request is one lookup, and at most one ask. */
#include "fcgi/ocsp.h"

#include "fcgi/bucket.h"
#include "lib/base/clock.h"
#include "lib/queue/ocsp.h"
#include "lib/store/ocsp.h"

/* A worker signs within milliseconds; whoever waited this long is better served without. */
#define ASK_MS 2000

struct lookup {
	uint8_t der[OCSP_GET_MAX_BYTES]; /* of a GET; request borrows from it or from the body */
	struct ocsp_request request;
	int32_t issuer;
	bool answers; /* somebody can sign for the issuer */
	struct ident reply;
	char caching[96];
};

static struct bucket live = BUCKET_INIT;

/* What stands in a path behind the address that certificates name: ocsp_url may have a path itself
 * (RFC 6960 appendix A.1.1: the request follows it and a slash). */
static struct bytes behind_address(const struct conf *conf, struct bytes path)
{
	struct bytes rest = path;

	for (size_t i = 0; i < conf->nissuers; i++) {
		const char *url = conf->issuers[i].ocsp_url, *at;
		size_t len;

		if (url == NULL || (at = strchr(url + strlen("http://"), '/')) == NULL)
			continue;
		at++;
		len = strlen(at);
		while (len > 0 && at[len - 1] == '/')
			len--;
		if (len == 0 || path.len < len || memcmp(path.ptr, at, len) != 0 ||
			(path.len > len && path.ptr[len] != '/'))
			continue;
		if (path.len - len < rest.len)
			rest = bytes_of(path.ptr + len, path.len - len);
	}
	return rest;
}

static bool is_read(const struct request *r)
{
	return strcmp(r->method, "POST") != 0;
}

/* The DER of the request, wherever it is. */
static int take_request(struct request *r, struct lookup *l)
{
	struct bytes der = r->body;
	size_t len = 0;
	int err;

	if (is_read(r)) {
		if (r->query.len > 0)
			return ERR_SYNTAX;
		err = ocsp_request_from_path(behind_address(r->conf, r->args[0]), l->der, &len);
		if (err != OK)
			return err;
		der = bytes_of(l->der, len);
	}
	return ocsp_request_parse(der, &l->request);
}

/* All of one issuer: nobody may speak for several (RFC 6960 section 4.2.2.2). */
static enum ocsp_issuer_found find_issuer(struct lookup *l)
{
	enum ocsp_issuer_found found = OCSP_ISSUER_KNOWN;

	for (size_t i = 0; i < l->request.count && found == OCSP_ISSUER_KNOWN; i++) {
		int32_t issuer = 0;

		found = ocsp_issuer_find(&l->request.certs[i], &issuer, &l->answers);
		if (found == OCSP_ISSUER_KNOWN && i > 0 && issuer != l->issuer)
			return OCSP_ISSUER_UNKNOWN;
		l->issuer = issuer;
	}
	return found;
}

/* The answer that is there already goes out when nobody can sign, or too many want it. */
static void sign_live(struct request *r, struct lookup *l)
{
	if (!l->answers || !bucket_take(&live, r->conf->ocsp.live_rate))
		return;
	l->reply = ident_new();
	r->watch = l->reply;
	r->asks = true;
	r->ask_ms = ASK_MS;
}

static int prepare(struct request *r, struct problem *pb)
{
	struct lookup *l;
	int err;

	if (is_read(r) && behind_address(r->conf, r->args[0]).len == 0) {
		ocsp_answer_page(r);
		return OK;
	}
	l = xcalloc(1, sizeof(*l));
	r->state = l;
	r->free_state = free;
	err = take_request(r, l);
	if (err != OK) {
		ocsp_answer_error(r, err == ERR_LIMIT ? OCSP_UNAUTHORIZED : OCSP_MALFORMED_REQUEST);
		return OK;
	}
	switch (find_issuer(l)) {
	case OCSP_ISSUERS_UNREAD:
		return ERR_DB;
	case OCSP_ISSUER_UNKNOWN:
		ocsp_answer_error(r, OCSP_UNAUTHORIZED);
		return OK;
	case OCSP_ISSUER_KNOWN:
		break;
	}
	if (l->request.count == 1) {
		ocsp_get_call(&r->call, l->issuer, l->request.certs[0].serial,
			r->conf->ocsp.archive_secs);
		return OK;
	}
	ocsp_answer_error(r, OCSP_TRY_LATER);
	sign_live(r, l);
	return OK;
}

static int respond(struct request *r, struct problem *pb)
{
	struct lookup *l = r->state;
	struct ocsp_stored stored;

	switch (ocsp_get_result(&r->call, &stored)) {
	case OCSP_STORED:
		if (l->request.nonce.ptr == NULL) {
			ocsp_answer_kept(r, stored.response, stored.this_update_us,
				stored.next_update_us, l->caching);
			return OK;
		}
		/* RFC 9654 section 3: a server that cannot put the nonce in may leave it out. */
		ocsp_answer_once(r, stored.response);
		break;
	case OCSP_LIVE:
		ocsp_answer_error(r, OCSP_TRY_LATER);
		break;
	case OCSP_UNKNOWN:
		if (!r->conf->ocsp.never_issued_revoked) {
			ocsp_answer_error(r, OCSP_UNAUTHORIZED);
			return OK;
		}
		ocsp_answer_error(r, OCSP_TRY_LATER);
		break;
	}
	sign_live(r, l);
	return OK;
}

static void ask(const struct request *r, struct rds *rds)
{
	const struct lookup *l = r->state;
	const struct ocsp_request *request = &l->request;
	struct ocsp_ask ask = {.reply = l->reply,
		.issuer = l->issuer,
		.until_us = clock_wall_us() + r->ask_ms * 1000,
		.count = request->count,
		.nonce_len = request->nonce.len};

	for (size_t i = 0; i < request->count; i++) {
		const struct ocsp_certid *id = &request->certs[i];

		ask.certs[i].hash = id->hash == OCSP_SHA1 ? OCSP_ASK_SHA1 : OCSP_ASK_SHA256;
		memcpy(ask.certs[i].serial, id->serial.ptr, id->serial.len);
		ask.certs[i].serial_len = (uint8_t)id->serial.len;
	}
	if (ask.nonce_len > 0)
		memcpy(ask.nonce, request->nonce.ptr, ask.nonce_len);
	ocsp_ask_append(rds, &ask);
}

/* What anybody in Redis may have said: the client checks the signature, and we keep nothing longer
 * than its own times say. */
static void replied(struct request *r, struct bytes reply)
{
	struct lookup *l = r->state;
	struct ocsp_peek peek;

	if (ocsp_peek(reply, &peek) != OK)
		return;
	if (peek.status == 0 && l->request.count == 1 && l->request.nonce.ptr == NULL &&
		peek.next_update_us > clock_wall_us() && peek.this_update_us < peek.next_update_us)
		ocsp_answer_kept(r, reply, peek.this_update_us, peek.next_update_us, l->caching);
	else if (peek.status == 0 || r->answer.body.len == 5)
		ocsp_answer_once(r, reply);
}

static void failed(struct request *r)
{
	ocsp_answer_error(r, OCSP_TRY_LATER);
	r->answer.status = 503;
	answer_header(&r->answer, "Retry-After", "5");
}

const struct route ocsp_route = {
	.path = "/{*}",
	.auth = AUTH_NONE,
	.get = true,
	.post_type = "application/ocsp-request",
	.post_max_bytes = OCSP_REQUEST_MAX_BYTES,
	.prepare = prepare,
	.respond = respond,
	.ask = ask,
	.replied = replied,
	.failed = failed,
};
