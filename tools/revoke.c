/* revoke.c — assayctl revoke: revokes certificates by serial number, as the operator. Shows first
 * what would happen; --yes does it. */
#include <ctype.h>
#include <stdio.h>

#include "lib/base/clock.h"
#include "lib/base/log.h"
#include "lib/store/admin.h"
#include "tools/command.h"
#include "tools/connect.h"
#include "workers/signer/serial.h"

#define SERIALS_MAX 1000

static const char help[] = "usage: assayctl [-c FILE] revoke --serial HEX [--serial HEX ...] "
			   "--reason REASON [--why TEXT] [--yes]\n\n"
			   "Revokes certificates. Without --yes nothing is changed: what would be "
			   "revoked is shown. Connects as assay-admin.\n\n"
			   "  --serial HEX      serial number in hexadecimal, with or without "
			   "colons; may be repeated\n"
			   "  --reason REASON   unspecified, keyCompromise, affiliationChanged, "
			   "superseded, cessationOfOperation,\n"
			   "                    privilegeWithdrawn, or their numbers 0 1 3 4 5 9 "
			   "(RFC 5280 section 5.3.1)\n"
			   "  --why TEXT        for the audit log\n"
			   "  --yes             do it\n";

static const struct db_stmt *const revoke_stmts[] = {&admin_certificates_stmt, &admin_revoke_stmt,
	NULL};

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
	uint8_t serials[SERIALS_MAX][SERIAL_LEN];
	struct bytes list[SERIALS_MAX];
	size_t count;
	int reason;
	const char *why;
	bool yes;
};

static int reason_parse(const char *text)
{
	for (size_t i = 0; i < ARRAY_LEN(reasons); i++)
		if (strcmp(reasons[i].name, text) == 0 || strcmp(reasons[i].number, text) == 0)
			return reasons[i].reason;
	die("revoke: there is no reason \"%s\"; assayctl revoke --help lists them", text);
}

static int nibble(char c)
{
	return isdigit((unsigned char)c) ? c - '0' : tolower((unsigned char)c) - 'a' + 10;
}

static void add_serial(struct revoke_options *o, const char *text)
{
	uint8_t *out;
	size_t digits = 0;

	if (o->count == SERIALS_MAX)
		die("revoke: more than %d serial numbers at once", SERIALS_MAX);
	out = o->serials[o->count];
	memset(out, 0, SERIAL_LEN);
	for (const char *c = text; *c != '\0'; c++) {
		if (*c == ':')
			continue;
		if (!isxdigit((unsigned char)*c) || digits == 2 * SERIAL_LEN)
			die("revoke: \"%s\" is no serial number of ours: those have %d hexadecimal "
			    "digits",
				text, 2 * SERIAL_LEN);
		out[digits / 2] = (uint8_t)(out[digits / 2] << 4 | nibble(*c));
		digits++;
	}
	if (digits != 2 * SERIAL_LEN)
		die("revoke: \"%s\" is no serial number of ours: those have %d hexadecimal digits",
			text, 2 * SERIAL_LEN);
	o->list[o->count++] = bytes_of(out, SERIAL_LEN);
}

static void parse_options(int argc, char **argv, struct revoke_options *o)
{
	static const struct option options[] = {
		{"serial", required_argument, NULL, 's'},
		{"reason", required_argument, NULL, 'r'},
		{"why", required_argument, NULL, 'w'},
		{"yes", no_argument, NULL, 'y'},
		{"help", no_argument, NULL, 'h'},
		{0},
	};
	int found;

	o->reason = -1;
	o->why = "by the operator";
	while ((found = command_option(&command_revoke, argc, argv, options)) != -1) {
		switch (found) {
		case 's':
			add_serial(o, optarg);
			break;
		case 'r':
			o->reason = reason_parse(optarg);
			break;
		case 'w':
			o->why = optarg;
			break;
		default:
			o->yes = true;
		}
	}
	if (o->count == 0)
		die("revoke: --serial HEX is missing");
	if (o->reason < 0)
		die("revoke: --reason REASON is missing; assayctl revoke --help lists them");
}

static void print_certificate(const struct admin_certificate *c)
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

static size_t show(struct db *db, const struct revoke_options *o)
{
	struct db_call call = {0};
	size_t found;

	admin_certificates_call(&call, o->list, o->count);
	if (db_run_one(db, &call) != OK)
		die("revoke: database: %s", db_error(db));
	found = admin_certificates_count(&call);
	for (size_t i = 0; i < found; i++) {
		struct admin_certificate certificate;

		admin_certificates_at(&call, i, &certificate);
		print_certificate(&certificate);
		admin_certificate_done(&certificate);
	}
	db_call_done(&call);
	return found;
}

static int run_revoke(const char *conf_path, int argc, char **argv)
{
	CLEANUP(free) struct revoke_options *o = xcalloc(1, sizeof(*o));
	CLEANUP(conf_free) struct conf *conf = NULL;
	CLEANUP(db_close) struct db *db = NULL;
	CLEANUP_STR char *why = NULL;
	struct db_call call = {0};
	size_t found;

	parse_options(argc, argv, o);
	conf = command_conf(conf_path);
	if (connect_db(conf, "assay-admin", revoke_stmts, &db, &why) != OK)
		die("revoke: database: %s", why);
	found = show(db, o);
	if (found < o->count)
		die("revoke: %zu of %zu are unknown or have expired; nothing was revoked",
			o->count - found, o->count);
	if (!o->yes) {
		printf("Nothing was changed: say --yes to revoke %s.\n",
			found == 1 ? "it" : "them");
		return 0;
	}
	admin_revoke_call(&call, o->list, o->count, o->reason, o->why);
	if (db_run_one(db, &call) != OK)
		die("revoke: database: %s", db_error(db));
	printf("%d revoked.\n", admin_revoke_result(&call));
	db_call_done(&call);
	return 0;
}

const struct command command_revoke = {"revoke", "revoke certificates by serial number", help,
	run_revoke};
