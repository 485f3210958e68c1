/* check_config.c — assayctl check-config: reads assay.conf as every program does, then tries what
 * it names: the database as each role, Redis as each user, issuers and their keys, the resolver,
 * the clock. One line for each; nothing is changed anywhere. */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

#include "lib/acme/suffixes.h"
#include "lib/base/clock.h"
#include "lib/base/log.h"
#include "lib/net/dns.h"
#include "lib/store/issuance.h"
#include "tools/command.h"
#include "tools/connect.h"
#include "tools/credentials.h"
#include "workers/signer/issuer.h"
#include "workers/signer/token.h"

#define CLOCK_SKEW_MAX_MS 2000 /* more, and signers stop */
#define RESOLVER_WAIT_MS 8000
#define ISSUER_WARN_DAYS 90

static const char help[] =
	"usage: assayctl [-c FILE] check-config\n\n"
	"Reads the configuration and tries everything that it names. Run as root it can try every "
	"role and the issuing keys;\n"
	"what belongs to another user is skipped otherwise. Exit status 0 when nothing failed.\n";

struct tally {
	int failed;
	int skipped;
};

enum finding { FINE, WARNING, SKIPPED, FAILED };

static void tell(struct tally *tally, enum finding finding, const char *fmt, ...) PRINTF_LIKE(3, 4);

static void tell(struct tally *tally, enum finding finding, const char *fmt, ...)
{
	static const char *const words[] = {"ok", "warning", "skipped", "FAILED"};
	va_list args;

	tally->failed += finding == FAILED;
	tally->skipped += finding == SKIPPED;
	printf("%-8s ", words[finding]);
	va_start(args, fmt);
	vprintf(fmt, args);
	va_end(args);
	putchar('\n');
}

/* The database's clock; the statement needs no right in the schema. */
static const struct db_stmt clock_stmt = {"check_clock", "SELECT pg_catalog.clock_timestamp()",
	DB_ONE_ROW, 0, {0}};

static void check_clock(struct tally *tally, struct db *db)
{
	struct db_call call = {0};
	int64_t before, after, theirs, off_ms = 0;

	db_call_init(&call, &clock_stmt);
	before = clock_wall_us();
	if (db_run_one(db, &call) != OK) {
		tell(tally, FAILED, "clock: the database does not tell its time: %s", db_error(db));
	} else {
		after = clock_wall_us();
		theirs = db_time(call.result, 0, 0);
		if (theirs < before)
			off_ms = (before - theirs) / 1000;
		else if (theirs > after)
			off_ms = (after - theirs) / 1000;
		tell(tally,
			off_ms < -CLOCK_SKEW_MAX_MS || off_ms > CLOCK_SKEW_MAX_MS ? FAILED : FINE,
			"clock: this machine and the database are %lld ms apart",
			(long long)(off_ms < 0 ? -off_ms : off_ms));
	}
	db_call_done(&call);
}

static void check_database(struct tally *tally, const struct conf *conf)
{
	static const struct db_stmt *const table[] = {&clock_stmt, NULL};
	bool clock_checked = false;

	for (size_t i = 0; credential_names[i] != NULL; i++) {
		CLEANUP(db_close) struct db *db = NULL;
		CLEANUP_STR char *why = NULL;
		int err = connect_db(conf, credential_names[i], table, &db, &why);

		if (err != OK) {
			tell(tally, err == ERR_NOENT ? SKIPPED : FAILED, "database as %s: %s",
				credential_names[i], why);
			continue;
		}
		tell(tally, FINE, "database as %s", credential_names[i]);
		if (!clock_checked)
			check_clock(tally, db);
		clock_checked = true;
	}
}

/* Right of a user, not only its password: what it needs most, and what it must not do. */
static bool redis_allows(struct rds *rds, const struct bytes *argv, int argc)
{
	CLEANUP(rds_reply_free) struct rds_reply *reply = NULL;

	return rds_command(rds, argc, argv, &reply) == OK && !rds_is_error(reply, "NOPERM");
}

static void check_redis(struct tally *tally, const struct conf *conf)
{
	const struct bytes forbidden[] = {bytes_str("FLUSHALL"), bytes_str("ASYNC"),
		bytes_str("too many words")};

	for (size_t i = 0; credential_names[i] != NULL; i++) {
		CLEANUP(rds_close) struct rds *rds = NULL;
		CLEANUP_STR char *why = NULL;
		int err = connect_redis(conf, credential_names[i], &rds, &why);

		if (err != OK)
			tell(tally, err == ERR_NOENT ? SKIPPED : FAILED, "Redis as %s: %s",
				credential_names[i], why);
		else if (conf->redis.passwords != NULL &&
			redis_allows(rds, forbidden, ARRAY_LEN(forbidden)))
			tell(tally, FAILED,
				"Redis as %s: it may do everything; load the ACL file that "
				"assayctl init made",
				credential_names[i]);
		else
			tell(tally, FINE, "Redis as %s", credential_names[i]);
	}
}

/* A loaded issuer, proved: how it stands with its token and its time. */
static void tell_issuer(struct tally *tally, const struct conf *conf, const struct issuer *issuer,
	int64_t now_us)
{
	int64_t spare_secs = issuer_spare_secs(issuer, conf, now_us);
	char until[CLOCK_RFC3339_LEN + 1], complaint[512];

	clock_rfc3339_format(issuer->not_after_us, until);
	if (issuer->unreachable) {
		token_complaint(issuer->key, complaint, sizeof(complaint));
		tell(tally, FAILED, "issuer %s: %s", issuer->name, complaint);
	} else if (issuer->retired) {
		tell(tally, FINE, "issuer %s: certificate, chain and key fit; retired; until %s",
			issuer->name, until);
	} else if (spare_secs < 0) {
		tell(tally, FAILED,
			"issuer %s: it ends at %s, before certificates made today would: replace "
			"it, then say retired = yes",
			issuer->name, until);
	} else {
		tell(tally, FINE, "issuer %s: certificate, chain and key fit; until %s%s",
			issuer->name, until,
			spare_secs < ISSUER_WARN_DAYS * 86400LL ? " (replace it soon)" : "");
	}
}

static void check_issuer(struct tally *tally, const struct conf *conf,
	const struct conf_issuer *section, int64_t now_us)
{
	CLEANUP(issuer_free) struct issuer *issuer = NULL;
	CLEANUP_STR char *why = NULL;
	int err;

	if (section->key[0] == '/' && access(section->key, R_OK) != 0 && errno == EACCES) {
		tell(tally, SKIPPED, "issuer %s: %s is not for this user to read", section->name,
			section->key);
		return;
	}
	if (strncmp(section->key, "credential:", strlen("credential:")) == 0 &&
		getenv("CREDENTIALS_DIRECTORY") == NULL) {
		tell(tally, SKIPPED, "issuer %s: %s is for the unit alone to read", section->name,
			section->key);
		return;
	}
	err = issuer_load(section, now_us, &issuer, &why);
	if (err == OK)
		tell_issuer(tally, conf, issuer, now_us);
	else if (err == ERR_TIMEOUT && section->retired)
		tell(tally, FINE, "issuer %s: it has ended, and its section may go", section->name);
	else
		tell(tally, FAILED, "issuer %s: %s", section->name,
			why != NULL ? why : "cannot be used");
}

static void check_issuers(struct tally *tally, const struct conf *conf)
{
	int64_t now = clock_wall_us();

	for (size_t i = 0; i < conf->nissuers; i++)
		check_issuer(tally, conf, &conf->issuers[i], now);
	if (conf->nissuers == 0)
		tell(tally, FAILED, "issuer: there is no [issuer NAME] section");
}

/* True when an issuer of the profile may sign such keys at this time, as far as sections show. */
static bool is_signed_by_some(const struct conf *conf, const struct conf_profile *profile,
	const char *key_type, int64_t now_us)
{
	for (size_t i = 0; i < conf->nissuers; i++) {
		const struct conf_issuer *issuer = &conf->issuers[i];
		bool takes = issuer->key_types.count == 0, named = false;

		for (size_t n = 0; n < profile->issuers.count; n++)
			named = named || strcmp(profile->issuers.items[n], issuer->name) == 0;
		for (size_t n = 0; n < issuer->key_types.count; n++)
			takes = takes || strcmp(issuer->key_types.items[n], key_type) == 0;
		if (named && takes && !issuer->retired && issuer->active_from_us <= now_us &&
			now_us < issuer->active_until_us)
			return true;
	}
	return false;
}

/* What a profile takes and no issuer signs would end as serverInternal. */
static void check_profiles(struct tally *tally, const struct conf *conf)
{
	int64_t now = clock_wall_us();

	for (size_t i = 0; i < conf->nprofiles; i++) {
		const struct conf_profile *profile = &conf->profiles[i];

		for (size_t k = 0; k < profile->key_types.count; k++)
			if (!is_signed_by_some(conf, profile, profile->key_types.items[k], now))
				tell(tally, FAILED,
					"profile %s: no issuer signs keys of type %s today",
					profile->name, profile->key_types.items[k]);
	}
}

static void check_suffixes(struct tally *tally, const struct conf *conf)
{
	const char *file = conf->orders.public_suffixes;

	if (suffixes_load(conf) != OK)
		tell(tally, FAILED, "public suffix list %s: it cannot be read, or is none",
			file != NULL ? file : "of libpsl");
	else
		tell(tally, FINE, "public suffix list %s", file != NULL ? file : "of libpsl");
}

/* CA/B BR 6.3.2 and 4.2.1: how long a publicly trusted CA may let certificates and validations of
 * names live, by the date of issue. */
static const struct {
	int64_t from_secs;
	const char *from;
	int certificate_days;
	int validation_days;
} limits[] = {{1773532800, "2026-03-15", 200, 200}, {1805068800, "2027-03-15", 100, 100},
	{1868227200, "2029-03-15", 47, 10}};

/* A private CA may do as it likes: nothing fails. */
static void check_lifetime(struct tally *tally, const char *what, int64_t secs, bool certificate)
{
	int64_t now = clock_wall_us() / USEC_PER_SEC;
	size_t broken = ARRAY_LEN(limits);

	/* The last limit that is in force counts, or else the first one to come that is broken. */
	for (size_t i = ARRAY_LEN(limits); i-- > 0;) {
		int days = certificate ? limits[i].certificate_days : limits[i].validation_days;

		if (secs > days * 86400LL)
			broken = i;
		if (limits[i].from_secs <= now)
			break;
	}
	if (broken == ARRAY_LEN(limits))
		tell(tally, FINE, "%s: %lld days", what, (long long)(secs / 86400));
	else
		tell(tally, limits[broken].from_secs <= now ? WARNING : FINE,
			"%s: %lld days; a publicly trusted CA may have %d at most from %s on", what,
			(long long)(secs / 86400),
			certificate ? limits[broken].certificate_days
				    : limits[broken].validation_days,
			limits[broken].from);
}

static void check_lifetimes(struct tally *tally, const struct conf *conf)
{
	for (size_t i = 0; i < conf->nprofiles; i++) {
		CLEANUP_BUF struct buf what = {0};

		buf_addf(&what, "profile %s: certificates", conf->profiles[i].name);
		check_lifetime(tally, buf_str(&what), conf->profiles[i].validity_secs, true);
	}
	check_lifetime(tally, "valid authorizations", conf->orders.valid_authz_secs, false);
}

struct resolver_try {
	bool answered;
	bool authenticated;
	enum dns_status status;
	char reason[DNS_REASON_LEN];
};

static void note_answer(void *arg, const struct dns_answer *answer)
{
	struct resolver_try *t = arg;

	t->answered = true;
	t->status = answer->status;
	t->authenticated = answer->authenticated;
	snprintf(t->reason, sizeof(t->reason), "%s", answer->reason);
}

/* Our own name: any answer will do, and "no such name" is one. */
static void check_resolver(struct tally *tally, const struct conf *conf)
{
	CLEANUP(loop_free) struct loop *loop = NULL;
	CLEANUP(dns_free) struct dns *dns = NULL;
	const char *host = conf->server.base_url + strlen("https://");
	CLEANUP_STR char *name = xstrndup(host, strcspn(host, ":/"));
	struct resolver_try try = {0};
	int64_t deadline = clock_mono_ms() + RESOLVER_WAIT_MS;

	if (loop_new(&loop) != OK ||
		dns_new(loop, &conf->validation.resolvers, false, &dns) != OK) {
		tell(tally, FAILED, "resolver: it cannot be set up");
		return;
	}
	dns_ask(dns, name, DNS_A, note_answer, &try);
	while (!try.answered && clock_mono_ms() < deadline)
		if (loop_once(loop, 200) != OK)
			break;
	if (!try.answered)
		tell(tally, FAILED, "resolver %s: no answer within %d s", dns_resolvers(dns),
			RESOLVER_WAIT_MS / 1000);
	else if (try.status == DNS_FAILED)
		tell(tally, FAILED, "resolver %s: asked for %s: %s", dns_resolvers(dns), name,
			try.reason);
	else
		tell(tally, FINE, "resolver %s: answers%s", dns_resolvers(dns),
			try.authenticated ? ", validating DNSSEC" : "");
}

static int run_check_config(const char *conf_path, int argc, char **argv)
{
	static const struct option options[] = {{"help", no_argument, NULL, 'h'}, {0}};
	CLEANUP(conf_free) struct conf *conf = NULL;
	struct tally tally = {0};

	while (command_option(&command_check_config, argc, argv, options) != -1)
		;
	conf = command_conf(conf_path);
	setlinebuf(stdout);
	tell(&tally, FINE, "configuration %s", conf_path);
	check_suffixes(&tally, conf);
	check_lifetimes(&tally, conf);
	check_issuers(&tally, conf);
	check_profiles(&tally, conf);
	check_database(&tally, conf);
	check_redis(&tally, conf);
	check_resolver(&tally, conf);
	if (tally.skipped > 0)
		printf("\n%d skipped: run as root to try them, too.\n", tally.skipped);
	return tally.failed > 0 ? 1 : 0;
}

const struct command command_check_config = {"check-config",
	"read the configuration and try everything that it names", help, run_check_config};
