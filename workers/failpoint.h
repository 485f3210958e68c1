/* failpoint.h — named places where a test build kills a worker. A release build has none: the
 * macro is empty there.
 *
 * ./configure --enable-failpoints; then ASSAY_FAILPOINT=NAME in the environment makes the process
 * die by SIGKILL the first time that it comes to FAILPOINT("NAME"), as a crash or a power cut
 * would. */
#pragma once

#ifdef ENABLE_FAILPOINTS
#include <signal.h>
#include <stdlib.h>
#include <string.h>

static inline void failpoint_reach(const char *name)
{
	const char *wanted = getenv("ASSAY_FAILPOINT");

	if (wanted != NULL && strcmp(wanted, name) == 0)
		raise(SIGKILL);
}
#define FAILPOINT(name) failpoint_reach(name)
#else
#define FAILPOINT(name) ((void)0)
#endif
