/* signer.c — see signer.h. One process signs in one thread: it is bound by public-key arithmetic,
 * and any number of signers may run side by side on one stream, which uses more cores without
 * sharing a key's memory between threads. */
#include "workers/signer/signer.h"

#include "lib/acme/suffixes.h"
#include "lib/base/clock.h"
#include "lib/base/log.h"
#include "lib/store/crl.h"
#include "lib/store/issuance.h"
#include "lib/store/replay.h"
#include "lib/store/responder.h"
#include "workers/failpoint.h"
#include "workers/harden.h"
#include "workers/signer/batch.h"
#include "workers/signer/crl_thread.h"
#include "workers/signer/responder.h"
#include "workers/signer/token.h"

/* A certificate's dates come from the clock: two that disagree by more than this stop the signing
 * until they agree again. */
#define CLOCK_SKEW_MAX_US (2 * USEC_PER_SEC)
#define CLOCK_CHECK_EVERY_US USEC_PER_SEC

struct signer {
	struct issuer_set issuers;
	struct crl_thread *crls;
	struct record record;
	bool clock_checked;
	bool clock_sane;
	int64_t clock_mono_us; /* of the last check */
};

/* One row: the database's clock. */
static const struct db_stmt clock_stmt = {
	.name = "signer_clock",
	.sql = "SELECT pg_catalog.clock_timestamp()",
	.shape = DB_ONE_ROW,
};

static const struct db_stmt *const signer_stmts[] = {
	&clock_stmt,
	&issuance_claim_stmt,
	&issuance_reserve_stmt,
	&issuance_issue_stmt,
	&issuance_refuse_stmt,
	&issuance_defer_caa_stmt,
	&issuance_wait_stmt,
	&issuer_record_stmt,
	REPLAY_ISSUE_STMTS,
	&crl_register_stmt,
	&responder_claim_stmt,
	&responder_reserve_stmt,
	&responder_issue_stmt,
	&responder_refuse_stmt,
	NULL,
};

static int check_clock(struct signer *s, struct db *db)
{
	struct db_call call = {0};
	int64_t before, after, theirs;
	int err;

	if (s->clock_checked && s->clock_sane &&
		clock_mono_us() - s->clock_mono_us < CLOCK_CHECK_EVERY_US)
		return OK;
	db_call_init(&call, &clock_stmt);
	before = clock_wall_us();
	err = db_run_one(db, &call);
	after = clock_wall_us();
	if (err == OK) {
		theirs = db_time(call.result, 0, 0);
		s->clock_sane =
			theirs >= before - CLOCK_SKEW_MAX_US && theirs <= after + CLOCK_SKEW_MAX_US;
		s->clock_checked = true;
		s->clock_mono_us = clock_mono_us();
		if (!s->clock_sane)
			log_event(LOG_LEVEL_ERROR,
				"no certificates are signed: this clock and the database's "
				"disagree",
				F_INT("ahead_ms", (before - theirs) / 1000));
	}
	db_call_done(&call);
	return err;
}

/* Where its revocation lists and its certificate are published: certificates will name that. */
static int register_files(struct db *db, const struct issuer *issuer)
{
	struct db_call call = {0};
	int err;

	crl_register_call(&call, bytes_of(issuer->sha256, sizeof(issuer->sha256)),
		issuer->not_after_us, issuer->crl_url,
		issuer->crl_shards > 0 ? issuer->crl_shards : 1, issuer->ca_issuers_url);
	err = db_run_one(db, &call);
	if (err == OK && !crl_register_result(&call)) {
		log_event(LOG_LEVEL_ERROR,
			"crl_url is not the one that this issuer's certificates name, or another "
			"issuer's files have the same path",
			F_STR("issuer", issuer->name));
		err = ERR_CONFLICT;
	}
	db_call_done(&call);
	return err;
}

static int register_issuer(struct db *db, const struct issuer *issuer)
{
	struct bytes alternates[ISSUER_ALTERNATES_MAX];
	struct db_call call = {0};
	int err;

	for (size_t i = 0; i < issuer->nalternates; i++)
		alternates[i] = buf_bytes(&issuer->alternates[i]);
	issuer_record_call(&call,
		&(struct issuer_row){
			.sha256 = bytes_of(issuer->sha256, sizeof(issuer->sha256)),
			.certificate_der = buf_bytes(&issuer->certificate),
			.chain_pem = buf_bytes(&issuer->chain_pem),
			.name = bytes_str(issuer->name),
			.alternates = alternates,
			.nalternates = issuer->nalternates,
		});
	err = db_run_one(db, &call);
	db_call_done(&call);
	return err == OK ? register_files(db, issuer) : err;
}

/* Without it no name can be judged. */
static int check_suffixes(const struct conf *conf)
{
	int err = suffixes_load(conf);

	if (err != OK)
		log_event(LOG_LEVEL_ERROR, "the public suffix list cannot be used",
			F_STR("file",
				conf->orders.public_suffixes != NULL ? conf->orders.public_suffixes
								     : "built into libpsl"));
	return err;
}

/* What the operator should know of it. */
static void log_issuer(const struct conf *conf, const struct issuer *issuer)
{
	char not_after[CLOCK_RFC3339_LEN + 1], complaint[512] = "";

	clock_rfc3339_format(issuer->not_after_us, not_after);
	if (issuer->unreachable)
		token_complaint(issuer->key, complaint, sizeof(complaint));
	if (issuer->unreachable)
		log_event(LOG_LEVEL_ERROR,
			"issuing key cannot be reached, trying again until it can",
			F_STR("issuer", issuer->name), F_STR("cause", complaint));
	else
		log_event(LOG_LEVEL_INFO, "issuer ready", F_STR("issuer", issuer->name),
			F_STR("not_after", not_after));
	if (!issuer->retired && issuer_spare_secs(issuer, conf, clock_wall_us()) < 0)
		log_event(LOG_LEVEL_WARNING,
			"an issuer ends too early to sign certificates of some profiles",
			F_STR("issuer", issuer->name), F_STR("not_after", not_after));
	if (issuer->nended > 0)
		log_event(LOG_LEVEL_WARNING, "alternate chains that have expired are left out",
			F_STR("issuer", issuer->name), F_INT("chains", (int64_t)issuer->nended));
}

/* Loads, proves and registers the issuers of the configuration; only when all of it went well are
 * they used. */
static int take_issuers(struct worker *w, struct signer *s)
{
	struct issuer_set set;
	CLEANUP_STR char *why = NULL;
	int err = issuer_set_load(worker_conf(w), clock_wall_us(), &set, &why);

	if (err != OK) {
		log_event(LOG_LEVEL_ERROR, "an issuer cannot be used",
			F_STR("cause", why != NULL ? why : err_name(err)));
		return err;
	}
	for (size_t i = 0; i < set.count && err == OK; i++)
		err = register_issuer(worker_db(w), set.items[i]);
	if (err != OK) {
		log_event(LOG_LEVEL_ERROR, "an issuer cannot be registered",
			F_STR("error", err_name(err)), F_STR("database", db_error(worker_db(w))));
		issuer_set_done(&set);
		return err;
	}
	for (size_t i = 0; i < set.count; i++)
		log_issuer(worker_conf(w), set.items[i]);
	if (set.nended > 0)
		log_event(LOG_LEVEL_WARNING, "issuers whose certificates have expired are left out",
			F_INT("issuers", (int64_t)set.nended));
	issuer_set_done(&s->issuers);
	s->issuers = set;
	crl_thread_set(s->crls, &s->issuers, &worker_conf(w)->crl);
	return OK;
}

static int signer_start(struct worker *w)
{
	struct signer *s = xcalloc(1, sizeof(*s));
	int err;

	worker_set_state(w, s);
	err = harden_process();
	if (err != OK) {
		log_event(LOG_LEVEL_ERROR, "cannot give up core dumps and tracing",
			F_STR("error", err_name(err)));
		return err;
	}
	err = record_open(&s->record, worker_conf(w), signer_ops.program, worker_host(w),
		"no certificates are signed: the journal is not usable");
	if (err == OK)
		err = check_suffixes(worker_conf(w));
	if (err != OK)
		return err;
	s->crls = crl_thread_start(w);
	err = take_issuers(w, s);
	if (err == OK)
		(void)record_ready(&s->record, worker_db(w));
	return err;
}

/* A new connection: the database behind it may be a backup that was restored. */
static void signer_flush(struct worker *w)
{
	struct signer *s = worker_state(w);

	(void)record_ready(&s->record, worker_db(w));
}

/* SIGHUP: with an issuer that cannot be used, those from before go on; the log has said why. */
static void signer_reload(struct worker *w)
{
	/* With a list that cannot be used no order is refused and none is signed, until there is
	 * one. */
	(void)check_suffixes(worker_conf(w));
	if (take_issuers(w, worker_state(w)) != OK)
		log_event(LOG_LEVEL_WARNING, "the issuers from before stay in use");
}

/* Wakes clients whose orders are final, and validators for CAA. Only hints: nothing is lost when
 * Redis is away. */
static void announce(struct worker *w, const struct batch *b)
{
	CLEANUP(free) struct ident *final = xcalloc(b->count + 1, sizeof(*final));
	CLEANUP(free) struct ident *postponed = xcalloc(b->count + 1, sizeof(*postponed));
	struct rds *rds = worker_rds(w);
	size_t nfinal = 0, npostponed = 0;

	for (size_t i = 0; i < b->count; i++) {
		if (b->items[i].final)
			final[nfinal++] = b->items[i].job.order;
		if (b->items[i].postponed)
			postponed[npostponed++] = b->items[i].job.order;
	}
	if (jobs_enqueue(rds, JOB_CAA, postponed, npostponed) != OK ||
		jobs_publish(rds, final, nfinal) != OK)
		log_event(LOG_LEVEL_WARNING, "others cannot be told",
			F_STR("redis", rds_error(rds)));
}

static int run_batch(struct worker *w, struct signer *s, struct batch *b, const struct job *jobs,
	size_t count)
{
	int err = batch_claim(b, jobs, count);

	if (err != OK)
		return err;
	batch_decide(b);
	err = batch_record(b);
	/* Whatever was reserved is signed even when a neighbour's call failed. */
	batch_sign(b);
	int issue_err = batch_issue(b);
	return err != OK ? err : issue_err;
}

/* False: none can be reached. Each change is told once. */
static bool check_keys(struct signer *s)
{
	bool any = issuer_set_refresh(&s->issuers);

	for (size_t i = 0; i < s->issuers.count; i++) {
		const struct issuer *issuer = s->issuers.items[i];
		char complaint[512];

		if (issuer->unreachable == issuer->was_unreachable)
			continue;
		token_complaint(issuer->key, complaint, sizeof(complaint));
		log_event(issuer->unreachable ? LOG_LEVEL_ERROR : LOG_LEVEL_INFO,
			issuer->unreachable
				? "issuing key cannot be reached, trying again until it can"
				: "issuing key can be reached again",
			F_STR("issuer", issuer->name), F_STR("cause", complaint));
	}
	return any;
}

/* Revocation lists are the other thread's. Returns how many orders are left at the front. */
static size_t part_crls(struct worker *w, struct signer *s, struct job *jobs, size_t count)
{
	size_t orders = 0;

	for (size_t i = 0; i < count; i++) {
		if (jobs[i].kind != JOB_CRL) {
			jobs[orders++] = jobs[i];
			continue;
		}
		crl_thread_push(s->crls, &jobs[i].id);
		worker_done(w, &jobs[i], 1);
	}
	return orders;
}

static void issue(struct worker *w, const struct job *jobs, size_t count)
{
	struct signer *s = worker_state(w);
	struct batch b = {.conf = worker_conf(w),
		.issuers = &s->issuers,
		.db = worker_db(w),
		.record = &s->record};
	int err = check_clock(s, b.db);

	/* Unclaimed and acknowledged: the keeper's sweep brings the orders back, however long the
	 * clocks are wrong, no key can be reached, or the journal's disk is full. */
	if (err == OK && (!s->clock_sane || !check_keys(s) || !record_ready(&s->record, b.db))) {
		worker_done(w, jobs, count);
		return;
	}
	if (err == OK)
		err = run_batch(w, s, &b, jobs, count);
	if (err == OK)
		err = responders_certify(&(struct responder_shop){b.conf, b.issuers, b.db,
						 b.record},
			jobs, count);
	record_save(&s->record, b.db);
	if (err == OK) {
		announce(w, &b);
		FAILPOINT("announced");
		worker_done(w, jobs, count);
	} else {
		log_event(LOG_LEVEL_WARNING, "batch left for later", F_STR("error", err_name(err)),
			F_STR("database", db_error(b.db)), F_INT("jobs", (int64_t)count));
		announce(w, &b);
		worker_leave(w, count);
	}
	batch_done(&b);
}

static void signer_batch(struct worker *w, const struct job *jobs, size_t count)
{
	CLEANUP(free) struct job *own = xcalloc(count, sizeof(*own));
	size_t orders;

	memcpy(own, jobs, count * sizeof(*own));
	orders = part_crls(w, worker_state(w), own, count);
	if (orders > 0)
		issue(w, own, orders);
}

static void signer_drain(struct worker *w)
{
	struct signer *s = worker_state(w);

	crl_thread_stop(s->crls);
	s->crls = NULL;
	s->record.saved_ms = 0;
	record_save(&s->record, worker_db(w));
	record_close(&s->record);
}

const struct worker_ops signer_ops = {
	.program = "assay-signer",
	.stream = STREAM_ISSUANCE,
	.stmts = signer_stmts,
	.start = signer_start,
	.batch = signer_batch,
	.flush = signer_flush,
	.drain = signer_drain,
	.reload = signer_reload,
};
