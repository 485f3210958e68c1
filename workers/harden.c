/* harden.c — see harden.h. */
#include "workers/harden.h"

#include <errno.h>
#include <sys/prctl.h>
#include <sys/resource.h>

int harden_process(void)
{
	const struct rlimit none = {0, 0};

	/* Not dumpable also means: not traceable by another process of the same user,
	 * /proc/self/mem closed to it. */
	if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) != 0 ||
		prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 || setrlimit(RLIMIT_CORE, &none) != 0)
		return ERR_INTERNAL;
	return OK;
}
