/* order_rules.c — see order_rules.h. */
#include "lib/acme/order_rules.h"

#include "lib/acme/policy.h"
#include "lib/base/clock.h"

#define QUOTE_MAX_BYTES 253
#define REUSE_MIN_SECS 3600
#define REUSE_MAX_SECS (24 * 3600)

void order_rules_free(struct order_wish *wish)
{
	if (wish == NULL)
		return;
	for (size_t i = 0; i < wish->count; i++)
		free((void *)wish->names[i].ptr);
	free(wish->names);
	free(wish);
}

static int compare_names(const void *a, const void *b)
{
	const struct bytes *x = a;
	const struct bytes *y = b;
	int order = memcmp(x->ptr, y->ptr, x->len < y->len ? x->len : y->len);

	return order != 0 ? order : (x->len > y->len) - (x->len < y->len);
}

static void sort_and_dedupe(struct order_wish *wish)
{
	size_t kept = 0;

	qsort(wish->names, wish->count, sizeof(*wish->names), compare_names);
	for (size_t i = 0; i < wish->count; i++) {
		if (kept > 0 && bytes_equal(wish->names[kept - 1], wish->names[i]))
			free((void *)wish->names[i].ptr);
		else
			wish->names[kept++] = wish->names[i];
	}
	wish->count = kept;
}

/* Adds one identifier to wish, or a subproblem about it to bad. ERR_PROBLEM: it is no identifier at
 * all. */
static int read_identifier(const struct conf *conf, const struct jx *identifier, struct problem *pb,
	struct problem *bad, struct order_wish *wish)
{
	CLEANUP_BUF struct buf quoted = {0};
	CLEANUP_PROBLEM struct problem why = {0};
	char name[NAME_MAX_BYTES + 1];
	struct bytes type;
	struct bytes value;
	int err;

	if (!jx_is_object(identifier) || jx_get_str(identifier, "type", &type) != OK ||
		jx_get_str(identifier, "value", &value) != OK)
		return problem_set(pb, PROBLEM_MALFORMED,
			"an identifier is not an object with the strings \"type\" and "
			"\"value\"");
	/* RFC 8555 section 9.7.7: dns is the one type we take. */
	if (!bytes_is(type, "dns")) {
		problem_quote(&quoted, type, QUOTE_MAX_BYTES);
		problem_add_sub(bad, NULL, PROBLEM_UNSUPPORTED_IDENTIFIER,
			"identifiers of the type \"%s\" are not supported, only \"dns\"",
			buf_str(&quoted));
		return OK;
	}
	err = policy_name(conf, value, name, &why);
	if (err == OK)
		wish->names[wish->count++] = bytes_str(xstrdup(name));
	if (err == ERR_PROBLEM) {
		problem_quote(&quoted, value, QUOTE_MAX_BYTES);
		problem_add_sub(bad, buf_str(&quoted), why.type, "%s", why.detail);
		return OK;
	}
	return err;
}

static int read_identifiers(const struct conf *conf, const struct jx *payload, struct problem *pb,
	struct order_wish *wish)
{
	CLEANUP_PROBLEM struct problem bad = {0};
	const struct jx *list = NULL;
	size_t max = (size_t)conf->orders.names_max;

	if (jx_get_array(payload, "identifiers", &list) != OK)
		return problem_set(pb, PROBLEM_MALFORMED,
			"\"identifiers\" is missing or not an array");
	if (wish->profile->names_max < conf->orders.names_max)
		max = (size_t)wish->profile->names_max;
	if (jx_count(list) == 0)
		return problem_set(pb, PROBLEM_MALFORMED, "\"identifiers\" is empty");
	if (jx_count(list) > max)
		return problem_set(pb, PROBLEM_MALFORMED,
			"an order may have at most %zu identifiers", max);
	wish->names = xcalloc(jx_count(list), sizeof(*wish->names));
	for (size_t i = 0; i < jx_count(list); i++) {
		int err = read_identifier(conf, jx_at(list, i), pb, &bad, wish);

		if (err != OK)
			return err;
	}
	/* RFC 8555 section 6.7.1: one problem for each bad name. */
	if (problem_seal(&bad, "some identifiers are not acceptable") == ERR_PROBLEM) {
		problem_done(pb);
		*pb = bad;
		bad = (struct problem){0};
		return ERR_PROBLEM;
	}
	sort_and_dedupe(wish);
	return OK;
}

/* draft-ietf-acme-profiles: an unknown profile is an error, none means the default one. */
static int read_profile(const struct conf *conf, const struct jx *payload, struct problem *pb,
	struct order_wish *wish)
{
	CLEANUP_BUF struct buf quoted = {0};
	struct bytes name;
	int err = jx_get_str(payload, "profile", &name);

	if (err == ERR_NOENT && conf->nprofiles > 0) {
		wish->profile = &conf->profiles[0];
		return OK;
	}
	if (err != OK)
		return problem_set(pb, PROBLEM_MALFORMED, "\"profile\" is not a string");
	wish->profile = conf_profile_find(conf, name);
	if (wish->profile != NULL)
		return OK;
	problem_quote(&quoted, name, QUOTE_MAX_BYTES);
	return problem_set(pb, PROBLEM_INVALID_PROFILE,
		"there is no profile \"%s\"; the directory lists them", buf_str(&quoted));
}

/* An optional RFC 3339 time. */
static int read_time(const struct jx *payload, const char *name, struct problem *pb,
	int64_t *ret_us)
{
	struct bytes text;
	int err = jx_get_str(payload, name, &text);

	*ret_us = INT64_MIN;
	if (err == ERR_NOENT)
		return OK;
	if (err == OK)
		err = clock_rfc3339_parse(text, ret_us);
	if (err != OK)
		return problem_set(pb, PROBLEM_MALFORMED, "\"%s\" is not a time as of RFC 3339",
			name);
	/* Certificates hold whole seconds (RFC 5280 section 4.1.2.5), so that is what was asked for
	 * and is echoed. */
	*ret_us -= *ret_us % USEC_PER_SEC;
	return OK;
}

int order_rules_check_dates(const struct conf_profile *profile, int64_t not_before_us,
	int64_t not_after_us, int64_t now_us, struct problem *pb)
{
	int64_t window = DATES_WINDOW_SECS * USEC_PER_SEC;
	int64_t from = now_us;

	if (not_before_us != INT64_MIN) {
		/* CA/B BR 7.1.2.7: notBefore within 48 hours of the signature. */
		if (not_before_us < now_us - window || not_before_us > now_us + window)
			return problem_set(pb, PROBLEM_MALFORMED,
				"\"notBefore\" must be within %d hours of now",
				DATES_WINDOW_SECS / 3600);
		from = not_before_us;
	}
	if (not_after_us == INT64_MIN)
		return OK;
	if (not_after_us <= now_us || not_after_us <= from)
		return problem_set(pb, PROBLEM_MALFORMED,
			"\"notAfter\" is not later than now and \"notBefore\"");
	/* RFC 5280 section 4.1.2.5: notAfter is inclusive. */
	if (not_after_us > from + (profile->validity_secs - 1) * USEC_PER_SEC)
		return problem_set(pb, PROBLEM_MALFORMED,
			"the profile \"%s\" issues for at most %lld seconds; \"notAfter\" is later",
			profile->name, (long long)profile->validity_secs);
	return OK;
}

int64_t order_rules_min_reuse(const struct conf *conf, int64_t now_us)
{
	int64_t secs = conf->orders.order_secs / 8;

	if (secs < REUSE_MIN_SECS)
		secs = REUSE_MIN_SECS;
	if (secs > REUSE_MAX_SECS)
		secs = REUSE_MAX_SECS;
	return now_us + secs * USEC_PER_SEC;
}

/* RFC 9773 section 5. Whether there is such a certificate, and whose, the database knows. */
static int read_replaces(const struct jx *payload, struct problem *pb, struct renewal_id *ret)
{
	struct bytes text;
	int err = jx_get_str(payload, "replaces", &text);

	if (err == ERR_NOENT)
		return OK;
	if (err != OK)
		return problem_set(pb, PROBLEM_MALFORMED, "\"replaces\" is not a string");
	if (renewal_id_parse(text, ret) != OK)
		return problem_set(pb, PROBLEM_MALFORMED,
			"\"replaces\" is not a certificate id as of RFC 9773 section 4.1");
	return OK;
}

int order_rules_new(const struct conf *conf, const struct jx *payload, int64_t now_us,
	struct problem *pb, struct order_wish **ret)
{
	CLEANUP(order_rules_free) struct order_wish *wish = xcalloc(1, sizeof(*wish));
	int err;

	err = read_profile(conf, payload, pb, wish);
	if (err != OK)
		return err;
	err = read_identifiers(conf, payload, pb, wish);
	if (err != OK)
		return err;
	err = read_replaces(payload, pb, &wish->replaces);
	if (err != OK)
		return err;
	err = read_time(payload, "notBefore", pb, &wish->not_before_us);
	if (err != OK)
		return err;
	err = read_time(payload, "notAfter", pb, &wish->not_after_us);
	if (err != OK)
		return err;
	err = order_rules_check_dates(wish->profile, wish->not_before_us, wish->not_after_us,
		now_us, pb);
	if (err != OK)
		return err;
	*ret = TAKE(wish);
	return OK;
}
