/* issuer.c — see issuer.h. */
#include "workers/signer/issuer.h"

#include <errno.h>
#include <openssl/x509v3.h>
#include <time.h>

#include "lib/base/clock.h"
#include "lib/base/file.h"
#include "lib/pki/certview.h"
#include "lib/pki/der.h"
#include "workers/signer/keys.h"
#include "workers/signer/tbs.h"
#include "workers/signer/why.h"

#define PEM_MAX_BYTES 65536
#define CHAIN_MAX 8

/* A PEM file of certificates, parsed. */
struct chain {
	struct buf pem;
	struct buf *ders;
	size_t count;
	struct certview *views[CHAIN_MAX];
};

static void chain_done(struct chain *chain)
{
	for (size_t i = 0; i < chain->count && i < CHAIN_MAX; i++)
		certview_free(chain->views[i]);
	for (size_t i = 0; i < chain->count; i++)
		buf_done(&chain->ders[i]);
	free(chain->ders);
	buf_done(&chain->pem);
}

static int chain_load(const char *path, struct chain *ret, char **ret_why)
{
	int err = file_load(path, PEM_MAX_BYTES, &ret->pem);

	if (err == ERR_LIMIT)
		return why_set(ret_why, err, "%s is larger than %d bytes", path, PEM_MAX_BYTES);
	if (err != OK)
		return why_set(ret_why, err, "cannot read %s: %s", path, strerror(errno));
	err = pem_certificates(buf_bytes(&ret->pem), &ret->ders, &ret->count);
	if (err != OK)
		return why_set(ret_why, err,
			"%s holds no PEM certificate, or something else as well", path);
	if (ret->count > CHAIN_MAX)
		return why_set(ret_why, ERR_LIMIT, "%s holds more than %d certificates", path,
			CHAIN_MAX);
	for (size_t i = 0; i < ret->count; i++) {
		err = certview_parse(buf_bytes(&ret->ders[i]), &ret->views[i]);
		if (err != OK)
			return why_set(ret_why, err, "%s: certificate %zu is not DER", path, i + 1);
	}
	return OK;
}

static int time_us(const ASN1_TIME *t, int64_t *ret_us)
{
	struct tm tm;

	if (ASN1_TIME_to_tm(t, &tm) != 1)
		return ossl_drain("ASN1_TIME_to_tm");
	*ret_us = (int64_t)timegm(&tm) * USEC_PER_SEC;
	return OK;
}

/* RFC 5280 section 4.2.1.9 and 4.2.1.3: may this certificate issue, with `below` CA certificates
 * between it and the leaf? */
static int check_may_issue(X509 *x509, size_t below, int64_t now_us, const char *path,
	char **ret_why)
{
	uint32_t flags = X509_get_extension_flags(x509);
	long pathlen = X509_get_pathlen(x509);
	int64_t not_before = 0, not_after = 0;

	if ((flags & EXFLAG_INVALID) != 0 || (flags & EXFLAG_CA) == 0)
		return why_set(ret_why, ERR_CONFLICT, "%s: certificate %zu is no CA certificate",
			path, below + 1);
	if ((X509_get_key_usage(x509) & KU_KEY_CERT_SIGN) == 0)
		return why_set(ret_why, ERR_CONFLICT,
			"%s: certificate %zu lacks the key usage keyCertSign", path, below + 1);
	if (pathlen >= 0 && (size_t)pathlen < below)
		return why_set(ret_why, ERR_CONFLICT,
			"%s: certificate %zu allows no CA certificate below it (pathlen %ld)", path,
			below + 1, pathlen);
	if (time_us(X509_get0_notBefore(x509), &not_before) != OK ||
		time_us(X509_get0_notAfter(x509), &not_after) != OK)
		return why_set(ret_why, ERR_SYNTAX, "%s: certificate %zu has broken dates", path,
			below + 1);
	if (now_us < not_before || now_us > not_after)
		return why_set(ret_why, ERR_CONFLICT, "%s: certificate %zu is %s", path, below + 1,
			now_us < not_before ? "not valid yet" : "expired");
	return OK;
}

static int check_signed_by(X509 *subject, X509 *issuer, size_t nth, const char *path,
	char **ret_why)
{
	if (X509_check_issued(issuer, subject) != X509_V_OK ||
		X509_verify(subject, X509_get0_pubkey(issuer)) != 1) {
		ossl_drain("X509_verify");
		return why_set(ret_why, ERR_CONFLICT,
			"%s: certificate %zu was not issued by the one behind it", path, nth);
	}
	return OK;
}

static int check_chain(const struct chain *chain, const char *path, int64_t now_us, char **ret_why)
{
	for (size_t i = 0; i < chain->count; i++) {
		X509 *x509 = chain->views[i]->x509;
		int err = check_may_issue(x509, i, now_us, path, ret_why);

		if (err == OK && i + 1 < chain->count)
			err = check_signed_by(x509, chain->views[i + 1]->x509, i + 1, path,
				ret_why);
		else if (err == OK && X509_check_issued(x509, x509) == X509_V_OK)
			err = check_signed_by(x509, x509, i + 1, path, ret_why);
		if (err != OK)
			return err;
	}
	return OK;
}

static int take_certificate(struct issuer *issuer, const struct conf_issuer *conf, char **ret_why)
{
	__attribute__((cleanup(chain_done))) struct chain own = {0};
	int err = chain_load(conf->certificate, &own, ret_why);

	if (err != OK)
		return err;
	if (own.count != 1)
		return why_set(ret_why, ERR_LIMIT, "%s must hold one certificate, the issuing one",
			conf->certificate);
	buf_add(&issuer->certificate, own.ders[0].ptr, own.ders[0].len);
	ossl_sha256_of(buf_bytes(&issuer->certificate), issuer->sha256);
	issuer->x509 = own.views[0]->x509;
	if (X509_up_ref(issuer->x509) != 1)
		abort();
	if (time_us(X509_get0_notBefore(issuer->x509), &issuer->not_before_us) != OK ||
		time_us(X509_get0_notAfter(issuer->x509), &issuer->not_after_us) != OK)
		return why_set(ret_why, ERR_SYNTAX, "%s has broken dates", conf->certificate);

	uint8_t *name = NULL;
	int len = i2d_X509_NAME(X509_get_subject_name(issuer->x509), &name);
	if (len <= 0)
		return why_set(ret_why, ERR_SYNTAX, "%s has no subject", conf->certificate);
	buf_add(&issuer->subject, name, (size_t)len);
	OPENSSL_free(name);
	return OK;
}

static int take_chain(struct issuer *issuer, const struct conf_issuer *conf, int64_t now_us,
	char **ret_why)
{
	__attribute__((cleanup(chain_done))) struct chain chain = {0};
	const char *path = conf->chain != NULL ? conf->chain : conf->certificate;
	int err = chain_load(path, &chain, ret_why);

	if (err != OK)
		return err;
	if (!bytes_equal(buf_bytes(&chain.ders[0]), buf_bytes(&issuer->certificate)))
		return why_set(ret_why, ERR_CONFLICT, "%s must begin with the certificate of %s",
			path, conf->certificate);
	err = check_chain(&chain, path, now_us, ret_why);
	if (err != OK)
		return err;
	/* Written anew, so that a client gets certificates and nothing that stood around them. */
	for (size_t i = 0; i < chain.count; i++)
		pem_append(&issuer->chain_pem, "CERTIFICATE", buf_bytes(&chain.ders[i]));
	return OK;
}

static int take_key(struct issuer *issuer, const struct conf_issuer *conf, char **ret_why)
{
	struct signature_scheme scheme;
	int err = key_load(conf->key, conf->key_passphrase, &issuer->key, ret_why);

	if (err != OK)
		return err;
	if (key_check_pair(issuer->key, X509_get0_pubkey(issuer->x509)) != OK)
		return why_set(ret_why, ERR_CONFLICT, "%s is not the key of %s", conf->key,
			conf->certificate);
	err = key_scheme(issuer->key, &scheme);
	if (err == OK)
		err = key_generate_alike(issuer->key, &issuer->trial);
	if (err != OK)
		return why_set(ret_why, err, "cannot make a throw-away key like %s", conf->key);
	issuer->algorithm = scheme.algorithm;
	return OK;
}

static void take_crl_points(struct issuer *issuer, const struct conf_issuer *conf)
{
	if (conf->crl_url == NULL)
		return;
	issuer->crl_url = xstrdup(conf->crl_url);
	issuer->crl_points = xcalloc((size_t)conf->crl_shards, sizeof(*issuer->crl_points));
	for (; issuer->crl_shards < conf->crl_shards; issuer->crl_shards++) {
		struct issuer_crl_point *point = &issuer->crl_points[issuer->crl_shards];

		if (asprintf(&point->url, "%s/%d.crl", conf->crl_url, issuer->crl_shards + 1) < 0)
			abort();
		tbs_crl_extension(&point->extension, point->url);
	}
}

int issuer_load(const struct conf_issuer *conf, int64_t now_us, struct issuer **ret, char **ret_why)
{
	CLEANUP(issuer_free) struct issuer *issuer = xcalloc(1, sizeof(*issuer));
	const ASN1_OCTET_STRING *key_id;
	int err;

	issuer->name = xstrdup(conf->name);
	issuer->ocsp_url = conf->ocsp_url != NULL ? xstrdup(conf->ocsp_url) : NULL;
	issuer->ca_issuers_url =
		conf->ca_issuers_url != NULL ? xstrdup(conf->ca_issuers_url) : NULL;
	take_crl_points(issuer, conf);
	err = take_certificate(issuer, conf, ret_why);
	if (err == OK)
		err = take_chain(issuer, conf, now_us, ret_why);
	if (err == OK)
		err = take_key(issuer, conf, ret_why);
	if (err != OK)
		return err;
	/* RFC 5280 section 4.2.1.2: a CA certificate has one, and ours name it as their authority
	 * key identifier. */
	key_id = X509_get0_subject_key_id(issuer->x509);
	if (key_id == NULL || ASN1_STRING_length(key_id) == 0)
		return why_set(ret_why, ERR_CONFLICT, "%s has no subject key identifier",
			conf->certificate);
	tbs_issuer_extensions(&issuer->extensions,
		bytes_of(ASN1_STRING_get0_data(key_id), (size_t)ASN1_STRING_length(key_id)),
		issuer->ocsp_url, issuer->ca_issuers_url);
	*ret = TAKE(issuer);
	return OK;
}

void issuer_free(struct issuer *issuer)
{
	if (issuer == NULL)
		return;
	EVP_PKEY_free(issuer->key);
	EVP_PKEY_free(issuer->trial);
	X509_free(issuer->x509);
	buf_done(&issuer->certificate);
	buf_done(&issuer->chain_pem);
	buf_done(&issuer->subject);
	buf_done(&issuer->extensions);
	for (int i = 0; i < issuer->crl_shards; i++) {
		free(issuer->crl_points[i].url);
		buf_done(&issuer->crl_points[i].extension);
	}
	free(issuer->crl_points);
	free(issuer->ocsp_url);
	free(issuer->ca_issuers_url);
	free(issuer->crl_url);
	free(issuer->name);
	free(issuer);
}

int issuer_set_load(const struct conf *conf, int64_t now_us, struct issuer_set *ret, char **ret_why)
{
	struct issuer_set set = {xcalloc(conf->nissuers + 1, sizeof(struct issuer *)), 0};

	if (conf->nissuers == 0) {
		issuer_set_done(&set);
		return why_set(ret_why, ERR_NOENT, "%s has no [issuer NAME] section", conf->path);
	}
	for (; set.count < conf->nissuers; set.count++) {
		int err = issuer_load(&conf->issuers[set.count], now_us, &set.items[set.count],
			ret_why);

		if (err != OK) {
			issuer_set_done(&set);
			return err;
		}
	}
	*ret = set;
	return OK;
}

void issuer_set_done(struct issuer_set *set)
{
	for (size_t i = 0; i < set->count; i++)
		issuer_free(set->items[i]);
	free(set->items);
	*set = (struct issuer_set){0};
}
