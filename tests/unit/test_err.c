/* test_err.c — names of errors, ownership macros, and allocation that ends the process instead of
 * failing. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/base/err.h"

/* AddressSanitizer's allocator ends the process itself, in its own way. */
#if defined(__has_feature)
#if !__has_feature(address_sanitizer)
#define MALLOC_IS_LIBC
#endif
#elif !defined(__SANITIZE_ADDRESS__)
#define MALLOC_IS_LIBC
#endif

static void every_error_has_a_name_of_its_own(void **state)
{
	for (int a = ERR_INTERNAL; a <= OK; a++) {
		assert_string_not_equal(err_name(a), "unknown");
		for (int b = ERR_INTERNAL; b < a; b++)
			assert_string_not_equal(err_name(a), err_name(b));
	}
	assert_string_equal(err_name(ERR_DB_UNCERTAIN), "db_uncertain");
}

static void a_number_that_is_no_error_is_called_unknown(void **state)
{
	assert_string_equal(err_name(1), "unknown");
	assert_string_equal(err_name(ERR_INTERNAL - 1), "unknown");
	assert_string_equal(err_name(INT32_MIN), "unknown");
}

static void allocations_of_nothing_can_be_freed(void **state)
{
	CLEANUP(free) void *a = xmalloc(0);
	CLEANUP(free) void *b = xcalloc(0, 8);
	CLEANUP(free) void *c = xrealloc(NULL, 0);

	assert_non_null(a);
	assert_non_null(b);
	assert_non_null(c);
}

static void a_copy_ends_at_its_length_or_at_a_nul(void **state)
{
	CLEANUP_STR char *cut = xstrndup("abcdef", 3);
	CLEANUP_STR char *whole = xstrndup("ab", 10);

	assert_string_equal(cut, "abc");
	assert_string_equal(whole, "ab");
}

static void what_is_taken_is_not_freed_at_the_end(void **state)
{
	char *kept;
	{
		CLEANUP_STR char *owner = xstrdup("mine");

		kept = TAKE(owner);
		assert_null(owner);
	}
	assert_string_equal(kept, "mine");
	free(kept);
}

#ifdef MALLOC_IS_LIBC
static void a_process_without_memory_ends(void **state)
{
	volatile size_t too_much = SIZE_MAX / 2;
	int status;
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (pid == 0) {
		(void)close(STDERR_FILENO);
		free(xcalloc(too_much, 1));
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 71);
}
#endif

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_error_has_a_name_of_its_own),
		cmocka_unit_test(a_number_that_is_no_error_is_called_unknown),
		cmocka_unit_test(allocations_of_nothing_can_be_freed),
		cmocka_unit_test(a_copy_ends_at_its_length_or_at_a_nul),
		cmocka_unit_test(what_is_taken_is_not_freed_at_the_end),
#ifdef MALLOC_IS_LIBC
		cmocka_unit_test(a_process_without_memory_ends),
#endif
	};

	return cmocka_run_group_tests_name("err", tests, NULL, NULL);
}
