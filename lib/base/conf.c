/* conf.c — reads assay.conf line by line into the structure that conf_table.c describes.
 *
 * The first mistake ends the reading: it is reported with file, line and what to do. What was not
 * written gets its default when its section ends, so a loaded configuration has no holes. */
#include "lib/base/conf.h"

#include <assert.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>

#include "lib/base/buf.h"
#include "lib/base/conf_table.h"
#include "lib/base/file.h"
#include "lib/base/nearest.h"
#include "lib/base/utf8.h"

#define FILE_MAX_BYTES (1024 * 1024)
#define SECTIONS_MAX 16
#define KEYS_MAX 32
#define NAME_MAX_LEN 64
#define NAME_CHARS "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_."

struct reader {
	struct conf *conf;
	const char *folder; /* of the file, for relative paths */
	int line;
	const struct conf_section *section; /* NULL before the first */
	void *target;                       /* what the section's offsets count from */
	int section_line;
	int key_lines[KEYS_MAX];         /* where each key of the section was written; 0: not yet */
	int section_lines[SECTIONS_MAX]; /* where each section was last opened; 0: not yet */
	char **ret_error;
};

static int PRINTF_LIKE(3, 4) fail_at(struct reader *r, int line, const char *fmt, ...)
{
	CLEANUP_BUF struct buf text = {0};
	char *what;
	va_list ap;
	int len;

	va_start(ap, fmt);
	len = vasprintf(&what, fmt, ap);
	va_end(ap);
	assert(len >= 0);
	buf_addf(&text, "%s:%d: %s", r->conf->path, line, what);
	free(what);
	*r->ret_error = buf_take_str(&text);
	return ERR_SYNTAX;
}

/* ---- sections and keys by name ---- */

static const struct conf_key *key_find(const struct conf_section *section, const char *name)
{
	for (size_t i = 0; i < section->nkeys; i++) {
		if (strcmp(section->keys[i].name, name) == 0)
			return &section->keys[i];
	}
	return NULL;
}

static const struct conf_section *section_find(const char *name)
{
	for (size_t i = 0; i < conf_sections_count; i++) {
		if (strcmp(conf_sections[i].name, name) == 0)
			return &conf_sections[i];
	}
	return NULL;
}

static int fail_unknown_section(struct reader *r, const char *name)
{
	CLEANUP_BUF struct buf known = {0};
	struct nearest n = {.word = name};

	for (size_t i = 0; i < conf_sections_count; i++) {
		nearest_offer(&n, conf_sections[i].name);
		buf_addf(&known, "%s%s", i > 0 ? ", " : "", conf_sections[i].name);
	}
	if (n.best != NULL)
		return fail_at(r, r->line, "no section is called [%s]; did you mean [%s]?", name,
			n.best);
	return fail_at(r, r->line, "no section is called [%s]; choose from %s", name,
		buf_str(&known));
}

/* The section that knows the key, when it is not the one it was written in. */
static const struct conf_section *section_of_key(const char *name)
{
	for (size_t i = 0; i < conf_sections_count; i++) {
		if (key_find(&conf_sections[i], name) != NULL)
			return &conf_sections[i];
	}
	return NULL;
}

static int fail_unknown_key(struct reader *r, const char *name)
{
	const struct conf_section *owner = section_of_key(name);
	CLEANUP_BUF struct buf known = {0};
	struct nearest n = {.word = name};

	if (owner != NULL)
		return fail_at(r, r->line, "[%s] has no key %s; move it to [%s]", r->section->name,
			name, owner->name);
	for (size_t i = 0; i < r->section->nkeys; i++) {
		nearest_offer(&n, r->section->keys[i].name);
		buf_addf(&known, "%s%s", i > 0 ? ", " : "", r->section->keys[i].name);
	}
	if (n.best != NULL)
		return fail_at(r, r->line, "[%s] has no key %s; did you mean %s?", r->section->name,
			name, n.best);
	return fail_at(r, r->line, "[%s] has no key %s; choose from %s", r->section->name, name,
		buf_str(&known));
}

/* ---- sections ---- */

static size_t *count_of(struct conf *conf, const struct conf_section *section)
{
	return (size_t *)((char *)conf + section->count);
}

static char **array_of(struct conf *conf, const struct conf_section *section)
{
	return (char **)((char *)conf + section->array);
}

/* Elements of named sections begin with their name. */
static char **name_of(void *element)
{
	return element;
}
_Static_assert(offsetof(struct conf_profile, name) == 0, "name comes first");
_Static_assert(offsetof(struct conf_issuer, name) == 0, "name comes first");

static void *element_at(struct conf *conf, const struct conf_section *section, size_t i)
{
	return *array_of(conf, section) + i * section->size;
}

static void *element_add(struct conf *conf, const struct conf_section *section, const char *name)
{
	char **array = array_of(conf, section);
	size_t *count = count_of(conf, section);
	void *element;

	*array = xrealloc(*array, (*count + 1) * section->size);
	element = element_at(conf, section, (*count)++);
	memset(element, 0, section->size);
	*name_of(element) = xstrdup(name);
	return element;
}

static bool element_exists(struct conf *conf, const struct conf_section *section, const char *name)
{
	for (size_t i = 0; i < *count_of(conf, section); i++) {
		if (strcmp(*name_of(element_at(conf, section, i)), name) == 0)
			return true;
	}
	return false;
}

static void section_begin(struct reader *r, const struct conf_section *section, void *target)
{
	assert(section->nkeys <= KEYS_MAX && conf_sections_count <= SECTIONS_MAX);
	r->section = section;
	r->target = target;
	r->section_line = r->line;
	r->section_lines[section - conf_sections] = r->line;
	memset(r->key_lines, 0, sizeof(r->key_lines));
}

/* Gives every key that was not written its default. */
static int section_end(struct reader *r)
{
	const struct conf_section *section = r->section;

	for (size_t i = 0; section != NULL && i < section->nkeys; i++) {
		const struct conf_key *key = &section->keys[i];
		CLEANUP_STR char *advice = NULL;

		if (r->key_lines[i] != 0 || key->fallback == NULL)
			continue;
		if (key->fallback == conf_required)
			return fail_at(r, r->section_line, "[%s] lacks %s; add the line %s = …",
				section->name, key->name, key->name);
		if (conf_value_set(key, key->fallback, r->folder, r->target, &advice) != OK)
			assert(!"defaults are valid");
	}
	r->section = NULL;
	return OK;
}

static int section_open_named(struct reader *r, const struct conf_section *section,
	const char *name)
{
	if (name[0] == '\0')
		return fail_at(r, r->line, "[%s] needs a name; write [%s NAME]", section->name,
			section->name);
	if (strlen(name) > NAME_MAX_LEN || name[strspn(name, NAME_CHARS)] != '\0')
		return fail_at(r, r->line, "%s is no name; use letters, digits, '-', '_' and '.'",
			name);
	if (element_exists(r->conf, section, name))
		return fail_at(r, r->line, "[%s %s] was there before; join the two", section->name,
			name);
	section_begin(r, section, element_add(r->conf, section, name));
	return OK;
}

/* text stands between the brackets. */
static int section_open(struct reader *r, char *text)
{
	char *name = text + strcspn(text, " \t");
	const struct conf_section *section;
	int before, err;

	if (*name != '\0')
		*name++ = '\0';
	name += strspn(name, " \t");
	section = section_find(text);
	if (section == NULL)
		return fail_unknown_section(r, text);
	err = section_end(r);
	if (err != OK)
		return err;
	if (section->size > 0)
		return section_open_named(r, section, name);
	before = r->section_lines[section - conf_sections];
	if (name[0] != '\0')
		return fail_at(r, r->line, "[%s] takes no name; write [%s]", section->name,
			section->name);
	if (before != 0)
		return fail_at(r, r->line, "[%s] was opened in line %d; join the two",
			section->name, before);
	section_begin(r, section, r->conf);
	return OK;
}

/* ---- lines ---- */

/* Cuts white space from both ends, in place. */
static char *trim(char *text)
{
	char *end = text + strlen(text);

	while (end > text && strchr(" \t\r", end[-1]) != NULL)
		*--end = '\0';
	return text + strspn(text, " \t");
}

static int read_assignment(struct reader *r, char *text)
{
	char *equals = strchr(text, '='), *name, *value;
	CLEANUP_STR char *advice = NULL;
	const struct conf_key *key;
	int *line;

	if (equals == NULL)
		return fail_at(r, r->line,
			"\"%s\" is neither [section] nor key = value; '#' begins a comment", text);
	*equals = '\0';
	name = trim(text);
	value = trim(equals + 1);
	if (r->section == NULL)
		return fail_at(r, r->line, "%s stands before the first [section]; move it into one",
			name);
	key = key_find(r->section, name);
	if (key == NULL)
		return fail_unknown_key(r, name);
	line = &r->key_lines[key - r->section->keys];
	if (*line != 0)
		return fail_at(r, r->line, "%s was written in line %d already; remove one of them",
			name, *line);
	*line = r->line;
	if (conf_value_set(key, value, r->folder, r->target, &advice) != OK)
		return fail_at(r, r->line, "%s = %s: %s", name, value, advice);
	return OK;
}

static bool is_printable(struct bytes line)
{
	for (size_t i = 0; i < line.len; i++) {
		uint8_t c = line.ptr[i];

		if ((c < 0x20 && c != '\t' && c != '\r') || c == 0x7f)
			return false;
	}
	return utf8_is_valid(line);
}

static int read_line(struct reader *r, struct bytes line)
{
	CLEANUP_STR char *copy = NULL;
	char *text;
	size_t len;

	/* Messages quote lines, so what would garble a terminal ends here. */
	if (!is_printable(line))
		return fail_at(r, r->line, "there are bytes that are no UTF-8 text; remove them");
	copy = xstrndup((const char *)line.ptr, line.len);
	text = trim(copy);
	len = strlen(text);
	if (len == 0 || text[0] == '#' || text[0] == ';')
		return OK;
	if (text[0] != '[')
		return read_assignment(r, text);
	if (text[len - 1] != ']')
		return fail_at(r, r->line, "%s is not closed; end it with ]", text);
	text[len - 1] = '\0';
	return section_open(r, trim(text + 1));
}

static int read_lines(struct reader *r, struct bytes text)
{
	while (text.len > 0) {
		const uint8_t *newline = memchr(text.ptr, '\n', text.len);
		size_t len = newline != NULL ? (size_t)(newline - text.ptr) : text.len;
		size_t used = newline != NULL ? len + 1 : len;
		int err;

		r->line++;
		err = read_line(r, bytes_of(text.ptr, len));
		if (err != OK)
			return err;
		text = bytes_of(text.ptr + used, text.len - used);
	}
	return section_end(r);
}

/* ---- at the end ---- */

/* Sections that were not written consist of defaults; there is always one profile. */
static int add_missing_sections(struct reader *r)
{
	for (size_t i = 0; i < conf_sections_count; i++) {
		const struct conf_section *section = &conf_sections[i];
		int err;

		if (section->size > 0 || r->section_lines[i] != 0)
			continue;
		section_begin(r, section, r->conf);
		err = section_end(r);
		if (err != OK)
			return err;
	}
	if (r->conf->nprofiles > 0)
		return OK;
	section_begin(r, section_find("profile"),
		element_add(r->conf, section_find("profile"), "default"));
	return section_end(r);
}

static int check_whole(struct reader *r)
{
	CLEANUP_STR char *advice = NULL;
	int err = add_missing_sections(r);

	if (err != OK)
		return err;
	err = conf_check_whole(r->conf, &advice);
	return err == OK ? OK : fail_at(r, r->line, "%s", advice);
}

/* ---- the file ---- */

static char *folder_of(const char *path)
{
	const char *slash = strrchr(path, '/');

	if (slash == NULL)
		return xstrdup(".");
	return slash == path ? xstrdup("/") : xstrndup(path, (size_t)(slash - path));
}

static int fail_file(const char *path, int err, char **ret_error)
{
	const char *why = err == ERR_LIMIT ? "it is longer than a megabyte" : strerror(errno);
	CLEANUP_BUF struct buf text = {0};

	buf_addf(&text, "%s:0: cannot be read (%s); assay.conf.sample is a file to begin with",
		path, why);
	*ret_error = buf_take_str(&text);
	return err;
}

int conf_load(const char *path, struct conf **ret, char **ret_error)
{
	CLEANUP(conf_free) struct conf *conf = xcalloc(1, sizeof(*conf));
	CLEANUP_STR char *folder = folder_of(path);
	CLEANUP_BUF struct buf text = {0};
	struct reader r = {.conf = conf, .folder = folder, .ret_error = ret_error};
	int err = file_load(path, FILE_MAX_BYTES, &text);

	if (err != OK)
		return fail_file(path, err, ret_error);
	conf->path = xstrdup(path);
	err = read_lines(&r, buf_bytes(&text));
	if (err == OK)
		err = check_whole(&r);
	if (err == OK)
		*ret = TAKE(conf);
	return err;
}

static void section_done(const struct conf_section *section, void *target)
{
	for (size_t i = 0; i < section->nkeys; i++)
		conf_value_done(&section->keys[i], target);
}

void conf_free(struct conf *conf)
{
	if (conf == NULL)
		return;
	for (size_t i = 0; i < conf_sections_count; i++) {
		const struct conf_section *section = &conf_sections[i];

		if (section->size == 0) {
			section_done(section, conf);
			continue;
		}
		for (size_t j = 0; j < *count_of(conf, section); j++) {
			void *element = element_at(conf, section, j);

			section_done(section, element);
			free(*name_of(element));
		}
		free(*array_of(conf, section));
	}
	free(conf->path);
	free(conf);
}

const char *conf_redis(const struct conf *conf)
{
	return conf->redis.address != NULL ? conf->redis.address : conf->redis.socket;
}

const struct conf_profile *conf_profile_find(const struct conf *conf, struct bytes name)
{
	for (size_t i = 0; i < conf->nprofiles; i++) {
		if (bytes_is(name, conf->profiles[i].name))
			return &conf->profiles[i];
	}
	return NULL;
}
