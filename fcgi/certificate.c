/* certificate.c — certificate download (RFC 8555 section 7.4.2) by POST-as-GET, for the account
 * that ordered it. The default is the PEM chain; a client may ask for the DER of the end-entity
 * certificate alone (RFC 2585). */
#include "fcgi/resource.h"

#include "fcgi/accept.h"
#include "lib/acme/url.h"
#include "lib/pki/certview.h"

/* In order of our preference. */
static const char *const types[] = {"application/pem-certificate-chain", "application/pkix-cert"};
enum { TYPE_PEM_CHAIN, TYPE_DER };

static int prepare_certificate(struct request *r, struct problem *pb)
{
	struct ident id;
	int err = resource_id(r, pb, &id);

	if (err != OK)
		return err;
	if (accept_choose(r->accept, types, ARRAY_LEN(types)) < 0)
		return problem_set_status(pb, 406, PROBLEM_MALFORMED,
			"certificates come as %s or %s", types[TYPE_PEM_CHAIN], types[TYPE_DER]);
	order_certificate_call(&r->call, &r->account, r->key->thumbprint, &id);
	return OK;
}

static int respond_certificate(struct request *r, struct problem *pb)
{
	struct bytes der;
	struct bytes chain;
	enum store_code code = order_certificate_result(&r->call, &der, &chain);
	int type = accept_choose(r->accept, types, ARRAY_LEN(types));

	if (code != STORE_OK)
		return problem_of_store(code, pb);
	r->answer.status = 200;
	r->answer.content_type = types[type];
	answer_header(&r->answer, "Vary", "Accept");
	if (type == TYPE_DER) {
		buf_add(&r->answer.body, der.ptr, der.len);
		return OK;
	}
	pem_append(&r->answer.body, "CERTIFICATE", der);
	buf_add(&r->answer.body, chain.ptr, chain.len);
	return OK;
}

const struct route certificate_route = {
	.path = URL_CERTIFICATE,
	.auth = AUTH_KID,
	.payload = PAYLOAD_EMPTY,
	.prepare = prepare_certificate,
	.respond = respond_certificate,
};
