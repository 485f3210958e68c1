/* main.c — assay-ocsp-signer: signs certificate status with keys of its own, which the issuing keys
 * have delegated to (RFC 6960 section 4.2.2.2). Ahead of need into the database, and on request
 * what handlers ask for. No network: PostgreSQL and Redis over Unix sockets. */
#include <errno.h>
#include <unistd.h>

#include "lib/base/clock.h"
#include "lib/base/log.h"
#include "lib/base/notify.h"
#include "lib/base/stop.h"
#include "lib/queue/ocsp.h"
#include "lib/store/responder.h"
#include "workers/harden.h"
#include "workers/ocsp_signer/state.h"

#define BLOCK_MS 250 /* for asks; bounds how long a stop waits */
#define IDLE_MS 250
/* Responses are dated by this clock: when it and the database's disagree by more, none is signed.
 */
#define CLOCK_SKEW_MAX_US (2 * USEC_PER_SEC)
#define CLOCK_CHECK_MS 1000

/* One row: the database's clock. */
static const struct db_stmt clock_stmt = {
	.name = "ocsp_clock",
	.sql = "SELECT pg_catalog.clock_timestamp()",
	.shape = DB_ONE_ROW,
};

static bool clock_is_sane(struct ocsp_signer *s)
{
	struct db_call call = {0};
	int64_t before, theirs;
	bool sane = false;

	if (clock_mono_ms() < s->clock_ms)
		return s->clock_sane;
	db_call_init(&call, &clock_stmt);
	before = clock_wall_us();
	if (db_run_one(s->process.db, &call) == OK) {
		theirs = db_time(call.result, 0, 0);
		sane = theirs >= before - CLOCK_SKEW_MAX_US &&
			theirs <= clock_wall_us() + CLOCK_SKEW_MAX_US;
		if (!sane && s->clock_sane)
			log_event(LOG_LEVEL_ERROR,
				"no responses are signed: this clock and the database's disagree",
				F_INT("ahead_ms", (before - theirs) / 1000));
	}
	db_call_done(&call);
	s->clock_sane = sane;
	s->clock_ms = clock_mono_ms() + CLOCK_CHECK_MS;
	return sane;
}

static void reload(struct ocsp_signer *s)
{
	if (process_reload(&s->process) && served_load(s) != OK)
		log_event(LOG_LEVEL_WARNING, "the issuers from before stay in use");
}

static void work(struct ocsp_signer *s)
{
	bool db = process_db_ready(&s->process), rds = process_rds_ready(&s->process);
	bool more = false;

	if (db)
		process_heartbeat(&s->process);
	db = db && clock_is_sane(s);
	if (db) {
		responders_tend(s);
		more = sign_ahead(s);
	}
	/* Asks are left to others while we cannot answer them. */
	if (db && rds)
		answer_asks(s, more ? 0 : BLOCK_MS);
	else if (!more)
		process_wait(&s->process, -1, IDLE_MS);
}

static int start(struct ocsp_signer *s)
{
	const char *folder = s->process.conf->ocsp.state_dir;

	if (harden_process() != OK) {
		log_event(LOG_LEVEL_ERROR, "cannot give up core dumps and tracing",
			F_STR("cause", strerror(errno)));
		return ERR_INTERNAL;
	}
	if (keyfile_folder(folder, &s->folder) != OK) {
		log_event(LOG_LEVEL_ERROR,
			"[ocsp] state_dir must exist, or its parent let us make it, and be ours "
			"with mode 0700",
			F_STR("folder", folder), F_STR("cause", strerror(errno)));
		return ERR_INTERNAL;
	}
	return served_load(s);
}

int main(int argc, char **argv)
{
	static const struct db_stmt *const stmts[] = {&clock_stmt, &ocsp_issuers_stmt,
		&ocsp_status_stmt, &ocsp_due_changed_stmt, &ocsp_due_new_stmt, &ocsp_due_again_stmt,
		&ocsp_leave_stmt, &ocsp_store_stmt, &responder_register_stmt, &responder_get_stmt,
		NULL};
	static struct ocsp_signer signer = {.folder = -1, .clock_sane = true};
	struct ocsp_signer *s = &signer;
	int err;

	process_init(&s->process, argc, argv, "assay-ocsp-signer",
		"The OCSP signer of assay, an ACME certificate authority: signs certificate "
		"status.",
		stmts);
	s->worker = ident_new();
	err = start(s);
	if (err == OK) {
		log_event(LOG_LEVEL_INFO, "started", F_INT("issuers", (int64_t)s->nserved));
		while (!stop_requested()) {
			reload(s);
			work(s);
		}
		notify_stopping();
		leave_duties(s);
		log_event(LOG_LEVEL_INFO, "stopped");
	}
	responders_done(s);
	served_done(s);
	if (s->folder >= 0)
		close(s->folder);
	process_done(&s->process);
	return err == OK ? EXIT_SUCCESS : EXIT_FAILURE;
}
