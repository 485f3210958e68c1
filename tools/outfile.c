/* outfile.c — see outfile.h. */
#include "tools/outfile.h"

#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "workers/signer/why.h"

static int explain(char **ret_why, const char *what, const char *path)
{
	return why_set(ret_why, ERR_CONFLICT, "cannot %s %s: %s", what, path, strerror(errno));
}

static void remember(struct outfiles *out, const char *path)
{
	out->paths = xrealloc(out->paths, (out->count + 1) * sizeof(*out->paths));
	out->paths[out->count++] = xstrdup(path);
}

int outfiles_folder(struct outfiles *out, const char *path, mode_t mode, char **ret_why)
{
	CLEANUP_STR char *part = xstrdup(path);

	for (char *slash = strchr(part + 1, '/');; slash = strchr(slash + 1, '/')) {
		if (slash != NULL)
			*slash = '\0';
		if (mkdir(part, 0755) == 0) {
			remember(out, part);
			if (slash == NULL && chmod(part, mode) != 0)
				return explain(ret_why, "set the mode of", part);
		} else if (errno != EEXIST) {
			return explain(ret_why, "make the folder", part);
		}
		if (slash == NULL)
			return OK;
		*slash = '/';
	}
}

static int give_to(struct outfiles *out, int fd, const char *owner)
{
	struct passwd *user = owner != NULL ? getpwnam(owner) : NULL;

	if (owner == NULL)
		return 0;
	if (user == NULL || geteuid() != 0) {
		out->owners_missing = true;
		return 0;
	}
	return fchown(fd, user->pw_uid, user->pw_gid);
}

static int write_all(int fd, struct bytes content)
{
	while (content.len > 0) {
		ssize_t n = write(fd, content.ptr, content.len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -1;
		content = bytes_of(content.ptr + n, content.len - (size_t)n);
	}
	return fsync(fd);
}

int outfiles_write(struct outfiles *out, const char *path, mode_t mode, const char *owner,
	struct bytes content, char **ret_why)
{
	/* Nobody else may read it before its mode is set. */
	int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	int err = OK;

	if (fd < 0)
		return explain(ret_why, "make", path);
	remember(out, path);
	if (write_all(fd, content) != 0 || fchmod(fd, mode) != 0 || give_to(out, fd, owner) != 0)
		err = explain(ret_why, "write", path);
	if (close(fd) != 0 && err == OK)
		err = explain(ret_why, "write", path);
	return err;
}

void outfiles_undo(struct outfiles *out)
{
	/* Youngest first, so that folders are empty when their turn comes; remove() takes both
	 * kinds. */
	while (out->count > 0) {
		if (remove(out->paths[out->count - 1]) != 0)
			fprintf(stderr, "assayctl: %s was left behind: %s\n",
				out->paths[out->count - 1], strerror(errno));
		free(out->paths[--out->count]);
	}
}

void outfiles_done(struct outfiles *out)
{
	for (size_t i = 0; i < out->count; i++)
		free(out->paths[i]);
	free(out->paths);
	*out = (struct outfiles){0};
}
