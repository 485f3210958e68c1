/* test_nearest.c — "did you mean": slips find their word, other words find none. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "lib/base/err.h"
#include "lib/base/nearest.h"

static const char *nearest_of(const char *word)
{
	static const char *const words[] = {"server", "handlers", "http01_port", "tlsalpn01_port",
		"wait", "wait_max"};
	struct nearest n = {.word = word};

	for (size_t i = 0; i < ARRAY_LEN(words); i++)
		nearest_offer(&n, words[i]);
	return n.best;
}

static void a_slip_finds_its_word(void **state)
{
	assert_string_equal(nearest_of("servr"), "server");
	assert_string_equal(nearest_of("sevrer"), "server");
	assert_string_equal(nearest_of("SERVER"), "server");
	assert_string_equal(nearest_of("handler"), "handlers");
	assert_string_equal(nearest_of("http-01-port"), "http01_port");
	assert_string_equal(nearest_of("waitmax"), "wait_max");
}

static void the_nearest_of_several_wins(void **state)
{
	assert_string_equal(nearest_of("wai"), "wait");
	assert_string_equal(nearest_of("wait_may"), "wait_max");
}

static void another_word_finds_none(void **state)
{
	assert_null(nearest_of("postgres"));
	assert_null(nearest_of("x"));
	assert_null(nearest_of(""));
}

static void words_of_any_length_are_safe(void **state)
{
	char word[1001] = "";

	for (size_t i = 0; i + 1 < sizeof(word); i++) {
		word[i] = 's';
		assert_null(nearest_of(word));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_slip_finds_its_word),
		cmocka_unit_test(the_nearest_of_several_wins),
		cmocka_unit_test(another_word_finds_none),
		cmocka_unit_test(words_of_any_length_are_safe),
	};

	return cmocka_run_group_tests_name("nearest", tests, NULL, NULL);
}
