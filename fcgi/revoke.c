/* revoke.c — revokeCert over HTTP (RFC 8555 section 7.6), signed by an account (kid) or by the
 * certificate's own key (jwk). Rules: lib/acme/revoke_rules. Rows: lib/store/order. */
#include "fcgi/resource.h"

#include "lib/acme/revoke_rules.h"
#include "lib/acme/url.h"

static int prepare_revoke(struct request *r, struct problem *pb)
{
	CLEANUP(revoke_rules_free) struct revoke_wish *wish = NULL;
	bool by_account = r->env->has_kid;
	int err = revoke_rules_parse(r->payload, by_account ? NULL : r->key, pb, &wish);

	if (err != OK)
		return err;
	revoke_call(&r->call, by_account ? &r->account : NULL, r->key->thumbprint,
		wish->outline.serial, buf_bytes(&wish->der), wish->reason);
	return OK;
}

static int respond_revoke(struct request *r, struct problem *pb)
{
	enum store_code code = revoke_result(&r->call);

	if (code == STORE_NOT_FOUND)
		return problem_set_status(pb, 404, PROBLEM_MALFORMED,
			"this certificate was not issued here");
	if (code == STORE_EXPIRED)
		return problem_set_status(pb, 403, PROBLEM_UNAUTHORIZED,
			"the certificate has expired: nobody relies on it any more");
	if (code != STORE_OK)
		return problem_of_store(code, pb);
	r->answer.status = 200;
	return OK;
}

const struct route revoke_route = {
	.path = URL_REVOKE_CERT,
	.auth = AUTH_EITHER,
	.payload = PAYLOAD_JSON,
	.prepare = prepare_revoke,
	.respond = respond_revoke,
};
