/* child.h — one of our programs, as a child of the test, gone with the test. */
#pragma once

#include <sys/types.h>

/* path: below the folder of the build, where tests run. */
pid_t child_start(const char *path, const char *conf_path);
/* SIGTERM; the test fails unless the program exits with 0. */
void child_stop(pid_t pid);
