/* test_journal.c — journal files: what is written is read, torn ends and damage are told apart, and
 * a disk that fails closes the journal until it is well again. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/base/journal.h"
#include "lib/base/journal_read.h"
#include "tests/unit/scratch_folder.h"

#define PROGRAM "assay-test"
#define TYPE JOURNAL_TYPE_FIRST

static const struct journal_limits roomy = {.file_bytes = 1 << 30, .file_secs = 86400};

static int sync_errno; /* what fdatasync fails with */

int __real_fdatasync(int fd);
int __wrap_fdatasync(int fd);
int __wrap_fdatasync(int fd)
{
	if (sync_errno == 0)
		return __real_fdatasync(fd);
	errno = sync_errno;
	return -1;
}

/* A folder of its own for each test. */
static char *new_folder(void)
{
	static int number;
	CLEANUP_BUF struct buf path = {0};

	buf_addf(&path, "%s/%d", scratch_folder(), number++);
	assert_int_equal(mkdir(buf_str(&path), 0755), 0);
	return buf_take_str(&path);
}

static struct journal *open_in(const char *folder, const struct journal_limits *limits)
{
	struct journal *j = NULL;
	CLEANUP_STR char *error = NULL;

	assert_int_equal(journal_open(folder, PROGRAM, "host-1", limits, &j, &error), OK);
	return j;
}

/* The n-th file in order of names; NULL when there are fewer. */
static char *nth_file(const char *folder, int n)
{
	CLEANUP_BUF struct buf path = {0};
	struct dirent **names;
	int count;

	buf_addf(&path, "%s/" PROGRAM, folder);
	count = scandir(buf_str(&path), &names, NULL, alphasort);
	assert_true(count >= 2);
	if (n + 2 < count)
		buf_addf(&path, "/%s", names[n + 2]->d_name);
	for (int i = 0; i < count; i++)
		free(names[i]);
	free(names);
	return n + 2 < count ? buf_take_str(&path) : NULL;
}

static void put(struct journal *j, const char *text)
{
	assert_int_equal(journal_begin(j), OK);
	journal_add(j, TYPE, bytes_str(text));
	assert_int_equal(journal_write(j), OK);
	journal_sync_begin(j);
	assert_int_equal(journal_sync_end(j), OK);
}

/* "a b |damaged 60-90| c |end 200": everything a reader says about a file, from a place on. */
static char *story_from(const char *path, uint64_t offset)
{
	CLEANUP_BUF struct buf out = {0};
	CLEANUP(journal_reader_close) struct journal_reader *r = NULL;
	struct journal_record record;

	assert_int_equal(journal_reader_open(path, &r), OK);
	if (offset > 0)
		journal_reader_seek(r, offset);
	for (;;) {
		switch (journal_reader_next(r, &record)) {
		case JOURNAL_RECORD:
			if (record.type == JOURNAL_TYPE_PROBE)
				break;
			buf_add(&out, record.payload.ptr, record.payload.len);
			buf_add_byte(&out, ' ');
			break;
		case JOURNAL_DAMAGED:
			assert_true(record.next > record.offset);
			buf_addf(&out, "|damaged %d| ", (int)record.offset);
			break;
		case JOURNAL_TORN:
			buf_addf(&out, "|torn %d", (int)record.offset);
			return buf_take_str(&out);
		case JOURNAL_END:
			buf_addf(&out, "|end");
			return buf_take_str(&out);
		default:
			fail_msg("unreadable");
		}
	}
}

static void tells(const char *path, const char *fmt, int number)
{
	CLEANUP_STR char *story = story_from(path, 0);
	CLEANUP_BUF struct buf expected = {0};

	if (strstr(fmt, "%d") == NULL)
		buf_add_str(&expected, fmt);
	else
		for (const char *c = fmt; *c != '\0'; c++) {
			if (c[0] == '%' && c[1] == 'd') {
				buf_addf(&expected, "%d", number);
				c++;
			} else {
				buf_add_byte(&expected, (uint8_t)*c);
			}
		}
	assert_string_equal(story, buf_str(&expected));
}

static void what_is_written_is_read(void **state)
{
	CLEANUP_STR char *folder = new_folder();
	CLEANUP(journal_close) struct journal *j = open_in(folder, &roomy);
	CLEANUP_STR char *path = NULL;
	struct journal_reader *r = NULL;
	struct ident file;

	assert_null(nth_file(folder, 0));
	assert_false(journal_file(j, &file));
	put(j, "one");
	assert_int_equal(journal_begin(j), OK);
	journal_add(j, TYPE, bytes_str("two"));
	journal_add(j, TYPE, bytes_str("three"));
	assert_int_equal(journal_write(j), OK);
	path = nth_file(folder, 0);
	tells(path, "one two three |end", 0);

	assert_int_equal(journal_reader_open(path, &r), OK);
	assert_true(bytes_is(journal_reader_head(r)->program, PROGRAM));
	assert_true(bytes_is(journal_reader_head(r)->host, "host-1"));
	assert_int_equal(journal_reader_head(r)->pid, getpid());
	assert_true(journal_file(j, &file));
	assert_true(ident_equal(&journal_reader_head(r)->file, &file));
	journal_reader_close(r);
}

static void reading_goes_on_from_a_position(void **state)
{
	CLEANUP_STR char *folder = new_folder();
	CLEANUP(journal_close) struct journal *j = open_in(folder, &roomy);
	CLEANUP_STR char *path = NULL;
	CLEANUP_STR char *story = NULL;
	uint64_t position;

	put(j, "one");
	position = journal_size(j);
	path = nth_file(folder, 0);
	story = story_from(path, position);
	assert_string_equal(story, "|end");
	put(j, "two");
	free(story);
	story = story_from(path, position);
	assert_string_equal(story, "two |end");
}

static void a_large_record_passes(void **state)
{
	CLEANUP_STR char *folder = new_folder();
	CLEANUP(journal_close) struct journal *j = open_in(folder, &roomy);
	CLEANUP(free) uint8_t *large = xcalloc(1, JOURNAL_PAYLOAD_MAX_BYTES);
	CLEANUP_STR char *path = NULL;
	CLEANUP(journal_reader_close) struct journal_reader *r = NULL;
	struct journal_record record;

	memset(large, 'x', JOURNAL_PAYLOAD_MAX_BYTES);
	assert_int_equal(journal_begin(j), OK);
	journal_add(j, TYPE, bytes_str("before"));
	journal_add(j, TYPE, bytes_of(large, JOURNAL_PAYLOAD_MAX_BYTES));
	journal_add(j, TYPE, bytes_str("behind"));
	assert_int_equal(journal_write(j), OK);
	path = nth_file(folder, 0);
	assert_int_equal(journal_reader_open(path, &r), OK);
	assert_int_equal(journal_reader_next(r, &record), JOURNAL_RECORD);
	assert_int_equal(journal_reader_next(r, &record), JOURNAL_RECORD);
	assert_true(bytes_equal(record.payload, bytes_of(large, JOURNAL_PAYLOAD_MAX_BYTES)));
	assert_int_equal(journal_reader_next(r, &record), JOURNAL_RECORD);
	assert_true(bytes_is(record.payload, "behind"));
	assert_int_equal(journal_reader_next(r, &record), JOURNAL_END);
}

static void a_torn_end_is_told_wherever_it_tore(void **state)
{
	CLEANUP_STR char *folder = new_folder();
	struct journal *j = open_in(folder, &roomy);
	CLEANUP_STR char *path = NULL;
	int whole, all;

	put(j, "one");
	whole = (int)journal_size(j);
	put(j, "two");
	all = (int)journal_size(j);
	journal_close(j);
	path = nth_file(folder, 0);
	for (int len = all - 1; len > whole; len--) {
		assert_int_equal(truncate(path, len), 0);
		tells(path, "one |torn %d", whole);
	}
	assert_int_equal(truncate(path, whole), 0);
	tells(path, "one |end", 0);
	/* What a file system leaves after a power cut: the length is there, the bytes are not. */
	assert_int_equal(truncate(path, whole + 5000), 0);
	tells(path, "one |torn %d", whole);
}

static void change_byte(const char *path, off_t offset)
{
	int fd = open(path, O_RDWR);
	uint8_t byte;

	assert_int_equal(pread(fd, &byte, 1, offset), 1);
	byte ^= 0x20;
	assert_int_equal(pwrite(fd, &byte, 1, offset), 1);
	assert_int_equal(close(fd), 0);
}

static void damage_in_the_middle_is_told_and_the_rest_read(void **state)
{
	CLEANUP_STR char *folder = new_folder();
	struct journal *j = open_in(folder, &roomy);
	CLEANUP_STR char *path = NULL;
	int from, to;

	put(j, "one");
	from = (int)journal_size(j);
	put(j, "two");
	to = (int)journal_size(j);
	put(j, "three");
	put(j, "four");
	journal_close(j);
	path = nth_file(folder, 0);
	for (int at = from; at < to; at++) {
		change_byte(path, at);
		tells(path, "one |damaged %d| three four |end", from);
		change_byte(path, at);
	}
	tells(path, "one two three four |end", 0);
}

static void a_damaged_beginning_is_no_journal(void **state)
{
	CLEANUP_STR char *folder = new_folder();
	struct journal *j = open_in(folder, &roomy);
	CLEANUP_STR char *path = NULL;
	struct journal_reader *r = NULL;
	struct stat st;

	assert_int_equal(journal_begin(j), OK);
	journal_close(j);
	path = nth_file(folder, 0);
	assert_int_equal(stat(path, &st), 0);
	for (off_t at = 0; at < st.st_size; at++) {
		change_byte(path, at);
		assert_int_equal(journal_reader_open(path, &r), ERR_SYNTAX);
		change_byte(path, at);
	}
	for (off_t len = st.st_size - 1; len >= 0; len--) {
		assert_int_equal(truncate(path, len), 0);
		assert_int_equal(journal_reader_open(path, &r), ERR_SYNTAX);
	}
	assert_int_equal(journal_reader_open("/nonexistent", &r), ERR_NOENT);
	assert_int_equal(journal_reader_open(folder, &r), ERR_SYNTAX);
}

/* What a client puts into a certificate may look like a record. */
static void a_record_inside_a_record_is_never_one(void **state)
{
	CLEANUP_STR char *folder = new_folder();
	struct journal *j = open_in(folder, &roomy);
	CLEANUP_STR char *path = NULL;
	CLEANUP_BUF struct buf forged = {0};
	struct ident file;
	int from;

	put(j, "one");
	from = (int)journal_size(j);
	assert_true(journal_file(j, &file));
	/* Even with the file's id: it stands elsewhere. */
	journal_record_append(&forged, &file, 99, TYPE, bytes_str("forged"));
	journal_add(j, TYPE, buf_bytes(&forged));
	assert_int_equal(journal_write(j), OK);
	put(j, "three");
	journal_close(j);
	path = nth_file(folder, 0);
	change_byte(path, from);
	tells(path, "one |damaged %d| three |end", from);
}

static void a_file_full_of_marks_is_given_up_soon(void **state)
{
	CLEANUP_STR char *folder = new_folder();
	struct journal *j = open_in(folder, &roomy);
	CLEANUP_STR char *path = NULL;
	CLEANUP_BUF struct buf marks = {0};
	int fd, from;

	put(j, "one");
	from = (int)journal_size(j);
	journal_close(j);
	path = nth_file(folder, 0);
	/* Each claims to be a record of half a megabyte. */
	for (int i = 0; i < 1 << 18; i++) {
		buf_add(&marks, journal_mark, sizeof(journal_mark));
		wire_put_u32(&marks, (uint32_t)TYPE << 24);
		wire_put_u32(&marks, 1 << 19);
	}
	fd = open(path, O_WRONLY | O_APPEND);
	assert_int_equal(write(fd, marks.ptr, marks.len), marks.len);
	assert_int_equal(close(fd), 0);
	tells(path, "one |torn %d", from);
}

static void limit_files_to(rlim_t bytes)
{
	struct rlimit limit;

	assert_int_equal(getrlimit(RLIMIT_FSIZE, &limit), 0);
	limit.rlim_cur = bytes;
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
}

/* A file that may not grow any more behaves like a full disk: write(2) takes a part, then nothing.
 */
static void a_full_disk_closes_the_journal_until_there_is_room(void **state)
{
	CLEANUP_STR char *folder = new_folder();
	struct journal *j = open_in(folder, &roomy);
	CLEANUP_STR char *path = NULL;

	put(j, "one");
	path = nth_file(folder, 0);
	limit_files_to(journal_size(j) + 10);
	assert_int_equal(journal_begin(j), OK);
	journal_add(j, TYPE, bytes_str("two"));
	assert_int_equal(journal_write(j), ERR_INTERNAL);
	assert_non_null(strstr(journal_error(j), "write"));
	tells(path, "one |end", 0);
	assert_int_equal(journal_begin(j), ERR_INTERNAL);
	sleep(1);
	/* Tried, and still no room. */
	assert_int_equal(journal_begin(j), ERR_INTERNAL);
	limit_files_to(RLIM_INFINITY);
	/* Not at once: a second has to go by between two tries. */
	assert_int_equal(journal_begin(j), ERR_INTERNAL);
	sleep(1);
	put(j, "three");
	journal_close(j);
	assert_null(nth_file(folder, 1));
	tells(path, "one three |end", 0);
}

static void after_a_failed_sync_a_new_file_is_begun(void **state)
{
	CLEANUP_STR char *folder = new_folder();
	struct journal *j = open_in(folder, &roomy);
	CLEANUP_STR char *first = NULL;
	CLEANUP_STR char *second = NULL;

	put(j, "one");
	assert_int_equal(journal_begin(j), OK);
	journal_add(j, TYPE, bytes_str("two"));
	assert_int_equal(journal_write(j), OK);
	sync_errno = EIO;
	journal_sync_begin(j);
	assert_int_equal(journal_sync_end(j), ERR_INTERNAL);
	assert_non_null(strstr(journal_error(j), "Input/output error"));
	assert_int_equal(journal_begin(j), ERR_INTERNAL);
	sleep(1);
	/* The trial record does not get to the disk either. */
	assert_int_equal(journal_begin(j), ERR_INTERNAL);
	sync_errno = 0;
	sleep(1);
	put(j, "three");
	journal_close(j);
	first = nth_file(folder, 0);
	tells(first, "one two |end", 0);
	second = nth_file(folder, 2);
	assert_non_null(second);
	tells(second, "three |end", 0);
}

static void a_file_that_is_large_or_old_is_followed_by_another(void **state)
{
	CLEANUP_STR char *folder = new_folder();
	struct journal_limits small = {.file_bytes = 150, .file_secs = 1};
	struct journal *j = open_in(folder, &small);

	put(j, "one one one one one one one one one one one one one one one one");
	put(j, "two");
	sleep(1);
	put(j, "three");
	journal_close(j);
	for (int i = 0; i < 3; i++) {
		static const char *const begins[] = {"one", "two |end", "three |end"};
		CLEANUP_STR char *path = nth_file(folder, i);
		CLEANUP_STR char *story = story_from(path, 0);

		assert_int_equal(strncmp(story, begins[i], strlen(begins[i])), 0);
	}
	assert_null(nth_file(folder, 3));
}

static void only_files_of_long_ago_are_deleted(void **state)
{
	CLEANUP_STR char *folder = new_folder();
	struct journal_limits small = {.file_bytes = 1, .file_secs = 60, .keep_secs = 3600};
	struct timespec long_ago[2] = {{.tv_nsec = UTIME_OMIT}, {.tv_sec = 1000}};
	struct journal *j = open_in(folder, &small);
	CLEANUP_STR char *first = NULL;
	CLEANUP_STR char *foreign = NULL;
	CLEANUP_STR char *second = NULL;

	put(j, "one");
	put(j, "two");
	first = nth_file(folder, 0);
	second = nth_file(folder, 1);
	{
		CLEANUP_BUF struct buf path = {0};

		buf_addf(&path, "%s/" PROGRAM "/notes.txt", folder);
		foreign = buf_take_str(&path);
		assert_int_equal(close(open(foreign, O_CREAT | O_WRONLY, 0600)), 0);
	}
	assert_int_equal(utimensat(AT_FDCWD, first, long_ago, 0), 0);
	assert_int_equal(utimensat(AT_FDCWD, foreign, long_ago, 0), 0);
	put(j, "three");
	journal_close(j);
	assert_int_equal(access(first, F_OK), -1);
	assert_int_equal(access(second, F_OK), 0);
	assert_int_equal(access(foreign, F_OK), 0);
}

static void a_file_that_grows_is_told_from_a_finished_one(void **state)
{
	CLEANUP_STR char *folder = new_folder();
	struct journal *j = open_in(folder, &roomy);
	CLEANUP_STR char *path = NULL;
	CLEANUP(journal_reader_close) struct journal_reader *r = NULL;

	put(j, "one");
	path = nth_file(folder, 0);
	assert_int_equal(journal_reader_open(path, &r), OK);
	assert_false(journal_reader_is_finished(r));
	journal_close(j);
	assert_true(journal_reader_is_finished(r));
}

static void a_folder_that_cannot_be_used_is_named(void **state)
{
	CLEANUP_STR char *folder = new_folder();
	CLEANUP_STR char *error = NULL;
	CLEANUP_BUF struct buf path = {0};
	struct journal *j = NULL;

	assert_int_equal(journal_open("/nonexistent", PROGRAM, "h", &roomy, &j, &error),
		ERR_INTERNAL);
	assert_non_null(strstr(error, "/nonexistent/" PROGRAM ": No such file"));
	free(TAKE(error));
	buf_addf(&path, "%s/" PROGRAM, folder);
	assert_int_equal(close(open(buf_str(&path), O_CREAT | O_WRONLY, 0600)), 0);
	assert_int_equal(journal_open(folder, PROGRAM, "h", &roomy, &j, &error), ERR_INTERNAL);
	assert_non_null(error);
	assert_null(j);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_written_is_read),
		cmocka_unit_test(reading_goes_on_from_a_position),
		cmocka_unit_test(a_large_record_passes),
		cmocka_unit_test(a_torn_end_is_told_wherever_it_tore),
		cmocka_unit_test(damage_in_the_middle_is_told_and_the_rest_read),
		cmocka_unit_test(a_damaged_beginning_is_no_journal),
		cmocka_unit_test(a_record_inside_a_record_is_never_one),
		cmocka_unit_test(a_file_full_of_marks_is_given_up_soon),
		cmocka_unit_test(a_full_disk_closes_the_journal_until_there_is_room),
		cmocka_unit_test(after_a_failed_sync_a_new_file_is_begun),
		cmocka_unit_test(a_file_that_is_large_or_old_is_followed_by_another),
		cmocka_unit_test(only_files_of_long_ago_are_deleted),
		cmocka_unit_test(a_file_that_grows_is_told_from_a_finished_one),
		cmocka_unit_test(a_folder_that_cannot_be_used_is_named),
	};

	signal(SIGXFSZ, SIG_IGN);
	return cmocka_run_group_tests(tests, scratch_folder_make, scratch_folder_remove);
}
