/* target.h — where to connect for a host: A and AAAA asked at once, special-purpose addresses
 * dropped, at most one IPv6 and one IPv4 address left, in the order in which to try them. */
#pragma once

#include "lib/base/jx.h"
#include "lib/base/problem.h"
#include "lib/net/perspective.h"

struct target {
	struct perspective *px;
	const char *host;             /* borrowed */
	struct dns_query *queries[2]; /* AAAA, A */
	struct target_family {
		enum dns_status status;
		bool authenticated;
		char *reason; /* of DNS_FAILED */
		size_t nseen;
		bool usable; /* pick is an address that may be contacted */
		struct ipaddr pick;
		const char *objection; /* to the first refused address */
		struct ipaddr refused;
		struct buf seen; /* addresses as JSON strings, for the evidence */
	} families[2];
	void (*fn)(void *arg);
	void *arg;
	/* The result: */
	struct ipaddr addresses[2];
	size_t naddresses;
};

/* Calls fn once, later. */
void target_resolve(struct target *t, struct perspective *px, const char *host,
	void (*fn)(void *arg), void *arg);
/* A literal address in place of a host: nothing is asked, the guard decides. fn is not called. */
void target_take(struct target *t, struct perspective *px, const char *host,
	const struct ipaddr *address);
/* Nothing to connect to: fills pb and returns ERR_PROBLEM; *ret_hopeless when only refused
 * addresses were found. */
MUST_CHECK int target_check(const struct target *t, struct problem *pb, bool *ret_hopeless);
/* Members "addresses" and "dnssec". */
void target_put_evidence(const struct target *t, struct jx_out *out);
/* Forgets queries under way. Safe on a zeroed target. */
void target_done(struct target *t);
