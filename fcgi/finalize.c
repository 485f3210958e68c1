/* finalize.c — finalize over HTTP (RFC 8555 section 7.4): the CSR of an order. One guarded
 * statement moves ready → processing; every refusal leaves the order as it was. Rules:
 * lib/acme/finalize_rules. Rows: lib/store/order. */
#include "fcgi/resource.h"

#include "lib/acme/finalize_rules.h"
#include "lib/acme/url.h"

static int prepare_finalize(struct request *r, struct problem *pb)
{
	CLEANUP(csr_free) struct csr *csr = NULL;
	CLEANUP(free) struct bytes *names = NULL;
	CLEANUP(free) struct bytes *profiles = NULL;
	struct order_finalize in = {0};
	int err = resource_id(r, pb, &in.id);

	if (err != OK)
		return err;
	err = finalize_rules_csr(r->conf, r->payload, r->key->thumbprint, pb, &csr);
	if (err != OK)
		return err;
	names = xcalloc(csr->nnames + 1, sizeof(*names));
	for (size_t i = 0; i < csr->nnames; i++)
		names[i] = bytes_str(csr->names[i]);
	in.names = names;
	in.count = csr->nnames;
	profiles = xcalloc(r->conf->nprofiles + 1, sizeof(*profiles));
	in.profiles = profiles;
	in.nprofiles = finalize_rules_profiles(r->conf, csr->key_type, profiles);
	in.csr = buf_bytes(&csr->der);
	memcpy(in.spki_sha256, csr->spki_sha256, sizeof(in.spki_sha256));
	memcpy(in.key_thumbprint, csr->key_thumbprint, sizeof(in.key_thumbprint));
	resource_watch(r, &in.id);
	order_finalize_call(&r->call, &r->account, r->key->thumbprint, &in);
	return OK;
}

/* Section 7.4: what is wrong with the CSR is badCSR; whatever is wrong with the order's state is
 * orderNotReady. */
static int refuse_finalize(enum store_code code, struct problem *pb)
{
	switch (code) {
	case STORE_EXPIRED:
		return problem_set(pb, PROBLEM_ORDER_NOT_READY, "the order has expired");
	case STORE_KEY_BLOCKED:
		return problem_set(pb, PROBLEM_BAD_CSR,
			"the key of the CSR is blocked: it is known to be compromised");
	default:
		return problem_of_store(code, pb);
	}
}

static int respond_finalize(struct request *r, struct problem *pb)
{
	struct order order = {0};
	enum store_code code = order_result(&r->call, &order);

	if (code != STORE_OK)
		return refuse_finalize(code, pb);
	r->enqueue = !r->waited;
	r->job = JOB_SIGN;
	r->job_id = order.id;
	return resource_answer_order(r, 200, &order);
}

static void reread_finalize(struct request *r)
{
	order_get_call(&r->call, &r->account, r->key->thumbprint, &r->watch);
}

const struct route finalize_route = {
	.path = URL_FINALIZE,
	.auth = AUTH_KID,
	.payload = PAYLOAD_JSON,
	.prepare = prepare_finalize,
	.respond = respond_finalize,
	.reread = reread_finalize,
};
