/* caa.c — see caa.h. */
#include "lib/net/caa.h"

#include <strings.h>

#define QUOTE_MAX 120
#define PARAMETERS_MAX 16

static bool is_alnum(uint8_t c)
{
	return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static bool same_nocase(struct bytes a, const char *b)
{
	return a.len == strlen(b) && strncasecmp((const char *)a.ptr, b, a.len) == 0;
}

int caa_property_parse(struct bytes rdata, struct caa_property *ret)
{
	size_t tag_len;

	if (rdata.len < 2)
		return ERR_SYNTAX;
	tag_len = rdata.ptr[1];
	/* RFC 8659 section 4.1: the tag length must be at least 1; tags are ASCII letters and
	 * digits. */
	if (tag_len == 0 || tag_len > rdata.len - 2)
		return ERR_SYNTAX;
	for (size_t i = 0; i < tag_len; i++)
		if (!is_alnum(rdata.ptr[2 + i]))
			return ERR_SYNTAX;
	ret->critical = rdata.ptr[0] & 0x80;
	ret->tag = bytes_of(rdata.ptr + 2, tag_len);
	ret->value = bytes_of(rdata.ptr + 2 + tag_len, rdata.len - 2 - tag_len);
	return OK;
}

static void skip_blanks(struct bytes *in)
{
	while (in->len > 0 && (in->ptr[0] == ' ' || in->ptr[0] == '\t'))
		*in = bytes_of(in->ptr + 1, in->len - 1);
}

/* label and tag of section 4.2: (ALPHA / DIGIT) *( *("-") (ALPHA / DIGIT)). Empty when there is
 * none. */
static struct bytes take_label(struct bytes *in)
{
	struct bytes label = bytes_of(in->ptr, 0);

	while (label.len < in->len &&
		(is_alnum(in->ptr[label.len]) || (label.len > 0 && in->ptr[label.len] == '-')))
		label.len++;
	while (label.len > 0 && label.ptr[label.len - 1] == '-')
		label.len--;
	*in = bytes_of(in->ptr + label.len, in->len - label.len);
	return label;
}

/* issuer-domain-name, possibly empty. ERR_SYNTAX for an empty label. */
static int take_domain(struct bytes *in, struct bytes *ret)
{
	const uint8_t *start = in->ptr;

	*ret = take_label(in);
	while (ret->len > 0 && in->len > 0 && in->ptr[0] == '.') {
		*in = bytes_of(in->ptr + 1, in->len - 1);
		if (take_label(in).len == 0)
			return ERR_SYNTAX;
	}
	ret->len = (size_t)(in->ptr - start);
	return OK;
}

struct parameter {
	struct bytes tag;
	struct bytes value;
};

/* tag *WSP "=" *WSP value, and the blanks behind it. */
static int take_parameter(struct bytes *in, struct parameter *ret)
{
	ret->tag = take_label(in);
	skip_blanks(in);
	if (ret->tag.len == 0 || in->len == 0 || in->ptr[0] != '=')
		return ERR_SYNTAX;
	*in = bytes_of(in->ptr + 1, in->len - 1);
	skip_blanks(in);
	ret->value = bytes_of(in->ptr, 0);
	while (ret->value.len < in->len) {
		uint8_t c = in->ptr[ret->value.len];

		/* value = *(%x21-3A / %x3C-7E) */
		if (c < 0x21 || c > 0x7e || c == ';')
			break;
		ret->value.len++;
	}
	*in = bytes_of(in->ptr + ret->value.len, in->len - ret->value.len);
	skip_blanks(in);
	return OK;
}

/* [parameters] to the end of the value. */
static int take_parameters(struct bytes *in, struct parameter *params, size_t *ret_count)
{
	size_t count = 0;

	if (in->len > 0) {
		for (;;) {
			if (count == PARAMETERS_MAX || take_parameter(in, &params[count]) != OK)
				return ERR_SYNTAX;
			count++;
			if (in->len == 0)
				break;
			if (in->ptr[0] != ';')
				return ERR_SYNTAX;
			*in = bytes_of(in->ptr + 1, in->len - 1);
			skip_blanks(in);
		}
	}
	*ret_count = count;
	return OK;
}

/* RFC 8657 section 4: [*(label ",") label], compared exactly. Anything else names no method. */
static bool lists_method(struct bytes value, const char *method)
{
	bool found = false;

	for (;;) {
		struct bytes label = bytes_of(value.ptr, 0);

		while (label.len < value.len &&
			(is_alnum(value.ptr[label.len]) || value.ptr[label.len] == '-'))
			label.len++;
		if (label.len == 0)
			return false;
		found = found || bytes_is(label, method);
		if (label.len == value.len)
			return found;
		if (value.ptr[label.len] != ',')
			return false;
		value = bytes_of(value.ptr + label.len + 1, value.len - label.len - 1);
	}
}

static bool has_duplicate(const struct parameter *params, size_t count)
{
	for (size_t i = 0; i < count; i++)
		for (size_t j = i + 1; j < count; j++)
			if (params[i].tag.len == params[j].tag.len &&
				strncasecmp((const char *)params[i].tag.ptr,
					(const char *)params[j].tag.ptr, params[i].tag.len) == 0)
				return true;
	return false;
}

/* RFC 8657: each parameter narrows the permission. Parameters unknown to us are other CAs'
 * business. */
static enum caa_answer check_parameters(const struct parameter *params, size_t count,
	const struct caa_question *q)
{
	if (has_duplicate(params, count))
		return CAA_DUPLICATE;
	for (size_t i = 0; i < count; i++) {
		if (same_nocase(params[i].tag, "accounturi") &&
			!bytes_is(params[i].value, q->account_uri))
			return CAA_OTHER_ACCOUNT;
		if (same_nocase(params[i].tag, "validationmethods") &&
			!lists_method(params[i].value, q->method))
			return CAA_OTHER_METHOD;
	}
	return CAA_PERMITS;
}

static bool is_ours(struct bytes domain, const struct caa_question *q)
{
	for (size_t i = 0; i < q->nidentities; i++)
		if (same_nocase(domain, q->identities[i]))
			return true;
	return false;
}

enum caa_answer caa_value_answer(struct bytes value, const struct caa_question *q)
{
	struct parameter params[PARAMETERS_MAX];
	struct bytes domain;
	size_t count = 0;

	/* RFC 8659 section 4.2: issue-value = *WSP [issuer-domain-name *WSP] [";" *WSP [parameters
	 * *WSP]] */
	skip_blanks(&value);
	if (take_domain(&value, &domain) != OK)
		return CAA_MALFORMED;
	skip_blanks(&value);
	if (value.len > 0) {
		if (value.ptr[0] != ';')
			return CAA_MALFORMED;
		value = bytes_of(value.ptr + 1, value.len - 1);
		skip_blanks(&value);
		if (take_parameters(&value, params, &count) != OK)
			return CAA_MALFORMED;
	}
	if (domain.len == 0)
		return CAA_NOBODY;
	if (!is_ours(domain, q))
		return CAA_OTHER_CA;
	return check_parameters(params, count, q);
}

static const char *explain(enum caa_answer answer)
{
	switch (answer) {
	case CAA_NOBODY:
		return "forbids every CA";
	case CAA_MALFORMED:
		return "is malformed and so permits no CA";
	case CAA_OTHER_CA:
		return "permits another CA";
	case CAA_DUPLICATE:
		return "has a parameter twice and so permits nothing";
	case CAA_OTHER_ACCOUNT:
		return "permits another account (accounturi)";
	case CAA_OTHER_METHOD:
		return "permits other validation methods (validationmethods)";
	case CAA_PERMITS:
		break;
	}
	return "permits";
}

static int refuse(const char *owner, struct bytes rdata, const char *what, struct problem *pb)
{
	CLEANUP_BUF struct buf text = {0};

	caa_format(rdata, &text);
	return problem_set(pb, PROBLEM_CAA, "the CAA record at %s %s: %s", owner, what,
		buf_str(&text));
}

/* Records no CA may pass over: unreadable ones, and critical ones with a tag that we do not know
 * (RFC 8659 section 4.1). */
static int check_readable(const char *owner, const struct bytes *rdata, size_t count,
	struct problem *pb)
{
	for (size_t i = 0; i < count; i++) {
		struct caa_property p;

		if (caa_property_parse(rdata[i], &p) != OK)
			return refuse(owner, rdata[i], "cannot be read", pb);
		if (p.critical && !same_nocase(p.tag, "issue") &&
			!same_nocase(p.tag, "issuewild") && !same_nocase(p.tag, "iodef"))
			return refuse(owner, rdata[i],
				"is critical and of a kind this CA does not know", pb);
	}
	return OK;
}

/* The best answer among the records of one tag. *ret_best is its index, or count when there is no
 * such record. */
static enum caa_answer best_answer(const struct bytes *rdata, size_t count, const char *tag,
	const struct caa_question *q, size_t *ret_best)
{
	enum caa_answer best = CAA_NOBODY;
	struct caa_property p;

	*ret_best = count;
	for (size_t i = 0; i < count; i++) {
		enum caa_answer answer;

		if (caa_property_parse(rdata[i], &p) != OK || !same_nocase(p.tag, tag))
			continue;
		answer = caa_value_answer(p.value, q);
		if (*ret_best == count || answer > best) {
			best = answer;
			*ret_best = i;
		}
	}
	return best;
}

int caa_check_set(const char *owner, const struct bytes *rdata, size_t count,
	const struct caa_question *q, struct problem *pb)
{
	enum caa_answer answer = CAA_PERMITS;
	size_t best = count;
	int rc = check_readable(owner, rdata, count, pb);

	if (rc != OK)
		return rc;
	/* RFC 8659 section 4.3: issuewild, where present, takes the place of issue for wildcards;
	 * else it means nothing. */
	if (q->wildcard)
		answer = best_answer(rdata, count, "issuewild", q, &best);
	if (best == count)
		answer = best_answer(rdata, count, "issue", q, &best);
	/* No property restricts issuance. */
	if (best == count || answer == CAA_PERMITS)
		return OK;
	return refuse(owner, rdata[best], explain(answer), pb);
}

void caa_format(struct bytes rdata, struct buf *out)
{
	struct caa_property p;

	if (caa_property_parse(rdata, &p) != OK) {
		buf_addf(out, "(malformed, %zu bytes)", rdata.len);
		return;
	}
	buf_addf(out, "%d ", p.critical ? 128 : 0);
	problem_quote(out, p.tag, 32);
	buf_add_str(out, " \"");
	problem_quote(out, p.value, QUOTE_MAX);
	buf_add_str(out, "\"");
}
