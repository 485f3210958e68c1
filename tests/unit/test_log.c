/* test_log.c — what reaches stderr: one JSON line an event, and plain lines of programs that cannot
 * start. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/base/clock.h"
#include "lib/base/jx.h"
#include "lib/base/log.h"

#define THREADS 4
#define LINES_EACH 200

static int real_stderr, captured;

static void capture_begin(void)
{
	real_stderr = dup(STDERR_FILENO);
	captured = memfd_create("stderr", MFD_CLOEXEC);
	assert_true(real_stderr >= 0 && captured >= 0);
	/* As a journal would: each write goes to the end, whoever wrote before. */
	assert_int_equal(fcntl(captured, F_SETFL, O_APPEND), 0);
	assert_int_equal(dup2(captured, STDERR_FILENO), STDERR_FILENO);
}

static void capture_end(struct buf *out)
{
	char chunk[4096];
	ssize_t got;

	assert_int_equal(dup2(real_stderr, STDERR_FILENO), STDERR_FILENO);
	(void)close(real_stderr);
	assert_int_equal(lseek(captured, 0, SEEK_SET), 0);
	while ((got = read(captured, chunk, sizeof(chunk))) > 0)
		buf_add(out, chunk, (size_t)got);
	(void)close(captured);
}

static void assert_member(const struct jx *object, const char *name, const char *want)
{
	struct bytes text;

	assert_int_equal(jx_get_str(object, name, &text), OK);
	assert_true(bytes_is(text, want));
}

static void an_event_is_one_json_line(void **state)
{
	CLEANUP_BUF struct buf out = {0};
	CLEANUP(jx_free) struct jx *root = NULL;
	struct bytes when;
	int64_t number, us;

	capture_begin();
	log_init("assay-test", LOG_LEVEL_INFO);
	log_event(LOG_LEVEL_WARNING, "a \"quoted\"\nmessage", F_STR("order", "x\\y"),
		F_INT("names", 3));
	capture_end(&out);
	assert_int_equal(out.ptr[out.len - 1], '\n');
	assert_null(memchr(out.ptr, '\n', out.len - 1));
	assert_int_equal(jx_parse(buf_bytes(&out), &root), OK);
	assert_member(root, "level", "warning");
	assert_member(root, "program", "assay-test");
	assert_member(root, "message", "a \"quoted\"\nmessage");
	assert_member(root, "order", "x\\y");
	assert_int_equal(jx_get_int(root, "names", &number), OK);
	assert_int_equal(number, 3);
	assert_int_equal(jx_get_str(root, "time", &when), OK);
	assert_int_equal(clock_rfc3339_parse(when, &us), OK);
	assert_in_range(clock_wall_us() - us, 0, 60 * USEC_PER_SEC);
}

static void events_below_the_level_are_silent(void **state)
{
	CLEANUP_BUF struct buf out = {0};

	capture_begin();
	log_set_level(LOG_LEVEL_ERROR);
	log_event(LOG_LEVEL_WARNING, "not shown");
	capture_end(&out);
	assert_int_equal(out.len, 0);
	assert_false(log_enabled(LOG_LEVEL_WARNING));
	assert_true(log_enabled(LOG_LEVEL_ERROR));
	log_set_level(LOG_LEVEL_DEBUG);
	assert_true(log_enabled(LOG_LEVEL_DEBUG));
}

static void an_event_may_have_no_fields(void **state)
{
	CLEANUP_BUF struct buf out = {0};

	capture_begin();
	log_event(LOG_LEVEL_ERROR, "alone");
	capture_end(&out);
	assert_non_null(strstr(buf_str(&out), "\"message\":\"alone\"}\n"));
}

static void bytes_of_strangers_cannot_break_a_line(void **state)
{
	CLEANUP_BUF struct buf out = {0};
	CLEANUP(jx_free) struct jx *root = NULL;

	capture_begin();
	log_event(LOG_LEVEL_ERROR, "x", F_STR("peer", "\xff\r\n\x1b[2J\",\"level\":\"info"),
		F_STR("none", NULL));
	capture_end(&out);
	assert_int_equal(jx_parse(buf_bytes(&out), &root), OK);
	assert_member(root, "level", "error");
}

static void logging_leaves_errno_alone(void **state)
{
	CLEANUP_BUF struct buf out = {0};

	capture_begin();
	(void)close(STDERR_FILENO);
	errno = ENOENT;
	log_event(LOG_LEVEL_ERROR, "nobody reads this");
	assert_int_equal(errno, ENOENT);
	capture_end(&out);
}

static void *log_many(void *unused)
{
	for (int i = 0; i < LINES_EACH; i++)
		log_event(LOG_LEVEL_ERROR, "line", F_STR("thread", "one of several"),
			F_INT("i", i));
	return NULL;
}

static void lines_of_threads_do_not_mix(void **state)
{
	CLEANUP_BUF struct buf out = {0};
	pthread_t threads[THREADS];
	size_t lines = 0;

	capture_begin();
	for (int i = 0; i < THREADS; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, log_many, NULL), 0);
	for (int i = 0; i < THREADS; i++)
		assert_int_equal(pthread_join(threads[i], NULL), 0);
	capture_end(&out);
	for (const char *line = buf_str(&out); *line != '\0'; lines++) {
		size_t len = strcspn(line, "\n");
		CLEANUP(jx_free) struct jx *root = NULL;

		assert_int_equal(jx_parse(bytes_of(line, len), &root), OK);
		line += len + 1;
	}
	assert_int_equal(lines, THREADS * LINES_EACH);
}

static void a_program_that_dies_says_why_in_a_plain_line(void **state)
{
	CLEANUP_BUF struct buf out = {0};
	int status;
	pid_t pid;

	capture_begin();
	pid = fork();
	if (pid == 0)
		die("no %s", "configuration");
	assert_int_equal(waitpid(pid, &status, 0), pid);
	capture_end(&out);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 1);
	assert_string_equal(buf_str(&out), "assay-test: no configuration\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_event_is_one_json_line),
		cmocka_unit_test(events_below_the_level_are_silent),
		cmocka_unit_test(an_event_may_have_no_fields),
		cmocka_unit_test(bytes_of_strangers_cannot_break_a_line),
		cmocka_unit_test(logging_leaves_errno_alone),
		cmocka_unit_test(lines_of_threads_do_not_mix),
		cmocka_unit_test(a_program_that_dies_says_why_in_a_plain_line),
	};

	return cmocka_run_group_tests_name("log", tests, NULL, NULL);
}
