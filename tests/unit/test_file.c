/* test_file.c — bounded reading of files, and secrets that nobody else may read. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <sys/stat.h>

#include "lib/base/conf.h"
#include "lib/base/file.h"
#include "tests/unit/scratch_folder.h"

static void a_file_is_appended_whole(void **state)
{
	CLEANUP_STR char *path = scratch_write("whole", bytes_of("a\0b", 3), 0644);
	CLEANUP_BUF struct buf out = {0};

	buf_add_str(&out, "before ");
	assert_int_equal(file_load(path, 3, &out), OK);
	assert_true(bytes_equal(buf_bytes(&out), bytes_of("before a\0b", 10)));
}

static void a_file_over_the_limit_is_refused(void **state)
{
	CLEANUP_STR char *path = scratch_write("long", bytes_str("abcd"), 0644);
	CLEANUP_BUF struct buf out = {0};

	buf_add_str(&out, "before");
	assert_int_equal(file_load(path, 3, &out), ERR_LIMIT);
	assert_string_equal(buf_str(&out), "before");
	assert_int_equal(file_load("/dev/zero", 3, &out), ERR_INTERNAL);
}

static void an_empty_file_is_no_error(void **state)
{
	CLEANUP_STR char *path = scratch_write("empty", bytes_str(""), 0644);
	CLEANUP_BUF struct buf out = {0};

	assert_int_equal(file_load(path, 3, &out), OK);
	assert_int_equal(out.len, 0);
}

static void what_is_no_file_is_told_apart_from_what_is_not_there(void **state)
{
	CLEANUP_BUF struct buf fifo = {0};
	CLEANUP_BUF struct buf out = {0};

	buf_addf(&fifo, "%s/fifo", scratch_folder());
	assert_int_equal(mkfifo(buf_str(&fifo), 0600), 0);
	assert_int_equal(file_load("/nonexistent/file", 10, &out), ERR_NOENT);
	assert_int_equal(file_load(scratch_folder(), 10, &out), ERR_INTERNAL);
	assert_int_equal(file_load(buf_str(&fifo), 10, &out), ERR_INTERNAL);
}

static void a_secret_is_read_when_only_its_owner_may(void **state)
{
	CLEANUP_STR char *path = scratch_write("key", bytes_str("secret"), 0400);
	CLEANUP_BUF struct buf out = {0};

	assert_int_equal(file_load_secret(path, 100, &out), OK);
	assert_string_equal(buf_str(&out), "secret");
}

static void a_secret_that_others_may_touch_is_refused(void **state)
{
	static const mode_t modes[] = {0404, 0402, 0401, 0420, 0644, 0666, 0777};

	for (size_t i = 0; i < ARRAY_LEN(modes); i++) {
		CLEANUP_STR char *path = scratch_write("open", bytes_str("secret"), modes[i]);
		CLEANUP_BUF struct buf out = {0};

		errno = 0;
		assert_int_equal(file_load_secret(path, 100, &out), ERR_INTERNAL);
		assert_int_equal(errno, EPERM);
		assert_int_equal(out.len, 0);
	}
}

static void assert_password(struct bytes content, const char *want)
{
	CLEANUP_STR char *password = NULL;

	free(scratch_write("assay-order", content, 0400));
	assert_int_equal(conf_secret_load(scratch_folder(), "assay-order", &password), OK);
	assert_string_equal(password, want);
}

static void a_password_is_the_first_line(void **state)
{
	assert_password(bytes_str("hunter2"), "hunter2");
	assert_password(bytes_str("hunter2\n"), "hunter2");
	assert_password(bytes_str("hunter2\r\nsecond line\n"), "hunter2");
	assert_password(bytes_str(" with spaces \n"), " with spaces ");
}

static void assert_no_password(struct bytes content, mode_t mode)
{
	char *password = NULL;

	free(scratch_write("assay-order", content, mode));
	assert_int_equal(conf_secret_load(scratch_folder(), "assay-order", &password),
		ERR_INTERNAL);
	assert_null(password);
}

static void passwords_that_cannot_be_meant_are_refused(void **state)
{
	static char long_line[5000];

	memset(long_line, 'x', sizeof(long_line));
	assert_no_password(bytes_str(""), 0400);
	assert_no_password(bytes_str("\nsecond line"), 0400);
	assert_no_password(bytes_of("half\0rest", 9), 0400);
	assert_no_password(bytes_of(long_line, sizeof(long_line)), 0400);
	assert_no_password(bytes_str("hunter2"), 0444);
}

static void a_missing_password_is_not_a_broken_one(void **state)
{
	char *password = NULL;

	assert_int_equal(conf_secret_load(scratch_folder(), "nobody", &password), ERR_NOENT);
	assert_int_equal(conf_secret_load(NULL, "assay-order", &password), ERR_NOENT);
	assert_null(password);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_file_is_appended_whole),
		cmocka_unit_test(a_file_over_the_limit_is_refused),
		cmocka_unit_test(an_empty_file_is_no_error),
		cmocka_unit_test(what_is_no_file_is_told_apart_from_what_is_not_there),
		cmocka_unit_test(a_secret_is_read_when_only_its_owner_may),
		cmocka_unit_test(a_secret_that_others_may_touch_is_refused),
		cmocka_unit_test(a_password_is_the_first_line),
		cmocka_unit_test(passwords_that_cannot_be_meant_are_refused),
		cmocka_unit_test(a_missing_password_is_not_a_broken_one),
	};

	return cmocka_run_group_tests_name("file", tests, scratch_folder_make,
		scratch_folder_remove);
}
