/* secret.h — files that nobody else may read: keys, passphrases, PINs. */
#pragma once

#include "lib/base/bytes.h"
#include "lib/base/err.h"

#define SECRET_MAX_BYTES 32768

/* Wiped before it is given back. */
struct secret {
	size_t len;
	char text[SECRET_MAX_BYTES + 1]; /* and a NUL */
};
void secret_free(struct secret *s);
DEFINE_CLEANUP(secret_free, struct secret *)

/* The whole of a file, or of "credential:NAME" in systemd's $CREDENTIALS_DIRECTORY. A file that
 * others may read is refused: what is in it must count as disclosed. *ret_why: one line for the
 * operator (free it). ERR_NOENT: no such file; ERR_CONFLICT: wrong owner or mode; ERR_LIMIT. */
MUST_CHECK int secret_load(const char *source, struct secret **ret, char **ret_why);
/* The same, cut behind its first line, which must not be empty: ERR_SYNTAX. */
MUST_CHECK int secret_load_line(const char *source, struct secret **ret, char **ret_why);
