/* doctor.c — assayctl doctor: is the installation well, and does the database know what the
 * journals tell? A line for each check, and an exit status for monitoring. Nothing is changed,
 * unless --apply or --seen asks for it. */
#include <errno.h>
#include <glob.h>
#include <libgen.h>
#include <openssl/pem.h>
#include <stdarg.h>
#include <stdio.h>

#include "lib/base/clock.h"
#include "lib/base/file.h"
#include "lib/base/log.h"
#include "lib/base/sha256.h"
#include "lib/pki/ossl.h"
#include "lib/store/admin.h"
#include "lib/store/checkup.h"
#include "lib/store/replay.h"
#include "tools/command.h"
#include "tools/connect.h"
#include "workers/signer/serial.h"

#define FILES_MAX 1000
#define SEALS 1000
#define CLOCK_SKEW_MAX_MS 2000
#define ISSUER_WARN_DAYS 90
#define STREAM_WARN 10000
#define MIGRATION_MAX_BYTES (4 << 20)
#define CERTIFICATE_MAX_BYTES (1 << 20)

enum { STATUS_WRONG = 2, STATUS_LOOK = 3 };

static const char help[] =
	"usage: assayctl [-c FILE] doctor [--journal] [--file FILE ...] [--apply] [--seen]\n\n"
	"Checks the whole installation: schema, partitions, audit log, issuers, programs, job "
	"streams, clock, and the journals\n"
	"against the database. Changes nothing. Exit status: 0 all is well, 1 it could not look, 2 "
	"something is wrong,\n"
	"3 something should be looked at. Connects as assay-admin.\n\n"
	"  --journal      only compare the journals with the database, and list what it does not "
	"know or did not know\n"
	"  --file FILE    of this journal file, from its beginning, instead of those of this "
	"machine; may be repeated\n"
	"  --apply        make known what is not, revoke again what is not revoked any more\n"
	"  --seen         take note of the certificates that were restored: no more alarm for "
	"them\n";

static const struct db_stmt clock_stmt = {"doctor_clock", "SELECT pg_catalog.clock_timestamp()",
	DB_ONE_ROW, 0, {0}};

static const struct db_stmt *const doctor_stmts[] = {&admin_issuers_stmt, &admin_doctor_stmt,
	&admin_migrations_stmt, &admin_forgotten_stmt, &admin_forgotten_seen_stmt, &clock_stmt,
	&journal_position_stmt, &journal_reached_stmt, &journal_unknown_stmt, &journal_restore_stmt,
	&journal_revoke_stmt, &journal_block_stmt, NULL};

struct doctor {
	struct conf *conf;
	struct db *db;
	bool journal_only, apply, seen;
	const char *files[FILES_MAX];
	size_t nfiles;
	int counts[3]; /* findings by level */
};

static void tell(struct doctor *d, int level, const char *fmt, ...) PRINTF_LIKE(3, 4);

static void tell(struct doctor *d, int level, const char *fmt, ...)
{
	static const char *const words[] = {"ok", "LOOK", "WRONG"};
	va_list args;

	d->counts[level]++;
	printf("%-8s ", words[level]);
	va_start(args, fmt);
	vprintf(fmt, args);
	va_end(args);
	putchar('\n');
}

static void run(struct doctor *d, struct db_call *call)
{
	if (db_run_one(d->db, call) != OK)
		die("doctor: database: %s", db_error(d->db));
}

/* ---- the installation ---- */

static void check_clock(struct doctor *d)
{
	struct db_call call = {0};
	int64_t before = clock_wall_us(), after, theirs, off_ms = 0;

	db_call_init(&call, &clock_stmt);
	run(d, &call);
	after = clock_wall_us();
	theirs = db_time(call.result, 0, 0);
	if (theirs < before)
		off_ms = (before - theirs) / 1000;
	else if (theirs > after)
		off_ms = (theirs - after) / 1000;
	tell(d, off_ms > CLOCK_SKEW_MAX_MS ? 2 : 0,
		"clock: this machine and the database are %lld ms apart", (long long)off_ms);
	db_call_done(&call);
}

/* -1: the database has not seen it; 0: another text under this name; 1: as it is here. */
static int migration_state(const struct db_call *call, const char *name, struct bytes sha256)
{
	for (size_t i = 0; i < checkup_count(call); i++) {
		struct bytes known, sum;

		admin_migrations_at(call, i, &known, &sum);
		if (bytes_is(known, name))
			return bytes_equal(sum, sha256);
	}
	return -1;
}

static bool check_migration(struct doctor *d, const struct db_call *call, char *path)
{
	CLEANUP_BUF struct buf text = {0};
	uint8_t digest[32];
	char *name;
	int state;

	if (file_load(path, MIGRATION_MAX_BYTES, &text) != OK)
		die("doctor: %s: %s", path, strerror(errno));
	sha256_of_two(buf_bytes(&text), bytes_of(NULL, 0), digest);
	name = basename(path);
	name[strlen(name) - strlen(".sql")] = '\0';
	state = migration_state(call, name, bytes_of(digest, sizeof(digest)));
	if (state < 0)
		tell(d, 2, "schema: %s was not applied: assayctl migrate", name);
	else if (state == 0)
		tell(d, 2, "schema: %s is another one in the database", name);
	return state == 1;
}

static void check_schema(struct doctor *d)
{
	struct db_call call = {0};
	glob_t found = {0};
	size_t good = 0;

	admin_migrations_call(&call);
	run(d, &call);
	if (glob(PKGDATADIR "/sql/schema/[0-9]*.sql", 0, NULL, &found) != 0) {
		tell(d, 1, "schema: %s/sql/schema is not there to compare with", PKGDATADIR);
	} else {
		for (size_t i = 0; i < found.gl_pathc; i++)
			good += check_migration(d, &call, found.gl_pathv[i]);
		if (checkup_count(&call) > found.gl_pathc)
			tell(d, 1, "schema: the database is of a newer version than this program");
		else if (good == found.gl_pathc)
			tell(d, 0, "schema: version %zu, as installed", good);
		globfree(&found);
	}
	db_call_done(&call);
}

static void check_database(struct doctor *d)
{
	struct db_call call = {0};

	admin_doctor_call(&call, SEALS, d->conf->journal.folder != NULL);
	run(d, &call);
	for (size_t i = 0; i < checkup_count(&call); i++) {
		struct checkup_finding f;

		admin_doctor_at(&call, i, &f);
		tell(d, f.level, "%.*s: %.*s", (int)f.check.len, f.check.ptr, (int)f.text.len,
			f.text.ptr);
	}
	db_call_done(&call);
}

static bool is_registered(const struct db_call *call, struct bytes der)
{
	for (size_t i = 0; i < admin_issuers_count(call); i++) {
		struct bytes name, known;

		admin_issuers_at(call, i, &name, &known);
		if (bytes_equal(known, der))
			return true;
	}
	return false;
}

static void judge_issuer(struct doctor *d, const struct conf_issuer *issuer, X509 *x509,
	const struct db_call *call)
{
	unsigned char *der = NULL;
	int len = i2d_X509(x509, &der), days = 0, seconds = 0;

	if (len < 0 || ASN1_TIME_diff(&days, &seconds, NULL, X509_get0_notAfter(x509)) != 1)
		tell(d, 2, "issuer %s: %s cannot be read", issuer->name, issuer->certificate);
	else if (!is_registered(call, bytes_of(der, (size_t)len)))
		tell(d, 2, "issuer %s: no signer has registered %s", issuer->name,
			issuer->certificate);
	else if (days < 0 || seconds < 0)
		tell(d, 2, "issuer %s: has expired", issuer->name);
	else
		tell(d, days < ISSUER_WARN_DAYS, "issuer %s: registered, ends in %d days",
			issuer->name, days);
	OPENSSL_free(der);
}

static void check_issuers(struct doctor *d)
{
	struct db_call call = {0};

	admin_issuers_call(&call);
	run(d, &call);
	for (size_t i = 0; i < d->conf->nissuers; i++) {
		const struct conf_issuer *issuer = &d->conf->issuers[i];
		CLEANUP_BUF struct buf pem = {0};
		CLEANUP(BIO_free_all) BIO *bio = NULL;
		CLEANUP(X509_free) X509 *x509 = NULL;

		if (file_load(issuer->certificate, CERTIFICATE_MAX_BYTES, &pem) == OK &&
			(bio = BIO_new_mem_buf(pem.ptr, (int)pem.len)) != NULL)
			x509 = PEM_read_bio_X509(bio, NULL, NULL, NULL);
		if (x509 == NULL)
			tell(d, 2, "issuer %s: %s is no certificate", issuer->name,
				issuer->certificate);
		else
			judge_issuer(d, issuer, x509, &call);
	}
	db_call_done(&call);
}

static void check_streams(struct doctor *d)
{
	static const struct {
		const char *stream, *name;
		int limit;
	} streams[] = {{"q:val", "validations", STREAM_WARN}, {"q:sign", "issuances", STREAM_WARN},
		{"q:dead", "dead letters", 0}};
	CLEANUP(rds_close) struct rds *rds = NULL;
	CLEANUP_STR char *why = NULL;

	if (connect_redis(d->conf, "assay-admin", &rds, &why) != OK) {
		tell(d, 2, "queue: Redis is away: %s", why);
		return;
	}
	for (size_t i = 0; i < ARRAY_LEN(streams); i++) {
		CLEANUP(rds_reply_free) struct rds_reply *reply = NULL;
		const struct bytes argv[] = {bytes_str("XLEN"), bytes_str(streams[i].stream)};

		if (rds_command(rds, ARRAY_LEN(argv), argv, &reply) != OK ||
			rds_is_error(reply, NULL))
			tell(d, 2, "queue: %s cannot be read", streams[i].name);
		else
			tell(d, rds_int(reply) > streams[i].limit, "queue: %lld %s",
				(long long)rds_int(reply), streams[i].name);
	}
}

/* ---- the journals ---- */

static void print_certificate(struct bytes serial, struct bytes names, int64_t not_after_us,
	const struct ident *account, const struct ident *order)
{
	char digits[2 * SERIAL_LEN + 1], until[CLOCK_RFC3339_LEN + 1];
	char account_id[IDENT_TEXT_LEN + 1], order_id[IDENT_TEXT_LEN + 1];

	serial_format(serial, digits);
	clock_rfc3339_format(not_after_us, until);
	ident_format(account, account_id);
	ident_format(order, order_id);
	printf("         %s  until %s  account %s  order %s  %.*s", digits, until, account_id,
		order_id, (int)names.len, names.ptr);
}

static void print_hex(struct bytes in)
{
	printf("         ");
	for (size_t i = 0; i < in.len; i++)
		printf("%02x", in.ptr[i]);
	putchar('\n');
}

static const struct {
	int level, applied; /* without and with --apply */
	const char *text;
} news_words[REPLAY_NEWS_KINDS] = {
	[REPLAY_FORGOTTEN] = {2, 1, "the database does not know a certificate"},
	[REPLAY_UNFINISHED] = {0, 0, "a serial number that was never used"},
	[REPLAY_NO_ISSUER] = {2, 2, "a certificate whose issuer is not registered"},
	[REPLAY_UNREVOKED] = {2, 1, "a revocation is missing"},
	[REPLAY_UNBLOCKED] = {2, 1, "a key is not blocked any more"},
	[REPLAY_TORN] = {0, 0, "the end is torn: it was never acknowledged"},
	[REPLAY_DAMAGED] = {2, 2, "is damaged"},
	[REPLAY_UNREADABLE] = {2, 2, "cannot be read"},
	[REPLAY_NOT_A_JOURNAL] = {1, 1, "is no journal, or ends within its beginning"},
	[REPLAY_STRANGE] = {1, 1, "has a record that this version does not know"},
	[REPLAY_BUSY] = {0, 0, "is being written: left to its program"},
};

static void say(void *arg, const struct replay_news *news)
{
	struct doctor *d = arg;
	int level = d->apply ? news_words[news->kind].applied : news_words[news->kind].level;

	tell(d, level, "journal: %s at %llu: %s", news->path, (unsigned long long)news->offset,
		news_words[news->kind].text);
	if (news->issue != NULL) {
		print_certificate(news->issue->serial, news->issue->names,
			news->issue->not_after_us, &news->issue->account, &news->issue->order);
		putchar('\n');
	}
	if (news->kind == REPLAY_UNREVOKED)
		print_hex(news->serial);
	if (news->kind == REPLAY_UNBLOCKED)
		print_hex(news->key);
}

static void replay_programs(struct doctor *d, struct replay *r)
{
	static const char *const programs[] = {"assay-signer", "assay-keeper"};

	for (size_t i = 0; i < ARRAY_LEN(programs); i++) {
		CLEANUP_BUF struct buf folder = {0};

		buf_addf(&folder, "%s/%s", d->conf->journal.folder, programs[i]);
		errno = 0;
		if (replay_folder(r, buf_str(&folder)) == OK)
			continue;
		if (errno == 0)
			die("doctor: database: %s", db_error(d->db));
		tell(d, 1, "journal: %s: %s", buf_str(&folder), strerror(errno));
	}
}

static void check_journals(struct doctor *d)
{
	struct replay r = {.db = d->db,
		.apply = d->apply,
		.from_start = d->nfiles > 0,
		.tell = say,
		.arg = d};

	for (size_t i = 0; i < d->nfiles; i++) {
		errno = 0;
		if (replay_file(&r, d->files[i]) != OK)
			die("doctor: %s: %s", d->files[i],
				errno != 0 ? strerror(errno) : db_error(d->db));
	}
	if (d->nfiles == 0 && d->conf->journal.folder == NULL) {
		tell(d, 1, "journal: none is configured");
		return;
	}
	if (d->nfiles == 0)
		replay_programs(d, &r);
	tell(d, 0, "journal: %llu files, %llu records that the database was not sure to know",
		(unsigned long long)r.files, (unsigned long long)r.records);
}

static void list_forgotten(struct doctor *d)
{
	struct db_call call = {0};

	admin_forgotten_call(&call);
	run(d, &call);
	for (size_t i = 0; i < checkup_count(&call); i++) {
		struct checkup_forgotten f;

		admin_forgotten_at(&call, i, &f);
		tell(d, f.seen ? 0 : 1,
			"journal: a certificate was unknown: restored from the "
			"journal");
		print_certificate(f.serial, f.names, f.not_after_us, &f.account, &f.order);
		printf("%s%s\n", f.revoked ? "  (revoked)" : "", f.seen ? "  (seen)" : "");
	}
	db_call_done(&call);
}

static void mark_seen(struct doctor *d)
{
	struct db_call call = {0};

	admin_forgotten_seen_call(&call);
	run(d, &call);
	printf("%d taken note of.\n", db_int(call.result, 0, 0));
	db_call_done(&call);
}

/* ---- the command ---- */

static void parse_options(int argc, char **argv, struct doctor *d)
{
	static const struct option options[] = {
		{"journal", no_argument, NULL, 'j'},
		{"file", required_argument, NULL, 'f'},
		{"apply", no_argument, NULL, 'a'},
		{"seen", no_argument, NULL, 's'},
		{"help", no_argument, NULL, 'h'},
		{0},
	};
	int found;

	while ((found = command_option(&command_doctor, argc, argv, options)) != -1) {
		if (found == 'f' && d->nfiles == FILES_MAX)
			die("doctor: more than %d --file", FILES_MAX);
		if (found == 'f')
			d->files[d->nfiles++] = optarg;
		d->apply |= found == 'a';
		d->seen |= found == 's';
		d->journal_only |= found == 'j';
	}
	if ((d->nfiles > 0 || d->apply || d->seen) && !d->journal_only)
		die("doctor: --file, --apply and --seen go with --journal");
}

static int run_doctor(const char *conf_path, int argc, char **argv)
{
	CLEANUP(free) struct doctor *d = xcalloc(1, sizeof(*d));
	CLEANUP_STR char *why = NULL;
	int status;

	parse_options(argc, argv, d);
	d->conf = command_conf(conf_path);
	if (connect_db(d->conf, "assay-admin", doctor_stmts, &d->db, &why) != OK)
		die("doctor: database: %s", why);
	if (!d->journal_only) {
		check_clock(d);
		check_schema(d);
		check_database(d);
		check_issuers(d);
		check_streams(d);
	}
	check_journals(d);
	if (d->journal_only)
		list_forgotten(d);
	if (d->seen)
		mark_seen(d);
	status = d->counts[2] > 0 ? STATUS_WRONG : d->counts[1] > 0 ? STATUS_LOOK : 0;
	db_close(d->db);
	conf_free(d->conf);
	return status;
}

const struct command command_doctor = {"doctor",
	"check the whole installation, and the journals against the database", help, run_doctor};
