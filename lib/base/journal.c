/* journal.c — see journal.h. */
#include "lib/base/journal.h"

#include <assert.h>
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "lib/base/clock.h"
#include "lib/base/log.h"

#define RETRY_MS 1000
/* So much room shows that the next batch will probably find some, too. */
#define PROBE_BYTES 4096
#define SUFFIX ".journal"

enum sync_state { SYNC_IDLE, SYNC_WANTED, SYNC_DONE };

struct journal {
	char *folder; /* FOLDER/PROGRAM */
	char *program, *host;
	struct journal_limits limits;
	int fd; /* -1: none is open */
	struct ident file;
	uint64_t size; /* written */
	int64_t created_mono_ms;
	struct buf pending;
	bool doubtful; /* the last write or sync failed */
	int64_t retry_ms;
	char error[256];

	/* The helper thread. */
	pthread_t thread;
	pthread_mutex_t mutex;
	pthread_cond_t changed;
	enum sync_state sync;
	bool stop;
	int sync_errno; /* of the sync that is done */
};

static int fail(struct journal *j, const char *act, int number)
{
	snprintf(j->error, sizeof(j->error), "%s: %s", act, strerror(number));
	j->doubtful = true;
	j->retry_ms = clock_mono_ms() + RETRY_MS;
	return ERR_INTERNAL;
}

/* ---- the helper thread ---- */

static void *sync_thread(void *arg)
{
	struct journal *j = arg;

	pthread_mutex_lock(&j->mutex);
	while (!j->stop) {
		int fd = j->fd, number;

		if (j->sync != SYNC_WANTED) {
			pthread_cond_wait(&j->changed, &j->mutex);
			continue;
		}
		pthread_mutex_unlock(&j->mutex);
		number = fdatasync(fd) == 0 ? 0 : errno;
		pthread_mutex_lock(&j->mutex);
		j->sync_errno = number;
		j->sync = SYNC_DONE;
		pthread_cond_broadcast(&j->changed);
	}
	pthread_mutex_unlock(&j->mutex);
	return NULL;
}

void journal_sync_begin(struct journal *j)
{
	assert(j->fd >= 0);
	pthread_mutex_lock(&j->mutex);
	assert(j->sync == SYNC_IDLE);
	j->sync = SYNC_WANTED;
	pthread_cond_broadcast(&j->changed);
	pthread_mutex_unlock(&j->mutex);
}

static void leave_file(struct journal *j)
{
	if (j->fd >= 0)
		(void)close(j->fd);
	j->fd = -1;
	j->size = 0;
}

int journal_sync_end(struct journal *j)
{
	int number;

	pthread_mutex_lock(&j->mutex);
	assert(j->sync != SYNC_IDLE);
	while (j->sync != SYNC_DONE)
		pthread_cond_wait(&j->changed, &j->mutex);
	j->sync = SYNC_IDLE;
	number = j->sync_errno;
	pthread_mutex_unlock(&j->mutex);
	if (number == 0)
		return OK;
	/* After a failed sync the kernel may call the lost pages clean: nothing of this file can be
	 * made sure any more. */
	leave_file(j);
	return fail(j, "fdatasync", number);
}

/* ---- files ---- */

static int sync_folder(const char *path)
{
	int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC), err;

	if (fd < 0)
		return ERR_INTERNAL;
	err = fsync(fd) == 0 ? OK : ERR_INTERNAL;
	(void)close(fd);
	return err;
}

static bool is_old(int folder_fd, const char *name, int64_t keep_secs)
{
	const char *suffix = strrchr(name, '.');
	struct stat st;

	return suffix != NULL && strcmp(suffix, SUFFIX) == 0 &&
		fstatat(folder_fd, name, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISREG(st.st_mode) &&
		st.st_mtim.tv_sec < clock_wall_us() / USEC_PER_SEC - keep_secs;
}

/* Deletes files that nobody will need: nothing in them is younger than keep_secs. */
static void prune(const struct journal *j)
{
	DIR *folder = j->limits.keep_secs > 0 ? opendir(j->folder) : NULL;

	if (folder == NULL)
		return;
	for (struct dirent *entry; (entry = readdir(folder)) != NULL;) {
		if (!is_old(dirfd(folder), entry->d_name, j->limits.keep_secs))
			continue;
		if (unlinkat(dirfd(folder), entry->d_name, 0) == 0)
			log_event(LOG_LEVEL_DEBUG, "old journal file deleted",
				F_STR("file", entry->d_name));
	}
	(void)closedir(folder);
}

/* TIME-HOST-PID.journal: in order of time, and one for each process and moment. */
static char *file_path(const struct journal *j, int64_t now_us)
{
	CLEANUP_BUF struct buf path = {0};
	time_t secs = (time_t)(now_us / USEC_PER_SEC);
	struct tm tm;
	char stamp[32];

	gmtime_r(&secs, &tm);
	strftime(stamp, sizeof(stamp), "%Y%m%dT%H%M%S", &tm);
	buf_addf(&path, "%s/%s.%06dZ-", j->folder, stamp, (int)(now_us % USEC_PER_SEC));
	for (const char *c = j->host; *c != '\0'; c++)
		buf_add_byte(&path, isalnum((unsigned char)*c) || *c == '.' ? (uint8_t)*c : '_');
	buf_addf(&path, "-%d" SUFFIX, (int)getpid());
	return buf_take_str(&path);
}

static int write_all(struct journal *j, struct bytes in)
{
	size_t done = 0;

	while (done < in.len) {
		ssize_t n = write(j->fd, in.ptr + done, in.len - done);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n == 0 ? EIO : errno;
		done += (size_t)n;
	}
	return 0;
}

static int begin_file(struct journal *j)
{
	int64_t now_us = clock_wall_us();
	CLEANUP_STR char *path = file_path(j, now_us);
	CLEANUP_BUF struct buf payload = {0};
	CLEANUP_BUF struct buf start = {0};
	int number;

	prune(j);
	j->fd = open(path, O_WRONLY | O_APPEND | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0640);
	if (j->fd < 0)
		return fail(j, path, errno);
	j->file = ident_new();
	j->created_mono_ms = clock_mono_ms();
	buf_add(&start, JOURNAL_MAGIC, JOURNAL_MAGIC_BYTES);
	buf_add(&start, j->file.b, sizeof(j->file.b));
	journal_head_append(&payload,
		&(struct journal_head){.created_us = now_us,
			.pid = (uint32_t)getpid(),
			.program = bytes_str(j->program),
			.host = bytes_str(j->host)});
	journal_record_append(&start, &j->file, JOURNAL_START_BYTES, JOURNAL_TYPE_HEAD,
		buf_bytes(&payload));
	number = flock(j->fd, LOCK_EX | LOCK_NB) != 0 ? errno : write_all(j, buf_bytes(&start));
	/* The file's name, too, must be there after a power cut. */
	if (number == 0 && (fsync(j->fd) != 0 || sync_folder(j->folder) != OK))
		number = errno;
	if (number != 0) {
		(void)unlink(path);
		leave_file(j);
		return fail(j, path, number);
	}
	j->size = start.len;
	return OK;
}

static bool is_full(const struct journal *j)
{
	return j->size >= j->limits.file_bytes ||
		clock_mono_ms() - j->created_mono_ms >= j->limits.file_secs * 1000;
}

/* The records of before are whole whatever happens: what could be written of this one goes. */
static int undo(struct journal *j, int number)
{
	buf_reset(&j->pending);
	/* A file that cannot be cut is left: a reader takes its end for torn. */
	if (ftruncate(j->fd, (off_t)j->size) != 0)
		leave_file(j);
	return fail(j, "write", number);
}

int journal_write(struct journal *j)
{
	int number;

	if (j->pending.len == 0)
		return OK;
	assert(j->fd >= 0);
	number = write_all(j, buf_bytes(&j->pending));
	if (number != 0)
		return undo(j, number);
	j->size += j->pending.len;
	buf_reset(&j->pending);
	return OK;
}

/* After a failure: one record must get through to the disk. */
static int probe(struct journal *j)
{
	static const uint8_t nothing[PROBE_BYTES];
	int err;

	journal_add(j, JOURNAL_TYPE_PROBE, bytes_of(nothing, sizeof(nothing)));
	err = journal_write(j);
	if (err != OK)
		return err;
	journal_sync_begin(j);
	return journal_sync_end(j);
}

int journal_begin(struct journal *j)
{
	int err = OK;

	assert(j->pending.len == 0);
	if (j->doubtful && clock_mono_ms() < j->retry_ms)
		return ERR_INTERNAL;
	if (j->fd >= 0 && is_full(j))
		leave_file(j);
	if (j->fd < 0)
		err = begin_file(j);
	if (err == OK && j->doubtful)
		err = probe(j);
	if (err == OK)
		j->doubtful = false;
	return err;
}

void journal_add(struct journal *j, uint8_t type, struct bytes payload)
{
	assert(j->fd >= 0);
	journal_record_append(&j->pending, &j->file, j->size + j->pending.len, type, payload);
}

/* ---- life ---- */

static int prove_folder(const char *folder, const char *program, const char *path, char **ret_error)
{
	CLEANUP_BUF struct buf text = {0};
	int number;

	if ((mkdir(path, 0750) == 0 || errno == EEXIST) && access(path, R_OK | W_OK | X_OK) == 0)
		return OK;
	number = errno;
	buf_addf(&text, "%s: %s; it must be a folder of %s (journal folder %s)", path,
		strerror(number), program, folder);
	*ret_error = buf_take_str(&text);
	return ERR_INTERNAL;
}

static struct journal *journal_new(const char *program, const char *host,
	const struct journal_limits *limits)
{
	struct journal *j = xcalloc(1, sizeof(*j));

	j->program = xstrdup(program);
	j->host = xstrdup(host);
	j->limits = *limits;
	j->fd = -1;
	pthread_mutex_init(&j->mutex, NULL);
	pthread_cond_init(&j->changed, NULL);
	if (pthread_create(&j->thread, NULL, sync_thread, j) != 0)
		die("cannot start a thread");
	return j;
}

int journal_open(const char *folder, const char *program, const char *host,
	const struct journal_limits *limits, struct journal **ret, char **ret_error)
{
	CLEANUP_BUF struct buf path = {0};
	int err;

	buf_addf(&path, "%s/%s", folder, program);
	err = prove_folder(folder, program, buf_str(&path), ret_error);
	if (err != OK)
		return err;
	*ret = journal_new(program, host, limits);
	(*ret)->folder = buf_take_str(&path);
	return OK;
}

void journal_close(struct journal *j)
{
	if (j == NULL)
		return;
	pthread_mutex_lock(&j->mutex);
	j->stop = true;
	pthread_cond_broadcast(&j->changed);
	pthread_mutex_unlock(&j->mutex);
	pthread_join(j->thread, NULL);
	if (j->fd >= 0)
		(void)fdatasync(j->fd);
	leave_file(j);
	pthread_cond_destroy(&j->changed);
	pthread_mutex_destroy(&j->mutex);
	buf_done(&j->pending);
	free(j->folder);
	free(j->program);
	free(j->host);
	free(j);
}

bool journal_file(const struct journal *j, struct ident *ret)
{
	if (j->fd >= 0)
		*ret = j->file;
	return j->fd >= 0;
}

uint64_t journal_size(const struct journal *j)
{
	return j->size;
}

const char *journal_folder(const struct journal *j)
{
	return j->folder;
}

const char *journal_error(const struct journal *j)
{
	return j->error;
}
