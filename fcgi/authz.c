/* authz.c — authorizations over HTTP (RFC 8555 sections 7.5 and 7.5.2): reading and deactivating
 * one. An empty payload reads; the only other one is {"status": "deactivated"}. Rows:
 * lib/store/authz. */
#include "fcgi/resource.h"

#include "lib/acme/url.h"
#include "lib/acme/view.h"

static int prepare_authz(struct request *r, struct problem *pb)
{
	struct ident id;
	struct bytes status;
	int err = resource_id(r, pb, &id);

	if (err != OK)
		return err;
	if (r->payload == NULL) {
		resource_watch(r, &id);
		authz_get_call(&r->call, &r->account, r->key->thumbprint, &id);
		return OK;
	}
	if (jx_get_str(r->payload, "status", &status) != OK || !bytes_is(status, "deactivated"))
		return problem_set(pb, PROBLEM_MALFORMED,
			"the payload is neither empty nor {\"status\": \"deactivated\"}");
	authz_deactivate_call(&r->call, &r->account, r->key->thumbprint, &id);
	return OK;
}

static int respond_authz(struct request *r, struct problem *pb)
{
	struct authz authz;
	bool queued;
	enum store_code code = authz_result(&r->call, &authz, &queued);

	if (code == STORE_CONFLICT)
		return problem_set(pb, PROBLEM_MALFORMED,
			"only a pending or valid authorization can be deactivated");
	if (code != STORE_OK)
		return problem_of_store(code, pb);
	r->answer.status = 200;
	resource_moves(r, authz.status == AUTHZ_PENDING && authz.challenge == CHALLENGE_PROCESSING);
	view_authz(r->conf, &authz, &r->answer.body);
	return OK;
}

static void reread_authz(struct request *r)
{
	authz_get_call(&r->call, &r->account, r->key->thumbprint, &r->watch);
}

const struct route authz_route = {
	.path = URL_AUTHZ,
	.auth = AUTH_KID,
	.payload = PAYLOAD_ANY,
	.prepare = prepare_authz,
	.respond = respond_authz,
	.reread = reread_authz,
};
