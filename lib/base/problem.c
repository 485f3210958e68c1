/* problem.c — the table of RFC 8555 section 6.7 and the document of RFC 9457. */
#include "lib/base/problem.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>

#include "lib/base/jx.h"

#define URN_PREFIX "urn:ietf:params:acme:error:"

static const struct {
	const char *name;
	int status;
} types[PROBLEM_TYPE_COUNT] = {
	[PROBLEM_NONE] = {"none", 500},
	[PROBLEM_ACCOUNT_DOES_NOT_EXIST] = {"accountDoesNotExist", 400},
	[PROBLEM_ALREADY_REPLACED] = {"alreadyReplaced", 409},
	[PROBLEM_ALREADY_REVOKED] = {"alreadyRevoked", 400},
	[PROBLEM_BAD_CSR] = {"badCSR", 400},
	[PROBLEM_BAD_NONCE] = {"badNonce", 400},
	[PROBLEM_BAD_PUBLIC_KEY] = {"badPublicKey", 400},
	[PROBLEM_BAD_REVOCATION_REASON] = {"badRevocationReason", 400},
	[PROBLEM_BAD_SIGNATURE_ALGORITHM] = {"badSignatureAlgorithm", 400},
	[PROBLEM_CAA] = {"caa", 403},
	[PROBLEM_COMPOUND] = {"compound", 400},
	[PROBLEM_CONNECTION] = {"connection", 400},
	[PROBLEM_DNS] = {"dns", 400},
	[PROBLEM_EXTERNAL_ACCOUNT_REQUIRED] = {"externalAccountRequired", 403},
	[PROBLEM_INCORRECT_RESPONSE] = {"incorrectResponse", 403},
	[PROBLEM_INVALID_CONTACT] = {"invalidContact", 400},
	[PROBLEM_INVALID_PROFILE] = {"invalidProfile", 400},
	[PROBLEM_MALFORMED] = {"malformed", 400},
	[PROBLEM_ORDER_NOT_READY] = {"orderNotReady", 403},
	[PROBLEM_RATE_LIMITED] = {"rateLimited", 429},
	[PROBLEM_REJECTED_IDENTIFIER] = {"rejectedIdentifier", 400},
	[PROBLEM_SERVER_INTERNAL] = {"serverInternal", 500},
	[PROBLEM_TLS] = {"tls", 400},
	[PROBLEM_UNAUTHORIZED] = {"unauthorized", 403},
	[PROBLEM_UNSUPPORTED_CONTACT] = {"unsupportedContact", 400},
	[PROBLEM_UNSUPPORTED_IDENTIFIER] = {"unsupportedIdentifier", 400},
	[PROBLEM_USER_ACTION_REQUIRED] = {"userActionRequired", 403},
};

/* RFC 8555 section 6.2: what a client may sign with; lib/pki/jws.h verifies exactly these. */
static const char *const accepted_algorithms[] = {"ES256", "ES384", "ES512", "EdDSA", "RS256"};

static char *PRINTF_LIKE(1, 0) format(const char *fmt, va_list ap)
{
	char *text;
	int len = vasprintf(&text, fmt, ap);

	assert(len >= 0);
	return text;
}

static void sub_done(struct problem_sub *sub)
{
	free(sub->detail);
	free(sub->identifier);
}

void problem_done(struct problem *pb)
{
	for (size_t i = 0; i < pb->nsubs; i++)
		sub_done(&pb->subs[i]);
	free(pb->subs);
	free(pb->detail);
	free(pb->location);
	free(pb->instance);
	*pb = (struct problem){0};
}

/* detail becomes pb's. It was formatted before pb is emptied, because it may quote what pb held. */
static int set_take(struct problem *pb, int status, enum problem_type type, char *detail)
{
	assert(type > PROBLEM_NONE && type < PROBLEM_TYPE_COUNT);
	problem_done(pb);
	pb->type = type;
	pb->status = status;
	pb->detail = detail;
	return ERR_PROBLEM;
}

int problem_set(struct problem *pb, enum problem_type type, const char *fmt, ...)
{
	va_list ap;
	char *detail;

	va_start(ap, fmt);
	detail = format(fmt, ap);
	va_end(ap);
	return set_take(pb, 0, type, detail);
}

int problem_set_status(struct problem *pb, int status, enum problem_type type, const char *fmt, ...)
{
	va_list ap;
	char *detail;

	va_start(ap, fmt);
	detail = format(fmt, ap);
	va_end(ap);
	return set_take(pb, status, type, detail);
}

void problem_add_sub(struct problem *pb, const char *identifier, enum problem_type type,
	const char *fmt, ...)
{
	va_list ap;
	struct problem_sub *sub;

	assert(type > PROBLEM_NONE && type < PROBLEM_TYPE_COUNT);
	pb->subs = xrealloc(pb->subs, (pb->nsubs + 1) * sizeof(*pb->subs));
	sub = &pb->subs[pb->nsubs++];
	sub->type = type;
	sub->identifier = identifier != NULL ? xstrdup(identifier) : NULL;
	va_start(ap, fmt);
	sub->detail = format(fmt, ap);
	va_end(ap);
}

int problem_seal(struct problem *pb, const char *compound_detail)
{
	if (pb->nsubs == 0)
		return OK;
	free(pb->detail);
	if (pb->nsubs == 1) {
		pb->type = pb->subs[0].type;
		pb->detail = xstrdup(pb->subs[0].detail);
	} else {
		pb->type = PROBLEM_COMPOUND;
		pb->detail = xstrdup(compound_detail);
	}
	return ERR_PROBLEM;
}

int problem_status(const struct problem *pb)
{
	return pb->status != 0 ? pb->status : types[pb->type].status;
}

const char *problem_type_name(enum problem_type type)
{
	assert(type >= PROBLEM_NONE && type < PROBLEM_TYPE_COUNT);
	return types[type].name;
}

enum problem_type problem_type_parse(struct bytes name)
{
	for (size_t type = PROBLEM_NONE + 1; type < PROBLEM_TYPE_COUNT; type++) {
		if (bytes_is(name, types[type].name))
			return (enum problem_type)type;
	}
	return PROBLEM_NONE;
}

static void put_type(struct jx_out *o, enum problem_type type)
{
	char urn[64];

	(void)snprintf(urn, sizeof(urn), "%s%s", URN_PREFIX, problem_type_name(type));
	jx_put_str(o, "type", urn);
}

/* RFC 8555 section 6.7.1. */
static void put_sub(struct jx_out *o, const struct problem_sub *sub)
{
	jx_begin_object(o, NULL);
	put_type(o, sub->type);
	jx_put_str(o, "detail", sub->detail);
	if (sub->identifier != NULL) {
		jx_begin_object(o, "identifier");
		jx_put_str(o, "type", "dns");
		jx_put_str(o, "value", sub->identifier);
		jx_end_object(o);
	}
	jx_end_object(o);
}

void problem_render(const struct problem *pb, struct buf *out)
{
	struct jx_out o = {.buf = out};

	jx_begin_object(&o, NULL);
	put_type(&o, pb->type != PROBLEM_NONE ? pb->type : PROBLEM_SERVER_INTERNAL);
	jx_put_str(&o, "detail", pb->detail);
	jx_put_int(&o, "status", problem_status(pb));
	if (pb->nsubs > 0) {
		jx_begin_array(&o, "subproblems");
		for (size_t i = 0; i < pb->nsubs; i++)
			put_sub(&o, &pb->subs[i]);
		jx_end_array(&o);
	}
	if (pb->type == PROBLEM_BAD_SIGNATURE_ALGORITHM) {
		jx_begin_array(&o, "algorithms");
		for (size_t i = 0; i < ARRAY_LEN(accepted_algorithms); i++)
			jx_put_str(&o, NULL, accepted_algorithms[i]);
		jx_end_array(&o);
	}
	jx_put_str(&o, "instance", pb->instance);
	jx_end_object(&o);
}

void problem_quote(struct buf *out, struct bytes peer, size_t max)
{
	for (size_t i = 0; i < peer.len && i < max; i++)
		buf_add_byte(out, peer.ptr[i] >= 0x20 && peer.ptr[i] < 0x7f ? peer.ptr[i] : '?');
}
