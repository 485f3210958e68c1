/* scratch_folder.c — see scratch_folder.h. Files only: no folders below it. */
#include "tests/unit/scratch_folder.h"

#include <fcntl.h>
#include <ftw.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "lib/base/buf.h"

static char folder[256];

int scratch_folder_make(void **state)
{
	const char *tmp = getenv("TMPDIR");

	snprintf(folder, sizeof(folder), "%.200s/assay-test-XXXXXX", tmp != NULL ? tmp : "/tmp");
	return mkdtemp(folder) != NULL ? 0 : -1;
}

static int remove_one(const char *path, const struct stat *st, int kind, struct FTW *ftw)
{
	return remove(path);
}

int scratch_folder_remove(void **state)
{
	return nftw(folder, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

const char *scratch_folder(void)
{
	return folder;
}

char *scratch_write(const char *name, struct bytes content, mode_t mode)
{
	CLEANUP_BUF struct buf path = {0};
	int fd;

	buf_addf(&path, "%s/%s", folder, name);
	/* One that is there may be of a mode that lets nobody but root open it again. */
	(void)unlink(buf_str(&path));
	fd = open(buf_str(&path), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, content.ptr, content.len), content.len);
	assert_int_equal(fchmod(fd, mode), 0);
	assert_int_equal(close(fd), 0);
	return buf_take_str(&path);
}
