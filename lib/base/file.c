/* file.c — bounded reading of regular files. */
#include "lib/base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#define CHUNK_BYTES 4096

static void close_fd(const int *fd)
{
	int saved_errno = errno;

	if (*fd >= 0)
		(void)close(*fd);
	errno = saved_errno;
}

static int take_fd(int *fd)
{
	int taken = *fd;

	*fd = -1;
	return taken;
}

static int open_regular(const char *path, mode_t forbidden, int *ret_fd)
{
	/* Without O_NONBLOCK a FIFO would hold us up before we can see that it is one. */
	__attribute__((cleanup(close_fd))) int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	struct stat st;

	if (fd < 0)
		return errno == ENOENT || errno == ENOTDIR ? ERR_NOENT : ERR_INTERNAL;
	if (fstat(fd, &st) != 0)
		return ERR_INTERNAL;
	if (!S_ISREG(st.st_mode)) {
		errno = S_ISDIR(st.st_mode) ? EISDIR : EINVAL;
		return ERR_INTERNAL;
	}
	if ((st.st_mode & forbidden) != 0) {
		errno = EPERM;
		return ERR_INTERNAL;
	}
	*ret_fd = take_fd(&fd);
	return OK;
}

static int load(const char *path, mode_t forbidden, size_t max, struct buf *out)
{
	__attribute__((cleanup(close_fd))) int fd = -1;
	size_t before = out->len;
	int err = open_regular(path, forbidden, &fd);

	while (err == OK) {
		ssize_t got;

		buf_reserve(out, CHUNK_BYTES);
		got = read(fd, out->ptr + out->len, CHUNK_BYTES);
		if (got == 0)
			break;
		if (got > 0)
			out->len += (size_t)got;
		else if (errno != EINTR)
			err = ERR_INTERNAL;
		if (out->len - before > max)
			err = ERR_LIMIT;
	}
	if (err != OK)
		out->len = before;
	if (out->ptr != NULL)
		out->ptr[out->len] = '\0';
	return err;
}

int file_load(const char *path, size_t max, struct buf *out)
{
	return load(path, 0, max, out);
}

int file_load_secret(const char *path, size_t max, struct buf *out)
{
	/* A readable group is allowed: systemd shows it when it hands a credential over by an
	 * access list. */
	return load(path, S_IWGRP | S_IRWXO, max, out);
}
