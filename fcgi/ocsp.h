/* ocsp.h — certificate status for everybody (RFC 6960, RFC 9919): the route of assay-ocsp, and the
 * two parts that it is made of.
 *
 * This program holds no key. It hands out what assay-ocsp-signer has signed ahead, and asks it for
 * the rest: requests with a nonce or about several certificates, and certificates whose response is
 * missing or does not agree with their row. Errors are OCSP responses with status 200; only when
 * this program cannot know, it is 503 with tryLater, so that a cache in front may help itself. */
#pragma once

#include "fcgi/app.h"
#include "lib/pki/ocsp_peek.h"
#include "lib/pki/ocsp_request.h"

extern const struct route ocsp_route;

/* ocsp_issuers.c — the issuers that the database knows, read again every few seconds. Any thread.
 */
#define OCSP_ISSUERS_SECS 5
void ocsp_issuers_bind(struct db_call *c);
void ocsp_issuers_take(const struct db_call *c);
void ocsp_issuers_done(void);
enum ocsp_issuer_found {
	OCSP_ISSUER_KNOWN,
	OCSP_ISSUER_UNKNOWN,
	OCSP_ISSUERS_UNREAD /* nothing is known yet */
};
/* The number of the issuer that a CertID names, and whether somebody can sign for it. */
enum ocsp_issuer_found ocsp_issuer_find(const struct ocsp_certid *id, int32_t *ret,
	bool *ret_answers);

/* ocsp_http.c — the answer and how it may be cached. */
/* A response that everybody may keep until it is replaced; 304 when the client has it. */
void ocsp_answer_kept(struct request *r, struct bytes response, int64_t this_update_us,
	int64_t next_update_us, char caching[static 96]);
/* One for this client alone. */
void ocsp_answer_once(struct request *r, struct bytes response);
void ocsp_answer_error(struct request *r, enum ocsp_refusal refusal);
/* For the person whose browser ends up here. */
void ocsp_answer_page(struct request *r);
