/* incident_options.c — what is said to assayctl incident on its command line. What makes no sense
 * by itself ends the program; what a verb needs is for incident.c to say. */
#include <errno.h>

#include "lib/base/clock.h"
#include "lib/base/log.h"
#include "lib/store/authz.h"
#include "tools/command.h"
#include "tools/incident.h"

#define SLOT_SECS 600

static int64_t number_parse(const char *option, const char *text)
{
	char *end = NULL;
	long long n;

	errno = 0;
	n = strtoll(text, &end, 10);
	if (errno != 0 || end == text || *end != '\0' || n < 1 || n > INT32_MAX)
		die("incident: --%s takes a number from 1, not \"%s\"", option, text);
	return n;
}

/* 30m: seconds. 0: it is no such thing. */
static int64_t duration_parse(const char *text)
{
	static const struct {
		char unit;
		int64_t secs;
	} units[] = {{'s', 1}, {'m', 60}, {'h', 3600}, {'d', 86400}};
	char *end = NULL;
	long long n;

	errno = 0;
	n = strtoll(text, &end, 10);
	if (errno != 0 || end == text || n < 1 || n > INT32_MAX || *end == '\0' || end[1] != '\0')
		return 0;
	for (size_t i = 0; i < ARRAY_LEN(units); i++) {
		if (units[i].unit == *end)
			return n * units[i].secs;
	}
	return 0;
}

static int64_t time_parse(const char *option, const char *text)
{
	int64_t secs = duration_parse(text);
	int64_t at_us;

	if (secs > 0)
		return clock_wall_us() + secs * USEC_PER_SEC;
	if (clock_rfc3339_parse(bytes_str(text), &at_us) != OK)
		die("incident: --%s takes a time like 2026-11-21T14:00:00Z or 24h, not \"%s\"",
			option, text);
	return at_us;
}

static int64_t slot_parse(const char *text)
{
	int64_t secs = duration_parse(text);

	if (secs == 0 || secs > 7 * 86400)
		die("incident: --slot takes a duration like 10m, a week at most, not \"%s\"", text);
	return secs;
}

/* RFC 5280 section 5.3.1, as far as a CA may say it of its own accord. */
static int reason_parse(const char *text)
{
	static const struct {
		const char *name;
		int reason;
	} reasons[] = {{"unspecified", 0}, {"keyCompromise", 1}, {"affiliationChanged", 3},
		{"superseded", 4}, {"cessationOfOperation", 5}, {"privilegeWithdrawn", 9}};

	for (size_t i = 0; i < ARRAY_LEN(reasons); i++) {
		if (strcmp(reasons[i].name, text) == 0)
			return reasons[i].reason;
	}
	die("incident: there is no reason \"%s\"; assayctl incident --help lists them", text);
}

static void add_method(struct incident_options *o, const char *text)
{
	static const struct {
		const char *name;
		const char *number; /* CA/B BR 3.2.2.4 */
		enum challenge_type type;
	} methods[INCIDENT_METHODS_MAX] = {
		{"http-01", "3.2.2.4.19", CHALLENGE_HTTP_01},
		{"dns-01", "3.2.2.4.7", CHALLENGE_DNS_01},
		{"tls-alpn-01", "3.2.2.4.20", CHALLENGE_TLS_ALPN_01},
	};

	for (size_t i = 0; i < ARRAY_LEN(methods); i++) {
		if (strcmp(methods[i].name, text) != 0 && strcmp(methods[i].number, text) != 0)
			continue;
		if (o->nmethods == INCIDENT_METHODS_MAX)
			die("incident: more methods than there are");
		o->methods[o->nmethods++] = (int32_t)methods[i].type;
		return;
	}
	die("incident: there is no method \"%s\"; assayctl incident --help lists them", text);
}

static void take_option(struct incident_options *o, int option, const char *value)
{
	switch (option) {
	case 'm':
		add_method(o, value);
		break;
	case 'w':
		o->why = value;
		break;
	case 'u':
		o->explanation_url = value;
		break;
	case 'e':
		o->expect = number_parse("expect", value);
		break;
	case 'i':
		o->id = number_parse("id", value);
		break;
	case 'r':
		o->rate = number_parse("rate", value);
		break;
	case 's':
		o->slot_secs = slot_parse(value);
		break;
	case 'b':
		o->begin_us = time_parse("begin", value);
		break;
	case 'd':
		o->deadline_us = time_parse("deadline", value);
		break;
	case 'n':
		o->reason = reason_parse(value);
		break;
	case 'a':
		o->again = true;
		break;
	default:
		o->yes = true;
	}
}

void incident_options_parse(int argc, char **argv, struct incident_options *o)
{
	static const struct option options[] = {
		SELECTION_OPTIONS,
		{"method", required_argument, NULL, 'm'},
		{"why", required_argument, NULL, 'w'},
		{"explanation-url", required_argument, NULL, 'u'},
		{"expect", required_argument, NULL, 'e'},
		{"id", required_argument, NULL, 'i'},
		{"rate", required_argument, NULL, 'r'},
		{"slot", required_argument, NULL, 's'},
		{"begin", required_argument, NULL, 'b'},
		{"deadline", required_argument, NULL, 'd'},
		{"reason", required_argument, NULL, 'n'},
		{"again", no_argument, NULL, 'a'},
		{"yes", no_argument, NULL, 'y'},
		{"help", no_argument, NULL, 'h'},
		{0},
	};
	int found;

	selection_init(&o->selection, "incident");
	o->slot_secs = SLOT_SECS;
	o->begin_us = o->deadline_us = INT64_MIN;
	o->reason = -1;
	while ((found = command_option(&command_incident, argc, argv, options)) != -1) {
		if (selection_option(&o->selection, found, optarg))
			o->selected = true;
		else
			take_option(o, found, optarg);
	}
}
