/* issuer.c — see issuer.h. */
#include "workers/signer/issuer.h"

#include <openssl/x509v3.h>

#include "lib/base/clock.h"
#include "workers/signer/chain.h"
#include "workers/signer/keys.h"
#include "workers/signer/tbs.h"
#include "workers/signer/token.h"
#include "workers/signer/why.h"

#define CLEANUP_CHAIN __attribute__((cleanup(chain_done)))

static int take_certificate(struct issuer *issuer, const struct conf_issuer *conf, int64_t now_us,
	char **ret_why)
{
	CLEANUP_CHAIN struct chain own = {0};
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
	if (chain_dates(issuer->x509, &issuer->not_before_us, &issuer->not_after_us) != OK)
		return why_set(ret_why, ERR_SYNTAX, "%s has broken dates", conf->certificate);
	if (now_us > issuer->not_after_us)
		return why_set(ret_why, ERR_TIMEOUT, "%s is expired", conf->certificate);

	uint8_t *name = NULL;
	int len = i2d_X509_NAME(X509_get_subject_name(issuer->x509), &name);
	if (len <= 0)
		return why_set(ret_why, ERR_SYNTAX, "%s has no subject", conf->certificate);
	buf_add(&issuer->subject, name, (size_t)len);
	OPENSSL_free(name);
	return OK;
}

static int prove_chain(const struct conf_issuer *conf, const struct chain *chain, int64_t now_us,
	char **ret_why)
{
	CLEANUP_CHAIN struct chain roots = {0};
	int err = chain_check(chain, now_us, ret_why);

	if (err == OK && conf->roots != NULL) {
		err = chain_load(conf->roots, &roots, ret_why);
		if (err == OK)
			err = chain_check_root(chain, &roots, ret_why);
	}
	return err;
}

static int take_chain(struct issuer *issuer, const struct conf_issuer *conf, int64_t now_us,
	char **ret_why)
{
	CLEANUP_CHAIN struct chain chain = {0};
	const char *path = conf->chain != NULL ? conf->chain : conf->certificate;
	int err = chain_load(path, &chain, ret_why);

	if (err != OK)
		return err;
	if (!bytes_equal(buf_bytes(&chain.ders[0]), buf_bytes(&issuer->certificate)))
		return why_set(ret_why, ERR_CONFLICT, "%s must begin with the certificate of %s",
			path, conf->certificate);
	err = prove_chain(conf, &chain, now_us, ret_why);
	/* The issuing certificate itself is in its time. */
	if (err == ERR_TIMEOUT)
		return ERR_CONFLICT;
	if (err == OK)
		chain_format(&chain, &issuer->chain_pem);
	return err;
}

/* Another certificate of the same issuer may begin an alternate chain: one that another root has
 * signed. What certificates say of their issuer must fit it, too. */
static bool is_same_issuer(X509 *a, X509 *b)
{
	const ASN1_OCTET_STRING *a_id = X509_get0_subject_key_id(a);
	const ASN1_OCTET_STRING *b_id = X509_get0_subject_key_id(b);

	return X509_NAME_cmp(X509_get_subject_name(a), X509_get_subject_name(b)) == 0 &&
		EVP_PKEY_eq(X509_get0_pubkey(a), X509_get0_pubkey(b)) == 1 && a_id != NULL &&
		b_id != NULL && ASN1_OCTET_STRING_cmp(a_id, b_id) == 0;
}

static int take_alternate(struct issuer *issuer, const struct conf_issuer *conf, const char *path,
	int64_t now_us, char **ret_why)
{
	CLEANUP_CHAIN struct chain chain = {0};
	int err = chain_load(path, &chain, ret_why);

	if (err != OK)
		return err;
	if (!is_same_issuer(chain.views[0]->x509, issuer->x509))
		return why_set(ret_why, ERR_CONFLICT,
			"%s must begin with a certificate of the subject, key and key identifier "
			"of %s",
			path, conf->certificate);
	err = prove_chain(conf, &chain, now_us, ret_why);
	if (err == OK)
		chain_format(&chain, &issuer->alternates[issuer->nalternates++]);
	return err;
}

static int take_alternates(struct issuer *issuer, const struct conf_issuer *conf, int64_t now_us,
	char **ret_why)
{
	const struct conf_list *files = &conf->alternate_chains;

	if (files->count > ISSUER_ALTERNATES_MAX)
		return why_set(ret_why, ERR_LIMIT, "issuer %s has more than %d alternate chains",
			conf->name, ISSUER_ALTERNATES_MAX);
	for (size_t i = 0; i < files->count; i++) {
		int err = take_alternate(issuer, conf, files->items[i], now_us, ret_why);

		/* An old root's end is no reason to stop: clients need that chain no more. */
		if (err == ERR_TIMEOUT) {
			issuer->nended++;
			free(*ret_why);
			*ret_why = NULL;
		} else if (err != OK) {
			return err;
		}
	}
	return OK;
}

static int take_key(struct issuer *issuer, const struct conf_issuer *conf, char **ret_why)
{
	struct signature_scheme scheme;
	EVP_PKEY *public_key = X509_get0_pubkey(issuer->x509);
	int err = token_is_uri(conf->key)
		? token_key_load(conf->key, conf->key_passphrase, public_key, &issuer->key, ret_why)
		: key_load(conf->key, conf->key_passphrase, &issuer->key, ret_why);

	if (err != OK)
		return err;
	issuer->unreachable = !token_is_reachable(issuer->key);
	/* What is in a token is tried as soon as it is reached. */
	if (!token_holds(issuer->key) && key_check_pair(issuer->key, public_key) != OK)
		return why_set(ret_why, ERR_CONFLICT, "%s is not the key of %s", conf->key,
			conf->certificate);
	err = key_scheme(issuer->key, &scheme);
	if (err == OK)
		err = key_generate_alike(issuer->key, &issuer->trial);
	if (err != OK)
		return why_set(ret_why, err, "cannot make a throw-away key like %s", conf->key);
	issuer->algorithm = scheme.algorithm;
	issuer->ecdsa = EVP_PKEY_is_a(issuer->key, "EC");
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
	issuer->retired = conf->retired;
	issuer->active_from_us = conf->active_from_us;
	issuer->active_until_us = conf->active_until_us;
	issuer->key_types = &conf->key_types;
	err = take_certificate(issuer, conf, now_us, ret_why);
	if (err == OK)
		err = take_chain(issuer, conf, now_us, ret_why);
	if (err == OK)
		err = take_alternates(issuer, conf, now_us, ret_why);
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

int64_t issuer_spare_secs(const struct issuer *issuer, const struct conf *conf, int64_t now_us)
{
	int64_t left_secs = (issuer->not_after_us - now_us) / USEC_PER_SEC, longest = -1;

	for (size_t i = 0; i < conf->nprofiles; i++) {
		const struct conf_profile *profile = &conf->profiles[i];

		for (size_t n = 0; n < profile->issuers.count; n++)
			if (strcmp(profile->issuers.items[n], issuer->name) == 0 &&
				profile->validity_secs > longest)
				longest = profile->validity_secs;
	}
	return longest < 0 ? INT64_MAX : left_secs - longest;
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
	for (size_t i = 0; i < issuer->nalternates; i++)
		buf_done(&issuer->alternates[i]);
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
	struct issuer_set set = {xcalloc(conf->nissuers + 1, sizeof(struct issuer *)), 0, 0};
	int err = OK;

	for (size_t i = 0; i < conf->nissuers && err == OK; i++) {
		free(*ret_why);
		*ret_why = NULL;
		err = issuer_load(&conf->issuers[i], now_us, &set.items[set.count], ret_why);
		if (err == OK)
			set.count++;
		/* The others go on; without any, its end is what *ret_why tells. */
		if (err == ERR_TIMEOUT) {
			set.nended++;
			err = OK;
		}
	}
	if (err == OK && set.count == 0)
		err = set.nended > 0 ? ERR_TIMEOUT
				     : why_set(ret_why, ERR_NOENT,
					       "%s has no [issuer NAME] section", conf->path);
	if (err != OK) {
		issuer_set_done(&set);
		return err;
	}
	free(*ret_why);
	*ret_why = NULL;
	*ret = set;
	return OK;
}

bool issuer_set_refresh(struct issuer_set *set)
{
	bool any = false;

	for (size_t i = 0; i < set->count; i++) {
		set->items[i]->was_unreachable = set->items[i]->unreachable;
		set->items[i]->unreachable = !token_is_reachable(set->items[i]->key);
		any = any || !set->items[i]->unreachable;
	}
	return any;
}

void issuer_set_done(struct issuer_set *set)
{
	for (size_t i = 0; i < set->count; i++)
		issuer_free(set->items[i]);
	free(set->items);
	*set = (struct issuer_set){0};
}
