/* status.c — assayctl status: what a running CA is doing, on one screen: orders, due work,
 * programs, streams, audit chain, issuers,
 * revocation lists. */
#include <stdio.h>
#include <time.h>

#include "lib/base/clock.h"
#include "lib/base/log.h"
#include "lib/pki/certview.h"
#include "lib/store/admin.h"
#include "lib/store/crl.h"
#include "tools/command.h"
#include "tools/connect.h"

static const char help[] = "usage: assayctl [-c FILE] status\n\n"
			   "Shows orders by state, work under way, programs alive, job streams, "
			   "the audit log's newest seal, issuers and their revocation lists.\n"
			   "Connects as assay-admin.\n";

static const struct db_stmt *const status_stmts[] = {&admin_overview_stmt, &admin_issuers_stmt,
	&admin_crls_stmt, NULL};

/* "3 min ago", "in 12 d". */
static void format_distance(int64_t at_us, char *out, size_t room)
{
	int64_t secs = (at_us - clock_wall_us()) / USEC_PER_SEC;
	int64_t size = secs < 0 ? -secs : secs;
	const char *unit = "s";
	char amount[32];

	if (size >= 2 * 86400) {
		size /= 86400;
		unit = "d";
	} else if (size >= 2 * 3600) {
		size /= 3600;
		unit = "h";
	} else if (size >= 120) {
		size /= 60;
		unit = "min";
	}
	snprintf(amount, sizeof(amount), "%lld %s", (long long)size, unit);
	snprintf(out, room, secs > 0 ? "in %s" : "%s ago", amount);
}

static void print_figures(const struct db_call *call)
{
	struct bytes section = {0};

	for (size_t i = 0; i < admin_overview_count(call); i++) {
		struct admin_figure figure;
		char distance[64] = "";

		admin_overview_at(call, i, &figure);
		if (!bytes_equal(figure.section, section))
			printf("%s%.*s\n", i > 0 ? "\n" : "", (int)figure.section.len,
				figure.section.ptr);
		section = figure.section;
		if (figure.at_us != INT64_MIN)
			format_distance(figure.at_us, distance, sizeof(distance));
		printf("  %-36.*s %10lld  %s\n", (int)figure.item.len, figure.item.ptr,
			(long long)figure.count, distance);
	}
}

static int64_t longest_validity(const struct conf *conf)
{
	int64_t longest = 0;

	for (size_t i = 0; i < conf->nprofiles; i++)
		if (conf->profiles[i].validity_secs > longest)
			longest = conf->profiles[i].validity_secs;
	return longest;
}

/* An issuer that ends before the longest certificate made today would must have a successor. */
static void print_issuers(const struct conf *conf, const struct db_call *call)
{
	int64_t needed_us = clock_wall_us() + longest_validity(conf) * USEC_PER_SEC;

	printf("\nissuers\n");
	for (size_t i = 0; i < admin_issuers_count(call); i++) {
		CLEANUP(certview_free) struct certview *view = NULL;
		struct bytes name, der;
		struct tm tm;
		char distance[64];

		admin_issuers_at(call, i, &name, &der);
		if (certview_parse(der, &view) != OK ||
			ASN1_TIME_to_tm(X509_get0_notAfter(view->x509), &tm) != 1) {
			printf("  %-36.*s is no certificate\n", (int)name.len, name.ptr);
			continue;
		}
		int64_t end_us = (int64_t)timegm(&tm) * USEC_PER_SEC;

		format_distance(end_us, distance, sizeof(distance));
		printf("  %-36.*s            ends %s%s\n", (int)name.len, name.ptr, distance,
			end_us >= needed_us ? "" : ", too early for every profile");
	}
}

/* How many lists and entries; the oldest, and when the first of them ends. */
static void print_crls(const struct db_call *call)
{
	printf("\nrevocation lists\n");
	for (size_t i = 0; i < admin_crls_count(call); i++) {
		char made[64], ends[64];
		struct admin_crls c;

		admin_crls_at(call, i, &c);
		printf("  %-24.*s %4lld lists %9lld entries %12lld bytes  ", (int)c.name.len,
			c.name.ptr, (long long)c.lists, (long long)c.entries, (long long)c.size);
		if (c.missing > 0)
			printf("%lld NOT MADE YET  ", (long long)c.missing);
		if (c.overdue > 0)
			printf("%lld OVERDUE  ", (long long)c.overdue);
		if (c.oldest_us != INT64_MIN) {
			format_distance(c.oldest_us, made, sizeof(made));
			format_distance(c.ends_us, ends, sizeof(ends));
			printf("oldest %s, first ends %s", made, ends);
		}
		printf("\n");
	}
}

static void print_streams(const struct conf *conf)
{
	static const char *const streams[] = {"q:val", "q:sign", "q:dead"};
	static const char *const names[] = {"validation", "issuance", "dead letters"};
	CLEANUP(rds_close) struct rds *rds = NULL;
	CLEANUP_STR char *why = NULL;

	printf("\njob streams\n");
	if (connect_redis(conf, "assay-admin", &rds, &why) != OK) {
		printf("  Redis is away: %s\n", why);
		return;
	}
	for (size_t i = 0; i < ARRAY_LEN(streams); i++) {
		CLEANUP(rds_reply_free) struct rds_reply *reply = NULL;
		const struct bytes argv[] = {bytes_str("XLEN"), bytes_str(streams[i])};

		if (rds_command(rds, ARRAY_LEN(argv), argv, &reply) != OK ||
			rds_is_error(reply, NULL))
			printf("  %-36s cannot be read\n", names[i]);
		else
			printf("  %-36s %10lld\n", names[i], (long long)rds_int(reply));
	}
}

static int run_status(const char *conf_path, int argc, char **argv)
{
	static const struct option options[] = {{"help", no_argument, NULL, 'h'}, {0}};
	CLEANUP(conf_free) struct conf *conf = NULL;
	CLEANUP(db_close) struct db *db = NULL;
	CLEANUP_STR char *why = NULL;
	struct db_call overview = {0}, issuers = {0}, crls = {0};
	struct db_call *const calls[] = {&overview, &issuers, &crls};

	while (command_option(&command_status, argc, argv, options) != -1)
		;
	conf = command_conf(conf_path);
	if (connect_db(conf, "assay-admin", status_stmts, &db, &why) != OK)
		die("status: database: %s", why);
	admin_overview_call(&overview);
	admin_issuers_call(&issuers);
	admin_crls_call(&crls);
	if (db_run(db, calls, ARRAY_LEN(calls)) != OK)
		die("status: database: %s", db_error(db));
	print_figures(&overview);
	print_issuers(conf, &issuers);
	print_crls(&crls);
	print_streams(conf);
	db_call_done(&overview);
	db_call_done(&issuers);
	db_call_done(&crls);
	return 0;
}

const struct command command_status = {"status",
	"show orders, work, programs, streams, audit chain and issuers", help, run_status};
