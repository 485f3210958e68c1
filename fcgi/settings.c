/* settings.c — see settings.h. */
#include "fcgi/settings.h"

#include <assert.h>
#include <pthread.h>

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static struct snapshot *current;

static struct snapshot *snapshot_new(struct conf *conf)
{
	struct snapshot *s = xcalloc(1, sizeof(*s));

	s->conf = conf;
	s->refs = 1;
	return s;
}

void settings_init(struct conf *conf)
{
	assert(current == NULL);
	current = snapshot_new(conf);
}

void settings_done(void)
{
	settings_drop(current);
	current = NULL;
}

struct snapshot *settings_hold(void)
{
	struct snapshot *s;

	pthread_mutex_lock(&mutex);
	s = current;
	s->refs++;
	pthread_mutex_unlock(&mutex);
	return s;
}

void settings_drop(struct snapshot *s)
{
	bool last;

	if (s == NULL)
		return;
	pthread_mutex_lock(&mutex);
	last = --s->refs == 0;
	pthread_mutex_unlock(&mutex);
	if (last) {
		conf_free(s->conf);
		free(s);
	}
}

int settings_read(const char *path, int (*check_or_null)(const struct conf *conf, char **ret_error),
	struct conf **ret, char **ret_error)
{
	CLEANUP(conf_free) struct conf *conf = NULL;
	int err = conf_load(path, &conf, ret_error);

	if (err == OK && check_or_null != NULL)
		err = check_or_null(conf, ret_error);
	if (err == OK)
		*ret = TAKE(conf);
	return err;
}

int settings_reload(const char *path,
	int (*check_or_null)(const struct conf *conf, char **ret_error), char **ret_error)
{
	struct conf *conf = NULL;
	struct snapshot *fresh, *old;
	int err = settings_read(path, check_or_null, &conf, ret_error);

	if (err != OK)
		return err;
	fresh = snapshot_new(conf);
	pthread_mutex_lock(&mutex);
	old = current;
	current = fresh;
	pthread_mutex_unlock(&mutex);
	settings_drop(old);
	return OK;
}
