/* revoke_rules.c — see revoke_rules.h. */
#include "lib/acme/revoke_rules.h"

#include "lib/base/b64url.h"

void revoke_rules_free(struct revoke_wish *wish)
{
	if (wish == NULL)
		return;
	buf_done(&wish->der);
	free(wish);
}

static int read_certificate(const struct jx *payload, struct problem *pb, struct revoke_wish *wish)
{
	struct bytes text;

	if (jx_get_str(payload, "certificate", &text) != OK)
		return problem_set(pb, PROBLEM_MALFORMED,
			"\"certificate\" is missing or not a string");
	if (text.len > B64URL_LEN(CERTIFICATE_MAX_BYTES))
		return problem_set(pb, PROBLEM_MALFORMED, "the certificate is larger than %d bytes",
			CERTIFICATE_MAX_BYTES);
	if (b64url_parse_buf(text, &wish->der) != OK)
		return problem_set(pb, PROBLEM_MALFORMED,
			"\"certificate\" is not base64url of a DER certificate (no PEM, no "
			"padding)");
	if (certview_walk(buf_bytes(&wish->der), &wish->outline) != OK)
		return problem_set(pb, PROBLEM_MALFORMED,
			"\"certificate\" is not exactly one DER certificate");
	return OK;
}

static int read_reason(const struct jx *payload, struct problem *pb, int *ret)
{
	int64_t reason = REVOKE_UNSPECIFIED;
	int err = jx_get_int(payload, "reason", &reason);

	if (err != OK && err != ERR_NOENT)
		return problem_set(pb, PROBLEM_MALFORMED, "\"reason\" is not a number");
	switch (reason) {
	case REVOKE_UNSPECIFIED:
	case REVOKE_KEY_COMPROMISE:
	case REVOKE_AFFILIATION_CHANGED:
	case REVOKE_SUPERSEDED:
	case REVOKE_CESSATION_OF_OPERATION:
		*ret = (int)reason;
		return OK;
	default:
		return problem_set(pb, PROBLEM_BAD_REVOCATION_REASON,
			"reason %lld is not one of 0, 1, 3, 4 and 5 (RFC 5280 section 5.3.1)",
			(long long)reason);
	}
}

/* RFC 8555 section 7.6: signed with the certificate's own key pair. What we certify is always
 * encoded in the one way that jwk hashes, so equal keys are equal bytes. */
static int check_key(const struct revoke_wish *wish, const struct jwk *key, struct problem *pb)
{
	uint8_t digest[32];

	ossl_sha256_of(wish->outline.spki, digest);
	if (memcmp(digest, key->spki_sha256, sizeof(digest)) != 0)
		return problem_set(pb, PROBLEM_UNAUTHORIZED,
			"the request is signed with a key that is neither the "
			"certificate's nor, by \"kid\", an account's");
	return OK;
}

int revoke_rules_parse(const struct jx *payload, const struct jwk *key, struct problem *pb,
	struct revoke_wish **ret)
{
	CLEANUP(revoke_rules_free) struct revoke_wish *wish = xcalloc(1, sizeof(*wish));
	int err;

	err = read_certificate(payload, pb, wish);
	if (err != OK)
		return err;
	err = read_reason(payload, pb, &wish->reason);
	if (err != OK)
		return err;
	if (key != NULL) {
		err = check_key(wish, key, pb);
		if (err != OK)
			return err;
		wish->reason = REVOKE_KEY_COMPROMISE;
	}
	*ret = TAKE(wish);
	return OK;
}
