/* suffixes.c — see suffixes.h. Private-section suffixes (github.io …) have an owner who may want a
 * certificate for them, so only the ICANN section counts (CA/B BR 3.2.2.6). */
#include "lib/acme/suffixes.h"

#include <libpsl.h>
#include <pthread.h>

/* The list has about 10,000 rules: a truncated download must not pass for a list. */
#define RULES_MIN 1000

struct list {
	struct list *next;
	char *path; /* NULL: the built-in list */
	const psl_ctx_t *psl;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct list *lists;

static bool is_same_path(const char *a, const char *b)
{
	return a == NULL || b == NULL ? a == b : strcmp(a, b) == 0;
}

static int read_list(const char *path, const psl_ctx_t **ret)
{
	psl_ctx_t *psl;

	if (path == NULL) {
		*ret = psl_builtin();
		return *ret != NULL ? OK : ERR_INTERNAL;
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

/* With the lock held. */
static int find_list(const char *path, const psl_ctx_t **ret)
{
	const psl_ctx_t *psl = NULL;
	struct list *added;
	int err;

	for (const struct list *l = lists; l != NULL; l = l->next) {
		if (is_same_path(l->path, path)) {
			*ret = l->psl;
			return OK;
		}
	}
	err = read_list(path, &psl);
	if (err != OK)
		return err;
	added = xcalloc(1, sizeof(*added));
	*added = (struct list){.next = lists,
		.path = path != NULL ? xstrdup(path) : NULL,
		.psl = psl};
	lists = added;
	*ret = psl;
	return OK;
}

static int list_of(const struct conf *conf, const psl_ctx_t **ret)
{
	int err;

	(void)pthread_mutex_lock(&lock);
	err = find_list(conf->orders.public_suffixes, ret);
	(void)pthread_mutex_unlock(&lock);
	return err;
}

int suffixes_load(const struct conf *conf)
{
	const psl_ctx_t *psl = NULL;

	return list_of(conf, &psl);
}

int suffixes_is_public(const struct conf *conf, const char *name, bool *ret)
{
	const psl_ctx_t *psl = NULL;
	int err = list_of(conf, &psl);

	if (err != OK)
		return err;
	*ret = psl_is_public_suffix2(psl, name, PSL_TYPE_ICANN | PSL_TYPE_NO_STAR_RULE) != 0;
	return OK;
}
