/* order_rules.h — what a newOrder may ask for (RFC 8555 section 7.4). Decisions only; used by
 * fcgi/order.c. */
#pragma once

#include "lib/acme/renewal_rules.h"
#include "lib/base/jx.h"
#include "lib/base/problem.h"

struct order_wish {
	struct bytes *names; /* canonical, sorted bytewise, without duplicates; all owned */
	size_t count;
	const struct conf_profile *profile; /* of the configuration */
	int64_t not_before_us;              /* INT64_MIN = not asked */
	int64_t not_after_us;
	struct renewal_id replaces; /* RFC 9773 section 5; text.ptr NULL = nothing */
};

/* malformed, rejectedIdentifier, unsupportedIdentifier (a compound when several names are bad),
 * invalidProfile. Members that we do not know are ignored. */
MUST_CHECK int order_rules_new(const struct conf *conf, const struct jx *payload, int64_t now_us,
	struct problem *pb, struct order_wish **ret);
void order_rules_free(struct order_wish *wish);
DEFINE_CLEANUP(order_rules_free, struct order_wish *)

/* Whether a certificate with these dates (INT64_MIN = ours to choose) could be issued as asked:
 * section 7.4 forbids to alter them. notBefore lies within DATES_WINDOW_SECS of now, and the time
 * from notBefore (or now) to notAfter, both ends included, is at most the profile's validity. */
#define DATES_WINDOW_SECS (48 * 3600)
MUST_CHECK int order_rules_check_dates(const struct conf_profile *profile, int64_t not_before_us,
	int64_t not_after_us, int64_t now_us, struct problem *pb);

/* Valid authorizations are reused when they live at least until this time: an eighth of an order's
 * life, at least an hour and at most a day. */
int64_t order_rules_min_reuse(const struct conf *conf, int64_t now_us);
