/* why.h — one line for the operator, beside an error code: what is wrong with which file, and what
 * to do. */
#pragma once

#include "lib/base/err.h"

/* Sets *ret_why (the caller frees it) and returns err, so that a refusal is one statement. */
int why_set(char **ret_why, int err, const char *fmt, ...) PRINTF_LIKE(3, 4);
