/* chain.c — see chain.h. */
#include "workers/signer/chain.h"

#include <errno.h>
#include <openssl/x509v3.h>
#include <time.h>

#include "lib/base/clock.h"
#include "lib/base/file.h"
#include "lib/pki/ossl.h"
#include "workers/signer/why.h"

#define PEM_MAX_BYTES 65536

void chain_done(struct chain *chain)
{
	for (size_t i = 0; i < chain->count && i < CHAIN_MAX; i++)
		certview_free(chain->views[i]);
	for (size_t i = 0; i < chain->count; i++)
		buf_done(&chain->ders[i]);
	free(chain->ders);
	buf_done(&chain->pem);
	free(chain->path);
	*chain = (struct chain){0};
}

int chain_load(const char *path, struct chain *ret, char **ret_why)
{
	int err;

	ret->path = xstrdup(path);
	err = file_load(path, PEM_MAX_BYTES, &ret->pem);
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

int chain_dates(X509 *x509, int64_t *ret_not_before_us, int64_t *ret_not_after_us)
{
	int err = time_us(X509_get0_notBefore(x509), ret_not_before_us);

	return err == OK ? time_us(X509_get0_notAfter(x509), ret_not_after_us) : err;
}

/* The first one's beginning is the issuer's own affair: it may be prepared ahead of its time. */
static int check_dates(X509 *x509, size_t below, int64_t now_us, const char *path, char **ret_why)
{
	int64_t not_before = 0, not_after = 0;

	if (chain_dates(x509, &not_before, &not_after) != OK)
		return why_set(ret_why, ERR_SYNTAX, "%s: certificate %zu has broken dates", path,
			below + 1);
	if (now_us > not_after)
		return why_set(ret_why, ERR_TIMEOUT, "%s: certificate %zu is expired", path,
			below + 1);
	if (now_us < not_before && below > 0)
		return why_set(ret_why, ERR_CONFLICT, "%s: certificate %zu is not valid yet", path,
			below + 1);
	return OK;
}

/* RFC 5280 section 4.2.1.9 and 4.2.1.3: may this certificate issue, with `below` CA certificates
 * between it and the leaf? */
static int check_may_issue(X509 *x509, size_t below, const char *path, char **ret_why)
{
	uint32_t flags = X509_get_extension_flags(x509);
	long pathlen = X509_get_pathlen(x509);

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
	return OK;
}

static bool is_signed_by(X509 *subject, X509 *issuer)
{
	if (X509_check_issued(issuer, subject) == X509_V_OK &&
		X509_verify(subject, X509_get0_pubkey(issuer)) == 1)
		return true;
	ossl_drain("X509_verify");
	return false;
}

int chain_check(const struct chain *chain, int64_t now_us, char **ret_why)
{
	for (size_t i = 0; i < chain->count; i++) {
		X509 *x509 = chain->views[i]->x509;
		bool last = i + 1 == chain->count;
		bool self_issued = X509_check_issued(x509, x509) == X509_V_OK;
		int err = check_may_issue(x509, i, chain->path, ret_why);

		if (err == OK)
			err = check_dates(x509, i, now_us, chain->path, ret_why);
		if (err != OK)
			return err;
		if (last && !self_issued)
			break;
		if (!is_signed_by(x509, last ? x509 : chain->views[i + 1]->x509))
			return why_set(ret_why, ERR_CONFLICT,
				"%s: certificate %zu was not issued by the one behind it",
				chain->path, i + 1);
	}
	return OK;
}

int chain_check_root(const struct chain *chain, const struct chain *roots, char **ret_why)
{
	X509 *last = chain->views[chain->count - 1]->x509;

	for (size_t i = 0; i < roots->count; i++) {
		X509 *root = roots->views[i]->x509;

		if (X509_cmp(last, root) == 0 ||
			((X509_get_extension_flags(root) & EXFLAG_CA) != 0 &&
				is_signed_by(last, root)))
			return OK;
	}
	return why_set(ret_why, ERR_CONFLICT, "%s does not end at a certificate of %s", chain->path,
		roots->path);
}

void chain_format(const struct chain *chain, struct buf *out)
{
	for (size_t i = 0; i < chain->count; i++)
		pem_append(out, "CERTIFICATE", buf_bytes(&chain->ders[i]));
}
