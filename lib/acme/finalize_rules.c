/* finalize_rules.c — see finalize_rules.h. */
#include "lib/acme/finalize_rules.h"

#include "lib/base/b64url.h"

static bool takes_type(const struct conf_profile *profile, const char *type)
{
	for (size_t i = 0; i < profile->key_types.count; i++) {
		if (strcmp(profile->key_types.items[i], type) == 0)
			return true;
	}
	return false;
}

size_t finalize_rules_profiles(const struct conf *conf, const char *key_type, struct bytes *ret)
{
	size_t count = 0;

	for (size_t i = 0; i < conf->nprofiles; i++) {
		if (takes_type(&conf->profiles[i], key_type))
			ret[count++] = bytes_str(conf->profiles[i].name);
	}
	return count;
}

int finalize_rules_csr(const struct conf *conf, const struct jx *payload,
	const uint8_t account_thumbprint[JWK_THUMBPRINT_LEN], struct problem *pb, struct csr **ret)
{
	CLEANUP(csr_free) struct csr *csr = NULL;
	CLEANUP_BUF struct buf der = {0};
	struct bytes text;
	int err;

	if (jx_get_str(payload, "csr", &text) != OK)
		return problem_set(pb, PROBLEM_MALFORMED, "\"csr\" is missing or not a string");
	if (text.len > B64URL_LEN(CSR_MAX_BYTES))
		return problem_set(pb, PROBLEM_BAD_CSR, "the CSR is larger than %d bytes",
			CSR_MAX_BYTES);
	if (b64url_parse_buf(text, &der) != OK)
		return problem_set(pb, PROBLEM_BAD_CSR,
			"\"csr\" is not base64url of a DER request (no PEM, no padding)");
	err = csr_parse(buf_bytes(&der), (size_t)conf->orders.names_max, pb, &csr);
	if (err != OK)
		return err;
	/* RFC 8555 section 11.1: a key serves as account key or in certificates, not both. */
	if (memcmp(csr->key_thumbprint, account_thumbprint, JWK_THUMBPRINT_LEN) == 0)
		return problem_set(pb, PROBLEM_BAD_CSR,
			"the key of the CSR is the key of the account");
	*ret = TAKE(csr);
	return OK;
}
