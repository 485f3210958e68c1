/* renewal_rules.h — renewal information (RFC 9773): what names a certificate, and when it should be
 * renewed. Decisions only; used by fcgi/renewal.c and, for newOrder's "replaces", by order_rules.
 */
#pragma once

#include "lib/base/conf.h"

/* RFC 5280 section 4.1.2.2: serial numbers have 20 octets at most. A key identifier is a hash. */
#define RENEWAL_SERIAL_MAX_BYTES 20
#define RENEWAL_KEY_ID_MAX_BYTES 64

/* A certificate id (section 4.1). */
struct renewal_id {
	struct bytes text; /* borrowed; there is one spelling of each id */
	uint8_t key_id[RENEWAL_KEY_ID_MAX_BYTES];
	size_t key_id_len;
	uint8_t serial[RENEWAL_SERIAL_MAX_BYTES]; /* content octets of the DER INTEGER */
	size_t serial_len;
};
/* Two base64url texts without padding, one '.' between them; the second is what DER allows for a
 * positive INTEGER. ERR_SYNTAX otherwise; *ret is untouched then. */
MUST_CHECK int renewal_id_parse(struct bytes text, struct renewal_id *ret);

struct renewal_facts {
	int64_t not_before_us;
	int64_t not_after_us;
	int64_t revoked_us;        /* INT64_MIN = it is not */
	int64_t incident_start_us; /* INT64_MIN = no incident asks for it */
	int64_t incident_end_us;
};
struct renewal_window { /* whole seconds; start < end */
	int64_t start_us;
	int64_t end_us;
};
/* The window of a certificate is the same whenever it is asked for. Around two thirds of the
 * validity (half of it below ten days), or where the profile puts it, and as wide as a 45th of the
 * validity, two days at most. An incident's window counts when it begins earlier; for a revoked
 * certificate it is over. profile NULL: one that is not configured any more. */
struct renewal_window renewal_rules_window(const struct conf_profile *profile,
	const struct renewal_facts *facts);

/* Retry-After: the configured time, a sixth of it in an incident, a tenth more or less so that
 * certificates of one moment are not asked for in one moment; a minute at least, a day at most
 * (section 4.3.2). */
int renewal_rules_retry_secs(const struct conf *conf, const struct renewal_id *id,
	const struct renewal_facts *facts);
