/* crl_task.c — see crl_task.h. */
#include "workers/signer/crl_task.h"

#include <errno.h>

#include "lib/base/clock.h"
#include "lib/base/log.h"
#include "lib/store/crl.h"
#include "workers/failpoint.h"
#include "workers/signer/crl_write.h"

#define PAGE 2000
#define LEASE_SECS 30
#define RENEW_MS 5000
#define PARTS_AT_ONCE 8 /* in one transaction */
#define FAIL_PAUSE_SECS 60

const struct db_stmt *const crl_task_stmts[] = {&crl_claim_stmt, &crl_renew_stmt, &crl_entries_stmt,
	&crl_part_store_stmt, &crl_publish_stmt, &crl_fail_stmt, NULL};

/* One list under way. */
struct list {
	const struct crl_task *task;
	const struct ident *id;
	struct db_call claim_call; /* claim borrows from it */
	struct crl_claim claim;
	char *url;
	const struct crl_issuer *issuer;
	struct crl_writer *writer;
	struct crl_made made;
	int64_t next_update_us;
	int64_t renew_ms; /* when next */
	int64_t begun_ms;
};

static int claim(struct list *l)
{
	CLEANUP(free)
	struct bytes *known = xcalloc(l->task->nissuers + 1, sizeof(*known));
	int err;

	for (size_t i = 0; i < l->task->nissuers; i++)
		known[i] = bytes_of(l->task->issuers[i].sha256, 32);
	crl_claim_call(&l->claim_call, l->id, known, l->task->nissuers, LEASE_SECS);
	err = db_run_one(l->task->db, &l->claim_call);
	if (err != OK)
		return err;
	if (!crl_claim_result(&l->claim_call, &l->claim))
		return ERR_NOENT;
	for (size_t i = 0; i < l->task->nissuers; i++) {
		if (bytes_equal(l->claim.issuer, known[i]))
			l->issuer = &l->task->issuers[i];
	}
	if (l->issuer == NULL)
		return ERR_INTERNAL;
	l->url = xstrndup((const char *)l->claim.url.ptr, l->claim.url.len);
	/* Both ends are included, as with certificates. */
	l->next_update_us =
		l->claim.this_update_us + (l->task->conf.validity_secs - 1) * USEC_PER_SEC;
	l->renew_ms = clock_mono_ms() + RENEW_MS;
	FAILPOINT("crl_claimed");
	return OK;
}

/* Now and then between two steps. ERR_BUSY: the program ends; ERR_CONFLICT: another signer has the
 * shard. */
static int go_on(struct list *l)
{
	struct db_call call = {0};
	int err;

	if (l->task->is_stopping(l->task->arg))
		return ERR_BUSY;
	if (clock_mono_ms() < l->renew_ms)
		return OK;
	crl_renew_call(&call, l->id, l->claim.number, LEASE_SECS);
	err = db_run_one(l->task->db, &call);
	if (err == OK && !crl_renew_result(&call))
		err = ERR_CONFLICT;
	db_call_done(&call);
	l->renew_ms = clock_mono_ms() + RENEW_MS;
	return err;
}

/* One page into the file; last becomes its last serial. */
static int add_page(struct list *l, struct buf *last, size_t *ret_count)
{
	struct db_call call = {0};
	int err;

	crl_entries_call(&call, l->id, buf_bytes(last), l->claim.this_update_us, PAGE);
	err = db_run_one(l->task->db, &call);
	*ret_count = err == OK ? crl_entries_count(&call) : 0;
	for (size_t i = 0; i < *ret_count && err == OK; i++) {
		struct crl_row row;

		crl_entries_at(&call, i, &row);
		err = crl_writer_add(l->writer,
			&(struct crl_entry){row.serial, row.revoked_us, row.reason});
		if (i + 1 == *ret_count) {
			buf_reset(last);
			buf_add(last, row.serial.ptr, row.serial.len);
		}
	}
	db_call_done(&call);
	return err;
}

static int collect(struct list *l)
{
	CLEANUP_BUF struct buf last = {0};
	size_t count = PAGE;
	int err = crl_writer_new(CRL_SCOPE_USER, &l->writer);

	while (err == OK && count == PAGE) {
		err = add_page(l, &last, &count);
		if (err == OK)
			err = go_on(l);
	}
	FAILPOINT("crl_collected");
	return err;
}

static int write_list(struct list *l)
{
	const struct crl_form form = {
		.issuer = l->issuer->x509,
		.key = l->issuer->key,
		.url = l->url,
		.number = l->claim.number,
		.this_update_us = l->claim.this_update_us,
		.next_update_us = l->next_update_us,
	};

	return crl_writer_finish(l->writer, &form, &l->made);
}

/* Nothing is published that the lint, which knows nothing of the writer, does not accept. */
static int prove(struct list *l)
{
	CLEANUP_BUF struct buf findings = {0};
	uint8_t *der = NULL;
	int len = i2d_X509(l->issuer->x509, &der), err;
	struct crl_expectation want = {
		.issuer = bytes_of(der, len > 0 ? (size_t)len : 0),
		.url = l->url,
		.scope = CRL_SCOPE_USER,
		.validity_max_secs = l->task->conf.validity_secs,
		.number = l->claim.number,
		.this_update_us = l->claim.this_update_us,
		.next_update_us = l->next_update_us,
		.entries = (int64_t)l->made.entries,
	};
	struct crl_source src;

	err = crl_source_file(l->made.fd, &src);
	if (err == OK)
		err = crl_lint(&src, &want, NULL, &findings);
	OPENSSL_free(der);
	if (err == ERR_SYNTAX)
		log_event(LOG_LEVEL_ERROR, "revocation list did not pass its proof",
			F_STR("url", l->url), F_STR("findings", buf_str(&findings)));
	return err;
}

/* Some parts from the file into the database, in one transaction. */
static int store_some(struct list *l, const struct crl_source *src, int *part)
{
	CLEANUP_BUF struct buf window = {0};
	struct db_call calls[PARTS_AT_ONCE] = {0};
	struct db_call *all[PARTS_AT_ONCE];
	size_t n = 0;
	int err = OK;

	buf_reserve(&window, CRL_PART_MAX);
	while (err == OK && n < PARTS_AT_ONCE && (uint64_t)*part * CRL_PART_MAX < src->size) {
		uint64_t at = (uint64_t)*part * CRL_PART_MAX;
		size_t len =
			src->size - at < CRL_PART_MAX ? (size_t)(src->size - at) : CRL_PART_MAX;

		err = crl_source_read(src, at, window.ptr, len);
		if (err != OK)
			break;
		crl_part_store_call(&calls[n], l->id, l->claim.number, *part,
			bytes_of(window.ptr, len));
		all[n] = &calls[n];
		n++;
		(*part)++;
	}
	if (err == OK)
		err = db_run(l->task->db, all, n);
	for (size_t i = 0; i < n; i++)
		db_call_done(&calls[i]);
	return err;
}

static int store(struct list *l)
{
	const struct crl_source src = {.fd = l->made.fd, .size = l->made.size};
	int err = OK, part = 0;

	while (err == OK && (uint64_t)part * CRL_PART_MAX < src.size) {
		err = store_some(l, &src, &part);
		if (err == OK)
			err = go_on(l);
	}
	FAILPOINT("crl_stored");
	return err;
}

static int publish(struct list *l)
{
	const struct crl_publication p = {
		.number = l->claim.number,
		.this_update_us = l->claim.this_update_us,
		.next_update_us = l->next_update_us,
		.entries = (int64_t)l->made.entries,
		.size = (int64_t)l->made.size,
		.sha256 = bytes_of(l->made.sha256, sizeof(l->made.sha256)),
		.changes = l->claim.changes,
		.refresh_secs = (int)l->task->conf.refresh_secs,
		.delay_secs = (int)l->task->conf.delay_secs,
	};
	struct db_call call = {0};
	int err;

	crl_publish_call(&call, l->id, &p);
	err = db_run_one(l->task->db, &call);
	if (err == OK && !crl_publish_result(&call))
		err = ERR_CONFLICT;
	db_call_done(&call);
	FAILPOINT("crl_published");
	if (err == OK)
		log_event(LOG_LEVEL_INFO, "revocation list made", F_STR("url", l->url),
			F_INT("number", l->claim.number),
			F_INT("entries", (int64_t)l->made.entries),
			F_INT("bytes", (int64_t)l->made.size),
			F_INT("ms", clock_mono_ms() - l->begun_ms));
	return err;
}

/* Gives the shard back, so that it need not wait for the end of its lease. */
static void give_up(struct list *l, int cause)
{
	struct db_call call = {0};

	if (cause == ERR_CONFLICT)
		log_event(LOG_LEVEL_INFO, "revocation list left: another is newer",
			F_STR("url", l->url));
	else if (cause != ERR_BUSY)
		log_event(LOG_LEVEL_ERROR, "revocation list not made", F_STR("url", l->url),
			F_STR("error", err_name(cause)), F_STR("database", db_error(l->task->db)));
	if (cause == ERR_CONFLICT)
		return;
	crl_fail_call(&call, l->id, l->claim.number, cause == ERR_BUSY ? 0 : FAIL_PAUSE_SECS);
	if (db_run_one(l->task->db, &call) != OK)
		log_event(LOG_LEVEL_DEBUG, "shard not given back",
			F_STR("database", db_error(l->task->db)));
	db_call_done(&call);
}

static int make(struct list *l)
{
	int err = collect(l);

	if (err == OK)
		err = write_list(l);
	if (err == OK)
		err = prove(l);
	if (err == OK)
		err = go_on(l);
	if (err == OK)
		err = store(l);
	if (err == OK)
		err = publish(l);
	return err;
}

int crl_task_run(const struct crl_task *task, const struct ident *id)
{
	struct list l = {.task = task, .id = id, .made.fd = -1, .begun_ms = clock_mono_ms()};
	int err = claim(&l);

	if (err == OK) {
		err = make(&l);
		if (err != OK)
			give_up(&l, err);
	} else if (err != ERR_NOENT) {
		log_event(LOG_LEVEL_WARNING, "revocation list left for later",
			F_STR("error", err_name(err)), F_STR("database", db_error(task->db)));
	}
	crl_made_done(&l.made);
	crl_writer_free(l.writer);
	db_call_done(&l.claim_call);
	free(l.url);
	return err == ERR_NOENT ? OK : err;
}
