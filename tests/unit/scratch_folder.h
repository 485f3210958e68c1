/* scratch_folder.h — a folder for the files of one test program, below TMPDIR, removed when it
 * ends. */
#pragma once

#include <sys/types.h>

#include "lib/base/bytes.h"

/* cmocka group setup and teardown. */
int scratch_folder_make(void **state);
int scratch_folder_remove(void **state);
const char *scratch_folder(void);
/* Writes the file and returns its path, which the caller frees. */
char *scratch_write(const char *name, struct bytes content, mode_t mode);
