/* jws.c — see jws.h. Parsing decides everything but the signature, so that junk is refused before
 * any cryptography. */
#include "lib/pki/jws.h"

#include "lib/base/b64url.h"
#include "lib/pki/signature.h"

static const enum jws_alg algs[] = {JWS_RS256, JWS_ES256, JWS_ES384, JWS_ES512, JWS_EDDSA,
	JWS_HS256, JWS_HS384, JWS_HS512};

/* RFC 7518 section 3.1 and RFC 8037 section 3.1. */
const char *jws_alg_name(enum jws_alg alg)
{
	switch (alg) {
	case JWS_NONE:
		break;
	case JWS_RS256:
		return "RS256";
	case JWS_ES256:
		return "ES256";
	case JWS_ES384:
		return "ES384";
	case JWS_ES512:
		return "ES512";
	case JWS_EDDSA:
		return "EdDSA";
	case JWS_HS256:
		return "HS256";
	case JWS_HS384:
		return "HS384";
	case JWS_HS512:
		return "HS512";
	}
	return "none";
}

static int malformed(struct problem *pb, const char *detail)
{
	return problem_set(pb, PROBLEM_MALFORMED, "%s", detail);
}

static int read_alg(struct jws *jws, struct problem *pb)
{
	struct bytes text = {0};
	int r = jx_get_str(jws->header, "alg", &text);

	if (r < 0 && r != ERR_NOENT)
		return malformed(pb, "\"alg\" of the JWS is not a string");
	jws->alg_text = xstrndup(text.len == 0 ? "" : (const char *)text.ptr, text.len);
	for (size_t i = 0; i < ARRAY_LEN(algs); i++) {
		if (bytes_is(text, jws_alg_name(algs[i])))
			jws->alg = algs[i];
	}
	return OK;
}

static int read_header(struct jws *jws, struct problem *pb)
{
	CLEANUP_BUF struct buf json = {0};
	const struct jx *member;

	if (b64url_parse_buf(jws->signing_input_protected, &json) < 0)
		return malformed(pb, "\"protected\" of the JWS is not base64url without padding");
	if (jx_parse(buf_bytes(&json), &jws->header) < 0 || !jx_is_object(jws->header))
		return malformed(pb,
			"the protected header of the JWS is not one JSON object without duplicate "
			"members");
	/* RFC 7515 section 4.1.11: we understand no extension, so none may be critical. */
	if (jx_get(jws->header, "crit", &member) == OK)
		return malformed(pb, "the JWS has a \"crit\" header");
	/* RFC 7797: it would have to be critical. */
	if (jx_get(jws->header, "b64", &member) == OK)
		return malformed(pb, "the JWS has a \"b64\" header");
	return read_alg(jws, pb);
}

int jws_parse_object(const struct jx *object, struct problem *pb, struct jws **ret)
{
	CLEANUP(jws_free) struct jws *jws = xcalloc(1, sizeof(*jws));
	struct bytes signature;
	int r;

	/* RFC 7515 section 7.2.2 with RFC 8555 section 6.2: neither "header" nor "signatures". */
	if (!jx_is_object(object) || jx_count(object) != 3 ||
		jx_get_str(object, "protected", &jws->signing_input_protected) < 0 ||
		jx_get_str(object, "payload", &jws->signing_input_payload) < 0 ||
		jx_get_str(object, "signature", &signature) < 0)
		return malformed(pb,
			"a JWS must be an object of exactly the strings \"protected\", \"payload\" "
			"and "
			"\"signature\"");
	r = read_header(jws, pb);
	if (r < 0)
		return r;
	if (b64url_parse_buf(jws->signing_input_payload, &jws->payload) < 0)
		return malformed(pb, "\"payload\" of the JWS is not base64url without padding");
	if (signature.len > B64URL_LEN(JWS_SIGNATURE_MAX_BYTES) ||
		b64url_parse(signature, jws->signature, &jws->signature_len) < 0)
		return malformed(pb,
			"\"signature\" of the JWS is not base64url without padding, or too long");
	*ret = TAKE(jws);
	return OK;
}

int jws_parse(struct bytes body, struct problem *pb, struct jws **ret)
{
	CLEANUP(jx_free) struct jx *object = NULL;
	int r;

	if (jx_parse(body, &object) < 0)
		return malformed(pb, "the body is not one JSON value without duplicate members");
	r = jws_parse_object(object, pb, ret);
	if (r < 0)
		return r;
	(*ret)->body = TAKE(object);
	return OK;
}

void jws_free(struct jws *jws)
{
	if (jws == NULL)
		return;
	jx_free(jws->body);
	jx_free(jws->header);
	buf_done(&jws->payload);
	free(jws->alg_text);
	free(jws);
}

static int bad_alg(const struct jws *jws, struct problem *pb, const char *why)
{
	CLEANUP_BUF struct buf quoted = {0};

	problem_quote(&quoted, bytes_str(jws->alg_text), 32);
	return problem_set(pb, PROBLEM_BAD_SIGNATURE_ALGORITHM, "the signature algorithm \"%s\" %s",
		buf_str(&quoted), why);
}

int jws_check_alg(const struct jws *jws, struct problem *pb)
{
	switch (jws->alg) {
	case JWS_RS256:
	case JWS_ES256:
	case JWS_ES384:
	case JWS_ES512:
	case JWS_EDDSA:
		return OK;
	case JWS_NONE:
	case JWS_HS256:
	case JWS_HS384:
	case JWS_HS512:
		break;
	}
	return bad_alg(jws, pb, "is not accepted for account keys");
}

int jws_verify(const struct jws *jws, const struct jwk *key, struct problem *pb)
{
	/* RFC 7515 section 5.2 step 8: ASCII(protected) . payload */
	const struct bytes input[] = {jws->signing_input_protected, bytes_str("."),
		jws->signing_input_payload};
	int r = jws_check_alg(jws, pb);

	if (r < 0)
		return r;
	if (jws->alg != key->alg)
		return bad_alg(jws, pb, "does not fit the account key");
	if (signature_verify_jws(key, input, ARRAY_LEN(input),
		    bytes_of(jws->signature, jws->signature_len)) < 0)
		return malformed(pb, "the signature of the JWS does not verify");
	return OK;
}
