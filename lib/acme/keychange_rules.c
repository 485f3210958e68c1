/* keychange_rules.c — see keychange_rules.h. */
#include "lib/acme/keychange_rules.h"

#include "lib/acme/url.h"

/* The inner header: jwk, the same url, and neither nonce nor kid. */
static int check_header(const struct envelope *env, const struct jws *inner, struct problem *pb,
	struct jwk **ret)
{
	const struct jx *jwk = NULL;
	const struct jx *unwanted = NULL;
	struct bytes url;

	if (jx_get(inner->header, "nonce", &unwanted) != ERR_NOENT)
		return problem_set(pb, PROBLEM_MALFORMED,
			"the inner JWS must not have a \"nonce\"");
	if (jx_get(inner->header, "kid", &unwanted) != ERR_NOENT)
		return problem_set(pb, PROBLEM_MALFORMED,
			"the inner JWS must be signed with \"jwk\", not \"kid\"");
	if (jx_get_str(inner->header, "url", &url) != OK || !bytes_equal(url, env->url))
		return problem_set(pb, PROBLEM_MALFORMED,
			"\"url\" of the inner JWS is not that of the outer one");
	if (jx_get_object(inner->header, "jwk", &jwk) != OK)
		return problem_set(pb, PROBLEM_MALFORMED, "the inner JWS has no \"jwk\" object");
	return jwk_parse(jwk, pb, ret);
}

/* The inner payload: account is the kid, oldKey the key that signed the outer JWS. */
static int check_payload(const struct conf *conf, const struct envelope *env,
	const struct jwk *old_key, const struct jws *inner, struct problem *pb)
{
	CLEANUP(jx_free) struct jx *change = NULL;
	CLEANUP(jwk_free) struct jwk *sent = NULL;
	const struct jx *old = NULL;
	struct bytes account;
	struct ident id;
	int err;

	if (jx_parse(buf_bytes(&inner->payload), &change) != OK || !jx_is_object(change))
		return problem_set(pb, PROBLEM_MALFORMED,
			"the payload of the inner JWS is not a JSON object");
	if (jx_get_str(change, "account", &account) != OK ||
		url_parse_account(conf, account, &id) != OK || !ident_equal(&id, &env->account))
		return problem_set(pb, PROBLEM_MALFORMED,
			"\"account\" is not the account of the outer \"kid\"");
	if (jx_get_object(change, "oldKey", &old) != OK)
		return problem_set(pb, PROBLEM_MALFORMED, "\"oldKey\" is missing or not an object");
	err = jwk_parse(old, pb, &sent);
	if (err != OK)
		return err;
	if (memcmp(sent->thumbprint, old_key->thumbprint, JWK_THUMBPRINT_LEN) != 0)
		return problem_set(pb, PROBLEM_MALFORMED,
			"\"oldKey\" is not the account's present key");
	return OK;
}

int keychange_rules_check(const struct conf *conf, const struct envelope *env,
	const struct jwk *old_key, const struct jx *payload, struct problem *pb, struct jwk **ret)
{
	CLEANUP(jws_free) struct jws *inner = NULL;
	CLEANUP(jwk_free) struct jwk *key = NULL;
	int err;

	err = jws_parse_object(payload, pb, &inner);
	if (err != OK)
		return err;
	err = jws_check_alg(inner, pb);
	if (err != OK)
		return err;
	err = check_header(env, inner, pb, &key);
	if (err != OK)
		return err;
	err = jws_verify(inner, key, pb);
	if (err != OK)
		return err;
	err = check_payload(conf, env, old_key, inner, pb);
	if (err != OK)
		return err;
	*ret = TAKE(key);
	return OK;
}
