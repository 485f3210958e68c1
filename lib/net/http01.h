/* http01.h — http-01 (RFC 8555 section 8.3): GET http://NAME/.well-known/acme-challenge/TOKEN must
 * give the key authorization, trailing white space aside, with a 2xx status.
 *
 * Redirects 301, 302, 307 and 308 are followed to http and https URLs on allowed ports, each host
 * resolved and guarded anew. Nothing of a body is ever quoted: a redirect must not become a way to
 * read this network (section 10.4). The method is http01_method in probe.h. */
#pragma once

#include "lib/base/bytes.h"

#define HTTP01_REDIRECTS_MAX 10
#define HTTP01_BODY_MAX_BYTES 512
#define HTTP01_PATH "/.well-known/acme-challenge/"

/* What a 2xx body is. */
enum http01_match {
	HTTP01_EQUAL,
	HTTP01_OTHER_ACCOUNT,
	HTTP01_TOKEN_ONLY,
	HTTP01_EMPTY,
	HTTP01_DIFFERENT
};
enum http01_match http01_compare(struct bytes body, const char *token,
	const char *key_authorization);
