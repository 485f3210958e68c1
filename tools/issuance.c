/* issuance.c — assayctl issuance stop|start|status: the kill switch. A stop is acknowledged when
 * the last certificate that was in the making is finished, and not before. */
#include <stdio.h>

#include "lib/base/clock.h"
#include "lib/base/log.h"
#include "lib/store/admin.h"
#include "tools/command.h"
#include "tools/connect.h"

/* The longest lease that the configuration may name (workers.lease), and the drain's own margin. */
#define DRAIN_SECS_MARGIN 2

static const char help[] =
	"usage: assayctl [-c FILE] issuance stop --reason TEXT\n"
	"       assayctl [-c FILE] issuance start --reason TEXT\n"
	"       assayctl [-c FILE] issuance status\n\n"
	"stop: from now on nothing is ordered, finalized or signed, on every machine; returns when "
	"the last certificate\n"
	"that was in the making is finished. Clients are told to come back (503, Retry-After); "
	"orders that wait for a\n"
	"signature keep waiting. Validation, downloads and revocation go on. start: go on with "
	"everything.\n"
	"Connects as assay-admin.\n\n"
	"  --reason TEXT    for the audit log; clients are not shown it\n";

static const struct db_stmt *const issuance_stmts[] = {&admin_issuance_stop_stmt,
	&admin_issuance_start_stmt, &admin_issuance_drain_stmt, &admin_issuance_status_stmt, NULL};

static void run_call(struct db *db, struct db_call *call)
{
	if (db_run_one(db, call) != OK)
		die("issuance: database: %s", db_error(db));
}

static int stop_issuance(const struct conf *conf, struct db *db, const char *reason)
{
	struct db_call call = {0};
	int64_t left;
	bool changed;

	admin_issuance_stop_call(&call, reason);
	run_call(db, &call);
	changed = admin_issuance_changed(&call);
	admin_issuance_drain_call(&call, (int)conf->workers.lease_secs + DRAIN_SECS_MARGIN);
	run_call(db, &call);
	left = admin_issuance_drained(&call);
	db_call_done(&call);
	if (left > 0)
		die("issuance: it is stopped, but %lld certificates may still be in the making: "
		    "is workers.lease longer elsewhere? Say stop again to wait for them",
			(long long)left);
	puts(changed ? "Issuance is stopped: no certificate is signed any more."
		     : "Issuance had been stopped before; no certificate is signed.");
	return 0;
}

static int start_issuance(struct db *db, const char *reason)
{
	struct db_call call = {0};

	admin_issuance_start_call(&call, reason);
	run_call(db, &call);
	puts(admin_issuance_changed(&call)
			? "Issuance goes on: orders that waited are signed within a few seconds."
			: "Issuance was not stopped.");
	db_call_done(&call);
	return 0;
}

static int print_issuance(struct db *db)
{
	struct db_call call = {0};
	struct admin_issuance now;
	char since[CLOCK_RFC3339_LEN + 1];

	admin_issuance_status_call(&call);
	run_call(db, &call);
	admin_issuance_status_result(&call, &now);
	if (now.stopped_us == INT64_MIN) {
		puts("issuance goes on");
	} else {
		clock_rfc3339_format(now.stopped_us, since);
		printf("issuance is stopped since %s by %.*s: %.*s\n", since, (int)now.actor.len,
			now.actor.ptr, (int)now.reason.len, now.reason.ptr);
	}
	printf("orders that wait for a signer: %lld, of which in the making: %lld\n",
		(long long)now.waiting, (long long)now.in_flight);
	db_call_done(&call);
	return 0;
}

static int run_issuance(const char *conf_path, int argc, char **argv)
{
	static const struct option options[] = {
		{"reason", required_argument, NULL, 'r'},
		{"help", no_argument, NULL, 'h'},
		{0},
	};
	CLEANUP(conf_free) struct conf *conf = NULL;
	CLEANUP(db_close) struct db *db = NULL;
	CLEANUP_STR char *why = NULL;
	const char *reason = NULL;
	/* The verb stands before the options. */
	const char *verb = argc > 1 && argv[1][0] != '-' ? argv[1] : "";
	bool stop = strcmp(verb, "stop") == 0, start = strcmp(verb, "start") == 0;

	if (verb[0] != '\0') {
		argc--;
		argv++;
	}
	while (command_option(&command_issuance, argc, argv, options) != -1)
		reason = optarg;
	if (!stop && !start && strcmp(verb, "status") != 0)
		die("issuance: say stop, start or status");
	if ((stop || start) && (reason == NULL || reason[0] == '\0'))
		die("issuance: --reason TEXT is missing: it goes into the audit log");
	conf = command_conf(conf_path);
	if (connect_db(conf, "assay-admin", issuance_stmts, &db, &why) != OK)
		die("issuance: database: %s", why);
	if (stop)
		return stop_issuance(conf, db, reason);
	return start ? start_issuance(db, reason) : print_issuance(db);
}

const struct command command_issuance = {"issuance",
	"stop all issuance at once, start it again, or tell its state", help, run_issuance};
