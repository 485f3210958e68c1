/* authority.c — see authority.h. */
#include "tools/authority.h"

#include <openssl/crypto.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/x509v3.h>

#include "lib/base/clock.h"
#include "lib/base/rnd.h"

#define DAY_SECS 86400
#define SERIAL_BYTES 16
#define KEY_ID_BYTES 20

int authority_key_new(const char *type, EVP_PKEY **ret)
{
	static const struct {
		const char *type;
		const char *curve;
		unsigned bits;
	} kinds[] = {
		{"p256", "P-256", 0},
		{"p384", "P-384", 0},
		{"rsa2048", NULL, 2048},
		{"rsa3072", NULL, 3072},
		{"rsa4096", NULL, 4096},
	};

	for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
		EVP_PKEY *key;

		if (strcmp(kinds[i].type, type) != 0)
			continue;
		key = kinds[i].curve != NULL ? EVP_EC_gen(kinds[i].curve)
					     : EVP_RSA_gen(kinds[i].bits);
		if (key == NULL)
			return ossl_drain("key generation");
		*ret = key;
		return OK;
	}
	return ERR_NOENT;
}

static int add_name_entry(X509_NAME *name, const char *field, const char *value)
{
	if (value == NULL)
		return OK;
	if (X509_NAME_add_entry_by_txt(name, field, MBSTRING_UTF8, (const uint8_t *)value, -1, -1,
		    0) != 1)
		return ossl_drain("X509_NAME_add_entry_by_txt");
	return OK;
}

int authority_name_fill(X509_NAME *subject, const struct authority_name *name)
{
	int err = add_name_entry(subject, "C", name->country);

	if (err == OK)
		err = add_name_entry(subject, "O", name->organization);
	if (err == OK)
		err = add_name_entry(subject, "CN", name->common_name);
	return err;
}

/* RFC 5280 section 4.1.2.2: positive; BR section 7.1: at least 64 bits from a CSPRNG. */
static int set_serial(X509 *x509)
{
	uint8_t serial[SERIAL_BYTES];
	CLEANUP(BN_free) BIGNUM *number = NULL;

	rnd_bytes(serial, sizeof(serial));
	serial[0] = (uint8_t)((serial[0] & 0x3f) | 0x40);
	number = BN_bin2bn(serial, sizeof(serial), NULL);
	if (number == NULL || BN_to_ASN1_INTEGER(number, X509_get_serialNumber(x509)) == NULL)
		return ossl_drain("serial number");
	return OK;
}

static int set_validity(X509 *x509, int64_t now_us, int64_t days)
{
	time_t begin = (time_t)(now_us / USEC_PER_SEC) - DAY_SECS;
	time_t end = begin + (time_t)days * DAY_SECS - 1; /* both ends are included */

	if (ASN1_TIME_set(X509_getm_notBefore(x509), begin) == NULL ||
		ASN1_TIME_set(X509_getm_notAfter(x509), end) == NULL)
		return ossl_drain("ASN1_TIME_set");
	return OK;
}

/* RFC 7093 section 2, method 1: the first 160 bits of SHA-256 over the public key's BIT STRING. */
static int add_subject_key_id(X509 *x509)
{
	const ASN1_BIT_STRING *bits = X509_get0_pubkey_bitstr(x509);
	ASN1_OCTET_STRING *id = ASN1_OCTET_STRING_new();
	uint8_t hash[32];
	int ok;

	if (id == NULL || bits == NULL) {
		ASN1_OCTET_STRING_free(id);
		return ossl_drain("subject key identifier");
	}
	ossl_sha256_of(bytes_of(ASN1_STRING_get0_data(bits), (size_t)ASN1_STRING_length(bits)),
		hash);
	ok = ASN1_OCTET_STRING_set(id, hash, KEY_ID_BYTES) == 1 &&
		X509_add1_ext_i2d(x509, NID_subject_key_identifier, id, 0, X509V3_ADD_DEFAULT) == 1;
	ASN1_OCTET_STRING_free(id);
	return ok ? OK : ossl_drain("subject key identifier");
}

static int add_extension(X509 *x509, X509 *issuer, int nid, const char *value)
{
	X509V3_CTX ctx;
	X509_EXTENSION *ext;
	int ok;

	X509V3_set_ctx(&ctx, issuer, x509, NULL, NULL, 0);
	ext = X509V3_EXT_conf_nid(NULL, &ctx, nid, value);
	if (ext == NULL)
		return ossl_drain("X509V3_EXT_conf_nid");
	ok = X509_add_ext(x509, ext, -1);
	X509_EXTENSION_free(ext);
	return ok == 1 ? OK : ossl_drain("X509_add_ext");
}

/* BR section 7.1.6.1: leaves carry the policy "domain validated", so what issues them must allow
 * it. */
static int add_policy(X509 *x509)
{
	CERTIFICATEPOLICIES *policies = sk_POLICYINFO_new_null();
	POLICYINFO *policy = POLICYINFO_new();
	int ok = policies != NULL && policy != NULL && sk_POLICYINFO_push(policies, policy) > 0;

	if (!ok) {
		POLICYINFO_free(policy);
		CERTIFICATEPOLICIES_free(policies);
		return ossl_drain("certificate policies");
	}
	policy->policyid = OBJ_txt2obj("2.23.140.1.2.1", 1);
	ok = policy->policyid != NULL &&
		X509_add1_ext_i2d(x509, NID_certificate_policies, policies, 0,
			X509V3_ADD_DEFAULT) == 1;
	CERTIFICATEPOLICIES_free(policies);
	return ok ? OK : ossl_drain("certificate policies");
}

static int add_distribution_point(X509 *x509, const char *url)
{
	CLEANUP_BUF struct buf value = {0};

	buf_addf(&value, "URI:%s", url);
	return add_extension(x509, x509, NID_crl_distribution_points, buf_str(&value));
}

/* Everything but issuer, extensions that differ, and signature. */
static int begin_certificate(EVP_PKEY *key, const struct authority_name *name, int64_t now_us,
	int64_t days, X509 **ret)
{
	CLEANUP(X509_free) X509 *x509 = X509_new();
	int err;

	if (x509 == NULL || X509_set_version(x509, X509_VERSION_3) != 1 ||
		X509_set_pubkey(x509, key) != 1)
		return ossl_drain("X509_new");
	err = set_serial(x509);
	if (err == OK)
		err = set_validity(x509, now_us, days);
	if (err == OK)
		err = authority_name_fill(X509_get_subject_name(x509), name);
	if (err == OK)
		err = add_subject_key_id(x509);
	if (err == OK)
		err = add_extension(x509, x509, NID_key_usage, "critical,keyCertSign,cRLSign");
	if (err == OK)
		*ret = TAKE(x509);
	return err;
}

static int sign_certificate(X509 *x509, EVP_PKEY *key)
{
	/* P-384 goes with SHA-384 (BR section 7.1.3.2.2), everything else here with SHA-256. */
	bool p384 = EVP_PKEY_is_a(key, "EC") && EVP_PKEY_get_bits(key) == 384;

	return X509_sign(x509, key, p384 ? ossl_sha384() : ossl_sha256()) > 0
		? OK
		: ossl_drain("X509_sign");
}

int authority_root_new(EVP_PKEY *key, const struct authority_name *name, int64_t now_us, X509 **ret)
{
	CLEANUP(X509_free) X509 *x509 = NULL;
	int err = begin_certificate(key, name, now_us, AUTHORITY_ROOT_DAYS, &x509);

	if (err != OK)
		return err;
	if (X509_set_issuer_name(x509, X509_get_subject_name(x509)) != 1)
		return ossl_drain("X509_set_issuer_name");
	err = add_extension(x509, x509, NID_basic_constraints, "critical,CA:TRUE");
	if (err == OK)
		err = add_extension(x509, x509, NID_authority_key_identifier, "keyid:always");
	if (err == OK)
		err = sign_certificate(x509, key);
	if (err == OK)
		*ret = TAKE(x509);
	return err;
}

int authority_issuing_new(EVP_PKEY *root_key, X509 *root, EVP_PKEY *key,
	const struct authority_name *name, const char *crl_url, int64_t now_us, X509 **ret)
{
	CLEANUP(X509_free) X509 *x509 = NULL;
	int err = begin_certificate(key, name, now_us, AUTHORITY_ISSUING_DAYS, &x509);

	if (err != OK)
		return err;
	if (X509_set_issuer_name(x509, X509_get_subject_name(root)) != 1)
		return ossl_drain("X509_set_issuer_name");
	err = add_extension(x509, root, NID_basic_constraints, "critical,CA:TRUE,pathlen:0");
	if (err == OK)
		err = add_extension(x509, root, NID_authority_key_identifier, "keyid:always");
	if (err == OK)
		err = add_extension(x509, root, NID_ext_key_usage, "serverAuth,clientAuth");
	if (err == OK)
		err = add_policy(x509);
	/* BR 7.1.2.11.2: whoever looks whether it was revoked finds the root's list here. */
	if (err == OK && crl_url != NULL)
		err = add_distribution_point(x509, crl_url);
	if (err == OK)
		err = sign_certificate(x509, root_key);
	if (err == OK)
		*ret = TAKE(x509);
	return err;
}

/* A memory BIO's contents, wiped afterwards: it may hold a key. */
static void drain_bio(BIO *bio, struct buf *out)
{
	char *ptr = NULL;
	long len = BIO_get_mem_data(bio, &ptr);

	if (len > 0) {
		buf_add(out, ptr, (size_t)len);
		OPENSSL_cleanse(ptr, (size_t)len);
	}
}

int authority_certificate_pem(X509 *certificate, struct buf *out)
{
	CLEANUP(BIO_free_all) BIO *bio = BIO_new(BIO_s_mem());

	if (bio == NULL || PEM_write_bio_X509(bio, certificate) != 1)
		return ossl_drain("PEM_write_bio_X509");
	drain_bio(bio, out);
	return OK;
}

int authority_key_pem(EVP_PKEY *key, const char *passphrase, struct buf *out)
{
	CLEANUP(BIO_free_all) BIO *bio = BIO_new(BIO_s_mem());
	int len = passphrase != NULL ? (int)strlen(passphrase) : 0;

	if (bio == NULL ||
		PEM_write_bio_PKCS8PrivateKey(bio, key,
			passphrase != NULL ? EVP_aes_256_cbc() : NULL, passphrase, len, NULL,
			NULL) != 1)
		return ossl_drain("PEM_write_bio_PKCS8PrivateKey");
	drain_bio(bio, out);
	return OK;
}
