/* test_wycheproof.c — the vectors of the Wycheproof project through our own key and signature code.
 * They are not in this repository: tests/unit/vectors/wycheproof/README.md says where they come
 * from and how to name their folder.
 *
 * Every vector is judged; those that we refuse although the project calls them valid are listed
 * with a reason, and a listed vector that is accepted after all fails the test, too. */
#include "tests/unit/pki_fixture.h"

#include <stdio.h>

#include "lib/pki/pubkey.h"
#include "lib/pki/signature.h"

#define SKIPPED 77

static const char *folder;

struct deviation {
	int first, last; /* tcId */
	const char *why;
};

/* json_web_signature_test.json */
static const struct deviation jws_deviations[] = {
	{1, 1, "HS256: a MAC is not a signature, and is for external account binding alone"},
	{264, 271, "RS384 and RS512: not among our algorithms"},
	{272, 275, "PS256: not among our algorithms"},
	{287, 288, "PS256"},
	{320, 323, "PS384"},
	{325, 328, "PS512"},
	{346, 346, "PS384"},
	{347, 347, "the jwk's alg is \"ES521\", which does not exist"},
	{348, 348, "HS256"},
	{350, 350, "PS384"},
	{351, 351, "the jwk's alg is \"ES521\""},
	{352, 352, "HS256"},
	{357, 359, "HS256"},
	{372, 373, "HS256, and a '?' inside of base64url"},
	{376, 377, "HS256"},
	{0},
};
/* json_web_key_test.json */
static const struct deviation jwk_deviations[] = {
	{2, 2, "HS256"},
	{13, 15, "HS256, HS384 and HS512"},
	{0},
};
static const struct deviation no_deviations[] = {{0}};

static bool is_listed(const struct deviation *list, int64_t id)
{
	for (; list->why != NULL; list++) {
		if (id >= list->first && id <= list->last)
			return true;
	}
	return false;
}

struct tally {
	const char *file;
	const struct deviation *deviations;
	unsigned vectors, accepted, wrong;
};

static void judge(struct tally *tally, const struct jx *test, bool accepted)
{
	struct bytes result, comment;
	int64_t id;
	bool listed, right;

	assert_int_equal(jx_get_int(test, "tcId", &id), OK);
	assert_int_equal(jx_get_str(test, "result", &result), OK);
	assert_int_equal(jx_get_str(test, "comment", &comment), OK);
	listed = is_listed(tally->deviations, id);
	if (bytes_is(result, "valid"))
		right = accepted != listed;
	else
		right = (!accepted || bytes_is(result, "acceptable")) && !listed;
	tally->vectors++;
	tally->accepted += accepted;
	tally->wrong += !right;
	if (!right)
		print_error("%s: tcId %d (%.*s) is %.*s, and we %s it\n", tally->file, (int)id,
			(int)comment.len, (const char *)comment.ptr, (int)result.len,
			(const char *)result.ptr, accepted ? "accept" : "refuse");
}

static struct jx *load(const char *name)
{
	CLEANUP_BUF struct buf path = {0};
	CLEANUP_BUF struct buf text = {0};
	struct jx *root = NULL;
	char chunk[65536];
	size_t n;
	FILE *file;

	buf_addf(&path, "%s/%s", folder, name);
	file = fopen(buf_str(&path), "rb");
	if (file == NULL) {
		fail_msg("%s cannot be read", buf_str(&path));
		return NULL;
	}
	while ((n = fread(chunk, 1, sizeof(chunk), file)) > 0)
		buf_add(&text, chunk, n);
	fclose(file);
	assert_int_equal(jx_parse(buf_bytes(&text), &root), OK);
	return root;
}

static void finish(const struct tally *tally, const struct jx *root)
{
	int64_t expected;

	assert_int_equal(jx_get_int(root, "numberOfTests", &expected), OK);
	assert_int_equal(tally->vectors, expected);
	print_message("%s: %u vectors, %u accepted, %u judged wrongly\n", tally->file,
		tally->vectors, tally->accepted, tally->wrong);
	assert_int_equal(tally->wrong, 0);
}

typedef bool (*accepts_fn)(const struct jx *group, const struct jx *test);

static void run(const char *file, const struct deviation *deviations, accepts_fn accepts)
{
	CLEANUP(jx_free) struct jx *root = load(file);
	struct tally tally = {.file = file, .deviations = deviations};
	const struct jx *groups, *tests;

	assert_int_equal(jx_get_array(root, "testGroups", &groups), OK);
	for (size_t g = 0; g < jx_count(groups); g++) {
		assert_int_equal(jx_get_array(jx_at(groups, g), "tests", &tests), OK);
		for (size_t t = 0; t < jx_count(tests); t++)
			judge(&tally, jx_at(tests, t), accepts(jx_at(groups, g), jx_at(tests, t)));
	}
	finish(&tally, root);
}

/* protected.payload.signature as the flattened object that we read. False when there are not three
 * parts. */
static bool flatten(struct bytes compact, struct buf *out)
{
	static const char *const names[] = {"protected", "payload", "signature"};
	struct jx_out o = {.buf = out};

	jx_begin_object(&o, NULL);
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		const uint8_t *dot =
			compact.len == 0 ? NULL : memchr(compact.ptr, '.', compact.len);
		size_t len = dot == NULL ? compact.len : (size_t)(dot - compact.ptr);

		if ((dot == NULL) != (i == 2))
			return false;
		jx_put_bytes(&o, names[i], bytes_of(compact.ptr, len));
		if (dot != NULL)
			compact = bytes_of(dot + 1, compact.len - len - 1);
	}
	jx_end_object(&o);
	return true;
}

static bool verifies(const struct jws *jws, const struct jx *key)
{
	CLEANUP_PROBLEM struct problem pb = {0};
	CLEANUP(jwk_free) struct jwk *jwk = NULL;

	return jwk_parse(key, &pb, &jwk) == OK && jws_verify(jws, jwk, &pb) == OK;
}

/* A key that only the owner has is a MAC key: there is no public one to verify with. */
static bool accepts_jws(const struct jx *group, const struct jx *test)
{
	CLEANUP_PROBLEM struct problem pb = {0};
	CLEANUP_BUF struct buf flattened = {0};
	CLEANUP(jws_free) struct jws *jws = NULL;
	const struct jx *key, *keys;
	struct bytes compact;

	assert_int_equal(jx_get_str(test, "jws", &compact), OK);
	if (!flatten(compact, &flattened) || jws_parse(buf_bytes(&flattened), &pb, &jws) < 0 ||
		jws_check_alg(jws, &pb) < 0)
		return false;
	if (jx_get_object(group, "public", &key) < 0)
		assert_int_equal(jx_get_object(group, "private", &key), OK);
	if (jx_get_array(key, "keys", &keys) < 0)
		return verifies(jws, key);
	for (size_t i = 0; i < jx_count(keys); i++) {
		if (verifies(jws, jx_at(keys, i)))
			return true;
	}
	return false;
}

static void hex(const struct jx *object, const char *name, struct buf *out)
{
	struct bytes text;

	assert_int_equal(jx_get_str(object, name, &text), OK);
	assert_int_equal(text.len % 2, 0);
	for (size_t i = 0; i < text.len; i += 2) {
		char digits[] = {(char)text.ptr[i], (char)text.ptr[i + 1], 0};

		buf_add_byte(out, (uint8_t)strtoul(digits, NULL, 16));
	}
}

/* The group's key by its SubjectPublicKeyInfo; a jwk that comes with it must be the same key. */
static struct jwk *group_key(const struct jx *group)
{
	CLEANUP_BUF struct buf spki = {0};
	CLEANUP_BUF struct buf canonical = {0};
	CLEANUP_PROBLEM struct problem pb = {0};
	CLEANUP(jwk_free) struct jwk *same = NULL;
	struct jwk *jwk = NULL;
	struct pubkey numbers;
	const struct jx *object;

	hex(group, "publicKeyDer", &spki);
	if (pubkey_from_spki(buf_bytes(&spki), &numbers) < 0)
		return NULL;
	pubkey_put_jwk(&numbers, &canonical);
	if (jwk_load(buf_bytes(&canonical), &jwk) < 0)
		return NULL;
	if (jx_get_object(group, "publicKeyJwk", &object) == OK ||
		jx_get_object(group, "keyJwk", &object) == OK) {
		/* A few groups have e = 3, which verifies, but which no client may bring. */
		assert_int_equal(jwk_parse(object, &pb, &same) == OK,
			numbers.kind != PUBKEY_RSA || numbers.e == 65537);
		if (same != NULL)
			assert_memory_equal(same->thumbprint, jwk->thumbprint, JWK_THUMBPRINT_LEN);
	}
	return jwk;
}

static bool accepts_signature(const struct jx *group, const struct jx *test)
{
	CLEANUP(jwk_free) struct jwk *key = group_key(group);
	CLEANUP_BUF struct buf message = {0};
	CLEANUP_BUF struct buf signature = {0};
	struct bytes part;

	hex(test, "msg", &message);
	hex(test, "sig", &signature);
	part = buf_bytes(&message);
	return key != NULL && signature_verify_jws(key, &part, 1, buf_bytes(&signature)) == OK;
}

static void json_web_signatures(void **state)
{
	run("json_web_signature_test.json", jws_deviations, accepts_jws);
}

static void json_web_keys(void **state)
{
	run("json_web_key_test.json", jwk_deviations, accepts_jws);
}

static void ecdsa(void **state)
{
	run("ecdsa_secp256r1_sha256_p1363_test.json", no_deviations, accepts_signature);
	run("ecdsa_secp384r1_sha384_p1363_test.json", no_deviations, accepts_signature);
	run("ecdsa_secp521r1_sha512_p1363_test.json", no_deviations, accepts_signature);
}

static void rsa(void **state)
{
	run("rsa_signature_2048_sha256_test.json", no_deviations, accepts_signature);
	run("rsa_signature_3072_sha256_test.json", no_deviations, accepts_signature);
	run("rsa_signature_4096_sha256_test.json", no_deviations, accepts_signature);
}

static void ed25519(void **state)
{
	run("ed25519_test.json", no_deviations, accepts_signature);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(json_web_signatures),
		cmocka_unit_test(json_web_keys),
		cmocka_unit_test(ecdsa),
		cmocka_unit_test(rsa),
		cmocka_unit_test(ed25519),
	};

	folder = getenv("ASSAY_WYCHEPROOF");
	if (folder == NULL) {
		puts("skipped: ASSAY_WYCHEPROOF does not name the folder of the vectors");
		return SKIPPED;
	}
	return cmocka_run_group_tests(tests, NULL, NULL);
}
