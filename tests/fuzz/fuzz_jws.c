/* fuzz_jws.c — jws_parse: what was decoded encodes to the text that was sent, so no other text
 * means the same; nothing but the one known signature verifies. */
#include <assert.h>

#include "lib/base/b64url.h"
#include "lib/pki/jws.h"
#include "tests/fuzz/fuzz.h"

/* RFC 7515 appendix A.3: a public key, and the signature that it verifies. */
#define KEY                                                                                        \
	"{\"crv\":\"P-256\",\"kty\":\"EC\",\"x\":\"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU\"," \
	"\"y\":\"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0\"}"
#define SIGNATURE                                                                                  \
	"DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q"

static void check_verification(const struct jws *jws, const struct jwk *key)
{
	CLEANUP_PROBLEM struct problem pb = {0};
	CLEANUP_BUF struct buf signature = {0};
	int err = jws_verify(jws, key, &pb);

	assert(err == OK || err == ERR_PROBLEM);
	assert((err == OK) == (pb.type == PROBLEM_NONE));
	if (err != OK)
		return;
	/* s and n - s are both good: compare r alone. */
	b64url_append(&signature, bytes_of(jws->signature, 32));
	assert(jws->alg == JWS_ES256 && memcmp(signature.ptr, SIGNATURE, 42) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	CLEANUP_PROBLEM struct problem pb = {0};
	CLEANUP_BUF struct buf payload = {0};
	CLEANUP(jws_free) struct jws *jws = NULL;
	CLEANUP(jwk_free) struct jwk *key = NULL;
	int err = jws_parse(bytes_of(data, size), &pb, &jws);

	if (err != OK) {
		assert(err == ERR_PROBLEM && pb.type == PROBLEM_MALFORMED && jws == NULL);
		return 0;
	}
	assert(jws->signature_len <= JWS_SIGNATURE_MAX_BYTES && jws->alg_text != NULL &&
		jx_is_object(jws->header));
	b64url_append(&payload, buf_bytes(&jws->payload));
	assert(bytes_equal(buf_bytes(&payload), jws->signing_input_payload));
	if (jws->alg != JWS_NONE)
		assert(strcmp(jws->alg_text, jws_alg_name(jws->alg)) == 0);
	assert(jwk_load(bytes_str(KEY), &key) == OK);
	check_verification(jws, key);
	return 0;
}
