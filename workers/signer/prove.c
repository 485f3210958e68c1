/* prove.c — see prove.h. */
#include "workers/signer/prove.h"

#include "lib/base/clock.h"
#include "lib/pki/lint.h"
#include "workers/signer/keys.h"
#include "workers/signer/tbs.h"

static void free_names(char **names)
{
	for (char **n = names; n != NULL && *n != NULL; n++)
		free(*n);
	free(names);
}
DEFINE_CLEANUP(free_names, char **)

/* What the certificate must say, taken from the order, the configuration and the CSR: not from the
 * templates' input. */
static int prove(const struct issuance_job *job, const struct verdict *v,
	const struct tbs_input *in, struct bytes tbs, struct buf *ret_findings)
{
	CLEANUP(free_names) char **names = xcalloc(job->nnames + 1, sizeof(char *));
	CLEANUP_BUF struct buf copy = {0};
	struct lint_expectation want = {
		.issuer = buf_bytes(&v->issuer->certificate),
		.validity_secs = (v->not_after_us - v->not_before_us) / USEC_PER_SEC + 1,
		.serial_len = SERIAL_LEN,
		.nnames = job->nnames,
		.common_name = tbs_common_name(in).ptr != NULL,
		.client_auth = v->profile->client_auth,
		.spki = v->csr->spki,
		.ocsp_url = v->issuer->ocsp_url,
		.ca_issuers_url = v->issuer->ca_issuers_url,
		.crl_url = in->crl_shard > 0 ? v->issuer->crl_points[in->crl_shard - 1].url : NULL,
	};
	int err;

	for (size_t i = 0; i < job->nnames; i++)
		names[i] = xstrndup((const char *)job->names[i].ptr, job->names[i].len);
	want.names = (const char *const *)names;
	err = key_sign_tbs(v->issuer->trial, tbs, &copy);
	if (err != OK)
		return err;
	return lint_certificate(buf_bytes(&copy), &want, ret_findings);
}

int draft_make(const struct issuance_job *job, const struct verdict *v, struct draft *ret,
	struct buf *ret_findings)
{
	struct draft draft = {0};
	struct tbs_input in = {
		.issuer = v->issuer,
		.not_before_us = v->not_before_us,
		.not_after_us = v->not_after_us,
		.names = job->names,
		.nnames = job->nnames,
		.spki = v->csr->spki,
		.rsa = strncmp(v->csr->key_type, "rsa", 3) == 0,
		.common_name = v->profile->common_name,
		.client_auth = v->profile->client_auth,
	};
	int err;

	serial_new(job->now_us, draft.serial);
	if (v->profile->crl && v->issuer->crl_shards > 0)
		draft.crl_shard = serial_crl_shard(draft.serial, v->issuer->crl_shards);
	in.serial = bytes_of(draft.serial, sizeof(draft.serial));
	in.crl_shard = draft.crl_shard;
	tbs_build(&in, &draft.tbs);
	err = prove(job, v, &in, buf_bytes(&draft.tbs), ret_findings);
	if (err != OK) {
		draft_done(&draft);
		return err;
	}
	*ret = draft;
	return OK;
}

void draft_done(struct draft *draft)
{
	buf_done(&draft->tbs);
}
