/* secret.c — see secret.h. */
#include "workers/signer/secret.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <openssl/crypto.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/base/buf.h"
#include "workers/signer/why.h"

#define CREDENTIAL "credential:"

void secret_free(struct secret *s)
{
	if (s != NULL)
		OPENSSL_cleanse(s, sizeof(*s));
	free(s);
}

static void fd_close(int fd)
{
	if (fd >= 0)
		close(fd);
}
DEFINE_CLEANUP(fd_close, int)

/* systemd hands a credential to a unit's user by an ACL, whose mask shows as the group's bits; its
 * folder is the unit's alone. */
static bool is_systemd_credential(const char *path)
{
	const char *folder = getenv("CREDENTIALS_DIRECTORY");
	size_t len = folder != NULL ? strlen(folder) : 0;

	return len > 1 && strncmp(path, folder, len) == 0 && path[len] == '/' &&
		strstr(path + len, "/../") == NULL;
}

static int check_private(const char *path, const struct stat *st, char **ret_why)
{
	mode_t forbidden = is_systemd_credential(path) ? S_IWGRP | S_IRWXO : S_IRWXG | S_IRWXO;

	if (!S_ISREG(st->st_mode))
		return why_set(ret_why, ERR_CONFLICT, "%s is not a regular file", path);
	/* Root reads on behalf of the signer's user (assayctl check-config). */
	if (st->st_uid != geteuid() && st->st_uid != 0 && geteuid() != 0)
		return why_set(ret_why, ERR_CONFLICT,
			"%s belongs to uid %u: chown it to the user that runs the signer", path,
			(unsigned)st->st_uid);
	if ((st->st_mode & forbidden) != 0)
		return why_set(ret_why, ERR_CONFLICT,
			"%s has mode %04o, so others may have read it: treat the key as "
			"disclosed, or chmod 0400 if it never was",
			path, (unsigned)(st->st_mode & 07777));
	return OK;
}

static int read_private(const char *path, struct secret **ret, char **ret_why)
{
	CLEANUP(secret_free) struct secret *s = xcalloc(1, sizeof(*s));
	CLEANUP(fd_close) int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	struct stat st;
	ssize_t n;

	if (fd < 0)
		return why_set(ret_why, errno == ENOENT ? ERR_NOENT : ERR_CONFLICT,
			"cannot open %s: %s", path, strerror(errno));
	if (fstat(fd, &st) != 0)
		return why_set(ret_why, ERR_INTERNAL, "cannot stat %s: %s", path, strerror(errno));
	int err = check_private(path, &st, ret_why);
	if (err != OK)
		return err;
	while (s->len < sizeof(s->text) &&
		(n = read(fd, s->text + s->len, sizeof(s->text) - s->len)) != 0) {
		if (n < 0 && errno != EINTR)
			return why_set(ret_why, ERR_INTERNAL, "cannot read %s: %s", path,
				strerror(errno));
		s->len += n > 0 ? (size_t)n : 0;
	}
	if (s->len > SECRET_MAX_BYTES)
		return why_set(ret_why, ERR_LIMIT, "%s is larger than %d bytes", path,
			SECRET_MAX_BYTES);
	s->text[s->len] = '\0';
	*ret = TAKE(s);
	return OK;
}

int secret_load(const char *source, struct secret **ret, char **ret_why)
{
	const char *folder = getenv("CREDENTIALS_DIRECTORY");
	CLEANUP_BUF struct buf path = {0};

	if (strncmp(source, CREDENTIAL, strlen(CREDENTIAL)) != 0)
		return read_private(source, ret, ret_why);
	if (folder == NULL)
		return why_set(ret_why, ERR_NOENT,
			"%s: there is no $CREDENTIALS_DIRECTORY; the unit needs LoadCredential=%s, "
			"and other callers the file itself",
			source, source + strlen(CREDENTIAL));
	buf_addf(&path, "%s/%s", folder, source + strlen(CREDENTIAL));
	return read_private(buf_str(&path), ret, ret_why);
}

int secret_load_line(const char *source, struct secret **ret, char **ret_why)
{
	CLEANUP(secret_free) struct secret *s = NULL;
	int err = secret_load(source, &s, ret_why);

	if (err != OK)
		return err;
	assert(s != NULL);
	s->len = strcspn(s->text, "\r\n");
	s->text[s->len] = '\0';
	if (s->len == 0)
		return why_set(ret_why, ERR_SYNTAX, "the first line of %s is empty", source);
	*ret = TAKE(s);
	return OK;
}
