/* dns01.h — dns-01 (RFC 8555 section 8.4): a TXT record at _acme-challenge.NAME must be the
 * base64url SHA-256 of the key authorization. Every record is looked at, its character-strings
 * joined. The method is dns01_method in probe.h. */
#pragma once

#include "lib/base/buf.h"

/* The one place that builds the name to ask: "_acme-challenge." NAME. */
void dns01_name(const char *name, struct buf *out);
/* base64url(SHA-256(key authorization)). */
void dns01_expected(const char *key_authorization, struct buf *out);
