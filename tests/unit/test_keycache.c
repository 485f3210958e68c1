/* test_keycache.c — the cache of parsed account keys. */
#include "fcgi/keycache.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <cmocka.h>

/* Enough of a key for a cache that only counts references. */
static struct jwk *fake_key(void)
{
	struct jwk *key = xcalloc(1, sizeof(*key));

	key->refs = 1;
	return key;
}

static struct ident account(uint32_t n)
{
	struct ident id = {0};

	memcpy(id.b, &n, sizeof(n));
	/* All in few buckets, so that chains are walked. */
	id.b[15] = (uint8_t)(n % 3);
	return id;
}

static bool holds(struct keycache *cache, uint32_t n, const struct jwk *expected)
{
	const struct ident id = account(n);
	CLEANUP(jwk_free) struct jwk *key = keycache_get(cache, &id);

	return key == expected;
}

static void a_key_is_found_until_it_is_dropped(void **state)
{
	CLEANUP(keycache_free) struct keycache *cache = keycache_new(8);
	CLEANUP(jwk_free) struct jwk *key = fake_key();
	const struct ident id = account(1);

	assert_true(holds(cache, 1, NULL));
	keycache_put(cache, &id, key);
	assert_int_equal(key->refs, 2);
	assert_true(holds(cache, 1, key));
	assert_int_equal(key->refs, 2);
	keycache_drop(cache, &id, key);
	assert_true(holds(cache, 1, NULL));
	assert_int_equal(key->refs, 1);
}

static void a_newer_key_replaces_the_old_one_and_survives_its_drop(void **state)
{
	CLEANUP(keycache_free) struct keycache *cache = keycache_new(8);
	CLEANUP(jwk_free) struct jwk *old = fake_key();
	CLEANUP(jwk_free) struct jwk *fresh = fake_key();
	const struct ident id = account(1);

	keycache_put(cache, &id, old);
	keycache_put(cache, &id, fresh);
	assert_int_equal(old->refs, 1);
	keycache_drop(cache, &id, old);
	assert_true(holds(cache, 1, fresh));
}

static void the_least_recently_used_key_goes_first(void **state)
{
	CLEANUP(keycache_free) struct keycache *cache = keycache_new(3);
	struct jwk *keys[4];

	for (uint32_t i = 0; i < 3; i++) {
		const struct ident id = account(i);

		keys[i] = fake_key();
		keycache_put(cache, &id, keys[i]);
	}
	assert_true(holds(cache, 0, keys[0])); /* used again: 1 is the oldest now */
	keys[3] = fake_key();
	keycache_put(cache, &(struct ident){.b = {3}}, keys[3]);
	assert_true(holds(cache, 0, keys[0]));
	assert_true(holds(cache, 1, NULL));
	assert_true(holds(cache, 2, keys[2]));
	assert_int_equal(keys[1]->refs, 1);
	for (size_t i = 0; i < ARRAY_LEN(keys); i++)
		jwk_free(keys[i]);
}

static void many_keys_pass_through_a_small_cache(void **state)
{
	CLEANUP(keycache_free) struct keycache *cache = keycache_new(16);

	for (uint32_t i = 0; i < 1000; i++) {
		const struct ident id = account(i);
		CLEANUP(jwk_free) struct jwk *key = fake_key();

		keycache_put(cache, &id, key);
		assert_true(holds(cache, i, key));
		if (i % 7 == 0)
			keycache_drop(cache, &id, key);
		assert_true(holds(cache, i, i % 7 == 0 ? NULL : key));
	}
}

static void *hammer(void *arg)
{
	struct keycache *cache = arg;

	for (uint32_t i = 0; i < 20000; i++) {
		const struct ident id = account(i % 40);
		struct jwk *key = keycache_get(cache, &id);

		if (key == NULL) {
			key = fake_key();
			keycache_put(cache, &id, key);
		} else if (i % 11 == 0) {
			keycache_drop(cache, &id, key);
		}
		jwk_free(key);
	}
	return NULL;
}

static void threads_share_it(void **state)
{
	CLEANUP(keycache_free) struct keycache *cache = keycache_new(32);
	pthread_t threads[4];

	for (size_t i = 0; i < ARRAY_LEN(threads); i++)
		assert_int_equal(pthread_create(&threads[i], NULL, hammer, cache), 0);
	for (size_t i = 0; i < ARRAY_LEN(threads); i++)
		pthread_join(threads[i], NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_key_is_found_until_it_is_dropped),
		cmocka_unit_test(a_newer_key_replaces_the_old_one_and_survives_its_drop),
		cmocka_unit_test(the_least_recently_used_key_goes_first),
		cmocka_unit_test(many_keys_pass_through_a_small_cache),
		cmocka_unit_test(threads_share_it),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
