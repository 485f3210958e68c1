/* policy.c — one rule, one function, for the names we certify.
 *
 * Sources: RFC 1034 section 3.5 and RFC 5890 (labels), RFC 5891 (IDNA2008), CA/B BR 7.1.4.2
 * and 3.2.2.6 (R-LDH labels, underscores, public suffixes), WHATWG URL "ends in a number" (what
 * software takes for an IPv4 address). */
#include "lib/acme/policy.h"

#include <idn2.h>
#include <strings.h>

#include "lib/acme/suffixes.h"

#define LABEL_MAX_BYTES 63
#define LABELS_MAX 10

#define REFUSE(pb, ...) problem_set((pb), PROBLEM_REJECTED_IDENTIFIER, __VA_ARGS__)

struct label {
	const char *ptr;
	size_t len;
};

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static bool is_hex(char c)
{
	return is_digit(c) || (c >= 'a' && c <= 'f');
}

static bool is_ldh(char c)
{
	return is_digit(c) || (c >= 'a' && c <= 'z') || c == '-';
}

/* Copies value to out in lower case. Here ends whatever is no name at all. */
static int copy_text(struct bytes value, char *out, struct problem *pb)
{
	if (value.len == 0)
		return problem_set(pb, PROBLEM_MALFORMED, "the identifier's value is empty");
	for (size_t i = 0; i < value.len; i++) {
		if (value.ptr[i] <= ' ' || value.ptr[i] == 0x7f)
			return problem_set(pb, PROBLEM_MALFORMED,
				"the identifier's value holds white space or "
				"control characters");
		if (value.ptr[i] > 0x7f)
			return REFUSE(pb,
				"internationalized names must be written as A-labels (xn--…)");
	}
	if (value.len > NAME_MAX_BYTES)
		return REFUSE(pb, "the name is longer than %d characters", NAME_MAX_BYTES);
	for (size_t i = 0; i < value.len; i++) {
		char c = (char)value.ptr[i];

		out[i] = (char)(c >= 'A' && c <= 'Z' ? c | 0x20 : c);
	}
	out[value.len] = '\0';
	return OK;
}

/* RFC 5891 section 4: an xn-- label must decode, be NFC, hold only permitted characters in
 * permitted places, and encode to the same label again. libidn2's registration check does exactly
 * that. */
static int check_alabel(struct label label, struct problem *pb)
{
	char text[LABEL_MAX_BYTES + 1];
	uint8_t *registered = NULL;
	int rc;

	memcpy(text, label.ptr, label.len);
	text[label.len] = '\0';
	rc = idn2_register_u8(NULL, (const uint8_t *)text, &registered, 0);
	if (rc == IDN2_OK && strcmp((const char *)registered, text) != 0)
		rc = IDN2_UALABEL_MISMATCH;
	idn2_free(registered);
	if (rc != IDN2_OK)
		return REFUSE(pb, "the label \"%s\" is not valid IDNA2008: %s", text,
			idn2_strerror(rc));
	return OK;
}

static int check_label(struct label label, struct problem *pb)
{
	if (label.len == 0)
		return REFUSE(pb,
			"the name has an empty label (a leading, trailing or doubled dot)");
	if (label.len > LABEL_MAX_BYTES)
		return REFUSE(pb, "a label is longer than %d characters", LABEL_MAX_BYTES);
	for (size_t i = 0; i < label.len; i++) {
		char c = label.ptr[i];

		if (c == '_')
			return REFUSE(pb,
				"underscores are not allowed in the names of certificates");
		if (c == '*')
			return REFUSE(pb,
				"a wildcard must be the whole leftmost label and there may be only "
				"one");
		if (c == ':' || c == '[')
			return REFUSE(pb,
				"the value is an IP address, a port or a URL, not a DNS name");
		if (!is_ldh(c))
			return REFUSE(pb, "the name holds the character '%c'", c);
	}
	if (label.ptr[0] == '-' || label.ptr[label.len - 1] == '-')
		return REFUSE(pb, "a label begins or ends with a hyphen");
	/* RFC 5890 section 2.3.1: hyphens in third and fourth place are reserved; of those only
	 * A-labels are known. */
	if (label.len >= 4 && label.ptr[2] == '-' && label.ptr[3] == '-') {
		if (label.ptr[0] != 'x' || label.ptr[1] != 'n')
			return REFUSE(pb,
				"a label with hyphens in third and fourth place is reserved (RFC "
				"5890)");
		return check_alabel(label, pb);
	}
	return OK;
}

/* 127.1, 0x7f.1, 2130706433, 017700000001: whatever ends in a number is an address to some
 * software. */
static bool is_number(struct label label)
{
	size_t i = 0;
	bool hex = label.len >= 2 && label.ptr[0] == '0' && label.ptr[1] == 'x';

	for (i = hex ? 2 : 0; i < label.len; i++) {
		if (hex ? !is_hex(label.ptr[i]) : !is_digit(label.ptr[i]))
			return false;
	}
	return true;
}

/* base: without "*.". */
static int check_labels(const char *base, struct problem *pb)
{
	struct label label = {0};
	const char *rest = base;
	size_t count = 0;

	while (rest != NULL) {
		const char *dot = strchr(rest, '.');
		int err;

		label = (struct label){rest, dot != NULL ? (size_t)(dot - rest) : strlen(rest)};
		rest = dot != NULL ? dot + 1 : NULL;
		err = check_label(label, pb);
		if (err != OK)
			return err;
		count++;
	}
	if (is_number(label))
		return REFUSE(pb,
			"the value is an IP address, or would be read as one; not a DNS name");
	if (count < 2)
		return REFUSE(pb, "the name has a single label");
	if (count > LABELS_MAX)
		return REFUSE(pb, "the name has more than %d labels", LABELS_MAX);
	return OK;
}

/* name is suffix or ends in "." suffix. */
static bool is_at_or_below(const char *name, const char *suffix)
{
	size_t name_len = strlen(name);
	size_t len = strlen(suffix);

	if (name_len < len || strcasecmp(name + name_len - len, suffix) != 0)
		return false;
	return name_len == len || name[name_len - len - 1] == '.';
}

/* Names that no public or private CA can validate as DNS names. */
static int check_reserved(const char *base, struct problem *pb)
{
	static const char *const reserved[] = {"in-addr.arpa", "ip6.arpa", "onion"};

	for (size_t i = 0; i < ARRAY_LEN(reserved); i++) {
		if (is_at_or_below(base, reserved[i]))
			return REFUSE(pb, "no certificates for names under %s", reserved[i]);
	}
	return OK;
}

/* CA/B BR 3.2.2.6: neither a public suffix nor everything under one. */
static int check_suffix(const struct conf *conf, const char *base, struct problem *pb)
{
	bool is_public = false;
	int err = suffixes_is_public(conf, base, &is_public);

	if (err != OK)
		return err;
	if (is_public)
		return REFUSE(pb, "\"%s\" is a public suffix", base);
	return OK;
}

/* An entry ".suffix" means that name and everything under it; another entry that name. A wildcard
 * covers every name one label longer than its base, and none of them may be blocked. */
static bool is_blocked_by(const char *entry, const char *base, bool wildcard)
{
	bool suffix = entry[0] == '.';
	const char *blocked = suffix ? entry + 1 : entry;
	const char *parent = strchr(blocked, '.');

	if (suffix ? is_at_or_below(base, blocked) : strcasecmp(base, blocked) == 0)
		return true;
	return wildcard && parent != NULL && strcasecmp(base, parent + 1) == 0;
}

static int check_blocked(const struct conf *conf, const char *base, bool wildcard,
	struct problem *pb)
{
	for (size_t i = 0; i < conf->orders.blocked_names.count; i++) {
		if (is_blocked_by(conf->orders.blocked_names.items[i], base, wildcard))
			return REFUSE(pb, "this CA does not issue for this name by policy");
	}
	return OK;
}

int policy_name(const struct conf *conf, struct bytes value, char *out, struct problem *pb)
{
	char name[NAME_MAX_BYTES + 1] = "";
	const char *base = name;
	bool wildcard;
	int err;

	err = copy_text(value, name, pb);
	if (err != OK)
		return err;
	wildcard = strncmp(name, "*.", 2) == 0;
	if (wildcard)
		base = name + 2;
	err = check_labels(base, pb);
	if (err != OK)
		return err;
	err = check_reserved(base, pb);
	if (err != OK)
		return err;
	err = check_suffix(conf, base, pb);
	if (err != OK)
		return err;
	err = check_blocked(conf, base, wildcard, pb);
	if (err != OK)
		return err;
	memcpy(out, name, value.len + 1);
	return OK;
}
