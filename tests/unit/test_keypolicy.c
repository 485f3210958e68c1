/* test_keypolicy.c — each rule refuses a key that breaks it and nothing else. Weak keys are made
 * here, from public numbers. */
#include "tests/unit/pki_fixture.h"

#include "lib/pki/keypolicy.h"

static int check(const struct pubkey *key, struct problem *pb)
{
	return keypolicy_check_pubkey(key, KEY_FOR_CERTIFICATE, PROBLEM_BAD_CSR, pb);
}

static struct pubkey rsa_of(const BIGNUM *n, uint64_t e)
{
	struct pubkey key = {.kind = PUBKEY_RSA, .e = e};

	key.len = (size_t)BN_num_bytes(n);
	assert_true(key.len <= sizeof(key.octets));
	BN_bn2bin(n, key.octets);
	return key;
}

static void good_keys_pass_and_have_a_type(void **state)
{
	static const char *const types[] = {"rsa2048", "rsa3072", "rsa4096", "p256", "p384",
		"p521"};
	struct problem pb = {0};

	for (size_t i = 0; i < ARRAY_LEN(types); i++) {
		EVP_PKEY *key = fixture_key(types[i]);

		assert_int_equal(keypolicy_check(key, KEY_FOR_CERTIFICATE, PROBLEM_BAD_CSR, &pb),
			OK);
		assert_int_equal(keypolicy_check(key, KEY_FOR_ACCOUNT, PROBLEM_BAD_PUBLIC_KEY, &pb),
			OK);
		assert_string_equal(keypolicy_type(key), types[i]);
	}
}

static void ed25519_is_for_accounts_only(void **state)
{
	struct problem pb = {0};
	EVP_PKEY *key = fixture_key("ed25519");

	assert_string_equal(keypolicy_type(key), "ed25519");
	assert_int_equal(keypolicy_check(key, KEY_FOR_ACCOUNT, PROBLEM_BAD_PUBLIC_KEY, &pb), OK);
	assert_int_equal(keypolicy_check(key, KEY_FOR_CERTIFICATE, PROBLEM_BAD_CSR, &pb),
		ERR_PROBLEM);
	assert_problem(&pb, PROBLEM_BAD_CSR, "P-256");
}

static void other_curves_and_sizes_are_refused(void **state)
{
	struct problem pb = {0};

	assert_null(keypolicy_type(fixture_key("secp256k1")));
	assert_int_equal(keypolicy_check(fixture_key("secp256k1"), KEY_FOR_ACCOUNT,
				 PROBLEM_BAD_PUBLIC_KEY, &pb),
		ERR_PROBLEM);
	assert_problem(&pb, PROBLEM_BAD_PUBLIC_KEY, "P-256");
	assert_int_equal(keypolicy_check(fixture_key("rsa1024"), KEY_FOR_ACCOUNT,
				 PROBLEM_BAD_PUBLIC_KEY, &pb),
		ERR_PROBLEM);
	assert_problem(&pb, PROBLEM_BAD_PUBLIC_KEY, "2048");
	assert_int_equal(keypolicy_check(fixture_key("rsa2056"), KEY_FOR_ACCOUNT,
				 PROBLEM_BAD_PUBLIC_KEY, &pb),
		ERR_PROBLEM);
	assert_problem(&pb, PROBLEM_BAD_PUBLIC_KEY, "2048");
}

static void a_modulus_of_2047_bits_is_refused(void **state)
{
	struct problem pb = {0};
	struct pubkey key;

	assert_int_equal(pubkey_from_evp(fixture_key("rsa2048"), &key), OK);
	key.octets[0] &= 0x7f;
	assert_int_equal(check(&key, &pb), ERR_PROBLEM);
	assert_problem(&pb, PROBLEM_BAD_CSR, "2048");
}

static void exponents_other_than_65537_are_refused(void **state)
{
	static const uint64_t exponents[] = {0, 1, 2, 3, 17, 65535, 65536, 65539, 0x100010001ULL,
		UINT64_MAX};
	struct problem pb = {0};
	struct pubkey key;

	assert_int_equal(pubkey_from_evp(fixture_key("rsa2048"), &key), OK);
	for (size_t i = 0; i < ARRAY_LEN(exponents); i++) {
		key.e = exponents[i];
		assert_int_equal(check(&key, &pb), ERR_PROBLEM);
		assert_problem(&pb, PROBLEM_BAD_CSR, "65537");
	}
}

/* A random odd number of bits bits, top bit set, that is a multiple of factor. */
static BIGNUM *multiple_of(BN_ULONG factor, int bits)
{
	BIGNUM *n = BN_new();

	assert_int_equal(BN_rand(n, bits - 1, BN_RAND_TOP_ONE, BN_RAND_BOTTOM_ODD), 1);
	assert_int_equal(BN_set_bit(n, bits - 1), 1);
	assert_int_equal(BN_sub_word(n, BN_mod_word(n, factor)), 1);
	if (!BN_is_odd(n) && factor != 2)
		assert_int_equal(BN_add_word(n, factor), 1);
	assert_int_equal(BN_num_bits(n), bits);
	return n;
}

static void every_factor_below_752_is_found(void **state)
{
	struct problem pb = {0};
	unsigned found = 0;

	for (BN_ULONG p = 2; p < 760; p++) {
		bool prime = true;

		for (BN_ULONG q = 2; q * q <= p; q++)
			prime = prime && p % q != 0;
		if (!prime || p > 751)
			continue;
		for (int bits = 2048; bits <= 4096; bits += 1024) {
			CLEANUP(BN_free) BIGNUM *n = multiple_of(p, bits);
			struct pubkey key = rsa_of(n, 65537);

			assert_int_equal(check(&key, &pb), ERR_PROBLEM);
			assert_problem(&pb, PROBLEM_BAD_CSR, "divisible");
		}
		found++;
	}
	assert_int_equal(found, 133);
}

/* A prime of 1024 bits that is a power of 65537 modulo every one of the first 39 primes. */
static BIGNUM *roca_prime(BN_CTX *ctx)
{
	CLEANUP(BN_free)
	BIGNUM *m = BN_new(), *power = BN_new(), *base = BN_new(), *exponent = BN_new();
	BIGNUM *p = BN_new();

	BN_set_word(base, 65537);
	BN_set_word(m, 1);
	for (BN_ULONG q = 2; q <= 167; q++) {
		bool prime = true;

		for (BN_ULONG d = 2; d * d <= q; d++)
			prime = prime && q % d != 0;
		if (prime)
			assert_int_equal(BN_mul_word(m, q), 1);
	}
	do {
		assert_int_equal(BN_rand(exponent, 60, BN_RAND_TOP_ANY, BN_RAND_BOTTOM_ANY), 1);
		assert_int_equal(BN_mod_exp(power, base, exponent, m, ctx), 1);
		assert_int_equal(BN_rand(p, 1024, BN_RAND_TOP_TWO, BN_RAND_BOTTOM_ANY), 1);
		assert_int_equal(BN_mod(base, p, m, ctx), 1);
		assert_int_equal(BN_sub(p, p, base), 1);
		assert_int_equal(BN_add(p, p, power), 1);
		BN_set_word(base, 65537);
	} while (BN_check_prime(p, ctx, NULL) != 1);
	return p;
}

static void roca_keys_are_refused(void **state)
{
	BN_CTX *ctx = BN_CTX_new();
	CLEANUP(BN_free) BIGNUM *p = roca_prime(ctx), *q = roca_prime(ctx), *n = BN_new();
	struct problem pb = {0};
	struct pubkey key;

	assert_int_equal(BN_mul(n, p, q, ctx), 1);
	key = rsa_of(n, 65537);
	assert_int_equal(check(&key, &pb), ERR_PROBLEM);
	assert_problem(&pb, PROBLEM_BAD_CSR, "ROCA");
	BN_CTX_free(ctx);
}

/* n = p q with q the first prime from p + gap on. */
static void close_primes(BN_CTX *ctx, unsigned long gap, BIGNUM *n)
{
	CLEANUP(BN_free) BIGNUM *p = BN_new(), *q = BN_new();

	do {
		assert_int_equal(BN_generate_prime_ex2(p, 1024, 0, NULL, NULL, NULL, ctx), 1);
		assert_non_null(BN_copy(q, p));
		assert_int_equal(BN_add_word(q, gap), 1);
		while (BN_check_prime(q, ctx, NULL) != 1)
			assert_int_equal(BN_add_word(q, 2), 1);
		assert_int_equal(BN_mul(n, p, q, ctx), 1);
	} while (BN_num_bits(n) != 2048);
}

static void close_prime_factors_are_found_by_fermat(void **state)
{
	BN_CTX *ctx = BN_CTX_new();
	CLEANUP(BN_free) BIGNUM *n = BN_new();
	struct problem pb = {0};
	struct pubkey key;

	for (unsigned long gap = 2; gap < 3000000000UL; gap *= 1024) {
		close_primes(ctx, gap, n);
		key = rsa_of(n, 65537);
		assert_int_equal(check(&key, &pb), ERR_PROBLEM);
		assert_problem(&pb, PROBLEM_BAD_CSR, "too close");
	}
	BN_CTX_free(ctx);
}

static void the_square_of_a_prime_is_refused(void **state)
{
	BN_CTX *ctx = BN_CTX_new();
	CLEANUP(BN_free) BIGNUM *p = BN_new(), *n = BN_new();
	struct problem pb = {0};
	struct pubkey key;

	do {
		assert_int_equal(BN_generate_prime_ex2(p, 1024, 0, NULL, NULL, NULL, ctx), 1);
		assert_int_equal(BN_sqr(n, p, ctx), 1);
	} while (BN_num_bits(n) != 2048);
	key = rsa_of(n, 65537);
	assert_int_equal(check(&key, &pb), ERR_PROBLEM);
	assert_problem(&pb, PROBLEM_BAD_CSR, "too close");
	BN_CTX_free(ctx);
}

/* n = a² - b² where a - ceil(sqrt(n)) is exactly rounds: b² is about 2 a rounds. */
static void with_distance(BN_CTX *ctx, unsigned rounds, BIGNUM *n)
{
	CLEANUP(BN_free) BIGNUM *a = BN_new(), *b = BN_new(), *d = BN_new(), *x = BN_new();

	for (;;) {
		assert_int_equal(BN_rand(a, 1024, BN_RAND_TOP_TWO, BN_RAND_BOTTOM_ANY), 1);
		/* b = floor(sqrt(2 a rounds)), by bisection; the ceiling of sqrt(a² - b²) is then a
		 * - rounds. */
		assert_non_null(BN_copy(d, a));
		assert_int_equal(BN_mul_word(d, 2 * rounds), 1);
		BN_zero(b);
		for (int bit = 520; bit >= 0; bit--) {
			assert_int_equal(BN_set_bit(b, bit), 1);
			assert_int_equal(BN_sqr(x, b, ctx), 1);
			if (BN_cmp(x, d) > 0)
				assert_int_equal(BN_clear_bit(b, bit), 1);
		}
		assert_int_equal(BN_sqr(n, a, ctx), 1);
		assert_int_equal(BN_sqr(x, b, ctx), 1);
		assert_int_equal(BN_sub(n, n, x), 1);
		bool small = !BN_is_odd(n);

		for (BN_ULONG p = 3; p < 752 && !small; p += 2)
			small = BN_mod_word(n, p) == 0;
		if (!small && BN_num_bits(n) == 2048)
			return;
	}
}

static void fermat_looks_at_exactly_a_hundred_rounds(void **state)
{
	BN_CTX *ctx = BN_CTX_new();
	CLEANUP(BN_free) BIGNUM *n = BN_new();
	struct problem pb = {0};
	struct pubkey key;

	/* with_distance(r): a = ceil(sqrt(n)) + r, so r = 99 is the hundredth round. */
	with_distance(ctx, 99, n);
	key = rsa_of(n, 65537);
	assert_int_equal(check(&key, &pb), ERR_PROBLEM);
	assert_problem(&pb, PROBLEM_BAD_CSR, "too close");
	with_distance(ctx, 102, n);
	key = rsa_of(n, 65537);
	assert_int_equal(check(&key, &pb), OK);
	BN_CTX_free(ctx);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(good_keys_pass_and_have_a_type),
		cmocka_unit_test(ed25519_is_for_accounts_only),
		cmocka_unit_test(other_curves_and_sizes_are_refused),
		cmocka_unit_test(a_modulus_of_2047_bits_is_refused),
		cmocka_unit_test(exponents_other_than_65537_are_refused),
		cmocka_unit_test(every_factor_below_752_is_found),
		cmocka_unit_test(roca_keys_are_refused),
		cmocka_unit_test(close_prime_factors_are_found_by_fermat),
		cmocka_unit_test(the_square_of_a_prime_is_refused),
		cmocka_unit_test(fermat_looks_at_exactly_a_hundred_rounds),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
