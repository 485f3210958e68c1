/* renewal.c — renewal information over HTTP (RFC 9773 section 4). Plain GET: anybody may ask, and
 * answers may be kept. Rules: lib/acme/renewal_rules. Row: lib/store/renewal. */
#include "fcgi/directory.h"

#include "lib/acme/renewal_rules.h"
#include "lib/acme/url.h"
#include "lib/acme/view.h"
#include "lib/store/renewal.h"

/* How long nginx answers for us: what an operator changes shows within that. */
#define PROXY_SECS "5"
/* How long others may keep it: nothing to clients that wait for Retry-After. */
#define CACHING "public, max-age=60"

static int prepare_renewal(struct request *r, struct problem *pb)
{
	struct renewal_id id;

	if (renewal_id_parse(r->args[0], &id) != OK)
		return problem_set(pb, PROBLEM_MALFORMED,
			"this is not a certificate id as of RFC 9773 section 4.1");
	renewal_info_call(&r->call, bytes_of(id.key_id, id.key_id_len),
		bytes_of(id.serial, id.serial_len));
	return OK;
}

static int respond_renewal(struct request *r, struct problem *pb)
{
	struct renewal_row row;
	struct renewal_facts facts;
	struct renewal_window window;
	struct renewal_id id;

	if (renewal_info_result(&r->call, &row) != STORE_OK)
		return problem_set_status(pb, 404, PROBLEM_MALFORMED,
			"this CA knows no such certificate");
	if (renewal_id_parse(r->args[0], &id) != OK)
		return ERR_INTERNAL; /* prepare has read it */
	facts = (struct renewal_facts){
		.not_before_us = row.not_before_us,
		.not_after_us = row.not_after_us,
		.revoked_us = row.revoked_us,
		.incident_start_us = row.incident_start_us,
		.incident_end_us = row.incident_end_us,
	};
	window = renewal_rules_window(conf_profile_find(r->conf, row.profile), &facts);
	r->answer.status = 200;
	r->answer.no_nonce = true; /* an answer that is kept must not hold one */
	r->answer.caching = CACHING;
	answer_header(&r->answer, "X-Accel-Expires", PROXY_SECS);
	answer_header(&r->answer, "Retry-After", "%d",
		renewal_rules_retry_secs(r->conf, &id, &facts));
	view_renewal_info(&window, row.explanation_url, &r->answer.body);
	return OK;
}

const struct route renewal_route = {
	.path = URL_RENEWAL_INFO_OF,
	.auth = AUTH_NONE,
	.get = true,
	.prepare = prepare_renewal,
	.respond = respond_renewal,
};
