/* weburl.h — http and https URLs as redirects give them (RFC 3986, RFC 9110 section 10.2.2),
 * strictly.
 *
 * Only visible ASCII, no user information, no zone in an address, hosts that are DNS names or plain
 * IP addresses: numeric spellings such as "0x7f.1" or "2130706433" are refused. The fragment is
 * dropped. */
#pragma once

#include "lib/base/buf.h"
#include "lib/net/ipaddr.h"

#define WEBURL_TARGET_MAX_LEN 2000

struct weburl {
	bool https;
	bool is_address;
	struct ipaddr address; /* when is_address */
	char *host;            /* lower-case name, or the address without brackets */
	uint16_t port;
	char *target; /* path and query, begins with '/' */
};

/* reference relative to base. ERR_SYNTAX: *ret_fault says why, in words for the person who set up
 * the redirect. */
MUST_CHECK int weburl_resolve(const struct weburl *base, struct bytes reference,
	const char **ret_fault, struct weburl *ret);
/* http://name:port/target; the strings are copied. */
void weburl_init_http(struct weburl *url, const char *name, uint16_t port, const char *target);
void weburl_done(struct weburl *url);
void weburl_format(const struct weburl *url, struct buf *out);
/* The Host field: host, in brackets when IPv6, and the port unless it is the scheme's own. */
void weburl_format_host(const struct weburl *url, struct buf *out);
