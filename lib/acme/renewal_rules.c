/* renewal_rules.c — see renewal_rules.h. */
#include "lib/acme/renewal_rules.h"

#include <assert.h>

#include "lib/base/b64url.h"
#include "lib/base/clock.h"

#define DAY_SECS 86400LL
#define SHORT_SECS (10 * DAY_SECS) /* what is valid for less is renewed at half its life */
#define WIDTH_PART 45              /* two days of ninety */
#define WIDTH_MAX_SECS (2 * DAY_SECS)
#define WIDTH_MIN_SECS 2
/* A revoked certificate's window ended so long before it was revoked: also for a client whose clock
 * is slow (section 6). */
#define REVOKED_SLACK_SECS 3600
#define INCIDENT_PART 6
#define RETRY_MIN_SECS 60

/* X.690 section 8.3.2: the shortest form; RFC 5280 section 4.1.2.2: positive. */
static bool is_serial(const uint8_t *serial, size_t len)
{
	if (len == 0 || (serial[0] & 0x80) != 0)
		return false;
	if (serial[0] != 0)
		return true;
	return len > 1 && (serial[1] & 0x80) != 0;
}

static int parse_part(struct bytes text, size_t max, uint8_t *out, size_t *ret_len)
{
	if (text.len == 0 || text.len > B64URL_LEN(max))
		return ERR_SYNTAX;
	return b64url_parse(text, out, ret_len);
}

int renewal_id_parse(struct bytes text, struct renewal_id *ret)
{
	struct renewal_id id = {.text = text};
	const uint8_t *dot = text.len > 0 ? memchr(text.ptr, '.', text.len) : NULL;
	size_t first;
	int err;

	if (dot == NULL)
		return ERR_SYNTAX;
	first = (size_t)(dot - text.ptr);
	err = parse_part(bytes_of(text.ptr, first), sizeof(id.key_id), id.key_id, &id.key_id_len);
	if (err == OK)
		err = parse_part(bytes_of(dot + 1, text.len - first - 1), sizeof(id.serial),
			id.serial, &id.serial_len);
	if (err != OK || !is_serial(id.serial, id.serial_len))
		return ERR_SYNTAX;
	*ret = id;
	return OK;
}

/* Seconds from the beginning of the validity to the middle of the window. */
static int64_t middle_of(const struct conf_profile *profile, int64_t validity)
{
	if (profile != NULL && profile->renewal.percent > 0)
		return validity * profile->renewal.percent / 100;
	/* A certificate of older settings may be shorter than the profile is now. */
	if (profile != NULL && profile->renewal.secs > 0 && profile->renewal.secs < validity)
		return validity - profile->renewal.secs;
	return validity < SHORT_SECS ? validity / 2 : validity * 2 / 3;
}

static int64_t clamp(int64_t value, int64_t least, int64_t most)
{
	return value < least ? least : value > most ? most : value;
}

static struct renewal_window ordinary(const struct conf_profile *profile, int64_t from,
	int64_t until)
{
	int64_t validity = until - from + 1; /* RFC 5280 section 4.1.2.5: both ends included */
	int64_t width = clamp(validity / WIDTH_PART, WIDTH_MIN_SECS, WIDTH_MAX_SECS);
	int64_t start = from + middle_of(profile, validity) - width / 2;

	if (start > until - width)
		start = until - width;
	if (start < from)
		start = from;
	return (struct renewal_window){start * USEC_PER_SEC, (start + width) * USEC_PER_SEC};
}

struct renewal_window renewal_rules_window(const struct conf_profile *profile,
	const struct renewal_facts *facts)
{
	struct renewal_window w;
	int64_t second = USEC_PER_SEC;

	assert(facts->not_before_us <= facts->not_after_us);
	if (facts->revoked_us != INT64_MIN) {
		w.end_us = (facts->revoked_us / second - REVOKED_SLACK_SECS) * second;
		w.start_us = w.end_us - DAY_SECS * second;
		return w;
	}
	w = ordinary(profile, facts->not_before_us / second, facts->not_after_us / second);
	if (facts->incident_start_us == INT64_MIN || facts->incident_start_us >= w.start_us)
		return w;
	w.start_us = facts->incident_start_us / second * second;
	w.end_us = facts->incident_end_us / second * second;
	/* Section 4.2: an end that does not follow the start must not be served. */
	if (w.end_us <= w.start_us)
		w.end_us = w.start_us + second;
	return w;
}

int renewal_rules_retry_secs(const struct conf *conf, const struct renewal_id *id,
	const struct renewal_facts *facts)
{
	int64_t secs = conf->orders.renewal_check_secs;
	int64_t spread;

	if (facts->incident_start_us != INT64_MIN || facts->revoked_us != INT64_MIN)
		secs /= INCIDENT_PART;
	spread = secs / 5;
	secs += spread * id->serial[id->serial_len - 1] / 256 - spread / 2;
	return (int)clamp(secs, RETRY_MIN_SECS, DAY_SECS);
}
