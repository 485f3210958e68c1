/* suffixes.c — see suffixes.h. Private-section suffixes (github.io …) have an owner who may want a
 * certificate for them, so only the ICANN section counts (CA/B BR 3.2.2.6). */
#include "lib/acme/suffixes.h"

#include <libpsl.h>
#include <pthread.h>
#include <sys/stat.h>

/* The list has about 10,000 rules: a truncated download must not pass for a list. */
#define RULES_MIN 1000

struct list {
	struct list *next;
	char *path;       /* NULL: the built-in list */
	struct stat file; /* as it was when it was read */
	psl_ctx_t *psl;   /* NULL: the built-in list */
};

/* Held for reading while a name is looked up, so that a list may be replaced. */
static pthread_rwlock_t lock = PTHREAD_RWLOCK_INITIALIZER;
static struct list *lists;

static bool is_same_path(const char *a, const char *b)
{
	return a == NULL || b == NULL ? a == b : strcmp(a, b) == 0;
}

/* With the lock held. */
static struct list *find_list(const char *path)
{
	for (struct list *l = lists; l != NULL; l = l->next) {
		if (is_same_path(l->path, path))
			return l;
	}
	return NULL;
}

static const psl_ctx_t *psl_of(const struct list *l)
{
	return l->psl != NULL ? l->psl : psl_builtin();
}

static bool is_same_file(const struct stat *a, const struct stat *b)
{
	return a->st_dev == b->st_dev && a->st_ino == b->st_ino && a->st_size == b->st_size &&
		a->st_mtim.tv_sec == b->st_mtim.tv_sec && a->st_mtim.tv_nsec == b->st_mtim.tv_nsec;
}

static int read_list(const char *path, psl_ctx_t **ret)
{
	psl_ctx_t *psl;

	if (path == NULL) {
		*ret = NULL;
		return psl_builtin() != NULL ? OK : ERR_INTERNAL;
	}
	psl = psl_load_file(path);
	if (psl == NULL)
		return ERR_INTERNAL;
	if (psl_suffix_count(psl) >= 0 && psl_suffix_count(psl) < RULES_MIN) {
		psl_free(psl);
		return ERR_INTERNAL;
	}
	*ret = psl;
	return OK;
}

/* With the lock held for writing. */
static void keep_list(const char *path, const struct stat *file, psl_ctx_t *psl)
{
	struct list *l = find_list(path);

	if (l == NULL) {
		l = xcalloc(1, sizeof(*l));
		l->path = path != NULL ? xstrdup(path) : NULL;
		l->next = lists;
		lists = l;
	}
	psl_free(l->psl);
	l->psl = psl;
	l->file = *file;
}

/* Looked at before it is read: a file that changes meanwhile is read again the next time. */
int suffixes_load(const struct conf *conf)
{
	const char *path = conf->orders.public_suffixes;
	const struct list *known;
	struct stat file = {0};
	psl_ctx_t *psl = NULL;
	bool fresh;
	int err;

	if (path != NULL && stat(path, &file) != 0)
		return ERR_INTERNAL;
	(void)pthread_rwlock_rdlock(&lock);
	known = find_list(path);
	fresh = known != NULL && is_same_file(&known->file, &file);
	(void)pthread_rwlock_unlock(&lock);
	if (fresh)
		return OK;
	err = read_list(path, &psl);
	if (err != OK)
		return err;
	(void)pthread_rwlock_wrlock(&lock);
	keep_list(path, &file, psl);
	(void)pthread_rwlock_unlock(&lock);
	return OK;
}

/* ERR_NOENT: it was not read yet. */
static int look_up(const char *path, const char *name, bool *ret)
{
	const struct list *l;

	(void)pthread_rwlock_rdlock(&lock);
	l = find_list(path);
	if (l != NULL)
		*ret = psl_is_public_suffix2(psl_of(l), name,
			       PSL_TYPE_ICANN | PSL_TYPE_NO_STAR_RULE) != 0;
	(void)pthread_rwlock_unlock(&lock);
	return l != NULL ? OK : ERR_NOENT;
}

int suffixes_is_public(const struct conf *conf, const char *name, bool *ret)
{
	int err = look_up(conf->orders.public_suffixes, name, ret);

	if (err != ERR_NOENT)
		return err;
	err = suffixes_load(conf);
	return err == OK ? look_up(conf->orders.public_suffixes, name, ret) : err;
}
