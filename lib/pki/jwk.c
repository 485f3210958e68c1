/* jwk.c — see jwk.h. A client's jwk is read member by member with every length exact; what we
 * stored ourselves is matched against its one canonical spelling, without a JSON parser. */
#include "lib/pki/jwk.h"

#include "lib/base/b64url.h"
#include "lib/pki/jws.h"
#include "lib/pki/keypolicy.h"

/* Longest member we decode: an RSA modulus. One octet more shows that it is too long. */
#define MEMBER_MAX_BYTES (PUBKEY_RSA_MAX_BITS / 8 + 1)

static const struct curve {
	const char *crv;
	const char *kty;
	enum pubkey_kind kind;
	enum jws_alg alg;
} curves[] = {
	{"P-256", "EC", PUBKEY_P256, JWS_ES256},
	{"P-384", "EC", PUBKEY_P384, JWS_ES384},
	{"P-521", "EC", PUBKEY_P521, JWS_ES512},
	{"Ed25519", "OKP", PUBKEY_ED25519, JWS_EDDSA},
};

static enum jws_alg alg_of(enum pubkey_kind kind)
{
	for (size_t i = 0; i < ARRAY_LEN(curves); i++) {
		if (curves[i].kind == kind)
			return curves[i].alg;
	}
	return JWS_RS256;
}

/* Decodes at most MEMBER_MAX_BYTES of base64url. */
static int decode(struct bytes text, uint8_t out[MEMBER_MAX_BYTES + 2], struct bytes *ret)
{
	size_t len;

	if (text.len > B64URL_LEN(MEMBER_MAX_BYTES) || b64url_parse(text, out, &len) < 0)
		return ERR_SYNTAX;
	*ret = bytes_of(out, len);
	return OK;
}

/* RFC 7518 section 6.2.1.2: the full size of a coordinate, leading zeros included. */
static int set_point(struct pubkey *key, struct bytes x, struct bytes y)
{
	size_t size = pubkey_coordinate_len(key->kind);
	uint8_t out[MEMBER_MAX_BYTES + 2];
	struct bytes octets;
	size_t prefix = key->kind == PUBKEY_ED25519 ? 0 : 1;

	if (decode(x, out, &octets) < 0 || octets.len != size)
		return ERR_SYNTAX;
	key->octets[0] = 0x04;
	memcpy(key->octets + prefix, octets.ptr, size);
	key->len = size;
	if (key->kind == PUBKEY_ED25519)
		return OK;
	if (decode(y, out, &octets) < 0 || octets.len != size)
		return ERR_SYNTAX;
	memcpy(key->octets + 1 + size, octets.ptr, size);
	key->len = 1 + 2 * size;
	return OK;
}

static int set_modulus(struct pubkey *key, struct bytes n_text, struct bytes e_text)
{
	uint8_t n_octets[MEMBER_MAX_BYTES + 2], e_octets[MEMBER_MAX_BYTES + 2];
	struct bytes n, e;

	if (decode(n_text, n_octets, &n) < 0 || decode(e_text, e_octets, &e) < 0)
		return ERR_SYNTAX;
	return pubkey_set_rsa(key, n, e);
}

/* Takes numbers, computes what is derived from them. */
static int jwk_new(const struct pubkey *numbers, struct jwk **ret)
{
	CLEANUP(jwk_free) struct jwk *jwk = xcalloc(1, sizeof(*jwk));
	CLEANUP_BUF struct buf canonical = {0};
	CLEANUP_BUF struct buf spki = {0};
	int r;

	jwk->refs = 1;
	jwk->alg = alg_of(numbers->kind);
	r = pubkey_make(numbers, &jwk->key);
	if (r < 0)
		return r;
	pubkey_put_jwk(numbers, &canonical);
	ossl_sha256_of(buf_bytes(&canonical), jwk->thumbprint);
	pubkey_put_spki(numbers, &spki);
	ossl_sha256_of(buf_bytes(&spki), jwk->spki_sha256);
	jwk->canonical = buf_take_str(&canonical);
	*ret = TAKE(jwk);
	return OK;
}

static int refuse(struct problem *pb, const char *detail)
{
	return problem_set(pb, PROBLEM_BAD_PUBLIC_KEY, "%s", detail);
}

/* kty, crv and the numbers. */
static int read_numbers(const struct jx *object, struct pubkey *key, struct problem *pb)
{
	struct bytes kty, crv, a, b = {0};

	if (jx_get_str(object, "kty", &kty) < 0)
		return refuse(pb, "the jwk has no \"kty\"");
	if (bytes_is(kty, "RSA")) {
		if (jx_get_str(object, "n", &a) < 0 || jx_get_str(object, "e", &b) < 0 ||
			set_modulus(key, a, b) < 0)
			return refuse(pb,
				"\"n\" and \"e\" of the jwk must be base64url without leading zero "
				"octets, at most 4096 and 64 bits");
		return OK;
	}
	if (jx_get_str(object, "crv", &crv) < 0)
		return refuse(pb,
			"the jwk must be of type RSA, or of type EC or OKP with a \"crv\"");
	for (size_t i = 0; i < ARRAY_LEN(curves); i++) {
		if (!bytes_is(kty, curves[i].kty) || !bytes_is(crv, curves[i].crv))
			continue;
		key->kind = curves[i].kind;
		key->e = 0;
		if (jx_get_str(object, "x", &a) < 0 ||
			(key->kind != PUBKEY_ED25519 && jx_get_str(object, "y", &b) < 0) ||
			set_point(key, a, b) < 0)
			return refuse(pb,
				"the coordinates of the jwk must be base64url of exactly the "
				"curve's length");
		return OK;
	}
	return refuse(pb, "the jwk must be RSA, P-256, P-384, P-521 or Ed25519");
}

/* RFC 7517 section 4.2 and 4.3: a key that says what it is for must be for verifying signatures. */
static int check_purpose(const struct jx *object, struct problem *pb)
{
	const struct jx *member, *ops;
	struct bytes text;
	bool verify = false;

	if (jx_get(object, "use", &member) == OK &&
		(jx_str(member, &text) < 0 || !bytes_is(text, "sig")))
		return refuse(pb, "the \"use\" of the jwk is not \"sig\"");
	if (jx_get(object, "key_ops", &member) < 0)
		return OK;
	if (jx_get_array(object, "key_ops", &ops) < 0)
		return refuse(pb, "the \"key_ops\" of the jwk is not an array");
	for (size_t i = 0; i < jx_count(ops); i++) {
		if (jx_str(jx_at(ops, i), &text) < 0)
			return refuse(pb, "the \"key_ops\" of the jwk are not strings");
		verify |= bytes_is(text, "verify");
	}
	return verify ? OK : refuse(pb, "the \"key_ops\" of the jwk lack \"verify\"");
}

static int check_members(const struct jx *object, enum jws_alg alg, struct problem *pb)
{
	/* RFC 7518 sections 6.2.2, 6.3.2 and 6.4.1. */
	static const char *const private_members[] = {"d", "p", "q", "dp", "dq", "qi", "oth", "k"};
	const struct jx *member;
	struct bytes text;

	for (size_t i = 0; i < ARRAY_LEN(private_members); i++) {
		if (jx_get(object, private_members[i], &member) == OK)
			return refuse(pb,
				"the jwk holds a private key: consider that key compromised");
	}
	/* RFC 7517 section 4.4 */
	if (jx_get(object, "alg", &member) == OK &&
		(jx_str(member, &text) < 0 || !bytes_is(text, jws_alg_name(alg))))
		return refuse(pb, "the \"alg\" of the jwk does not fit the key");
	return check_purpose(object, pb);
}

int jwk_parse(const struct jx *object, struct problem *pb, struct jwk **ret)
{
	struct pubkey numbers = {0};
	int r;

	if (!jx_is_object(object))
		return refuse(pb, "the jwk is not an object");
	r = read_numbers(object, &numbers, pb);
	if (r < 0)
		return r;
	r = check_members(object, alg_of(numbers.kind), pb);
	if (r < 0)
		return r;
	r = keypolicy_check_pubkey(&numbers, KEY_FOR_ACCOUNT, PROBLEM_BAD_PUBLIC_KEY, pb);
	if (r < 0)
		return r;
	if (jwk_new(&numbers, ret) < 0)
		return refuse(pb, "the jwk is not a point of its curve");
	return OK;
}

/* Moves *in behind the literal. */
static bool skip(struct bytes *in, const char *literal)
{
	size_t len = strlen(literal);

	if (in->len < len || memcmp(in->ptr, literal, len) != 0)
		return false;
	*in = bytes_of(in->ptr + len, in->len - len);
	return true;
}

/* The text up to the next quote. */
static struct bytes until_quote(struct bytes *in)
{
	const uint8_t *quote = in->len == 0 ? NULL : memchr(in->ptr, '"', in->len);
	struct bytes text = bytes_of(in->ptr, quote == NULL ? 0 : (size_t)(quote - in->ptr));

	*in = bytes_of(in->ptr + text.len, in->len - text.len);
	return text;
}

static int load_curve(struct bytes in, struct pubkey *key)
{
	struct bytes crv, x, y = {0};

	crv = until_quote(&in);
	for (size_t i = 0; i < ARRAY_LEN(curves); i++) {
		if (!bytes_is(crv, curves[i].crv))
			continue;
		key->kind = curves[i].kind;
		key->e = 0;
		if (!skip(&in, "\",\"kty\":\"") || !skip(&in, curves[i].kty) ||
			!skip(&in, "\",\"x\":\""))
			return ERR_SYNTAX;
		x = until_quote(&in);
		if (key->kind != PUBKEY_ED25519) {
			if (!skip(&in, "\",\"y\":\""))
				return ERR_SYNTAX;
			y = until_quote(&in);
		}
		return bytes_is(in, "\"}") ? set_point(key, x, y) : ERR_SYNTAX;
	}
	return ERR_SYNTAX;
}

static int load_numbers(struct bytes in, struct pubkey *key)
{
	struct bytes e, n;

	if (skip(&in, "{\"crv\":\""))
		return load_curve(in, key);
	if (!skip(&in, "{\"e\":\""))
		return ERR_SYNTAX;
	e = until_quote(&in);
	if (!skip(&in, "\",\"kty\":\"RSA\",\"n\":\""))
		return ERR_SYNTAX;
	n = until_quote(&in);
	return bytes_is(in, "\"}") ? set_modulus(key, n, e) : ERR_SYNTAX;
}

int jwk_load(struct bytes canonical, struct jwk **ret)
{
	struct pubkey numbers;

	if (load_numbers(canonical, &numbers) < 0 || jwk_new(&numbers, ret) < 0)
		return ERR_SYNTAX;
	return OK;
}

struct jwk *jwk_ref(struct jwk *jwk)
{
	__atomic_add_fetch(&jwk->refs, 1, __ATOMIC_RELAXED);
	return jwk;
}

void jwk_free(struct jwk *jwk)
{
	if (jwk == NULL || __atomic_sub_fetch(&jwk->refs, 1, __ATOMIC_ACQ_REL) > 0)
		return;
	EVP_PKEY_free(jwk->key);
	free(jwk->canonical);
	free(jwk);
}

int jwk_thumbprint_of(EVP_PKEY *key, uint8_t out[JWK_THUMBPRINT_LEN])
{
	CLEANUP_BUF struct buf canonical = {0};
	struct pubkey numbers;
	int r = pubkey_from_evp(key, &numbers);

	if (r < 0)
		return r;
	pubkey_put_jwk(&numbers, &canonical);
	ossl_sha256_of(buf_bytes(&canonical), out);
	return OK;
}
