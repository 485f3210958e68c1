/* conf_table.h — what assay.conf may say, as a table; private to conf*.c.
 *
 * A new setting is one field in conf.h, one line in conf_table.c, and its paragraphs in
 * docs/assay.conf.sample and man/assay.conf.5, which tests/docs compares. */
#pragma once

#include "lib/base/conf.h"

enum conf_kind {
	CONF_TEXT,   /* char * */
	CONF_PATH,   /* char *, made relative to the file's folder */
	CONF_LIST,   /* struct conf_list */
	CONF_CHOICE, /* bool, written as one of two words */
	CONF_COUNT,  /* int */
	CONF_SECS,   /* int64_t, written with its unit */
	CONF_MSECS,  /* int64_t, written with its unit */
	CONF_SPAN,   /* struct conf_span: a duration with its unit, or a number and % */
	CONF_TIME,   /* int64_t, wall-clock microseconds, written as a date or by RFC 3339 */
	CONF_PATHS,  /* struct conf_list of paths like CONF_PATH */
	CONF_SOURCE, /* char *, a path like CONF_PATH, or credential:… or pkcs11:… as it stands */
};

/* As fallback: the key must be written. */
extern const char conf_required[];

struct conf_key {
	const char *name;
	enum conf_kind kind;
	size_t offset;        /* in struct conf, or in the element of a named section */
	const char *fallback; /* the default, as it would be written; NULL: absent */
	int64_t min, max; /* of CONF_COUNT, CONF_SECS, CONF_MSECS; of the duration of CONF_SPAN */
	const char *word_for_false, *word_for_true; /* of CONF_CHOICE */
	/* For texts, paths and items of lists: NULL when it is fine, else advice that begins with a
	 * verb. */
	const char *(*check)(const char *text);
};

struct conf_section {
	const char *name;
	const struct conf_key *keys;
	size_t nkeys;
	/* [name NAME]: elements of a growing array, whose pointer and counter have these offsets in
	 * struct conf. An element begins with its name. size 0: the section occurs once. */
	size_t array, count, size;
};

extern const struct conf_section conf_sections[];
extern const size_t conf_sections_count;

/* Reads text into the key's empty field of target. On failure *ret_advice says what to write
 * instead (free it). */
MUST_CHECK int conf_value_set(const struct conf_key *key, const char *text, const char *folder,
	void *target, char **ret_advice);
void conf_value_done(const struct conf_key *key, void *target);

/* Whether settings fit each other; fills in what depends on others. On failure *ret_advice says
 * what is wrong and what to write instead (free it). */
MUST_CHECK int conf_check_whole(struct conf *conf, char **ret_advice);

/* The checks of conf_check.c; see conf_key.check. */
const char *conf_check_base_url(const char *text);
const char *conf_check_url(const char *text);
const char *conf_check_http_url(const char *text);
const char *conf_check_file_url(const char *text);
const char *conf_check_domain(const char *text);
const char *conf_check_blocked_name(const char *text);
const char *conf_check_database_uri(const char *text);
const char *conf_check_socket(const char *text);
const char *conf_check_socket_dir(const char *text);
const char *conf_check_scheme(const char *text);
const char *conf_check_address(const char *text);
const char *conf_check_port(const char *text);
const char *conf_check_cidr(const char *text);
const char *conf_check_challenge(const char *text);
const char *conf_check_key_type(const char *text);
const char *conf_check_key_source(const char *text);
const char *conf_check_passphrase_source(const char *text);
const char *conf_check_log_level(const char *text);
