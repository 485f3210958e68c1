/* test_shares.c — how many validations each account has under way. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "lib/base/bytes.h"
#include "workers/validator/shares.h"

#define MANY 3000

static void an_account_is_full_at_its_limit_and_no_longer_below(void **state)
{
	struct shares *s = shares_new(100);
	struct ident a = ident_new(), b = ident_new(), found[2];

	assert_int_equal(shares_full(s, 1, found, 2), 0);
	shares_take(s, &a);
	shares_take(s, &b);
	shares_take(s, &a);
	assert_int_equal(shares_full(s, 2, found, 2), 1);
	assert_true(ident_equal(&found[0], &a));
	assert_int_equal(shares_full(s, 1, found, 2), 2);
	assert_int_equal(shares_full(s, 3, found, 2), 0);
	shares_give(s, &a);
	assert_int_equal(shares_full(s, 2, found, 2), 0);
	shares_give(s, &a);
	assert_int_equal(shares_full(s, 1, found, 2), 1);
	assert_true(ident_equal(&found[0], &b));
	shares_free(s);
}

static void many_accounts_come_and_go_in_any_order(void **state)
{
	struct shares *s = shares_new(16); /* far fewer buckets than accounts */
	struct ident *ids = xcalloc(MANY, sizeof(*ids)), found[8];

	for (size_t i = 0; i < MANY; i++) {
		ids[i] = ident_new();
		for (size_t n = 0; n < 1 + i % 3; n++)
			shares_take(s, &ids[i]);
	}
	assert_int_equal(shares_full(s, 3, found, ARRAY_LEN(found)), MANY / 3);
	for (size_t i = 0; i < ARRAY_LEN(found); i++)
		assert_int_not_equal(found[i].b[6] & 0x70, 0);
	for (size_t i = 1; i < MANY; i += 2)
		shares_give(s, &ids[i]);
	for (size_t i = 0; i < MANY; i += 2)
		shares_give(s, &ids[i]);
	assert_int_equal(shares_full(s, 1, found, ARRAY_LEN(found)), MANY - MANY / 3);
	assert_int_equal(shares_full(s, 2, found, ARRAY_LEN(found)), MANY / 3);
	free(ids);
	shares_free(s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_account_is_full_at_its_limit_and_no_longer_below),
		cmocka_unit_test(many_accounts_come_and_go_in_any_order),
	};

	return cmocka_run_group_tests_name("shares", tests, NULL, NULL);
}
