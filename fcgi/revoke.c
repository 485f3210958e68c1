/* revoke.c — revokeCert over HTTP (RFC 8555 section 7.6), signed by an account (kid) or by the
 * certificate's own key (jwk). Rules: lib/acme/revoke_rules. Rows: lib/store/order.
 *
 * Where a journal is configured, 200 says that the revocation is in it, too: the answer waits for
 * the keeper, which was woken by the transaction. When that takes too long the client is told to
 * ask again; the certificate is revoked by then, and will be said to be. */
#include "fcgi/resource.h"

#include "lib/acme/revoke_rules.h"
#include "lib/acme/url.h"
#include "lib/store/journalled.h"

#define JOURNAL_RETRY_SECS 2
#define SERIAL_BYTES 18

static struct bytes serial_of(const struct request *r)
{
	return bytes_of(r->state, SERIAL_BYTES);
}

/* For reread, and for who wakes us. */
static void keep_serial(struct request *r, struct bytes serial)
{
	struct ident id;

	if (r->conf->journal.folder == NULL || serial.len != SERIAL_BYTES)
		return;
	r->state = xmalloc(SERIAL_BYTES);
	r->free_state = free;
	memcpy(r->state, serial.ptr, SERIAL_BYTES);
	id = revocation_ident(serial);
	resource_watch(r, &id);
}

static int prepare_revoke(struct request *r, struct problem *pb)
{
	CLEANUP(revoke_rules_free) struct revoke_wish *wish = NULL;
	bool by_account = r->env->has_kid;
	int err = revoke_rules_parse(r->payload, by_account ? NULL : r->key, pb, &wish);

	if (err != OK)
		return err;
	revoke_call(&r->call, by_account ? &r->account : NULL, r->key->thumbprint,
		wish->outline.serial, buf_bytes(&wish->der), wish->reason);
	keep_serial(r, wish->outline.serial);
	return OK;
}

static void reread_revoke(struct request *r)
{
	revocation_journalled_call(&r->call, serial_of(r));
}

/* What is told when the keeper does not come in time. */
static void answer_not_yet(struct request *r)
{
	struct problem pb = {0};

	(void)problem_set_status(&pb, 503, PROBLEM_SERVER_INTERNAL,
		"the certificate is revoked, but the record of that is not safe yet: please try "
		"again");
	r->answer.status = 503;
	r->answer.content_type = "application/problem+json";
	problem_render(&pb, &r->answer.body);
	answer_header(&r->answer, "Retry-After", "%d", JOURNAL_RETRY_SECS);
	problem_done(&pb);
	r->unfinished = true;
}

static int respond_revoke(struct request *r, struct problem *pb)
{
	enum store_code code;

	if (r->waited) {
		if (revocation_journalled_result(&r->call))
			r->answer.status = 200;
		else
			answer_not_yet(r);
		return OK;
	}
	code = revoke_result(&r->call);
	if (code == STORE_NOT_FOUND)
		return problem_set_status(pb, 404, PROBLEM_MALFORMED,
			"this certificate was not issued here");
	if (code == STORE_EXPIRED)
		return problem_set_status(pb, 403, PROBLEM_UNAUTHORIZED,
			"the certificate has expired: nobody relies on it any more");
	if (code != STORE_OK)
		return problem_of_store(code, pb);
	if (r->watching)
		answer_not_yet(r);
	else
		r->answer.status = 200;
	return OK;
}

const struct route revoke_route = {
	.path = URL_REVOKE_CERT,
	.auth = AUTH_EITHER,
	.payload = PAYLOAD_JSON,
	.prepare = prepare_revoke,
	.respond = respond_revoke,
	.reread = reread_revoke,
};
