/* fuzz_caa.c — caa_check_set on a set made of the input (records of a length byte and so many
 * bytes): a set permits only when its relevant records hold one whose whole value permits, and
 * unreadable or critical unknown records never do. */
#include <assert.h>
#include <strings.h>

#include "lib/net/caa.h"
#include "tests/fuzz/fuzz.h"

#define RECORDS_MAX 16

static const char *const identities[] = {"ca.test"};

static bool has_tag(const struct caa_property *p, const char *tag)
{
	return p->tag.len == strlen(tag) &&
		strncasecmp((const char *)p->tag.ptr, tag, p->tag.len) == 0;
}

/* The rules once more, said differently: any obstacle, else any permission, else no restriction. */
static bool expected(const struct bytes *set, size_t count, const struct caa_question *q)
{
	size_t nissue = 0, nwild = 0;
	bool issue = false, wild = false;
	struct caa_property p;

	for (size_t i = 0; i < count; i++) {
		if (caa_property_parse(set[i], &p) != OK)
			return false;
		if (has_tag(&p, "issue")) {
			nissue++;
			issue = issue || caa_value_answer(p.value, q) == CAA_PERMITS;
		} else if (has_tag(&p, "issuewild")) {
			nwild++;
			wild = wild || caa_value_answer(p.value, q) == CAA_PERMITS;
		} else if (p.critical && !has_tag(&p, "iodef")) {
			return false;
		}
	}
	if (q->wildcard && nwild > 0)
		return wild;
	return nissue == 0 || issue;
}

/* A value that permits begins with our name, blanks aside, and something else follows it. */
static void check_value(struct bytes value, const struct caa_question *q)
{
	size_t skip = 0, len = strlen(identities[0]);

	if (caa_value_answer(value, q) != CAA_PERMITS)
		return;
	while (value.ptr[skip] == ' ' || value.ptr[skip] == '\t')
		skip++;
	assert(value.len >= skip + len);
	assert(strncasecmp((const char *)value.ptr + skip, identities[0], len) == 0);
	assert(value.len == skip + len || strchr("; \t", value.ptr[skip + len]) != NULL);
	assert(memchr(value.ptr, '\0', value.len) == NULL);
}

static void check(const struct bytes *set, size_t count, bool wildcard)
{
	struct caa_question q = {.identities = identities,
		.nidentities = 1,
		.wildcard = wildcard,
		.account_uri = "https://acme.test/acme/account/1",
		.method = wildcard ? "dns-01" : "http-01"};
	CLEANUP_PROBLEM struct problem pb = {0};
	CLEANUP_BUF struct buf text = {0};
	int rc = caa_check_set("example.test", set, count, &q, &pb);

	assert((rc == OK) == expected(set, count, &q));
	assert((rc == OK) == (pb.type == PROBLEM_NONE));
	for (size_t i = 0; i < count; i++) {
		struct caa_property p;

		if (caa_property_parse(set[i], &p) == OK)
			check_value(p.value, &q);
		buf_reset(&text);
		caa_format(set[i], &text);
		for (size_t at = 0; at < text.len; at++)
			assert(text.ptr[at] >= 0x20 && text.ptr[at] < 0x7f);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct bytes set[RECORDS_MAX];
	size_t count = 0;

	while (size > 0 && count < RECORDS_MAX) {
		size_t len = data[0] < size ? data[0] : size - 1;

		set[count++] = bytes_of(data + 1, len);
		data += 1 + len;
		size -= 1 + len;
	}
	if (count > 0) {
		check(set, count, false);
		check(set, count, true);
	}
	return 0;
}
