/* file.h — whole files into memory, with a bound; secrets only when nobody else may read them.
 * errno tells why when a call fails with ERR_NOENT or ERR_INTERNAL. */
#pragma once

#include "lib/base/buf.h"

/* Appends the file's bytes to out. ERR_NOENT; ERR_LIMIT when it is longer than max; ERR_INTERNAL
 * for everything else: not a regular file, not readable. out is unchanged on failure. */
MUST_CHECK int file_load(const char *path, size_t max, struct buf *out);
/* The same, and ERR_INTERNAL (errno EPERM) when others may read or anybody else may write it. */
MUST_CHECK int file_load_secret(const char *path, size_t max, struct buf *out);
