/* crl_task.h — one shard's revocation list, from the database's rows to the database's parts.
 *
 * claim → entries, page by page, into a temporary file → sign → lint → store → swap. It reads the
 * revoked rows once, so lengths agree with contents; memory does not grow with the list; no
 * transaction stays open. Whatever happens on the way, the list from before stays. */
#pragma once

#include "lib/base/conf.h"
#include "lib/base/ident.h"
#include "lib/pki/ossl.h"
#include "lib/store/db.h"

/* A certificate that may sign lists, and its key. */
struct crl_issuer {
	uint8_t sha256[32];
	X509 *x509;
	EVP_PKEY *key;
};

struct crl_task {
	struct db *db;
	const struct crl_issuer *issuers;
	size_t nissuers;
	struct conf_crl conf;
	bool (*is_stopping)(void *arg);
	void *arg;
};

extern const struct db_stmt *const crl_task_stmts[];

/* OK also when there was nothing to do. ERR_BUSY: stopped on the way; everything else was logged.
 * In each case the shard's row says what comes next. */
MUST_CHECK int crl_task_run(const struct crl_task *task, const struct ident *id);
