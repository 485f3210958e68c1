/* envelope.c — the protected header of a request (RFC 8555 section 6.2), member by member. */
#include "lib/acme/envelope.h"

#include "lib/acme/url.h"

void envelope_free(struct envelope *env)
{
	if (env == NULL)
		return;
	jwk_free(env->jwk);
	jws_free(env->jws);
	free(env);
}

/* RFC 8555 section 6.5.2: a request without a nonce is badNonce; one that is no string is
 * malformed. */
static int read_nonce(struct envelope *env, struct problem *pb)
{
	switch (jx_get_str(env->jws->header, "nonce", &env->nonce)) {
	case OK:
		return OK;
	case ERR_NOENT:
		return problem_set(pb, PROBLEM_BAD_NONCE, "the protected header has no \"nonce\"");
	default:
		return problem_set(pb, PROBLEM_MALFORMED,
			"\"nonce\" of the protected header is not a string");
	}
}

/* RFC 8555 section 6.4. */
static int read_url(struct envelope *env, struct problem *pb)
{
	if (jx_get_str(env->jws->header, "url", &env->url) != OK)
		return problem_set(pb, PROBLEM_MALFORMED,
			"the protected header has no \"url\" string");
	return OK;
}

static int read_kid(struct envelope *env, const struct conf *conf, const struct jx *kid,
	struct problem *pb)
{
	struct bytes text;

	if (jx_str(kid, &text) != OK || url_parse_account(conf, text, &env->account) != OK)
		return problem_set(pb, PROBLEM_MALFORMED,
			"\"kid\" is not the URL of an account of this server");
	env->has_kid = true;
	return OK;
}

/* RFC 8555 section 6.2: jwk and kid are mutually exclusive, and one must be there. */
static int read_key(struct envelope *env, const struct conf *conf, enum envelope_key allowed,
	struct problem *pb)
{
	const struct jx *jwk = NULL;
	const struct jx *kid = NULL;
	bool has_jwk = jx_get(env->jws->header, "jwk", &jwk) == OK;
	bool has_kid = jx_get(env->jws->header, "kid", &kid) == OK;

	if (has_jwk && has_kid)
		return problem_set(pb, PROBLEM_MALFORMED,
			"the protected header has both \"jwk\" and \"kid\"");
	if (!has_jwk && !has_kid)
		return problem_set(pb, PROBLEM_MALFORMED,
			"the protected header has neither \"jwk\" nor \"kid\"");
	if (has_kid && (allowed & ENVELOPE_KID) == 0)
		return problem_set(pb, PROBLEM_MALFORMED,
			"this request must be signed with \"jwk\", not \"kid\"");
	if (has_jwk && (allowed & ENVELOPE_JWK) == 0)
		return problem_set(pb, PROBLEM_MALFORMED,
			"this request must be signed with \"kid\", not \"jwk\"");
	if (has_kid)
		return read_kid(env, conf, kid, pb);
	if (!jx_is_object(jwk))
		return problem_set(pb, PROBLEM_MALFORMED,
			"\"jwk\" of the protected header is not an object");
	return jwk_parse(jwk, pb, &env->jwk);
}

int envelope_parse(const struct conf *conf, struct bytes body, enum envelope_key allowed,
	struct problem *pb, struct envelope **ret)
{
	CLEANUP(envelope_free) struct envelope *env = xcalloc(1, sizeof(*env));
	int err;

	err = jws_parse(body, pb, &env->jws);
	if (err != OK)
		return err;
	err = jws_check_alg(env->jws, pb);
	if (err != OK)
		return err;
	err = read_url(env, pb);
	if (err != OK)
		return err;
	err = read_key(env, conf, allowed, pb);
	if (err != OK)
		return err;
	err = read_nonce(env, pb);
	if (err != OK)
		return err;
	*ret = TAKE(env);
	return OK;
}

int envelope_check_url(const struct envelope *env, const struct conf *conf, const char *request_uri,
	struct problem *pb)
{
	CLEANUP_BUF struct buf expected = {0};
	CLEANUP_BUF struct buf sent = {0};

	buf_add_str(&expected, conf->server.base_url);
	buf_add_str(&expected, request_uri);
	if (bytes_equal(env->url, buf_bytes(&expected)))
		return OK;
	problem_quote(&sent, env->url, 200);
	return problem_set(pb, PROBLEM_UNAUTHORIZED,
		"\"url\" of the protected header is \"%s\", not the URL requested", buf_str(&sent));
}
