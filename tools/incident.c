/* incident.c — assayctl incident: renewal of many certificates before their time, in waves, and
 * their revocation at a deadline. The database holds the incident; the keeper does what is due, so
 * nothing depends on this program once a command has returned, and each may be repeated. */
#include <stdio.h>

#include "lib/base/clock.h"
#include "lib/base/log.h"
#include "tools/command.h"
#include "tools/connect.h"
#include "tools/incident.h"

#define STEP 5000 /* certificates in one transaction */

static const char help[] =
	"usage: assayctl [-c FILE] incident create SELECTION [--method METHOD ...] --why TEXT\n"
	"                [--explanation-url URL] [--yes --expect N]\n"
	"       assayctl [-c FILE] incident select --id N [--again]\n"
	"       assayctl [-c FILE] incident start --id N --rate N [--slot TIME] [--begin TIME]\n"
	"                --deadline TIME --reason REASON [--yes]\n"
	"       assayctl [-c FILE] incident pause|resume --id N\n"
	"       assayctl [-c FILE] incident extend --id N --deadline TIME --why TEXT\n"
	"       assayctl [-c FILE] incident abort --id N --why TEXT\n"
	"       assayctl [-c FILE] incident status [--id N]\n\n"
	"Has the owners of certificates renew them before their time (RFC 9773), in waves that the "
	"CA can carry, and revokes\n"
	"them at a deadline. create and start change nothing without --yes. Connects as "
	"assay-admin.\n\n" SELECTION_HELP
	"  --method METHOD     a name in it was proved by http-01, dns-01 or tls-alpn-01 (or "
	"3.2.2.4.19, 3.2.2.4.7,\n"
	"                      3.2.2.4.20 of the Baseline Requirements); may be repeated\n"
	"  --explanation-url URL  page that clients show to their operators\n"
	"  --expect N          how many certificates, as counted without --yes: with another "
	"number nothing is done\n"
	"  --id N              the incident\n"
	"  --again             look for certificates that were issued meanwhile, too\n"
	"  --rate N            certificates to be renewed in an hour\n"
	"  --slot TIME         length of a wave (default: 10m)\n"
	"  --begin TIME        when the waves begin (default: now)\n"
	"  --deadline TIME     when what is not revoked yet is revoked\n"
	"  --reason REASON     of the revocation: unspecified, keyCompromise, superseded, "
	"cessationOfOperation,\n"
	"                      privilegeWithdrawn, affiliationChanged\n"
	"  --why TEXT          for the audit log\n"
	"  --yes               do it\n\n"
	"A TIME is 2026-11-21T14:00:00Z, or 30m, 24h, 5d from now.\n";

static const struct db_stmt *const incident_stmts[] = {&incident_count_stmt,
	&incident_count_serials_stmt, &incident_create_stmt, &incident_select_stmt,
	&incident_add_stmt, &incident_start_stmt, &incident_pause_stmt, &incident_abort_stmt,
	&incident_extend_stmt, &incident_status_stmt, NULL};

void incident_run(struct db *db, struct db_call *call)
{
	if (db_run_one(db, call) != OK)
		die("incident: database: %s", db_error(db));
}

/* ---- what the operator is told ---- */

static void need(bool given, const char *verb, const char *option)
{
	if (!given)
		die("incident: %s needs %s; assayctl incident --help has more", verb, option);
}

/* What goes wrong by the operator's hand, in his words. */
static void check_code(enum incident_code code, int64_t id)
{
	switch (code) {
	case INCIDENT_OK:
		return;
	case INCIDENT_UNKNOWN:
		die("incident: there is no incident %lld", (long long)id);
	case INCIDENT_STATE:
		die("incident: the state of incident %lld does not allow this; see assayctl "
		    "incident status --id %lld",
			(long long)id, (long long)id);
	case INCIDENT_INCOMPLETE:
		die("incident: nothing is selected, or not everything was looked at: assayctl "
		    "incident select --id %lld goes on",
			(long long)id);
	case INCIDENT_TOO_SLOW:
		die("incident: at this rate the last wave would end after the deadline; nothing "
		    "was started");
	case INCIDENT_NOT_LATER:
		die("incident: a deadline can only be moved to a later time");
	}
	die("incident: the database answered with an unknown code");
}

/* ---- the selection ---- */

static struct incident_filter filter_of(const struct incident_options *o)
{
	const struct revocation_selection *w = &o->selection.wanted;

	return (struct incident_filter){
		.spki_sha256 = w->spki_sha256,
		.issuer = w->issuer,
		.profile = w->profile,
		.account = w->account,
		.names = &w->name,
		.nnames = w->name.ptr != NULL,
		.methods = o->methods,
		.nmethods = o->nmethods,
		.issued_from_us = w->from_us,
		.issued_to_us = w->until_us,
	};
}

static const struct incident_filter no_filter = {.issued_from_us = INT64_MIN,
	.issued_to_us = INT64_MIN};

static int64_t count_matching(struct db *db, const struct incident_filter *filter)
{
	struct db_call call = {0}, last = {0};
	struct bytes after = {0};
	int64_t total = 0;
	bool more = true;

	while (more) {
		int32_t found;

		incident_count_call(&call, filter, after, STEP);
		incident_run(db, &call);
		db_call_done(&last);
		last = call; /* after points into it */
		call = (struct db_call){0};
		more = incident_count_result(&last, &found, &after);
		total += found;
	}
	db_call_done(&last);
	return total;
}

static int64_t count_listed(struct db *db, const struct revocation_selection *w)
{
	int64_t total = 0;

	for (size_t i = 0; i < w->nserials; i += STEP) {
		struct db_call call = {0};
		size_t left = w->nserials - i;

		incident_count_serials_call(&call, w->serials + i, left < STEP ? left : STEP);
		incident_run(db, &call);
		total += incident_count_serials_result(&call);
		db_call_done(&call);
	}
	return total;
}

/* Goes on until everything was looked at. How many are selected. */
static int32_t select_matching(struct db *db, int32_t id, bool again)
{
	struct incident_selected selected = {0};

	while (!selected.done) {
		struct db_call call = {0};

		incident_select_call(&call, id, STEP, again);
		incident_run(db, &call);
		check_code(incident_select_result(&call, &selected), id);
		db_call_done(&call);
		again = false;
	}
	return selected.selected;
}

static int32_t add_listed(struct db *db, int32_t id, const struct revocation_selection *w)
{
	struct incident_selected selected = {0};

	for (size_t i = 0; i < w->nserials; i += STEP) {
		struct db_call call = {0};
		size_t left = w->nserials - i;

		incident_add_call(&call, id, w->serials + i, left < STEP ? left : STEP,
			left <= STEP);
		incident_run(db, &call);
		check_code(incident_select_result(&call, &selected), id);
		db_call_done(&call);
	}
	return selected.selected;
}

static int compare_serials(const void *a, const void *b)
{
	const struct bytes *x = a, *y = b;

	return memcmp(x->ptr, y->ptr, x->len); /* all of one length */
}

/* What was named twice counts once, also when it stands in two steps. */
static void drop_doubles(struct selection *s)
{
	size_t kept = 0;

	qsort(s->list, s->wanted.nserials, sizeof(*s->list), compare_serials);
	for (size_t i = 0; i < s->wanted.nserials; i++) {
		if (kept == 0 || !bytes_equal(s->list[kept - 1], s->list[i]))
			s->list[kept++] = s->list[i];
	}
	s->wanted.nserials = kept;
}

static int32_t make(struct db *db, const struct incident_options *o,
	const struct incident_filter *filter)
{
	struct db_call call = {0};
	int32_t id;

	incident_create_call(&call, o->why, o->explanation_url, filter);
	incident_run(db, &call);
	id = incident_create_result(&call);
	db_call_done(&call);
	return id;
}

static void run_create(struct db *db, struct incident_options *o)
{
	const struct revocation_selection *w = &o->selection.wanted;
	struct incident_filter filter;
	bool listed = o->selection.listed;
	int64_t found;
	int32_t id, selected;

	need(o->why != NULL && o->why[0] != '\0', "create", "--why TEXT");
	selection_complete(&o->selection);
	filter = filter_of(o);
	if (listed &&
		(w->account != NULL || w->name.ptr != NULL || w->issuer.ptr != NULL ||
			w->profile.ptr != NULL || w->spki_sha256.ptr != NULL ||
			w->from_us != INT64_MIN || w->until_us != INT64_MIN || o->nmethods > 0))
		die("incident: serial numbers, or something to search by; not both");
	if (listed)
		drop_doubles(&o->selection);
	found = listed ? count_listed(db, w) : count_matching(db, &filter);
	printf("%lld certificates that are good fit.\n", (long long)found);
	if (!o->yes) {
		printf("Nothing was changed: say --yes --expect %lld to prepare the incident.\n",
			(long long)found);
		return;
	}
	if (o->expect == 0)
		die("incident: --yes needs --expect N");
	if (found != o->expect)
		die("incident: expected were %lld; nothing was changed", (long long)o->expect);
	id = make(db, o, listed ? &no_filter : &filter);
	printf("Incident %d.\n", id);
	fflush(stdout); /* who is interrupted from now on goes on with select */
	selected = listed ? add_listed(db, id, w) : select_matching(db, id, false);
	printf("%d selected. Nothing has begun: assayctl incident start --id %d does it.\n",
		selected, id);
}

static void run_select(struct db *db, const struct incident_options *o)
{
	need(o->id != 0, "select", "--id N");
	printf("%d selected.\n", select_matching(db, (int32_t)o->id, o->again));
}

/* ---- waves ---- */

static void load_row(struct db *db, int64_t id, struct db_call *call, struct incident_row *ret)
{
	incident_status_call(call, (int32_t)id);
	incident_run(db, call);
	if (incident_status_count(call) == 0)
		die("incident: there is no incident %lld", (long long)id);
	incident_status_at(call, 0, ret);
}

static struct incident_waves waves_of(const struct incident_options *o)
{
	int64_t size = (o->rate * o->slot_secs + 3599) / 3600;

	return (struct incident_waves){
		.size = (int32_t)(size > INT32_MAX ? INT32_MAX : size),
		.secs = (int32_t)o->slot_secs,
		.begin_us = o->begin_us,
		.deadline_us = o->deadline_us,
		.reason = o->reason,
	};
}

static void print_plan(const struct incident_row *row, const struct incident_waves *waves)
{
	int64_t count = ((int64_t)row->selected + waves->size - 1) / waves->size;
	int64_t begin_us = waves->begin_us == INT64_MIN ? clock_wall_us() : waves->begin_us;
	char from[CLOCK_RFC3339_LEN + 1], to[CLOCK_RFC3339_LEN + 1], at[CLOCK_RFC3339_LEN + 1];

	clock_rfc3339_format(begin_us, from);
	clock_rfc3339_format(begin_us + count * waves->secs * USEC_PER_SEC, to);
	clock_rfc3339_format(waves->deadline_us, at);
	printf("%d certificates in %lld waves of up to %d, one each %d s, from %s to %s;\n"
	       "what is not revoked by then is revoked at %s with reason %d.\n",
		row->selected, (long long)count, waves->size, waves->secs, from, to, at,
		waves->reason);
}

static void run_start(struct db *db, const struct incident_options *o)
{
	struct db_call call = {0};
	struct incident_row row;
	struct incident_waves waves;

	need(o->id != 0, "start", "--id N");
	need(o->rate != 0, "start", "--rate N");
	need(o->deadline_us != INT64_MIN, "start", "--deadline TIME");
	need(o->reason >= 0, "start", "--reason REASON");
	load_row(db, o->id, &call, &row);
	waves = waves_of(o);
	print_plan(&row, &waves);
	if (!o->yes) {
		puts("Nothing was changed: say --yes to begin.");
		db_call_done(&call);
		return;
	}
	incident_start_call(&call, (int32_t)o->id, &waves);
	incident_run(db, &call);
	check_code(incident_result(&call), o->id);
	db_call_done(&call);
	puts("Begun.");
}

/* ---- steering ---- */

static void run_pause(struct db *db, const struct incident_options *o, bool pause)
{
	struct db_call call = {0};

	need(o->id != 0, pause ? "pause" : "resume", "--id N");
	incident_pause_call(&call, (int32_t)o->id, pause);
	incident_run(db, &call);
	check_code(incident_result(&call), o->id);
	db_call_done(&call);
	incident_show(db, (int32_t)o->id);
}

static void run_abort(struct db *db, const struct incident_options *o)
{
	struct db_call call = {0};

	need(o->id != 0, "abort", "--id N");
	need(o->why != NULL, "abort", "--why TEXT");
	incident_abort_call(&call, (int32_t)o->id, o->why);
	incident_run(db, &call);
	check_code(incident_result(&call), o->id);
	db_call_done(&call);
	puts("Aborted. What was revoked stays revoked.");
}

static void run_extend(struct db *db, const struct incident_options *o)
{
	struct db_call call = {0};

	need(o->id != 0, "extend", "--id N");
	need(o->deadline_us != INT64_MIN, "extend", "--deadline TIME");
	need(o->why != NULL, "extend", "--why TEXT");
	incident_extend_call(&call, (int32_t)o->id, o->deadline_us, o->why);
	incident_run(db, &call);
	check_code(incident_result(&call), o->id);
	db_call_done(&call);
	incident_show(db, (int32_t)o->id);
}

static void run_verb(struct db *db, const char *verb, struct incident_options *o)
{
	if (o->selected && strcmp(verb, "create") != 0)
		die("incident: %s takes --id N, not certificates", verb);
	if (strcmp(verb, "create") == 0)
		run_create(db, o);
	else if (strcmp(verb, "select") == 0)
		run_select(db, o);
	else if (strcmp(verb, "start") == 0)
		run_start(db, o);
	else if (strcmp(verb, "pause") == 0 || strcmp(verb, "resume") == 0)
		run_pause(db, o, verb[0] == 'p');
	else if (strcmp(verb, "extend") == 0)
		run_extend(db, o);
	else if (strcmp(verb, "abort") == 0)
		run_abort(db, o);
	else if (strcmp(verb, "status") == 0)
		incident_show(db, (int32_t)o->id);
	else
		die("incident: say create, select, start, pause, resume, extend, abort or status");
}

static int run_incident(const char *conf_path, int argc, char **argv)
{
	CLEANUP(conf_free) struct conf *conf = NULL;
	CLEANUP(db_close) struct db *db = NULL;
	CLEANUP_STR char *why = NULL;
	struct incident_options o = {0};
	/* The verb stands before the options. */
	const char *verb = argc > 1 && argv[1][0] != '-' ? argv[1] : "";

	if (verb[0] != '\0') {
		argc--;
		argv++;
	}
	incident_options_parse(argc, argv, &o);
	conf = command_conf(conf_path);
	if (connect_db(conf, "assay-admin", incident_stmts, &db, &why) != OK)
		die("incident: database: %s", why);
	run_verb(db, verb, &o);
	selection_done(&o.selection);
	return 0;
}

const struct command command_incident = {"incident",
	"have many certificates renewed in waves, and revoke them at a deadline", help,
	run_incident};
