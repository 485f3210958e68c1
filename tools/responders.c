/* responders.c — assayctl responders: the delegated certificates that sign status over OCSP. */
#include <stdio.h>

#include "lib/base/clock.h"
#include "lib/base/log.h"
#include "lib/store/responder.h"
#include "tools/command.h"
#include "tools/connect.h"

static const char help[] = "usage: assayctl [-c FILE] responders\n\n"
			   "Lists the OCSP responders' certificates that have not expired, the "
			   "keys that wait for one, "
			   "and those\nthat were refused in the last week: issuer, id (as in the "
			   "log and the key's file "
			   "name), host, end, serial.\nConnects as assay-admin.\n";

static const struct db_stmt *const responders_stmts[] = {&admin_responders_stmt, NULL};

static void print_one(const struct admin_responder *r)
{
	char id[IDENT_TEXT_LEN + 1], end[CLOCK_RFC3339_LEN + 1];
	char registered[CLOCK_RFC3339_LEN + 1];

	ident_format(&r->id, id);
	printf("%.*s  %s  %.*s", (int)r->issuer.len, r->issuer.ptr, id, (int)r->host.len,
		r->host.ptr);
	if (r->error.ptr != NULL) {
		clock_rfc3339_format(r->registered_us, registered);
		printf("  refused (registered %s): %.*s\n", registered, (int)r->error.len,
			r->error.ptr);
		return;
	}
	if (r->not_after_us == INT64_MIN) {
		clock_rfc3339_format(r->registered_us, registered);
		printf("  waits for its certificate since %s\n", registered);
		return;
	}
	clock_rfc3339_format(r->not_after_us, end);
	printf("  ends %s  ", end);
	for (size_t i = 0; i < r->serial.len; i++)
		printf("%02x", r->serial.ptr[i]);
	putchar('\n');
}

static int run_responders(const char *conf_path, int argc, char **argv)
{
	static const struct option options[] = {{"help", no_argument, NULL, 'h'}, {0}};
	CLEANUP(conf_free) struct conf *conf = NULL;
	CLEANUP(db_close) struct db *db = NULL;
	CLEANUP_STR char *why = NULL;
	struct db_call call = {0};

	while (command_option(&command_responders, argc, argv, options) != -1)
		;
	conf = command_conf(conf_path);
	if (connect_db(conf, "assay-admin", responders_stmts, &db, &why) != OK)
		die("responders: database: %s", why);
	admin_responders_call(&call);
	if (db_run_one(db, &call) != OK)
		die("responders: database: %s", db_error(db));
	for (size_t i = 0; i < admin_responders_count(&call); i++) {
		struct admin_responder r;

		admin_responders_at(&call, i, &r);
		print_one(&r);
	}
	db_call_done(&call);
	return 0;
}

const struct command command_responders = {"responders", "list the certificates of OCSP responders",
	help, run_responders};
