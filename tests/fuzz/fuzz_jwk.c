/* fuzz_jwk.c — jwk_parse and jwk_load: every accepted key has one canonical form, which both take
 * back as the same key. */
#include <assert.h>

#include "lib/pki/jwk.h"
#include "lib/pki/keypolicy.h"
#include "tests/fuzz/fuzz.h"

static void check_same(const struct jwk *a, const struct jwk *b)
{
	assert(strcmp(a->canonical, b->canonical) == 0 && a->alg == b->alg);
	assert(memcmp(a->thumbprint, b->thumbprint, sizeof(a->thumbprint)) == 0);
	assert(memcmp(a->spki_sha256, b->spki_sha256, sizeof(a->spki_sha256)) == 0);
	assert(EVP_PKEY_eq(a->key, b->key) == 1);
}

static void check_loading(struct bytes text)
{
	CLEANUP(jwk_free) struct jwk *jwk = NULL;
	int err = jwk_load(text, &jwk);

	assert(err == OK || (err == ERR_SYNTAX && jwk == NULL));
	/* Only the canonical text itself is loaded. */
	assert(err != OK || bytes_is(text, jwk->canonical));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	CLEANUP_PROBLEM struct problem pb = {0};
	CLEANUP(jx_free) struct jx *object = NULL;
	CLEANUP(jx_free) struct jx *canonical = NULL;
	CLEANUP(jwk_free) struct jwk *jwk = NULL;
	CLEANUP(jwk_free) struct jwk *loaded = NULL;
	CLEANUP(jwk_free) struct jwk *again = NULL;
	uint8_t digest[JWK_THUMBPRINT_LEN];

	check_loading(bytes_of(data, size));
	if (jx_parse(bytes_of(data, size), &object) != OK)
		return 0;
	if (jwk_parse(object, &pb, &jwk) != OK) {
		assert(pb.type == PROBLEM_BAD_PUBLIC_KEY && jwk == NULL);
		return 0;
	}
	assert(keypolicy_type(jwk->key) != NULL);
	assert(jwk_load(bytes_str(jwk->canonical), &loaded) == OK);
	check_same(jwk, loaded);
	assert(jx_parse(bytes_str(jwk->canonical), &canonical) == OK &&
		jwk_parse(canonical, &pb, &again) == OK);
	check_same(jwk, again);
	assert(jwk_thumbprint_of(jwk->key, digest) == OK &&
		memcmp(digest, jwk->thumbprint, sizeof(digest)) == 0);
	return 0;
}
