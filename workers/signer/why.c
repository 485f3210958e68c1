/* why.c — see why.h. */
#include "workers/signer/why.h"

#include <stdarg.h>
#include <stdio.h>

int why_set(char **ret_why, int err, const char *fmt, ...)
{
	va_list args;
	char *why = NULL;

	va_start(args, fmt);
	if (vasprintf(&why, fmt, args) < 0)
		abort();
	va_end(args);
	*ret_why = why;
	return err;
}
