/* replay_main.c — feeds a corpus to a fuzz target where there is no fuzzer, so that what fuzzing
 * once found is checked in every make check.
 *
 *   fuzz_json [FILE-OR-FOLDER …]     default: the target's own corpus below $srcdir
 *
 * Each input has a block of exactly its size, so that sanitizers see reads behind its end, and a
 * few seconds. */
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/base/file.h"
#include "lib/base/log.h"
#include "tests/fuzz/fuzz.h"

#define INPUT_MAX_BYTES (1024 * 1024)
#define INPUT_SECS 20

DEFINE_CLEANUP(closedir, DIR *)

static size_t replay_file(const char *path)
{
	CLEANUP_BUF struct buf content = {0};
	CLEANUP(free) uint8_t *exact = NULL;

	if (file_load(path, INPUT_MAX_BYTES, &content) != OK)
		die("%s: cannot be read: %s", path, strerror(errno));
	exact = xmalloc(content.len);
	if (content.len > 0)
		memcpy(exact, content.ptr, content.len);
	/* Said before, because the target ends the process when it fails. */
	printf("%s\n", path);
	(void)fflush(stdout);
	(void)alarm(INPUT_SECS);
	(void)LLVMFuzzerTestOneInput(exact, content.len);
	(void)alarm(0);
	return 1;
}

static size_t replay_folder(const char *path)
{
	CLEANUP(closedir) DIR *folder = opendir(path);
	size_t count = 0;

	if (folder == NULL)
		die("%s: cannot be opened: %s", path, strerror(errno));
	for (struct dirent *entry = readdir(folder); entry != NULL; entry = readdir(folder)) {
		CLEANUP_BUF struct buf file = {0};

		if (entry->d_name[0] == '.')
			continue;
		buf_addf(&file, "%s/%s", path, entry->d_name);
		count += replay_file(buf_str(&file));
	}
	/* An empty corpus replays nothing and would pass for ever. */
	if (count == 0)
		die("%s: there is nothing to replay", path);
	return count;
}

static size_t replay(const char *path)
{
	struct stat st;

	if (stat(path, &st) != 0)
		die("%s: %s", path, strerror(errno));
	return S_ISDIR(st.st_mode) ? replay_folder(path) : replay_file(path);
}

/* fuzz_json replays corpus/json. */
static size_t replay_own(const char *program)
{
	static const char prefix[] = "fuzz_";
	const char *slash = strrchr(program, '/'), *srcdir = getenv("srcdir");
	const char *name = slash != NULL ? slash + 1 : program;
	CLEANUP_BUF struct buf path = {0};

	if (strncmp(name, prefix, strlen(prefix)) != 0)
		die("%s is not called fuzz_<parser>: name a folder", name);
	buf_addf(&path, "%s/tests/fuzz/corpus/%s", srcdir != NULL ? srcdir : ".",
		name + strlen(prefix));
	return replay(buf_str(&path));
}

int main(int argc, char **argv)
{
	size_t count = 0;

	log_init(argv[0], LOG_LEVEL_ERROR);
	if (argc < 2)
		count = replay_own(argv[0]);
	for (int i = 1; i < argc; i++)
		count += replay(argv[i]);
	printf("%zu inputs replayed\n", count);
	return 0;
}
