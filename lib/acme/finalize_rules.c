/* finalize_rules.c — see finalize_rules.h. */
#include "lib/acme/finalize_rules.h"

#include "lib/base/b64url.h"

/* Whether any profile certifies this kind of key. Which one applies is known with the order, and
 * the signer decides. */
static bool key_type_is_used(const struct conf *conf, const char *type)
{
	for (size_t i = 0; i < conf->nprofiles; i++) {
		const struct conf_list *types = &conf->profiles[i].key_types;

		for (size_t k = 0; k < types->count; k++) {
			if (strcmp(types->items[k], type) == 0)
				return true;
		}
	}
	return false;
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
	if (!key_type_is_used(conf, csr->key_type))
		return problem_set(pb, PROBLEM_BAD_CSR,
			"keys of the type %s are not certified here", csr->key_type);
	*ret = TAKE(csr);
	return OK;
}
