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

/* Section 7.4.2 sets no bound; ours is the chains that an issuer may have. */
#define CHAIN_DIGITS_MAX 2

static int prepare_chain(struct request *r, int32_t chain, struct problem *pb)
{
	struct ident id;
	int err = resource_id(r, pb, &id);

	if (err != OK)
		return err;
	if (accept_choose(r->accept, types, ARRAY_LEN(types)) < 0)
		return problem_set_status(pb, 406, PROBLEM_MALFORMED,
			"certificates come as %s or %s", types[TYPE_PEM_CHAIN], types[TYPE_DER]);
	certificate_get_call(&r->call, &r->account, r->key->thumbprint, &id, chain);
	return OK;
}

static int prepare_certificate(struct request *r, struct problem *pb)
{
	return prepare_chain(r, 0, pb);
}

/* A decimal number from 1, in its one spelling; 0 for all else. */
static int32_t parse_chain(struct bytes text)
{
	int32_t n = 0;

	if (text.len == 0 || text.len > CHAIN_DIGITS_MAX || text.ptr[0] == '0')
		return 0;
	for (size_t i = 0; i < text.len; i++) {
		if (text.ptr[i] < '0' || text.ptr[i] > '9')
			return 0;
		n = 10 * n + (text.ptr[i] - '0');
	}
	return n;
}

static int prepare_alternate(struct request *r, struct problem *pb)
{
	int32_t chain = parse_chain(r->args[1]);

	return chain > 0 ? prepare_chain(r, chain, pb) : problem_of_store(STORE_NOT_FOUND, pb);
}

/* Section 7.4.2: each of the other chains, whichever this one is. */
static void link_others(struct request *r, int32_t chain, int32_t chains)
{
	struct ident id;

	if (ident_parse(r->args[0], &id) != OK)
		return; /* prepare has parsed it */
	for (int32_t n = 0; n < chains; n++) {
		CLEANUP_STR char *url = n != chain ? url_of_chain(r->conf, &id, n) : NULL;

		if (url != NULL)
			answer_header(&r->answer, "Link", "<%s>;rel=\"alternate\"", url);
	}
}

static int respond_certificate(struct request *r, struct problem *pb)
{
	struct certificate_answer found;
	enum store_code code = certificate_get_result(&r->call, &found);
	int type = accept_choose(r->accept, types, ARRAY_LEN(types));

	if (code != STORE_OK)
		return problem_of_store(code, pb);
	r->answer.status = 200;
	r->answer.content_type = types[type];
	answer_header(&r->answer, "Vary", "Accept");
	if (type == TYPE_DER) {
		buf_add(&r->answer.body, found.der.ptr, found.der.len);
		return OK;
	}
	link_others(r, parse_chain(r->args[1]), found.chains);
	pem_append(&r->answer.body, "CERTIFICATE", found.der);
	buf_add(&r->answer.body, found.chain_pem.ptr, found.chain_pem.len);
	return OK;
}

const struct route certificate_route = {
	.path = URL_CERTIFICATE,
	.auth = AUTH_KID,
	.payload = PAYLOAD_EMPTY,
	.prepare = prepare_certificate,
	.respond = respond_certificate,
};

const struct route certificate_alternate_route = {
	.path = URL_CERTIFICATE_ALTERNATE,
	.auth = AUTH_KID,
	.payload = PAYLOAD_EMPTY,
	.prepare = prepare_alternate,
	.respond = respond_certificate,
};
