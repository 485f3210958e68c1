/* err.c — names of the error space, and allocation that cannot fail.
 *
 * A process that is out of memory ends at once and is started again: all state is in PostgreSQL. It
 * ends without a core dump, because the signer's memory holds issuing keys. */
#include "lib/base/err.h"

#include <string.h>
#include <unistd.h>

/* EX_OSERR of sysexits.h, so that systemd shows why. */
#define EXIT_OUT_OF_MEMORY 71

static const char *const names[] = {
	[-OK] = "ok",
	[-ERR_SYNTAX] = "syntax",
	[-ERR_LIMIT] = "limit",
	[-ERR_NOENT] = "noent",
	[-ERR_CONFLICT] = "conflict",
	[-ERR_BUSY] = "busy",
	[-ERR_PROBLEM] = "problem",
	[-ERR_DB] = "db",
	[-ERR_DB_UNCERTAIN] = "db_uncertain",
	[-ERR_QUEUE] = "queue",
	[-ERR_CRYPTO] = "crypto",
	[-ERR_NET] = "net",
	[-ERR_TIMEOUT] = "timeout",
	[-ERR_INTERNAL] = "internal",
};

const char *err_name(int err)
{
	if (err > 0 || err <= -(int)ARRAY_LEN(names))
		return "unknown";
	return names[-err];
}

static void __attribute__((noreturn, cold)) out_of_memory(void)
{
	static const char text[] = "out of memory\n";
	ssize_t written = write(STDERR_FILENO, text, sizeof(text) - 1);

	(void)written;
	_exit(EXIT_OUT_OF_MEMORY);
}

void *xmalloc(size_t size)
{
	void *p = malloc(size > 0 ? size : 1);

	if (p == NULL)
		out_of_memory();
	return p;
}

void *xcalloc(size_t count, size_t size)
{
	void *p = count > 0 && size > 0 ? calloc(count, size) : calloc(1, 1);

	if (p == NULL)
		out_of_memory();
	return p;
}

void *xrealloc(void *ptr, size_t size)
{
	void *p = realloc(ptr, size > 0 ? size : 1);

	if (p == NULL)
		out_of_memory();
	return p;
}

char *xstrdup(const char *text)
{
	return xstrndup(text, strlen(text));
}

char *xstrndup(const char *text, size_t len)
{
	size_t used = strnlen(text, len);
	char *copy = xmalloc(used + 1);

	memcpy(copy, text, used);
	copy[used] = '\0';
	return copy;
}
