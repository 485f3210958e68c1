/* challenge.c — challenges over HTTP (RFC 8555 section 7.5.1). An empty payload reads one; any JSON
 * object, normally {}, says that the client is ready, and starts the validation. Rows:
 * lib/store/authz. */
#include "fcgi/resource.h"

#include "lib/acme/url.h"
#include "lib/acme/view.h"

static enum challenge_type type_of(const struct request *r)
{
	return challenge_type_parse(r->args[1]);
}

static int prepare_challenge(struct request *r, struct problem *pb)
{
	enum challenge_type type = type_of(r);
	struct ident id;
	int err = resource_id(r, pb, &id);

	if (err != OK)
		return err;
	if (type == CHALLENGE_NONE)
		return problem_of_store(STORE_NOT_FOUND, pb);
	resource_watch(r, &id);
	/* A type that has been switched off since can still be read, not be responded to. */
	if (r->payload == NULL || !challenge_is_enabled(r->conf, type))
		authz_get_call(&r->call, &r->account, r->key->thumbprint, &id);
	else
		challenge_respond_call(&r->call, &r->account, r->key->thumbprint, &id, type);
	return OK;
}

/* RFC 8555 section 7.5.1: a link to the authorization. */
static void put_links(struct request *r, const struct authz *authz)
{
	CLEANUP_STR char *up = url_of_object(r->conf, URL_AUTHZ, &authz->id);
	CLEANUP_STR char *self =
		url_of_challenge(r->conf, &authz->id, challenge_type_name(type_of(r)));

	answer_header(&r->answer, "Link", "<%s>;rel=\"up\"", up);
	answer_header(&r->answer, "Location", "%s", self);
}

static int respond_challenge(struct request *r, struct problem *pb)
{
	struct authz authz;
	bool queued = false;
	enum store_code code = authz_result(&r->call, &authz, &queued);

	if (code == STORE_CONFLICT)
		return problem_set_status(pb, 409, PROBLEM_MALFORMED,
			"the authorization does not take a response to this challenge (any more)");
	if (code != STORE_OK)
		return problem_of_store(code, pb);
	if (!challenge_is_shown(r->conf, &authz, type_of(r)))
		return problem_of_store(STORE_NOT_FOUND, pb);
	r->answer.status = 200;
	r->enqueue = queued;
	r->job = JOB_VALIDATE;
	r->job_id = authz.id;
	resource_moves(r, challenge_status_of(&authz, type_of(r)) == CHALLENGE_PROCESSING);
	put_links(r, &authz);
	view_challenge(r->conf, &authz, type_of(r), &r->answer.body);
	return OK;
}

static void reread_challenge(struct request *r)
{
	authz_get_call(&r->call, &r->account, r->key->thumbprint, &r->watch);
}

const struct route challenge_route = {
	.path = URL_CHALLENGE,
	.auth = AUTH_KID,
	.payload = PAYLOAD_ANY,
	.prepare = prepare_challenge,
	.respond = respond_challenge,
	.reread = reread_challenge,
};
