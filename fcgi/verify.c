/* verify.c — see verify.h. Order of checks: the envelope's form and alg, key, signature, nonce,
 * url, payload, prepare. */
#include "fcgi/verify.h"

#include <assert.h>

static enum verified refused(struct exchange *x, int err)
{
	x->verdict = err;
	return VERIFY_REFUSED;
}

static enum verified needs_key(struct exchange *x)
{
	account_key_call(&x->key_call, &x->r.account);
	return VERIFY_NEEDS_KEY;
}

static int key_is_old(struct exchange *x)
{
	return problem_set(&x->problem, PROBLEM_UNAUTHORIZED,
		"the signature was made with a key that is not the account's any more");
}

static int read_payload(struct request *r, struct problem *pb)
{
	const struct buf *payload = &r->env->jws->payload;
	enum route_payload wanted = r->route->auth == AUTH_NONE ? PAYLOAD_EMPTY : r->route->payload;

	if (payload->len == 0) {
		if (wanted == PAYLOAD_JSON)
			return problem_set(pb, PROBLEM_MALFORMED,
				"the payload must be a JSON object");
		return OK;
	}
	/* RFC 8555 section 6.3: zero octets, not an empty object. */
	if (wanted == PAYLOAD_EMPTY)
		return problem_set(pb, PROBLEM_MALFORMED,
			"this resource is read by POST-as-GET: the payload must be empty");
	if (jx_parse(buf_bytes(payload), &r->payload) != OK || !jx_is_object(r->payload))
		return problem_set(pb, PROBLEM_MALFORMED, "the payload is not one JSON object");
	return OK;
}

/* What is decided after the signature and told after the nonce. */
static int decide(struct exchange *x)
{
	struct request *r = &x->r;
	int err = envelope_check_url(r->env, r->conf, x->in.uri, &x->problem);

	if (err == OK)
		err = read_payload(r, &x->problem);
	if (err == OK)
		err = r->route->prepare(r, &x->problem);
	return err;
}

static int open_nonce(struct exchange *x, struct nonce_pool *nonces)
{
	int err = nonce_open(nonces, x->r.env->nonce, &x->nonce);

	/* RFC 8555 section 6.5.2: a nonce that is not base64url is malformed. */
	if (err == ERR_SYNTAX)
		return problem_set(&x->problem, PROBLEM_MALFORMED, "the nonce is not base64url");
	if (err == ERR_NOENT)
		return problem_set(&x->problem, PROBLEM_BAD_NONCE,
			"the nonce is not one of ours, or too old");
	return err;
}

static enum verified verify_signature(struct exchange *x, struct nonce_pool *nonces)
{
	struct request *r = &x->r;
	int err = jws_verify(r->env->jws, r->key, &x->problem);

	/* The account may have got another key through another process: the database decides. */
	if (err == ERR_PROBLEM && x->key_cached)
		return needs_key(x);
	if (err == ERR_PROBLEM && x->rekeyed)
		err = key_is_old(x);
	if (err == OK && !x->nonce_spent)
		err = open_nonce(x, nonces);
	if (err != OK)
		return refused(x, err);
	x->verdict = decide(x);
	return VERIFY_DONE;
}

enum verified verify_begin(struct exchange *x, struct keycache *cache, struct nonce_pool *nonces)
{
	static const enum envelope_key allowed[] = {[AUTH_NONE] = ENVELOPE_EITHER,
		[AUTH_KID] = ENVELOPE_KID,
		[AUTH_JWK] = ENVELOPE_JWK,
		[AUTH_EITHER] = ENVELOPE_EITHER};
	struct request *r = &x->r;
	int err = envelope_parse(r->conf, buf_bytes(&x->in.body), allowed[r->route->auth],
		&x->problem, &r->env);

	if (err != OK)
		return refused(x, err);
	if (!r->env->has_kid) {
		r->key = jwk_ref(r->env->jwk);
		return verify_signature(x, nonces);
	}
	r->account = r->env->account;
	/* A public route makes no call of its own that would notice a key that is out of date. */
	if (r->route->auth != AUTH_NONE)
		r->key = keycache_get(cache, &r->account);
	if (r->key == NULL)
		return needs_key(x);
	x->key_cached = true;
	return verify_signature(x, nonces);
}

enum verified verify_with_key_call(struct exchange *x, struct keycache *cache,
	struct nonce_pool *nonces)
{
	CLEANUP(jwk_free) struct jwk *fresh = NULL;
	struct request *r = &x->r;
	struct bytes canonical;
	int err = problem_of_store(account_key_result(&x->key_call, &canonical), &x->problem);

	if (err == OK)
		err = jwk_load(canonical, &fresh);
	if (err != OK)
		return refused(x, err);
	keycache_put(cache, &r->account, fresh);
	db_call_done(&x->key_call);
	x->key_cached = false;
	/* The key that failed is the account's key: what was said of it stands. */
	if (r->key != NULL &&
		memcmp(r->key->thumbprint, fresh->thumbprint, sizeof(fresh->thumbprint)) == 0)
		return refused(x, ERR_PROBLEM);
	problem_done(&x->problem);
	jwk_free(r->key);
	r->key = TAKE(fresh);
	return verify_signature(x, nonces);
}

enum verified verify_key_changed(struct exchange *x, struct keycache *cache)
{
	struct request *r = &x->r;

	if (r->env->has_kid)
		keycache_drop(cache, &r->account, r->key);
	(void)key_is_old(x); /* unless the fresh key verifies it */
	if (x->rekeyed || !r->env->has_kid)
		return refused(x, ERR_PROBLEM);
	x->rekeyed = true;
	return needs_key(x);
}
