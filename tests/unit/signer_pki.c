/* signer_pki.c — see signer_pki.h. */
#include "tests/unit/signer_pki.h"

#include <openssl/x509v3.h>
#include <stdio.h>

#include "tests/unit/scratch_folder.h"
#include "tools/authority.h"

#define MUST(condition)                                                                            \
	do {                                                                                       \
		if (!(condition)) {                                                                \
			fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #condition);            \
			abort();                                                                   \
		}                                                                                  \
	} while (0)

static char *write_named(const char *name, const char *suffix, const struct buf *content,
	mode_t mode)
{
	CLEANUP_STR char *file = NULL;

	MUST(asprintf(&file, "%s%s", name, suffix) > 0);
	return scratch_write(file, buf_bytes(content), mode);
}

void test_ca_make(struct test_ca *ca, const char *name, const char *key_type, int64_t now_us)
{
	const struct authority_name root = {"DE", "Test", "Test Root"},
				    issuing = {NULL, NULL, "Test Issuing"};
	CLEANUP_BUF struct buf pem = {0}, chain = {0}, key = {0};

	*ca = (struct test_ca){0};
	MUST(authority_key_new("p256", &ca->root_key) == OK);
	MUST(authority_key_new(key_type, &ca->key) == OK);
	MUST(authority_root_new(ca->root_key, &root, now_us, &ca->root) == OK);
	MUST(authority_issuing_new(ca->root_key, ca->root, ca->key, &issuing, NULL, now_us,
		     &ca->certificate) == OK);
	MUST(authority_certificate_pem(ca->certificate, &pem) == OK);
	MUST(authority_certificate_pem(ca->certificate, &chain) == OK);
	MUST(authority_certificate_pem(ca->root, &chain) == OK);
	MUST(authority_key_pem(ca->key, NULL, &key) == OK);
	ca->conf.name = xstrdup(name);
	ca->conf.active_from_us = INT64_MIN;
	ca->conf.active_until_us = INT64_MAX;
	ca->conf.certificate = write_named(name, ".pem", &pem, 0644);
	ca->conf.chain = write_named(name, "-chain.pem", &chain, 0644);
	ca->conf.key = write_named(name, ".key", &key, 0400);
}

void test_ca_done(struct test_ca *ca)
{
	EVP_PKEY_free(ca->root_key);
	EVP_PKEY_free(ca->key);
	X509_free(ca->root);
	X509_free(ca->certificate);
	free(ca->conf.name);
	free(ca->conf.certificate);
	free(ca->conf.chain);
	free(ca->conf.key);
	free(ca->conf.key_passphrase);
	free(ca->conf.ocsp_url);
	free(ca->conf.ca_issuers_url);
	free(ca->conf.crl_url);
}

void test_csr(EVP_PKEY *key, const char *const *names, size_t count, struct buf *out)
{
	CLEANUP(X509_REQ_free) X509_REQ *req = X509_REQ_new();
	STACK_OF(X509_EXTENSION) *exts = sk_X509_EXTENSION_new_null();
	CLEANUP_BUF struct buf value = {0};
	uint8_t *der = NULL;
	int len;

	for (size_t i = 0; i < count; i++)
		buf_addf(&value, "%sDNS:%s", i > 0 ? "," : "", names[i]);
	MUST(sk_X509_EXTENSION_push(exts,
		     X509V3_EXT_conf_nid(NULL, NULL, NID_subject_alt_name, buf_str(&value))) == 1);
	MUST(X509_REQ_set_version(req, X509_REQ_VERSION_1) == 1 &&
		X509_REQ_set_pubkey(req, key) == 1);
	MUST(X509_REQ_add_extensions(req, exts) == 1);
	MUST(X509_REQ_sign(req, key, ossl_sha256()) > 0);
	sk_X509_EXTENSION_pop_free(exts, X509_EXTENSION_free);
	len = i2d_X509_REQ(req, &der);
	MUST(len > 0);
	buf_add(out, der, (size_t)len);
	OPENSSL_free(der);
}
