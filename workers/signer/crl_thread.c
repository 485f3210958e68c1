/* crl_thread.c — see crl_thread.h. */
#include "workers/signer/crl_thread.h"

#include <pthread.h>

#include "lib/base/log.h"

#define WAITING_MAX 4096 /* shards; more come back by the sweep */

struct crl_thread {
	pthread_t thread;
	struct db *db;
	pthread_mutex_t lock;
	pthread_cond_t change;
	/* Under the lock: */
	bool stopping;
	struct ident waiting[WAITING_MAX];
	size_t nwaiting;
	struct crl_issuer *issuers;
	size_t nissuers;
	struct conf_crl conf;
};

static void issuers_free(struct crl_issuer *issuers, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		X509_free(issuers[i].x509);
		EVP_PKEY_free(issuers[i].key);
	}
	free(issuers);
}

/* References of its own: a reload may free what they came from while a list is made. */
static struct crl_issuer *issuers_copy(const struct crl_issuer *from, size_t count)
{
	struct crl_issuer *to = xcalloc(count + 1, sizeof(*to));

	for (size_t i = 0; i < count; i++) {
		to[i] = from[i];
		if (X509_up_ref(to[i].x509) != 1 || EVP_PKEY_up_ref(to[i].key) != 1)
			abort();
	}
	return to;
}

void crl_thread_set(struct crl_thread *t, const struct issuer_set *set, const struct conf_crl *conf)
{
	CLEANUP(free) struct crl_issuer *borrowed = xcalloc(set->count + 1, sizeof(*borrowed));

	for (size_t i = 0; i < set->count; i++) {
		memcpy(borrowed[i].sha256, set->items[i]->sha256, sizeof(borrowed[i].sha256));
		borrowed[i].x509 = set->items[i]->x509;
		borrowed[i].key = set->items[i]->key;
	}
	pthread_mutex_lock(&t->lock);
	issuers_free(t->issuers, t->nissuers);
	t->issuers = issuers_copy(borrowed, set->count);
	t->nissuers = set->count;
	t->conf = *conf;
	t->conf.folder = NULL; /* the keeper's, and not ours to keep */
	pthread_mutex_unlock(&t->lock);
}

void crl_thread_push(struct crl_thread *t, const struct ident *id)
{
	bool known = false;

	pthread_mutex_lock(&t->lock);
	for (size_t i = 0; i < t->nwaiting && !known; i++)
		known = ident_equal(&t->waiting[i], id);
	if (!known && t->nwaiting < WAITING_MAX)
		t->waiting[t->nwaiting++] = *id;
	pthread_cond_signal(&t->change);
	pthread_mutex_unlock(&t->lock);
}

static bool is_stopping(void *arg)
{
	struct crl_thread *t = arg;
	bool stopping;

	pthread_mutex_lock(&t->lock);
	stopping = t->stopping;
	pthread_mutex_unlock(&t->lock);
	return stopping;
}

/* False: stop. Otherwise the oldest job, and what it may need. */
static bool take(struct crl_thread *t, struct ident *ret_id, struct crl_task *ret,
	struct crl_issuer **ret_issuers)
{
	bool go;

	pthread_mutex_lock(&t->lock);
	while (!t->stopping && t->nwaiting == 0)
		pthread_cond_wait(&t->change, &t->lock);
	go = !t->stopping;
	if (go) {
		*ret_id = t->waiting[0];
		t->nwaiting--;
		memmove(t->waiting, t->waiting + 1, t->nwaiting * sizeof(t->waiting[0]));
		*ret_issuers = issuers_copy(t->issuers, t->nissuers);
		*ret = (struct crl_task){
			.db = t->db,
			.issuers = *ret_issuers,
			.nissuers = t->nissuers,
			.conf = t->conf,
			.is_stopping = is_stopping,
			.arg = t,
		};
	}
	pthread_mutex_unlock(&t->lock);
	return go;
}

/* Jobs that find no database are dropped, for the sweep brings them back; the main thread tells of
 * the outage. */
static bool connect_now(struct crl_thread *t)
{
	if (db_ensure(t->db) == OK)
		return true;
	pthread_mutex_lock(&t->lock);
	t->nwaiting = 0;
	pthread_mutex_unlock(&t->lock);
	return false;
}

static void *run(void *arg)
{
	struct crl_thread *t = arg;
	struct crl_issuer *issuers = NULL;
	struct crl_task task;
	struct ident id;

	while (take(t, &id, &task, &issuers)) {
		if (connect_now(t) && crl_task_run(&task, &id) != OK)
			log_event(LOG_LEVEL_DEBUG, "shard comes back later");
		issuers_free(issuers, task.nissuers);
	}
	return NULL;
}

struct crl_thread *crl_thread_start(const struct worker *w)
{
	struct crl_thread *t = xcalloc(1, sizeof(*t));

	t->db = worker_new_db(w, crl_task_stmts);
	pthread_mutex_init(&t->lock, NULL);
	pthread_cond_init(&t->change, NULL);
	if (pthread_create(&t->thread, NULL, run, t) != 0)
		die("cannot start a thread");
	return t;
}

void crl_thread_stop(struct crl_thread *t)
{
	pthread_mutex_lock(&t->lock);
	t->stopping = true;
	pthread_cond_signal(&t->change);
	pthread_mutex_unlock(&t->lock);
	pthread_join(t->thread, NULL);
	db_close(t->db);
	issuers_free(t->issuers, t->nissuers);
	pthread_cond_destroy(&t->change);
	pthread_mutex_destroy(&t->lock);
	free(t);
}
