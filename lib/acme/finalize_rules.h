/* finalize_rules.h — the CSR of a finalize request (RFC 8555 section 7.4), as far as it can be
 * judged without the order: the database compares its names and profile with the order's.
 * Used by fcgi/finalize.c. */
#pragma once

#include "lib/base/conf.h"
#include "lib/pki/csr.h"

/* malformed: no "csr" string; badCSR: everything else. account_thumbprint: the requester's key must
 * not be certified. */
MUST_CHECK int finalize_rules_csr(const struct conf *conf, const struct jx *payload,
	const uint8_t account_thumbprint[JWK_THUMBPRINT_LEN], struct problem *pb, struct csr **ret);
/* The names of the profiles that certify keys of this type, borrowed from conf, into ret, which has
 * room for all profiles. Returns how many. */
size_t finalize_rules_profiles(const struct conf *conf, const char *key_type, struct bytes *ret);
