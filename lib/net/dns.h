/* dns.h — asking the recursive resolver, one c-ares channel for each loop. The only includer of
 * <ares.h> is dns.c.
 *
 * c-ares moves the packets (timeouts, next server, TCP after truncation); the messages are ours
 * (dnsmsg), because c-ares neither asks for AD nor reads CAA sets completely. It uses one fixed
 * source port for each server, so the resolver belongs on this machine or behind a trusted link,
 * and it must validate DNSSEC: a bogus answer arrives as SERVFAIL. Whatever is not a clean answer
 * is DNS_FAILED, which never permits anything. */
#pragma once

#include "lib/base/conf.h"
#include "lib/net/dnsmsg.h"
#include "lib/net/loop.h"

#define DNS_REASON_LEN 200

enum dns_status {
	DNS_FOUND,    /* records of the asked type */
	DNS_NODATA,   /* the name exists, not so the type */
	DNS_NXDOMAIN, /* the name does not exist */
	DNS_FAILED,   /* SERVFAIL, timeout, malformed, truncated, not validated though demanded */
};

struct dns_answer {
	enum dns_status status;
	bool authenticated;
	const struct bytes *records; /* RDATA, borrowed for the call */
	size_t nrecords;
	const char *reason; /* DNS_FAILED: "SERVFAIL (DNSSEC bogus: …)", printable, borrowed; ""
			       otherwise */
};

struct dns;
struct dns_query;
typedef void (*dns_fn)(void *arg, const struct dns_answer *answer);

/* resolvers: ADDRESS:PORT each; an empty list takes /etc/resolv.conf. With validated_only, the
 * resolver has to show again and again that it validates DNSSEC, by AD on the root's SOA: until it
 * does, answers without AD are DNS_FAILED. Afterwards they are those of unsigned zones, since a
 * bogus one is SERVFAIL. ERR_SYNTAX: a resolver is no address; ERR_NET: c-ares failed. */
MUST_CHECK int dns_new(struct loop *loop, const struct conf_list *resolvers, bool validated_only,
	struct dns **ret);
/* Queries under way are forgotten, their fn is not called. */
void dns_free(struct dns *dns);
DEFINE_CLEANUP(dns_free, struct dns *)
/* The servers in use, "127.0.0.1:53,[::1]:53". */
const char *dns_resolvers(const struct dns *dns);

/* Asks; fn is called once, later, from the loop. The handle is good until then or dns_cancel. */
struct dns_query *dns_ask(struct dns *dns, const char *name, enum dns_type type, dns_fn fn,
	void *arg);
/* fn will not be called. NULL is allowed. */
void dns_cancel(struct dns_query *query);
