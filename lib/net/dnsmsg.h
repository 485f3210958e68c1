/* dnsmsg.h — DNS messages (RFC 1035) as the validator needs them: one question out, one answer read
 * strictly.
 *
 * A message that is malformed anywhere is malformed as a whole: its records must never decide
 * anything. CNAMEs are followed inside the answer section, so the records are those of the alias's
 * end. Records are borrowed from the packet. */
#pragma once

#include "lib/base/buf.h"

enum dns_type {
	DNS_A = 1,
	DNS_CNAME = 5,
	DNS_SOA = 6,
	DNS_TXT = 16,
	DNS_AAAA = 28,
	DNS_OPT = 41,
	DNS_CAA = 257
};
enum dns_rcode {
	DNS_RCODE_NOERROR = 0,
	DNS_RCODE_FORMERR = 1,
	DNS_RCODE_SERVFAIL = 2,
	DNS_RCODE_NXDOMAIN = 3,
	DNS_RCODE_NOTIMP = 4,
	DNS_RCODE_REFUSED = 5
};

#define DNS_NAME_MAX_LEN 253
#define DNSMSG_RECORDS_MAX 128
#define DNSMSG_UDP_BYTES 1232

struct dnsmsg {
	int rcode; /* with the upper bits of the OPT record */
	bool truncated;
	bool authenticated; /* AD: the resolver validated the answer by DNSSEC */
	int ede_code;       /* RFC 8914 extended error, or -1 */
	struct bytes ede_text;
	size_t nrecords;
	struct bytes records[DNSMSG_RECORDS_MAX]; /* RDATA of the asked type */
};

/* Appends a recursive query with AD set and an OPT record with DO set (RFC 6840 section 5.7), so
 * that the answer carries AD. ERR_SYNTAX when name is neither "." nor a host name of letters,
 * digits,
 * '-', '_' and '.'. */
MUST_CHECK int dnsmsg_query(uint16_t id, const char *name, enum dns_type type, struct buf *out);
/* ERR_SYNTAX: not one well-formed response to this question. ERR_LIMIT: more records than
 * DNSMSG_RECORDS_MAX. */
MUST_CHECK int dnsmsg_parse(struct bytes packet, const char *name, enum dns_type type,
	struct dnsmsg *ret);
/* Joins the character-strings of one TXT record (RFC 8555 section 8.4). ERR_SYNTAX, out unchanged,
 * when malformed. */
MUST_CHECK int dnsmsg_txt_join(struct bytes rdata, struct buf *out);
/* "TXT"; "SERVFAIL"; "DNSSEC Bogus". Never NULL. */
const char *dns_type_name(enum dns_type type);
const char *dns_rcode_name(int rcode);
const char *dns_ede_name(int code);
