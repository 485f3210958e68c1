/* accept.c — see accept.h. A type's weight is that of the most specific range that matches it. */
#include "fcgi/accept.h"

#include <stdbool.h>
#include <string.h>
#include <strings.h>

#define WEIGHT_ONE 1000
#define SPACE " \t"

struct range {
	const char *ptr; /* "type/subtype" */
	size_t len;
	int weight; /* thousandths */
};

/* "0.75" → 750. Nonsense weighs nothing. */
static int parse_weight(const char *text, size_t len)
{
	int weight = 0;
	int unit = WEIGHT_ONE;

	for (size_t i = 0; i < len && unit > 0; i++) {
		if (i == 1 && text[i] == '.')
			continue;
		if (text[i] < '0' || text[i] > '9')
			return 0;
		weight += (text[i] - '0') * unit;
		unit /= 10;
	}
	return weight < WEIGHT_ONE ? weight : WEIGHT_ONE;
}

static size_t trimmed(const char **text, size_t len)
{
	while (len > 0 && strchr(SPACE, (*text)[0]) != NULL) {
		(*text)++;
		len--;
	}
	while (len > 0 && strchr(SPACE, (*text)[len - 1]) != NULL)
		len--;
	return len;
}

/* One list element: the media range, and its parameter q among others. */
static struct range parse_range(const char *element, size_t len)
{
	const char *end = element + len;
	const char *semicolon = memchr(element, ';', len);
	struct range range = {.ptr = element, .weight = WEIGHT_ONE};

	range.len = trimmed(&range.ptr, (size_t)((semicolon != NULL ? semicolon : end) - element));
	while (semicolon != NULL) {
		const char *parameter = semicolon + 1;
		const char *next = memchr(parameter, ';', (size_t)(end - parameter));
		size_t plen =
			trimmed(&parameter, (size_t)((next != NULL ? next : end) - parameter));

		if (plen >= 2 && (parameter[0] | 0x20) == 'q' && parameter[1] == '=')
			range.weight = parse_weight(parameter + 2, plen - 2);
		semicolon = next;
	}
	return range;
}

/* 0: no match; otherwise the more specific the higher. */
static int match(const struct range *range, const char *type)
{
	size_t major = (size_t)(strchr(type, '/') - type) + 1;

	if (range->len == strlen(type) && strncasecmp(range->ptr, type, range->len) == 0)
		return 3;
	if (range->len == major + 1 && strncasecmp(range->ptr, type, major) == 0 &&
		range->ptr[major] == '*')
		return 2;
	return range->len == 3 && strncmp(range->ptr, "*/*", 3) == 0 ? 1 : 0;
}

/* The weight of type in header, or -1 when no range was in it at all. */
static int weight_of(const char *header, const char *type)
{
	int weight = 0;
	int best = 0;
	bool any = false;

	for (const char *at = header; *at != '\0';) {
		size_t len = strcspn(at, ",");
		struct range range = parse_range(at, len);
		int how = match(&range, type);

		any = any || range.len > 0;
		if (how > best) {
			best = how;
			weight = range.weight;
		}
		at += len + (at[len] == ',' ? 1 : 0);
	}
	return any ? weight : -1;
}

int accept_choose(const char *header_or_null, const char *const types[], size_t count)
{
	int chosen = -1;
	int best = 0;

	if (header_or_null == NULL)
		return 0;
	for (size_t i = 0; i < count; i++) {
		int weight = weight_of(header_or_null, types[i]);

		if (weight < 0)
			return 0;
		if (weight > best) {
			best = weight;
			chosen = (int)i;
		}
	}
	return chosen;
}
