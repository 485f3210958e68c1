/* ipaddr.h — one IPv4 or IPv6 address: strict text form, socket address, prefix comparison. */
#pragma once

#include <sys/socket.h>

#include "lib/base/bytes.h"
#include "lib/base/err.h"

#define IPADDR_TEXT_LEN 45

struct ipaddr {
	int family; /* AF_INET, AF_INET6 */
	uint8_t b[16];
};

/* Dotted quad without leading zeros, or RFC 4291 text without zone. ERR_SYNTAX otherwise. */
MUST_CHECK int ipaddr_parse(struct bytes text, struct ipaddr *ret);
/* From 4 or 16 bytes of an A or AAAA record. ERR_SYNTAX for other lengths. */
MUST_CHECK int ipaddr_of_bytes(struct bytes raw, struct ipaddr *ret);
void ipaddr_format(const struct ipaddr *a, char out[IPADDR_TEXT_LEN + 1]);
socklen_t ipaddr_to_sockaddr(const struct ipaddr *a, uint16_t port, struct sockaddr_storage *out);
/* ADDRESS/BITS with no bits set behind the prefix, or a single ADDRESS. */
MUST_CHECK int ipaddr_parse_prefix(struct bytes text, struct ipaddr *ret, int *ret_bits);
/* False when the families differ: a v4-mapped IPv6 address is an IPv6 address. */
bool ipaddr_in_prefix(const struct ipaddr *a, const struct ipaddr *prefix, int bits);
