/* pubkey.c — see pubkey.h. A P-256 key costs about 13 us by copying the curve's parameters and
 * setting the point, 25 us by EVP_PKEY_fromdata and 150 us by d2i_PUBKEY: the decoder machinery of
 * OpenSSL 3 is what this file exists to avoid. */
#include "lib/pki/pubkey.h"

#include <openssl/core_names.h>
#include <pthread.h>

#include "lib/base/b64url.h"
#include "lib/base/log.h"
#include "lib/pki/der.h"
#include "lib/pki/oid.h"

/* One row for each kind. algorithm: the whole AlgorithmIdentifier (BR 7.1.3.1.1, 7.1.3.1.2; RFC
 * 8410 section 3). */
static const struct kind {
	const char *name;  /* of the OpenSSL key type */
	const char *group; /* of the OpenSSL group; NULL when there is none */
	const char *crv;   /* RFC 7518 section 6.2.1.1, RFC 8037 section 2 */
	size_t coordinate;
	struct {
		size_t len;
		uint8_t octets[22];
	} algorithm;
} kinds[] = {
	[PUBKEY_RSA] = {"RSA", NULL, NULL, 0,
		{15, "\x30\x0d\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x01\x01\x05\x00"}},
	[PUBKEY_P256] = {"EC", "prime256v1", "P-256", 32,
		{21,
			"\x30\x13\x06\x07\x2a\x86\x48\xce\x3d\x02\x01\x06\x08\x2a\x86\x48\xce\x3d"
			"\x03\x01\x07"}},
	[PUBKEY_P384] = {"EC", "secp384r1", "P-384", 48,
		{18, "\x30\x10\x06\x07\x2a\x86\x48\xce\x3d\x02\x01\x06\x05\x2b\x81\x04\x00\x22"}},
	[PUBKEY_P521] = {"EC", "secp521r1", "P-521", 66,
		{18, "\x30\x10\x06\x07\x2a\x86\x48\xce\x3d\x02\x01\x06\x05\x2b\x81\x04\x00\x23"}},
	[PUBKEY_ED25519] = {"ED25519", NULL, "Ed25519", 32, {7, "\x30\x05\x06\x03\x2b\x65\x70"}},
};

#define POINT_UNCOMPRESSED 0x04

static bool is_ec(enum pubkey_kind kind)
{
	return kinds[kind].group != NULL;
}

/* Octets of the key itself: a point with its first octet, or 32. */
static size_t octets_len(enum pubkey_kind kind)
{
	return is_ec(kind) ? 1 + 2 * kinds[kind].coordinate : kinds[kind].coordinate;
}

size_t pubkey_coordinate_len(enum pubkey_kind kind)
{
	return kinds[kind].coordinate;
}

int pubkey_set_rsa(struct pubkey *key, struct bytes n, struct bytes e)
{
	if (n.len == 0 || n.ptr[0] == 0 || e.len == 0 || e.ptr[0] == 0)
		return ERR_SYNTAX;
	if (n.len > sizeof(key->octets) || e.len > sizeof(key->e))
		return ERR_LIMIT;
	key->kind = PUBKEY_RSA;
	key->e = 0;
	for (size_t i = 0; i < e.len; i++)
		key->e = key->e << 8 | e.ptr[i];
	memcpy(key->octets, n.ptr, n.len);
	key->len = n.len;
	return OK;
}

/* A positive INTEGER without its sign octet. */
static int read_positive(struct bytes *in, struct bytes *ret)
{
	struct bytes content;
	int r = der_expect(in, DER_INTEGER, &content);

	if (r < 0)
		return r;
	if (content.len == 0 || (content.ptr[0] & 0x80) != 0)
		return ERR_SYNTAX;
	if (content.ptr[0] == 0) {
		/* X.690 section 8.3.2: the first nine bits are not all zero. */
		if (content.len == 1 || (content.ptr[1] & 0x80) == 0)
			return ERR_SYNTAX;
		content = bytes_of(content.ptr + 1, content.len - 1);
	}
	*ret = content;
	return OK;
}

/* RFC 8017 appendix A.1.1: RSAPublicKey. */
static int read_rsa(struct bytes octets, struct pubkey *ret)
{
	struct bytes body, n, e;

	if (der_expect(&octets, DER_SEQUENCE, &body) < 0 || octets.len > 0 ||
		read_positive(&body, &n) < 0 || read_positive(&body, &e) < 0 || body.len > 0)
		return ERR_SYNTAX;
	return pubkey_set_rsa(ret, n, e);
}

int pubkey_from_spki(struct bytes spki, struct pubkey *ret)
{
	struct bytes body, algorithm, octets;
	uint8_t tag;

	if (der_expect(&spki, DER_SEQUENCE, &body) < 0 || spki.len > 0 ||
		der_read(&body, &tag, NULL, &algorithm) < 0 ||
		der_expect(&body, DER_BIT_STRING, &octets) < 0 || body.len > 0)
		return ERR_SYNTAX;
	/* All kinds are whole octets: no unused bits. */
	if (octets.len < 1 || octets.ptr[0] != 0)
		return ERR_SYNTAX;
	octets = bytes_of(octets.ptr + 1, octets.len - 1);

	for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
		if (!bytes_equal(algorithm,
			    bytes_of(kinds[i].algorithm.octets, kinds[i].algorithm.len)))
			continue;
		if (i == PUBKEY_RSA)
			return read_rsa(octets, ret);
		if (octets.len != octets_len((enum pubkey_kind)i) ||
			(is_ec((enum pubkey_kind)i) && octets.ptr[0] != POINT_UNCOMPRESSED))
			return ERR_SYNTAX;
		ret->kind = (enum pubkey_kind)i;
		ret->e = 0;
		ret->len = octets.len;
		memcpy(ret->octets, octets.ptr, octets.len);
		return OK;
	}
	return ERR_SYNTAX;
}

static int rsa_from_evp(const EVP_PKEY *evp, struct pubkey *ret)
{
	CLEANUP(BN_free) BIGNUM *n = NULL, *e = NULL;
	uint8_t modulus[PUBKEY_RSA_MAX_BITS / 8], exponent[8];

	if (EVP_PKEY_get_bn_param(evp, OSSL_PKEY_PARAM_RSA_N, &n) != 1 ||
		EVP_PKEY_get_bn_param(evp, OSSL_PKEY_PARAM_RSA_E, &e) != 1)
		return ossl_drain("EVP_PKEY_get_bn_param");
	if (BN_num_bytes(n) > (int)sizeof(modulus) || BN_num_bytes(e) > (int)sizeof(exponent))
		return ERR_CRYPTO;
	if (pubkey_set_rsa(ret, bytes_of(modulus, (size_t)BN_bn2bin(n, modulus)),
		    bytes_of(exponent, (size_t)BN_bn2bin(e, exponent))) < 0)
		return ERR_CRYPTO;
	return OK;
}

static int ec_kind(const EVP_PKEY *evp, enum pubkey_kind *ret)
{
	char group[32];

	if (EVP_PKEY_get_group_name(evp, group, sizeof(group), NULL) != 1)
		return ossl_drain("EVP_PKEY_get_group_name");
	for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
		if (is_ec((enum pubkey_kind)i) && strcmp(group, kinds[i].group) == 0) {
			*ret = (enum pubkey_kind)i;
			return OK;
		}
	}
	return ERR_CRYPTO;
}

int pubkey_from_evp(const EVP_PKEY *evp, struct pubkey *ret)
{
	const char *param;
	int r;

	switch (EVP_PKEY_get_base_id(evp)) {
	case EVP_PKEY_RSA:
		return rsa_from_evp(evp, ret);
	case EVP_PKEY_EC:
		r = ec_kind(evp, &ret->kind);
		if (r < 0)
			return r;
		/* Uncompressed, whatever form the key came in. */
		param = OSSL_PKEY_PARAM_ENCODED_PUBLIC_KEY;
		break;
	case EVP_PKEY_ED25519:
		ret->kind = PUBKEY_ED25519;
		param = OSSL_PKEY_PARAM_PUB_KEY;
		break;
	default:
		return ERR_CRYPTO;
	}
	ret->e = 0;
	if (EVP_PKEY_get_octet_string_param(evp, param, ret->octets, sizeof(ret->octets),
		    &ret->len) != 1)
		return ossl_drain("EVP_PKEY_get_octet_string_param");
	return ret->len == octets_len(ret->kind) ? OK : ERR_CRYPTO;
}

/* One key of parameters alone for each curve: copying it costs half of building the group anew.
 * Never freed. */
static EVP_PKEY *curve_templates[ARRAY_LEN(kinds)];
static pthread_once_t curve_templates_once = PTHREAD_ONCE_INIT;

static void make_curve_templates(void)
{
	for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
		CLEANUP(EVP_PKEY_CTX_free) EVP_PKEY_CTX *ctx = NULL;
		OSSL_PARAM params[2] = {OSSL_PARAM_END, OSSL_PARAM_END};

		if (!is_ec((enum pubkey_kind)i))
			continue;
		params[0] = OSSL_PARAM_construct_utf8_string(OSSL_PKEY_PARAM_GROUP_NAME,
			(char *)kinds[i].group, 0);
		ctx = EVP_PKEY_CTX_new_from_name(NULL, kinds[i].name, NULL);
		if (ctx == NULL || EVP_PKEY_fromdata_init(ctx) != 1 ||
			EVP_PKEY_fromdata(ctx, &curve_templates[i], EVP_PKEY_KEY_PARAMETERS,
				params) != 1)
			die("OpenSSL offers no curve %s: check openssl.cnf and its providers",
				kinds[i].group);
	}
}

static int make_ec(const struct pubkey *key, EVP_PKEY **ret)
{
	CLEANUP(EVP_PKEY_free) EVP_PKEY *made = EVP_PKEY_new();

	/* OpenSSL would take the one octet of the point at infinity. */
	if (key->len != octets_len(key->kind) || key->octets[0] != POINT_UNCOMPRESSED)
		return ERR_CRYPTO;
	pthread_once(&curve_templates_once, make_curve_templates);
	if (made == NULL || EVP_PKEY_copy_parameters(made, curve_templates[key->kind]) != 1 ||
		EVP_PKEY_set1_encoded_public_key(made, key->octets, key->len) != 1)
		return ossl_drain("EVP_PKEY_set1_encoded_public_key");
	*ret = TAKE(made);
	return OK;
}

/* OpenSSL wants integers in the order of the machine. */
static void native_order(const struct pubkey *key, uint8_t *out)
{
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
	for (size_t i = 0; i < key->len; i++)
		out[i] = key->octets[key->len - 1 - i];
#else
	memcpy(out, key->octets, key->len);
#endif
}

int pubkey_make(const struct pubkey *key, EVP_PKEY **ret)
{
	CLEANUP(EVP_PKEY_CTX_free) EVP_PKEY_CTX *ctx = NULL;
	CLEANUP(EVP_PKEY_free) EVP_PKEY *made = NULL;
	uint8_t modulus[PUBKEY_RSA_MAX_BITS / 8];
	uint64_t exponent = key->e;
	OSSL_PARAM params[3] = {OSSL_PARAM_END, OSSL_PARAM_END, OSSL_PARAM_END};

	if (is_ec(key->kind))
		return make_ec(key, ret);
	if (key->kind == PUBKEY_RSA) {
		native_order(key, modulus);
		params[0] = OSSL_PARAM_construct_BN(OSSL_PKEY_PARAM_RSA_N, modulus, key->len);
		params[1] = OSSL_PARAM_construct_uint64(OSSL_PKEY_PARAM_RSA_E, &exponent);
	} else {
		params[0] = OSSL_PARAM_construct_octet_string(OSSL_PKEY_PARAM_PUB_KEY,
			(void *)key->octets, key->len);
	}
	ctx = EVP_PKEY_CTX_new_from_name(NULL, kinds[key->kind].name, NULL);
	if (ctx == NULL || EVP_PKEY_fromdata_init(ctx) != 1 ||
		EVP_PKEY_fromdata(ctx, &made, EVP_PKEY_PUBLIC_KEY, params) != 1)
		return ossl_drain("EVP_PKEY_fromdata");
	*ret = TAKE(made);
	return OK;
}

static void put_rsa(const struct pubkey *key, struct buf *out)
{
	uint8_t e[8];
	size_t mark = der_begin(out, DER_SEQUENCE);

	for (size_t i = 0; i < sizeof(e); i++)
		e[i] = (uint8_t)(key->e >> 8 * (sizeof(e) - 1 - i));
	der_put_uint(out, bytes_of(key->octets, key->len));
	der_put_uint(out, bytes_of(e, sizeof(e)));
	der_end(out, mark);
}

void pubkey_put_spki(const struct pubkey *key, struct buf *out)
{
	const struct kind *kind = &kinds[key->kind];
	size_t spki = der_begin(out, DER_SEQUENCE);
	size_t bits;

	buf_add(out, kind->algorithm.octets, kind->algorithm.len);
	bits = der_begin(out, DER_BIT_STRING);
	buf_add_byte(out, 0);
	if (key->kind == PUBKEY_RSA)
		put_rsa(key, out);
	else
		buf_add(out, key->octets, key->len);
	der_end(out, bits);
	der_end(out, spki);
}

void pubkey_put_jwk(const struct pubkey *key, struct buf *out)
{
	const struct kind *kind = &kinds[key->kind];
	const uint8_t *x = key->octets;
	uint8_t e[8];
	size_t skip = 0;

	if (key->kind == PUBKEY_RSA) {
		for (size_t i = 0; i < sizeof(e); i++)
			e[i] = (uint8_t)(key->e >> 8 * (sizeof(e) - 1 - i));
		while (skip < sizeof(e) - 1 && e[skip] == 0)
			skip++;
		buf_add_str(out, "{\"e\":\"");
		b64url_append(out, bytes_of(e + skip, sizeof(e) - skip));
		buf_add_str(out, "\",\"kty\":\"RSA\",\"n\":\"");
		b64url_append(out, bytes_of(key->octets, key->len));
	} else if (key->kind == PUBKEY_ED25519) {
		buf_add_str(out, "{\"crv\":\"Ed25519\",\"kty\":\"OKP\",\"x\":\"");
		b64url_append(out, bytes_of(x, kind->coordinate));
	} else {
		buf_addf(out, "{\"crv\":\"%s\",\"kty\":\"EC\",\"x\":\"", kind->crv);
		b64url_append(out, bytes_of(x + 1, kind->coordinate));
		buf_add_str(out, "\",\"y\":\"");
		b64url_append(out, bytes_of(x + 1 + kind->coordinate, kind->coordinate));
	}
	buf_add_str(out, "\"}");
}
