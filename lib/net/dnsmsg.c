/* dnsmsg.c — see dnsmsg.h. */
#include "lib/net/dnsmsg.h"

#define HEADER_BYTES 12
#define CLASS_IN 1
#define FLAG_QR 0x8000
#define FLAG_OPCODE 0x7800
#define FLAG_TC 0x0200
#define FLAG_RD 0x0100
#define FLAG_AD 0x0020
#define EDNS_DO 0x8000
#define EDE_OPTION 15
#define ALIASES_MAX 16
#define RECORDS_IN_ALL_MAX 512
#define WIRE_NAME_MAX 255

/* A name as lower-case wire labels, uncompressed, so that equality is memcmp. */
struct wire_name {
	uint8_t b[WIRE_NAME_MAX];
	size_t len;
};

struct record {
	struct wire_name owner;
	uint16_t type;
	uint16_t class;
	uint32_t ttl;
	struct bytes rdata;
	size_t rdata_at; /* offset in the packet: a CNAME's target may be compressed */
};

static void put16(struct buf *out, unsigned v)
{
	buf_add_byte(out, (uint8_t)(v >> 8));
	buf_add_byte(out, (uint8_t)v);
}

static uint16_t get16(const uint8_t *p)
{
	return (uint16_t)(p[0] << 8 | p[1]);
}

static uint8_t lower(uint8_t c)
{
	return c >= 'A' && c <= 'Z' ? (uint8_t)(c + 32) : c;
}

static bool is_host_char(uint8_t c)
{
	c = lower(c);
	return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_';
}

static int wire_of_text(const char *name, struct wire_name *ret)
{
	size_t label_at = 0, len = 1;

	if (strcmp(name, ".") == 0) {
		ret->b[0] = 0;
		ret->len = 1;
		return OK;
	}
	if (*name == '\0' || strlen(name) > DNS_NAME_MAX_LEN)
		return ERR_SYNTAX;
	for (const char *p = name;; p++) {
		if (*p == '.' || *p == '\0') {
			size_t label_len = len - label_at - 1;

			if (label_len == 0 || label_len > 63)
				return ERR_SYNTAX;
			ret->b[label_at] = (uint8_t)label_len;
			label_at = len++;
			if (*p == '\0')
				break;
		} else if (is_host_char((uint8_t)*p)) {
			ret->b[len++] = lower((uint8_t)*p);
		} else {
			return ERR_SYNTAX;
		}
	}
	ret->b[label_at] = 0;
	ret->len = len;
	return OK;
}

int dnsmsg_query(uint16_t id, const char *name, enum dns_type type, struct buf *out)
{
	struct wire_name qname;

	if (wire_of_text(name, &qname) != OK)
		return ERR_SYNTAX;
	put16(out, id);
	put16(out, FLAG_RD | FLAG_AD);
	put16(out, 1);
	put16(out, 0);
	put16(out, 0);
	put16(out, 1);
	buf_add(out, qname.b, qname.len);
	put16(out, type);
	put16(out, CLASS_IN);
	/* The OPT record stays last and without options: c-ares cuts it off when a server knows no
	 * EDNS. */
	buf_add_byte(out, 0);
	put16(out, DNS_OPT);
	put16(out, DNSMSG_UDP_BYTES);
	put16(out, 0);
	put16(out, EDNS_DO);
	put16(out, 0);
	return OK;
}

/* Reads the name at *at, following compression pointers, which must point backwards. */
static int read_name(struct bytes packet, size_t *at, struct wire_name *ret)
{
	size_t pos = *at, limit = *at;
	bool jumped = false;

	ret->len = 0;
	for (;;) {
		uint8_t head;

		if (pos >= packet.len)
			return ERR_SYNTAX;
		head = packet.ptr[pos];
		if ((head & 0xc0) == 0xc0) {
			size_t target;

			if (pos + 2 > packet.len)
				return ERR_SYNTAX;
			target = get16(packet.ptr + pos) & 0x3fff;
			if (!jumped)
				*at = pos + 2;
			jumped = true;
			/* Strictly backwards each time: a loop is impossible. */
			if (target >= limit)
				return ERR_SYNTAX;
			pos = limit = target;
			continue;
		}
		if (head > 63 || pos + 1 + head > packet.len || ret->len + 1 + head > WIRE_NAME_MAX)
			return ERR_SYNTAX;
		ret->b[ret->len++] = head;
		for (size_t i = 1; i <= head; i++)
			ret->b[ret->len++] = lower(packet.ptr[pos + i]);
		pos += 1 + (size_t)head;
		if (head == 0)
			break;
	}
	if (!jumped)
		*at = pos;
	return OK;
}

static bool same_name(const struct wire_name *a, const struct wire_name *b)
{
	return a->len == b->len && memcmp(a->b, b->b, a->len) == 0;
}

static int read_record(struct bytes packet, size_t *at, struct record *ret)
{
	const uint8_t *p;
	size_t len;

	if (read_name(packet, at, &ret->owner) != OK || packet.len - *at < 10)
		return ERR_SYNTAX;
	p = packet.ptr + *at;
	ret->type = get16(p);
	ret->class = get16(p + 2);
	ret->ttl = (uint32_t)get16(p + 4) << 16 | get16(p + 6);
	len = get16(p + 8);
	*at += 10;
	if (packet.len - *at < len)
		return ERR_SYNTAX;
	ret->rdata = bytes_of(packet.ptr + *at, len);
	ret->rdata_at = *at;
	*at += len;
	return OK;
}

/* One pass over the answer section: the records of wanted, or the end of its alias in *wanted
 * (*ret_aliased). */
static int collect(struct bytes packet, size_t at, size_t count, enum dns_type type,
	struct wire_name *wanted, struct dnsmsg *msg, bool *ret_aliased)
{
	struct wire_name alias = {.len = 0};
	struct record r;

	for (size_t i = 0; i < count; i++) {
		if (read_record(packet, &at, &r) != OK)
			return ERR_SYNTAX;
		if (r.class != CLASS_IN || !same_name(&r.owner, wanted))
			continue;
		if (r.type == type) {
			if (msg->nrecords == DNSMSG_RECORDS_MAX)
				return ERR_LIMIT;
			msg->records[msg->nrecords++] = r.rdata;
		} else if (r.type == DNS_CNAME) {
			size_t end = r.rdata_at;

			/* Two CNAMEs at one owner: RFC 2181 section 10.1 forbids them. */
			if (alias.len != 0 || read_name(packet, &end, &alias) != OK ||
				end != r.rdata_at + r.rdata.len)
				return ERR_SYNTAX;
		}
	}
	*ret_aliased = msg->nrecords == 0 && alias.len != 0;
	if (*ret_aliased)
		*wanted = alias;
	return OK;
}

static int read_opt(const struct record *r, struct dnsmsg *msg)
{
	struct bytes in = r->rdata;

	msg->rcode |= (int)(r->ttl >> 24) << 4;
	while (in.len > 0) {
		uint16_t code, len;

		if (in.len < 4)
			return ERR_SYNTAX;
		code = get16(in.ptr);
		len = get16(in.ptr + 2);
		in = bytes_of(in.ptr + 4, in.len - 4);
		if (in.len < len)
			return ERR_SYNTAX;
		if (code == EDE_OPTION && len >= 2 && msg->ede_code < 0) {
			msg->ede_code = get16(in.ptr);
			msg->ede_text = bytes_of(in.ptr + 2, len - 2u);
		}
		in = bytes_of(in.ptr + len, in.len - len);
	}
	return OK;
}

/* Authority and additional sections: walked to the packet's end, the OPT record is all that is of
 * use. */
static int read_rest(struct bytes packet, size_t at, size_t nauthority, size_t nadditional,
	struct dnsmsg *msg)
{
	bool seen_opt = false;
	struct record r;

	for (size_t i = 0; i < nauthority + nadditional; i++) {
		if (read_record(packet, &at, &r) != OK)
			return ERR_SYNTAX;
		if (i < nauthority || r.type != DNS_OPT)
			continue;
		if (seen_opt || r.owner.len != 1 || read_opt(&r, msg) != OK)
			return ERR_SYNTAX;
		seen_opt = true;
	}
	return at == packet.len ? OK : ERR_SYNTAX;
}

static int read_header(struct bytes packet, struct dnsmsg *msg)
{
	unsigned flags;

	if (packet.len < HEADER_BYTES)
		return ERR_SYNTAX;
	flags = get16(packet.ptr + 2);
	if (!(flags & FLAG_QR) || (flags & FLAG_OPCODE) || get16(packet.ptr + 4) != 1)
		return ERR_SYNTAX;
	msg->rcode = (int)(flags & 0xf);
	msg->truncated = flags & FLAG_TC;
	msg->authenticated = flags & FLAG_AD;
	return OK;
}

int dnsmsg_parse(struct bytes packet, const char *name, enum dns_type type, struct dnsmsg *ret)
{
	struct wire_name wanted, question;
	size_t at = HEADER_BYTES, answers_at, nanswers, nauthority, nadditional;
	bool aliased = true;
	struct record skipped;

	ret->nrecords = 0;
	ret->ede_code = -1;
	ret->ede_text = bytes_of(NULL, 0);
	if (wire_of_text(name, &wanted) != OK || read_header(packet, ret) != OK)
		return ERR_SYNTAX;
	if (read_name(packet, &at, &question) != OK || !same_name(&question, &wanted) ||
		packet.len - at < 4 || get16(packet.ptr + at) != type ||
		get16(packet.ptr + at + 2) != CLASS_IN)
		return ERR_SYNTAX;
	at += 4;
	nanswers = get16(packet.ptr + 6);
	nauthority = get16(packet.ptr + 8);
	nadditional = get16(packet.ptr + 10);
	if (nanswers + nauthority + nadditional > RECORDS_IN_ALL_MAX)
		return ERR_LIMIT;
	answers_at = at;
	for (size_t i = 0; i < nanswers; i++)
		if (read_record(packet, &at, &skipped) != OK)
			return ERR_SYNTAX;
	if (read_rest(packet, at, nauthority, nadditional, ret) != OK)
		return ERR_SYNTAX;
	for (int i = 0; aliased; i++) {
		int rc;

		if (i == ALIASES_MAX)
			return ERR_LIMIT;
		rc = collect(packet, answers_at, nanswers, type, &wanted, ret, &aliased);
		if (rc != OK)
			return rc;
	}
	return OK;
}

int dnsmsg_txt_join(struct bytes rdata, struct buf *out)
{
	size_t at = 0;

	/* RFC 1035 section 3.3.14: one or more character-strings. */
	if (rdata.len == 0)
		return ERR_SYNTAX;
	for (at = 0; at < rdata.len; at += 1 + (size_t)rdata.ptr[at])
		if (rdata.len - at - 1 < rdata.ptr[at])
			return ERR_SYNTAX;
	for (at = 0; at < rdata.len; at += 1 + (size_t)rdata.ptr[at])
		buf_add(out, rdata.ptr + at + 1, rdata.ptr[at]);
	return OK;
}

const char *dns_type_name(enum dns_type type)
{
	switch (type) {
	case DNS_A:
		return "A";
	case DNS_CNAME:
		return "CNAME";
	case DNS_SOA:
		return "SOA";
	case DNS_TXT:
		return "TXT";
	case DNS_AAAA:
		return "AAAA";
	case DNS_OPT:
		return "OPT";
	case DNS_CAA:
		return "CAA";
	}
	return "unknown";
}

const char *dns_rcode_name(int rcode)
{
	static const char *const names[] = {"NOERROR", "FORMERR", "SERVFAIL", "NXDOMAIN", "NOTIMP",
		"REFUSED"};

	if (rcode >= 0 && (size_t)rcode < ARRAY_LEN(names))
		return names[rcode];
	return rcode == 16 ? "BADVERS" : "an unknown error";
}

const char *dns_ede_name(int code)
{
	/* RFC 8914 section 4 and the IANA registry after it. */
	static const char *const names[] = {"other", "unsupported DNSKEY algorithm",
		"unsupported DS digest type", "stale answer", "forged answer",
		"DNSSEC indeterminate", "DNSSEC bogus", "DNSSEC signature expired",
		"DNSSEC signature not yet valid", "DNSKEY missing", "DNSSEC signatures missing",
		"no zone key bit set", "NSEC missing", "cached error", "not ready", "blocked",
		"censored", "filtered", "prohibited", "stale NXDOMAIN answer", "not authoritative",
		"not supported", "no reachable authority", "network error", "invalid data"};

	if (code >= 0 && (size_t)code < ARRAY_LEN(names))
		return names[code];
	return "an unknown extended error";
}
