/* log.h — one JSON line an event on stderr (journald keeps it). Programs log where an error is
 * handled; libraries log at debug only. No secrets here. Thread safe: a line is one write(2). */
#pragma once

#include "lib/base/bytes.h"
#include "lib/base/err.h"

enum log_level { LOG_LEVEL_DEBUG, LOG_LEVEL_INFO, LOG_LEVEL_WARNING, LOG_LEVEL_ERROR };

/* program is kept; level from the configuration. */
void log_init(const char *program, enum log_level level);
void log_set_level(enum log_level level);
/* The level of a name in the configuration; info when there is none of that name. */
enum log_level log_level_named(const char *name);
bool log_enabled(enum log_level level);

struct log_field {
	const char *name;
	enum { LOG_STR, LOG_INT } kind;
	const char *str;
	int64_t num;
};
/* log_event(LOG_LEVEL_INFO, "certificate issued", F_STR("order", text), F_INT("names", 3)); */
#define F_STR(n, s) ((struct log_field){.name = (n), .kind = LOG_STR, .str = (s)})
#define F_INT(n, i) ((struct log_field){.name = (n), .kind = LOG_INT, .num = (i)})
/* At most LOG_FIELDS_MAX fields; those that are not given are zero, which ends the list. */
#define LOG_FIELDS_MAX 12
#define log_event(level, message, ...)                                                             \
	log_write((level), (message), (const struct log_field[LOG_FIELDS_MAX + 1]){__VA_ARGS__})
void log_write(enum log_level level, const char *message, const struct log_field *fields);
/* Programs' own start-up failures: "assay-order: text" as a plain line on stderr, exit status 1. */
void die(const char *fmt, ...) PRINTF_LIKE(1, 2) __attribute__((noreturn));
