/* child.c — see child.h. */
#include "tests/unit/child.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

pid_t child_start(const char *path, const char *conf_path)
{
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (pid > 0)
		return pid;
	/* A test that dies takes its child along. */
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	execl(path, path, "-c", conf_path, (char *)NULL);
	_exit(127);
}

void child_stop(pid_t pid)
{
	int status;

	kill(pid, SIGTERM);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}
