/* revoke.c — assayctl revoke: revokes certificates, as the operator. Shows first what would happen;
 * --yes does it. The act is written down in the database and done in batches, together with the
 * keeper, which ends what this program leaves behind. */
#include <errno.h>
#include <poll.h>
#include <stdio.h>

#include "lib/base/clock.h"
#include "lib/base/log.h"
#include "tools/command.h"
#include "tools/connect.h"
#include "tools/selection.h"
#include "workers/signer/serial.h"

#define SHOWN 10
#define SHOWN_MAX 10000
#define LINE_MS 1000 /* a line of progress this often */
#define WAIT_MS 5000 /* for the batches that a keeper has in hand */
#define WAIT_STEP_MS 50

static const char help[] =
	"usage: assayctl [-c FILE] revoke SELECTION --reason REASON [--why TEXT] [--yes [--expect "
	"N]]\n\n"
	"Revokes the unexpired certificates that fit everything selected. Without --yes nothing "
	"is changed: what would be\nrevoked is counted and shown. Connects as "
	"assay-admin.\n\n" SELECTION_HELP
	"  --reason REASON     unspecified, keyCompromise, affiliationChanged, superseded, "
	"cessationOfOperation,\n"
	"                      privilegeWithdrawn, or their numbers 0 1 3 4 5 9 (RFC 5280 section "
	"5.3.1);\n"
	"                      with keyCompromise the keys are blocked, and every certificate that "
	"has one is revoked\n"
	"  --why TEXT          for the audit log\n"
	"  --show N            how many certificates to show (default: 10)\n"
	"  --dry-run           change nothing: the default\n"
	"  --yes               do it\n"
	"  --expect N          how many would change, as shown without --yes: with another number "
	"nothing is done;\n"
	"                      must be given with --yes unless all are named by serial number\n";

static const struct db_stmt *const revoke_stmts[] = {&revocation_selected_stmt,
	&revocation_sample_stmt, &revocation_begin_stmt, &revocation_step_stmt,
	&revocation_act_stmt, NULL};

static const struct {
	const char *name;
	const char *number;
	int reason;
} reasons[] = {
	{"unspecified", "0", 0},
	{"keyCompromise", "1", 1},
	{"affiliationChanged", "3", 3},
	{"superseded", "4", 4},
	{"cessationOfOperation", "5", 5},
	{"privilegeWithdrawn", "9", 9},
};

struct revoke_options {
	struct selection selection;
	int reason;
	const char *why;
	int64_t expect; /* -1: not said */
	int64_t shown;
	bool yes;
	bool dry_run;
};

static int reason_parse(const char *text)
{
	for (size_t i = 0; i < ARRAY_LEN(reasons); i++)
		if (strcmp(reasons[i].name, text) == 0 || strcmp(reasons[i].number, text) == 0)
			return reasons[i].reason;
	die("revoke: there is no reason \"%s\"; assayctl revoke --help lists them", text);
}

static int64_t number_parse(const char *option, const char *text, int64_t max)
{
	char *end = NULL;
	long long n;

	errno = 0;
	n = strtoll(text, &end, 10);
	if (errno != 0 || end == text || *end != '\0' || n < 0 || n > max)
		die("revoke: %s takes a number from 0 to %lld, not \"%s\"", option, (long long)max,
			text);
	return n;
}

static void check_options(const struct revoke_options *o)
{
	if (o->reason < 0)
		die("revoke: --reason REASON is missing; assayctl revoke --help lists them");
	if (o->why[0] == '\0')
		die("revoke: --why says nothing");
	if (o->yes && o->dry_run)
		die("revoke: --yes or --dry-run?");
	if (o->yes && o->expect < 0 && !o->selection.listed)
		die("revoke: --yes needs --expect N: without --yes it is shown how many there are");
}

static void parse_options(int argc, char **argv, struct revoke_options *o)
{
	static const struct option options[] = {
		SELECTION_OPTIONS,
		{"reason", required_argument, NULL, 'r'},
		{"why", required_argument, NULL, 'w'},
		{"expect", required_argument, NULL, 'e'},
		{"show", required_argument, NULL, 's'},
		{"dry-run", no_argument, NULL, 'n'},
		{"yes", no_argument, NULL, 'y'},
		{"help", no_argument, NULL, 'h'},
		{0},
	};
	int found;

	selection_init(&o->selection, "revoke");
	*o = (struct revoke_options){.selection = o->selection,
		.reason = -1,
		.why = "by the operator",
		.expect = -1,
		.shown = SHOWN};
	while ((found = command_option(&command_revoke, argc, argv, options)) != -1) {
		if (selection_option(&o->selection, found, optarg))
			continue;
		switch (found) {
		case 'r':
			o->reason = reason_parse(optarg);
			break;
		case 'w':
			o->why = optarg;
			break;
		case 'e':
			o->expect = number_parse("--expect", optarg, INT32_MAX);
			break;
		case 's':
			o->shown = number_parse("--show", optarg, SHOWN_MAX);
			break;
		case 'n':
			o->dry_run = true;
			break;
		default:
			o->yes = true;
		}
	}
	selection_complete(&o->selection);
	check_options(o);
}

static void run_call(struct db *db, struct db_call *call)
{
	if (db_run_one(db, call) != OK)
		die("revoke: database: %s", db_error(db));
}

static void print_certificate(const struct revocation_certificate *c)
{
	char serial[2 * SERIAL_LEN + 1], until[CLOCK_RFC3339_LEN + 1];

	serial_format(c->serial, serial);
	clock_rfc3339_format(c->not_after_us, until);
	printf("%s  until %s ", serial, until);
	for (size_t i = 0; i < c->nnames; i++)
		printf(" %.*s", (int)c->names[i].len, c->names[i].ptr);
	if (!c->issued)
		printf("  (reserved, never issued)");
	if (c->revoked)
		printf("  (revoked already, reason %d)", c->reason);
	putchar('\n');
}

static void show_sample(struct db *db, const struct revoke_options *o)
{
	struct db_call call = {0};

	revocation_sample_call(&call, &o->selection.wanted, (int)o->shown);
	run_call(db, &call);
	for (size_t i = 0; i < revocation_sample_count(&call); i++) {
		struct revocation_certificate certificate;

		revocation_sample_at(&call, i, &certificate);
		print_certificate(&certificate);
		revocation_certificate_done(&certificate);
	}
	db_call_done(&call);
}

/* How many would change. */
static int64_t show(struct db *db, const struct revoke_options *o)
{
	struct db_call call = {0};
	struct revocation_selected found;

	revocation_selected_call(&call, &o->selection.wanted, o->reason);
	run_call(db, &call);
	revocation_selected_result(&call, &found);
	if (found.missing > 0)
		die("revoke: %lld of %lld are unknown, have expired or are not selected; nothing "
		    "was revoked",
			(long long)found.missing, (long long)found.found + found.missing);
	show_sample(db, o);
	if (found.found > o->shown)
		printf("… and %lld more\n", (long long)(found.found - o->shown));
	printf("%lld found, of %lld accounts, by %.*s; %lld would change, %lld are revoked "
	       "already.\n",
		(long long)found.found, (long long)found.accounts,
		found.issuers.len > 0 ? (int)found.issuers.len : 6,
		found.issuers.len > 0 ? (const char *)found.issuers.ptr : "nobody",
		(long long)found.to_change, (long long)found.before);
	db_call_done(&call);
	return found.to_change;
}

static bool step(struct db *db, int32_t act)
{
	struct db_call call = {0};
	bool more;

	revocation_step_call(&call, act);
	run_call(db, &call);
	more = revocation_step_result(&call);
	db_call_done(&call);
	return more;
}

static void look(struct db *db, int32_t act, struct revocation_act *ret)
{
	struct db_call call = {0};

	revocation_act_call(&call, act);
	run_call(db, &call);
	revocation_act_result(&call, ret);
	db_call_done(&call);
}

/* Batch after batch, as long as there is one that no keeper has in hand; then those are waited
 * for. */
static void work(struct db *db, int32_t act, struct revocation_act *ret)
{
	int64_t next_ms = clock_mono_ms() + LINE_MS, until_ms;

	while (step(db, act)) {
		if (clock_mono_ms() < next_ms)
			continue;
		look(db, act, ret);
		printf("%d of %d\n", ret->revoked, ret->found);
		fflush(stdout);
		next_ms = clock_mono_ms() + LINE_MS;
	}
	until_ms = clock_mono_ms() + WAIT_MS;
	look(db, act, ret);
	while (!ret->ended && clock_mono_ms() < until_ms) {
		(void)poll(NULL, 0, WAIT_STEP_MS);
		look(db, act, ret);
	}
}

static void revoke(struct db *db, const struct revoke_options *o, int64_t expect)
{
	struct db_call call = {0};
	struct revocation_act state = {0};
	int32_t act;

	revocation_begin_call(&call, &o->selection.wanted, o->reason, o->why, expect);
	run_call(db, &call);
	act = revocation_begin_result(&call);
	db_call_done(&call);
	if (act != 0)
		work(db, act, &state);
	printf("%d revoked.\n", state.revoked);
	if (act != 0 && !state.ended)
		printf("The keeper is at the rest: act %d in revocations.sql.\n", act);
}

static int run_revoke(const char *conf_path, int argc, char **argv)
{
	struct revoke_options o = {0};
	CLEANUP(conf_free) struct conf *conf = NULL;
	CLEANUP(db_close) struct db *db = NULL;
	CLEANUP_STR char *why = NULL;
	int64_t to_change;

	parse_options(argc, argv, &o);
	conf = command_conf(conf_path);
	if (connect_db(conf, "assay-admin", revoke_stmts, &db, &why) != OK)
		die("revoke: database: %s", why);
	to_change = show(db, &o);
	if (o.expect >= 0 && o.expect != to_change)
		die("revoke: %lld would change, and not %lld; nothing was revoked",
			(long long)to_change, (long long)o.expect);
	if (o.yes)
		revoke(db, &o, to_change);
	else
		printf("Nothing was changed: to revoke, add --yes --expect %lld\n",
			(long long)to_change);
	selection_done(&o.selection);
	return 0;
}

const struct command command_revoke = {"revoke", "revoke certificates", help, run_revoke};
