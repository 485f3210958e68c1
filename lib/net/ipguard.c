/* ipguard.c — see ipguard.h. The table is read from text once, so that it can be compared with the
 * registries by eye. */
#include "lib/net/ipguard.h"

#include <assert.h>

static const struct {
	const char *prefix;
	const char *what;
} special[] = {
	/* IANA IPv4 Special-Purpose Address Registry */
	{"0.0.0.0/8", "this network (RFC 791)"},
	{"10.0.0.0/8", "private (RFC 1918)"},
	{"100.64.0.0/10", "carrier-grade NAT (RFC 6598)"},
	{"127.0.0.0/8", "loopback (RFC 1122)"},
	{"169.254.0.0/16", "link-local (RFC 3927)"},
	{"172.16.0.0/12", "private (RFC 1918)"},
	{"192.0.0.0/24", "IETF protocol assignments (RFC 6890)"},
	{"192.0.2.0/24", "documentation (RFC 5737)"},
	{"192.31.196.0/24", "AS112 (RFC 7535)"},
	{"192.52.193.0/24", "AMT (RFC 7450)"},
	{"192.88.99.0/24", "6to4 relay (RFC 7526)"},
	{"192.168.0.0/16", "private (RFC 1918)"},
	{"192.175.48.0/24", "AS112 (RFC 7534)"},
	{"198.18.0.0/15", "benchmarking (RFC 2544)"},
	{"198.51.100.0/24", "documentation (RFC 5737)"},
	{"203.0.113.0/24", "documentation (RFC 5737)"},
	{"224.0.0.0/4", "multicast (RFC 5771)"},
	{"240.0.0.0/4", "reserved (RFC 1112)"},
	/* IANA IPv6 Special-Purpose Address Registry */
	{"::/128", "unspecified (RFC 4291)"},
	{"::1/128", "loopback (RFC 4291)"},
	{"::ffff:0:0/96", "IPv4-mapped (RFC 4291)"},
	{"64:ff9b::/96", "NAT64 (RFC 6052)"},
	{"64:ff9b:1::/48", "NAT64 (RFC 8215)"},
	{"100::/64", "discard-only (RFC 6666)"},
	{"100:0:0:1::/64", "dummy prefix (RFC 9780)"},
	{"2001::/23", "IETF protocol assignments (RFC 2928)"},
	{"2001:db8::/32", "documentation (RFC 3849)"},
	{"2002::/16", "6to4 (RFC 3056)"},
	{"2620:4f:8000::/48", "AS112 (RFC 7534)"},
	{"3fff::/20", "documentation (RFC 9637)"},
	{"5f00::/16", "SRv6 identifiers (RFC 9602)"},
	{"fc00::/7", "unique local (RFC 4193)"},
	{"fe80::/10", "link-local (RFC 4291)"},
	{"ff00::/8", "multicast (RFC 4291)"},
};

struct block {
	struct ipaddr prefix;
	int bits;
	const char *what;
};

struct ipguard {
	struct block refused[ARRAY_LEN(special)];
	struct block unicast; /* 2000::/3, all that RFC 4291 hands out as global unicast */
	struct block *allowed;
	size_t nallowed;
};

static void parse_known(const char *text, const char *what, struct block *ret)
{
	int rc = ipaddr_parse_prefix(bytes_str(text), &ret->prefix, &ret->bits);

	assert(rc == OK);
	ret->what = what;
}

static int refuse_entry(const char *entry, const char *why, char **ret_error)
{
	CLEANUP_BUF struct buf text = {0};

	buf_addf(&text, "allow_addresses: %s %s", entry, why);
	*ret_error = buf_take_str(&text);
	return ERR_SYNTAX;
}

int ipguard_new(const struct conf_list *allow, char **ret_error, struct ipguard **ret)
{
	CLEANUP(ipguard_free) struct ipguard *guard = xcalloc(1, sizeof(*guard));

	for (size_t i = 0; i < ARRAY_LEN(special); i++)
		parse_known(special[i].prefix, special[i].what, &guard->refused[i]);
	parse_known("2000::/3", "", &guard->unicast);
	guard->allowed = xcalloc(allow->count + 1, sizeof(*guard->allowed));
	for (size_t i = 0; i < allow->count; i++) {
		struct block *b = &guard->allowed[i];

		if (ipaddr_parse_prefix(bytes_str(allow->items[i]), &b->prefix, &b->bits) != OK)
			return refuse_entry(allow->items[i],
				"is not an address or a prefix such as 10.1.0.0/16", ret_error);
		if (b->bits == 0)
			return refuse_entry(allow->items[i],
				"would switch the guard off: name the ranges in use", ret_error);
		guard->nallowed++;
	}
	*ret = TAKE(guard);
	return OK;
}

void ipguard_free(struct ipguard *guard)
{
	if (guard == NULL)
		return;
	free(guard->allowed);
	free(guard);
}

static bool block_has(const struct block *b, const struct ipaddr *address)
{
	return ipaddr_in_prefix(address, &b->prefix, b->bits);
}

const char *ipguard_objection(const struct ipguard *guard, const struct ipaddr *address)
{
	for (size_t i = 0; i < guard->nallowed; i++)
		if (block_has(&guard->allowed[i], address))
			return NULL;
	for (size_t i = 0; i < ARRAY_LEN(guard->refused); i++)
		if (block_has(&guard->refused[i], address))
			return guard->refused[i].what;
	if (address->family == AF_INET6 && !block_has(&guard->unicast, address))
		return "not global unicast (RFC 4291)";
	return NULL;
}
