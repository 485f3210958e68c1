/* ipguard.h — which addresses the validator may connect to: globally reachable unicast only, so
 * that nobody can use a challenge or a redirect to reach this network (RFC 8555 section 10.4).
 *
 * Refused: every block of the IANA special-purpose address registries (also those marked globally
 * reachable, as the CA/B Baseline Requirements define reserved addresses), multicast, and IPv6
 * outside 2000::/3. validation.allow_addresses opens exactly the blocks it lists: 127.0.0.0/8 does
 * not open ::ffff:127.0.0.1. */
#pragma once

#include "lib/base/buf.h"
#include "lib/base/conf.h"
#include "lib/net/ipaddr.h"

struct ipguard;

/* On ERR_SYNTAX *ret_error says which entry is no prefix, or is /0 (free it). */
MUST_CHECK int ipguard_new(const struct conf_list *allow, char **ret_error, struct ipguard **ret);
void ipguard_free(struct ipguard *guard);
DEFINE_CLEANUP(ipguard_free, struct ipguard *)
/* NULL: may be contacted. Otherwise what the address is, for messages: "loopback". */
const char *ipguard_objection(const struct ipguard *guard, const struct ipaddr *address);
