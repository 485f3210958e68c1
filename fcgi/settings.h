/* settings.h — the configuration a request sees: one immutable snapshot from its first to its last
 * line, swapped whole by SIGHUP. A file that cannot be read leaves the old one in force. */
#pragma once

#include "lib/base/conf.h"

struct snapshot {
	struct conf *conf;
	int refs;
};

/* Takes over conf as the first snapshot. Before any thread. */
void settings_init(struct conf *conf);
void settings_done(void);
/* The snapshot of now, held until settings_drop. Any thread. */
struct snapshot *settings_hold(void);
void settings_drop(struct snapshot *s);
/* Reads the file again. On failure *ret_error says why in one line (free it) and nothing has
 * changed. What is used at start alone (sockets, connections, threads) keeps its values until a
 * restart. */
MUST_CHECK int settings_reload(const char *path,
	int (*check_or_null)(const struct conf *conf, char **ret_error), char **ret_error);
/* Reads a file for settings_init, with the same check. */
MUST_CHECK int settings_read(const char *path,
	int (*check_or_null)(const struct conf *conf, char **ret_error), struct conf **ret,
	char **ret_error);
