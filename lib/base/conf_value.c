/* conf_value.c — one value of assay.conf: from text into the typed field that the table names. */
#include <assert.h>
#include <errno.h>

#include "lib/base/buf.h"
#include "lib/base/clock.h"
#include "lib/base/conf_table.h"

static void *field_of(const struct conf_key *key, void *target)
{
	return (char *)target + key->offset;
}

static int refuse(char **ret_advice, const char *advice)
{
	*ret_advice = xstrdup(advice);
	return ERR_SYNTAX;
}

static int check(const struct conf_key *key, const char *text, char **ret_advice)
{
	const char *advice = key->check != NULL ? key->check(text) : NULL;

	return advice == NULL ? OK : refuse(ret_advice, advice);
}

static int set_text(const struct conf_key *key, const char *text, char **field, char **ret_advice)
{
	int err = check(key, text, ret_advice);

	if (err == OK)
		*field = xstrdup(text);
	return err;
}

static int set_path(const struct conf_key *key, const char *text, const char *folder, char **field,
	char **ret_advice)
{
	CLEANUP_BUF struct buf path = {0};
	int err;

	if (text[0] != '/')
		buf_addf(&path, "%s/", folder);
	buf_add_str(&path, text);
	err = check(key, buf_str(&path), ret_advice);
	if (err == OK)
		*field = buf_take_str(&path);
	return err;
}

/* What is no path is kept as it stands. */
static int set_source(const struct conf_key *key, const char *text, const char *folder,
	char **field, char **ret_advice)
{
	if (strncmp(text, "credential:", 11) == 0 || strncmp(text, "pkcs11:", 7) == 0)
		return set_text(key, text, field, ret_advice);
	return set_path(key, text, folder, field, ret_advice);
}

static void list_done(struct conf_list *list)
{
	for (size_t i = 0; i < list->count; i++)
		free(list->items[i]);
	free(list->items);
	*list = (struct conf_list){0};
}

static int check_item(const struct conf_key *key, const struct conf_list *list, const char *item,
	char **ret_advice)
{
	for (size_t i = 0; i < list->count; i++) {
		if (strcmp(list->items[i], item) == 0)
			return refuse(ret_advice, "name each item once");
	}
	return check(key, item, ret_advice);
}

static int set_list(const struct conf_key *key, const char *text, struct conf_list *list,
	char **ret_advice)
{
	static const char separators[] = " \t,";

	text += strspn(text, separators);
	while (*text != '\0') {
		size_t len = strcspn(text, separators);
		CLEANUP_STR char *item = xstrndup(text, len);
		int err = check_item(key, list, item, ret_advice);

		if (err != OK) {
			list_done(list);
			return err;
		}
		list->items = xrealloc(list->items, (list->count + 1) * sizeof(*list->items));
		list->items[list->count++] = TAKE(item);
		text += len;
		text += strspn(text, separators);
	}
	return OK;
}

static int set_paths(const struct conf_key *key, const char *text, const char *folder,
	struct conf_list *list, char **ret_advice)
{
	int err = set_list(key, text, list, ret_advice);

	for (size_t i = 0; err == OK && i < list->count; i++) {
		char *path = NULL;

		err = set_path(key, list->items[i], folder, &path, ret_advice);
		if (err == OK) {
			free(list->items[i]);
			list->items[i] = path;
		}
	}
	if (err != OK)
		list_done(list);
	return err;
}

/* A date begins with its first second, in UTC. */
static int set_time(const char *text, int64_t *field, char **ret_advice)
{
	CLEANUP_BUF struct buf whole = {0};

	if (strcmp(text, "always") == 0 || strcmp(text, "never") == 0) {
		*field = text[0] == 'a' ? INT64_MIN : INT64_MAX;
		return OK;
	}
	buf_add_str(&whole, text);
	if (strchr(text, 'T') == NULL)
		buf_add_str(&whole, "T00:00:00Z");
	if (clock_rfc3339_parse(buf_bytes(&whole), field) == OK)
		return OK;
	return refuse(ret_advice,
		"write a time, for instance 2027-01-31 or 2027-01-31T12:00:00Z, or remove the "
		"line");
}

static int set_choice(const struct conf_key *key, const char *text, bool *field, char **ret_advice)
{
	CLEANUP_BUF struct buf advice = {0};

	if (strcmp(text, key->word_for_false) == 0 || strcmp(text, key->word_for_true) == 0) {
		*field = strcmp(text, key->word_for_true) == 0;
		return OK;
	}
	buf_addf(&advice, "write %s or %s", key->word_for_false, key->word_for_true);
	*ret_advice = buf_take_str(&advice);
	return ERR_SYNTAX;
}

/* Milliseconds in one of the unit, or 0 for what is no unit. */
static int64_t unit_ms(const char *unit)
{
	static const struct {
		const char *name;
		int64_t ms;
	} units[] = {
		{"ms", 1},
		{"s", 1000},
		{"m", 60000},
		{"h", 3600000},
		{"d", 86400000},
	};

	for (size_t i = 0; i < ARRAY_LEN(units); i++) {
		if (strcmp(unit, units[i].name) == 0)
			return units[i].ms;
	}
	return 0;
}

/* Digits and what follows them. */
static int read_number(const char *text, int64_t *ret, const char **ret_rest)
{
	long long value;
	char *rest;

	if (text[0] < '0' || text[0] > '9')
		return ERR_SYNTAX;
	errno = 0;
	value = strtoll(text, &rest, 10);
	if (errno != 0)
		return ERR_LIMIT;
	*ret = value;
	*ret_rest = rest;
	return OK;
}

static int read_count(const char *text, int64_t *ret)
{
	const char *rest;
	int err = read_number(text, ret, &rest);

	return err == OK && *rest != '\0' ? ERR_SYNTAX : err;
}

/* A number with its unit, in units of scale_ms; it must be a whole number of those. */
static int read_duration(const char *text, int64_t scale_ms, int64_t *ret)
{
	const char *rest;
	int64_t value, unit;
	int err = read_number(text, &value, &rest);

	if (err != OK)
		return err;
	unit = value == 0 && *rest == '\0' ? 1 : unit_ms(rest);
	if (unit == 0 || __builtin_mul_overflow(value, unit, &value) || value % scale_ms != 0)
		return ERR_SYNTAX;
	*ret = value / scale_ms;
	return OK;
}

/* 604800 seconds are shown as 7d. */
static void put_duration(struct buf *out, int64_t value, int64_t scale_ms)
{
	static const char *const names[] = {"d", "h", "m", "s", "ms"};
	int64_t ms = value * scale_ms;

	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		if (ms % unit_ms(names[i]) == 0 && (ms != 0 || strcmp(names[i], "s") == 0)) {
			buf_addf(out, "%lld%s", (long long)(ms / unit_ms(names[i])), names[i]);
			return;
		}
	}
}

static int set_count(const struct conf_key *key, const char *text, int *field, char **ret_advice)
{
	CLEANUP_BUF struct buf advice = {0};
	int64_t value;

	if (read_count(text, &value) == OK && value >= key->min && value <= key->max) {
		*field = (int)value;
		return OK;
	}
	buf_addf(&advice, "write a number from %lld to %lld", (long long)key->min,
		(long long)key->max);
	*ret_advice = buf_take_str(&advice);
	return ERR_SYNTAX;
}

static int set_duration(const struct conf_key *key, const char *text, int64_t scale_ms,
	int64_t *field, char **ret_advice)
{
	CLEANUP_BUF struct buf advice = {0};
	int64_t value;

	if (read_duration(text, scale_ms, &value) == OK && value >= key->min && value <= key->max) {
		*field = value;
		return OK;
	}
	buf_add_str(&advice, "write a duration with its unit, from ");
	put_duration(&advice, key->min, scale_ms);
	buf_add_str(&advice, " to ");
	put_duration(&advice, key->max, scale_ms);
	*ret_advice = buf_take_str(&advice);
	return ERR_SYNTAX;
}

/* 30d, or 66%. */
static int set_span(const struct conf_key *key, const char *text, struct conf_span *field,
	char **ret_advice)
{
	size_t len = strlen(text);
	CLEANUP_STR char *number = NULL;
	int64_t percent;

	if (text[len - 1] != '%')
		return set_duration(key, text, 1000, &field->secs, ret_advice);
	number = xstrndup(text, len - 1);
	if (read_count(number, &percent) != OK || percent < 1 || percent > 99)
		return refuse(ret_advice, "write a share from 1% to 99%");
	field->percent = (int)percent;
	return OK;
}

int conf_value_set(const struct conf_key *key, const char *text, const char *folder, void *target,
	char **ret_advice)
{
	void *field = field_of(key, target);

	if (text[0] == '\0' && key->kind != CONF_LIST && key->kind != CONF_PATHS)
		return refuse(ret_advice, "write a value, or remove the line");
	switch (key->kind) {
	case CONF_TEXT:
		return set_text(key, text, field, ret_advice);
	case CONF_PATH:
		return set_path(key, text, folder, field, ret_advice);
	case CONF_LIST:
		return set_list(key, text, field, ret_advice);
	case CONF_CHOICE:
		return set_choice(key, text, field, ret_advice);
	case CONF_COUNT:
		return set_count(key, text, field, ret_advice);
	case CONF_SECS:
		return set_duration(key, text, 1000, field, ret_advice);
	case CONF_MSECS:
		return set_duration(key, text, 1, field, ret_advice);
	case CONF_SPAN:
		return set_span(key, text, field, ret_advice);
	case CONF_TIME:
		return set_time(text, field, ret_advice);
	case CONF_PATHS:
		return set_paths(key, text, folder, field, ret_advice);
	case CONF_SOURCE:
		return set_source(key, text, folder, field, ret_advice);
	}
	assert(!"every kind is set above");
	return ERR_INTERNAL;
}

void conf_value_done(const struct conf_key *key, void *target)
{
	void *field = field_of(key, target);

	if (key->kind == CONF_TEXT || key->kind == CONF_PATH || key->kind == CONF_SOURCE)
		free(*(char **)field);
	if (key->kind == CONF_LIST || key->kind == CONF_PATHS)
		list_done(field);
}
