/* keypolicy.c — see keypolicy.h. Sizes are compared before anything is computed, so a hostile key
 * costs nothing.
 *
 * The point of an EC key is not checked again here: OpenSSL refuses coordinates out of range and
 * points off the curve when a key is made, pubkey refuses the point at infinity, and the cofactor
 * of all three curves is 1 (test_pubkey holds both to that). */
#include "lib/pki/keypolicy.h"

/* The primes below 752 (BR 6.1.6). The first 39 are also those whose residues reveal a ROCA key. */
static const uint16_t primes[] = {2, 3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37, 41, 43, 47, 53, 59,
	61, 67, 71, 73, 79, 83, 89, 97, 101, 103, 107, 109, 113, 127, 131, 137, 139, 149, 151, 157,
	163, 167, 173, 179, 181, 191, 193, 197, 199, 211, 223, 227, 229, 233, 239, 241, 251, 257,
	263, 269, 271, 277, 281, 283, 293, 307, 311, 313, 317, 331, 337, 347, 349, 353, 359, 367,
	373, 379, 383, 389, 397, 401, 409, 419, 421, 431, 433, 439, 443, 449, 457, 461, 463, 467,
	479, 487, 491, 499, 503, 509, 521, 523, 541, 547, 557, 563, 569, 571, 577, 587, 593, 599,
	601, 607, 613, 617, 619, 631, 641, 643, 647, 653, 659, 661, 673, 677, 683, 691, 701, 709,
	719, 727, 733, 739, 743, 751};

#define ROCA_PRIMES 39
#define RSA_EXPONENT 65537
#define FERMAT_ROUNDS 100

/* The octets modulo m. */
static uint64_t residue(const struct pubkey *key, uint64_t m)
{
	unsigned __int128 r = 0;
	size_t i = 0;

	for (; i < key->len % 8; i++)
		r = (r << 8 | key->octets[i]) % m;
	for (; i < key->len; i += 8) {
		uint64_t word;

		memcpy(&word, key->octets + i, sizeof(word));
		r = (r << 64 | __builtin_bswap64(word)) % m;
	}
	return (uint64_t)r;
}

/* Residues of the modulus for every prime: one long division for each product of primes that fits a
 * word. */
static void small_residues(const struct pubkey *key, uint16_t out[ARRAY_LEN(primes)])
{
	for (size_t first = 0, next; first < ARRAY_LEN(primes); first = next) {
		uint64_t product = 1;
		uint64_t r;

		for (next = first; next < ARRAY_LEN(primes) && product <= UINT64_MAX / primes[next];
			next++)
			product *= primes[next];
		r = residue(key, product);
		for (size_t i = first; i < next; i++)
			out[i] = (uint16_t)(r % primes[i]);
	}
}

/* Is r a power of 65537 modulo p? */
static bool is_power_of_exponent(uint32_t r, uint32_t p)
{
	uint32_t power = 1;

	do {
		if (power == r)
			return true;
		power = power * (RSA_EXPONENT % p) % p;
	} while (power != 1);
	return false;
}

/* CVE-2017-15361: primes of the broken generator are powers of 65537 modulo every small prime, and
 * so is their product. A good modulus passes all of these by chance once in 2^28. */
static bool has_roca_fingerprint(const uint16_t residues[ARRAY_LEN(primes)])
{
	for (size_t i = 1; i < ROCA_PRIMES; i++) {
		if (!is_power_of_exponent(residues[i], primes[i]))
			return false;
	}
	return true;
}

/* root = floor(sqrt(n)), n > 0, by Newton's iteration from above. */
static int isqrt(BIGNUM *root, const BIGNUM *n, BN_CTX *ctx)
{
	CLEANUP(BN_free) BIGNUM *next = BN_new();

	if (next == NULL || BN_set_word(root, 1) != 1 ||
		BN_lshift(root, root, (BN_num_bits(n) + 1) / 2) != 1)
		return ossl_drain("BN_lshift");
	for (;;) {
		if (BN_div(next, NULL, n, root, ctx) != 1 || BN_add(next, next, root) != 1 ||
			BN_rshift1(next, next) != 1)
			return ossl_drain("BN_div");
		if (BN_cmp(next, root) >= 0)
			return OK;
		BN_swap(next, root);
	}
}

/* Quadratic residues thin out candidates: bit i of mask is set when i is a square modulo 64. */
#define SQUARES_MOD_64 0x0202021202030213ULL
/* 3 · 5 · 7 · … · 47 */
#define SIEVE_PRODUCT 307444891294245705ULL

/* Can the number with these residues be a square? Wrong only in saying yes. */
static bool may_be_square(uint64_t low_word, uint64_t mod_sieve)
{
	if ((SQUARES_MOD_64 >> (low_word & 63) & 1) == 0)
		return false;
	for (size_t i = 1; primes[i] <= 47; i++) {
		uint32_t p = primes[i], r = (uint32_t)(mod_sieve % p), square = 0;

		while (square <= p / 2 && square * square % p != r)
			square++;
		if (square > p / 2)
			return false;
	}
	return true;
}

/* Is a² - n a square? Never when it is negative. */
static int is_square_distance(const BIGNUM *a, const BIGNUM *n, BN_CTX *ctx, bool *ret)
{
	CLEANUP(BN_free) BIGNUM *distance = BN_new(), *root = BN_new();

	if (distance == NULL || root == NULL || BN_sqr(distance, a, ctx) != 1 ||
		BN_sub(distance, distance, n) != 1)
		return ossl_drain("BN_sqr");
	*ret = BN_is_zero(distance);
	if (*ret || BN_is_negative(distance))
		return OK;
	if (isqrt(root, distance, ctx) < 0 || BN_sqr(root, root, ctx) != 1)
		return ossl_drain("BN_sqr");
	*ret = BN_cmp(root, distance) == 0;
	return OK;
}

DEFINE_CLEANUP(BN_CTX_free, BN_CTX *)

/* a² - n and a, followed through the rounds by their residues alone. */
struct fermat {
	uint64_t a_low, a_mod;               /* a modulo 2^64 and the sieve */
	uint64_t distance_low, distance_mod; /* a² - n, the same */
};

static int fermat_begin(struct fermat *f, const struct pubkey *key, const BIGNUM *a)
{
	CLEANUP(BN_free) BIGNUM *low = BN_dup(a);

	if (low == NULL || BN_mask_bits(low, 64) != 1)
		return ossl_drain("BN_mask_bits");
	f->a_low = BN_get_word(low);
	f->a_mod = BN_mod_word(a, SIEVE_PRODUCT);
	f->distance_low = f->a_low * f->a_low - residue(key, 64);
	f->distance_mod = ((uint64_t)((unsigned __int128)f->a_mod * f->a_mod % SIEVE_PRODUCT) +
				  SIEVE_PRODUCT - residue(key, SIEVE_PRODUCT)) %
		SIEVE_PRODUCT;
	return OK;
}

/* (a + 1)² - n = a² - n + 2a + 1 */
static void fermat_step(struct fermat *f)
{
	f->distance_low += 2 * f->a_low + 1;
	f->distance_mod = (f->distance_mod + 2 * f->a_mod + 1) % SIEVE_PRODUCT;
	f->a_low++;
	f->a_mod = (f->a_mod + 1) % SIEVE_PRODUCT;
}

/* BR 6.1.1.3: the primes are too close together when Fermat's method finds them within 100 rounds:
 * n = a² - b² for some a = ceil(sqrt(n)) + i. Only distances that pass the sieve are computed. */
static int is_fermat_weak(const struct pubkey *key, bool *ret)
{
	CLEANUP(BN_CTX_free) BN_CTX *ctx = BN_CTX_new();
	CLEANUP(BN_free) BIGNUM *n = BN_bin2bn(key->octets, (int)key->len, NULL);
	CLEANUP(BN_free) BIGNUM *a = BN_new();
	struct fermat f = {0};
	int r;

	if (ctx == NULL || n == NULL || a == NULL || isqrt(a, n, ctx) < 0)
		return ossl_drain("isqrt");
	/* The square of a prime: its root is exact. Every other root is rounded up. */
	r = is_square_distance(a, n, ctx, ret);
	if (r < 0 || *ret)
		return r;
	if (BN_add_word(a, 1) != 1)
		return ossl_drain("BN_add_word");
	r = fermat_begin(&f, key, a);
	if (r < 0)
		return r;
	for (int round = 0; round < FERMAT_ROUNDS; round++, fermat_step(&f)) {
		if (may_be_square(f.distance_low, f.distance_mod)) {
			r = is_square_distance(a, n, ctx, ret);
			if (r < 0 || *ret)
				return r;
		}
		if (BN_add_word(a, 1) != 1)
			return ossl_drain("BN_add_word");
	}
	*ret = false;
	return OK;
}

static int check_rsa(const struct pubkey *key, enum problem_type type, struct problem *pb)
{
	uint16_t residues[ARRAY_LEN(primes)];
	bool weak;
	int r;

	/* BR 6.1.5: at least 2048 bits, a multiple of 8; we take the three usual sizes. */
	if ((key->len != 256 && key->len != 384 && key->len != 512) || (key->octets[0] & 0x80) == 0)
		return problem_set(pb, type, "RSA keys must have 2048, 3072 or 4096 bits");
	/* BR 6.1.6 */
	if (key->e != RSA_EXPONENT)
		return problem_set(pb, type, "RSA keys must have the public exponent 65537");
	small_residues(key, residues);
	for (size_t i = 0; i < ARRAY_LEN(primes); i++) {
		if (residues[i] == 0)
			return problem_set(pb, type, "the RSA modulus is divisible by %d",
				primes[i]);
	}
	if (has_roca_fingerprint(residues))
		return problem_set(pb, type,
			"the RSA key was made by a broken generator (ROCA, CVE-2017-15361)");
	r = is_fermat_weak(key, &weak);
	if (r < 0)
		return r;
	if (weak)
		return problem_set(pb, type,
			"the prime factors of the RSA modulus are too close together");
	return OK;
}

int keypolicy_check_pubkey(const struct pubkey *key, enum key_use use, enum problem_type type,
	struct problem *pb)
{
	switch (key->kind) {
	case PUBKEY_RSA:
		return check_rsa(key, type, pb);
	case PUBKEY_P256:
	case PUBKEY_P384:
	case PUBKEY_P521:
		return OK;
	case PUBKEY_ED25519:
		if (use == KEY_FOR_ACCOUNT)
			return OK;
		break;
	}
	return problem_set(pb, type, "keys must be RSA, P-256, P-384 or P-521");
}

int keypolicy_check(EVP_PKEY *key, enum key_use use, enum problem_type type, struct problem *pb)
{
	struct pubkey numbers;

	/* pubkey_from_evp knows no RSA key above 4096 bits and no other curve. */
	if (pubkey_from_evp(key, &numbers) < 0)
		return problem_set(pb, type,
			"keys must be RSA of 2048, 3072 or 4096 bits, P-256, P-384 or P-521");
	return keypolicy_check_pubkey(&numbers, use, type, pb);
}

const char *keypolicy_type_of(const struct pubkey *key)
{
	switch (key->kind) {
	case PUBKEY_RSA:
		return key->len == 256    ? "rsa2048"
			: key->len == 384 ? "rsa3072"
			: key->len == 512 ? "rsa4096"
					  : NULL;
	case PUBKEY_P256:
		return "p256";
	case PUBKEY_P384:
		return "p384";
	case PUBKEY_P521:
		return "p521";
	case PUBKEY_ED25519:
		return "ed25519";
	}
	return NULL;
}

const char *keypolicy_type(EVP_PKEY *key)
{
	struct pubkey numbers;

	return pubkey_from_evp(key, &numbers) < 0 ? NULL : keypolicy_type_of(&numbers);
}
