/* sign.c — see sign.h. */
#include "workers/ocsp_signer/sign.h"

#include "lib/base/clock.h"
#include "lib/pki/certview.h"

#define HOUR_US (3600 * USEC_PER_SEC)
#define DAY_US (24 * HOUR_US)
#define SIGNATURE_MAX_BYTES 80 /* ECDSA-Sig-Value of P-256: 72 */

/* ecdsa-with-SHA256 (RFC 5758 section 3.2). */
static const uint8_t algorithm[] = {0x30, 0x0a, 0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04,
	0x03, 0x02};

int responder_adopt(struct responder *r, EVP_PKEY *key, struct bytes certificate,
	int64_t not_before_us, int64_t not_after_us)
{
	CLEANUP(certview_free) struct certview *view = NULL;
	struct ocsp_id id;

	if (certview_parse(certificate, &view) != OK ||
		EVP_PKEY_eq(X509_get0_pubkey(view->x509), key) != 1 ||
		ocsp_id_of(certificate, &id) != OK)
		return ERR_CONFLICT;
	r->signing = EVP_PKEY_CTX_new_from_pkey(NULL, key, NULL);
	if (r->signing == NULL || EVP_PKEY_sign_init(r->signing) != 1) {
		EVP_PKEY_CTX_free(r->signing);
		r->signing = NULL;
		return ossl_drain("EVP_PKEY_sign_init");
	}
	r->key = key;
	buf_reset(&r->certificate);
	buf_add(&r->certificate, certificate.ptr, certificate.len);
	memcpy(r->name, id.key[OCSP_SHA1], sizeof(r->name));
	r->not_before_us = not_before_us;
	r->not_after_us = not_after_us;
	return OK;
}

void responder_done(struct responder *r)
{
	EVP_PKEY_CTX_free(r->signing);
	EVP_PKEY_free(r->key);
	buf_done(&r->certificate);
	*r = (struct responder){0};
}

static int64_t least(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

void ocsp_times_choose(int64_t now_us, int64_t validity_secs, int64_t responder_end_us,
	int64_t expiry_us, uint8_t spread, struct ocsp_times *ret)
{
	int64_t this_us = now_us / USEC_PER_SEC * USEC_PER_SEC;
	int64_t life_us, wait_us;

	ret->this_us = this_us;
	ret->next_us = least(this_us + validity_secs * USEC_PER_SEC, responder_end_us);
	life_us = ret->next_us - this_us;
	wait_us = life_us / 2;
	if (life_us >= 16 * HOUR_US)
		wait_us = least(wait_us, least(4 * DAY_US, life_us - 8 * HOUR_US));
	/* Four fifths of that, and up to a tenth more. */
	wait_us = wait_us / 10 * 8 + wait_us / 2560 * spread;
	ret->refresh_us = this_us + wait_us < expiry_us ? this_us + wait_us : INT64_MIN;
}

void ocsp_single_of(const struct ocsp_issue *issue, const struct conf_ocsp *conf,
	const struct ocsp_subject *subject, enum ocsp_hash hash, const struct ocsp_times *times,
	struct ocsp_single *ret)
{
	static const enum ocsp_cert_status statuses[] = {
		[OCSP_STATUS_GOOD] = OCSP_CERT_GOOD,
		[OCSP_STATUS_REVOKED] = OCSP_CERT_REVOKED,
		[OCSP_STATUS_UNKNOWN] = OCSP_CERT_UNKNOWN,
	};
	int64_t cutoff_us = INT64_MIN;

	/* RFC 6960 section 4.4.4: producedAt less the time that status is kept; nothing is known
	 * from before the issuer. */
	if (conf->archive_secs > 0) {
		cutoff_us = times->this_us - conf->archive_secs * USEC_PER_SEC;
		if (cutoff_us < issue->not_before_us)
			cutoff_us = issue->not_before_us;
	}
	*ret = (struct ocsp_single){
		.issuer = issue->id,
		.hash = hash,
		.serial = subject->serial,
		.status = statuses[subject->status],
		.revoked_us = subject->revoked_us,
		.reason = subject->reason,
		.this_update_us = times->this_us,
		.next_update_us = times->next_us,
		.archive_cutoff_us = cutoff_us,
	};
}

int ocsp_sign(const struct ocsp_issue *issue, const struct ocsp_single *singles, size_t count,
	int64_t now_us, struct bytes nonce, bool extended, struct buf *out)
{
	const struct responder *r = issue->responder;
	struct ocsp_response_data in = {
		.responder = bytes_of(r->name, sizeof(r->name)),
		.produced_us = now_us,
		.singles = singles,
		.nsingles = count,
		.nonce = nonce,
		.extended_revoke = extended,
	};
	CLEANUP_BUF struct buf data = {0};
	uint8_t digest[32], signature[SIGNATURE_MAX_BYTES];
	size_t len = sizeof(signature);

	buf_reserve(&data, 512);
	ocsp_response_data(&in, &data);
	ossl_sha256_of(buf_bytes(&data), digest);
	if (EVP_PKEY_sign(r->signing, signature, &len, digest, sizeof(digest)) != 1)
		return ossl_drain("EVP_PKEY_sign");
	ocsp_response_wrap(buf_bytes(&data), bytes_of(algorithm, sizeof(algorithm)),
		bytes_of(signature, len), buf_bytes(&r->certificate), out);
	return OK;
}

int ocsp_sign_ahead(const struct ocsp_issue *issue, const struct conf_ocsp *conf,
	const struct ocsp_subject *subject, int64_t now_us, struct ocsp_times *ret_times,
	struct buf *out)
{
	struct ocsp_single singles[OCSP_HASHES];
	/* The last octet of a serial is random. */
	uint8_t spread = subject->serial.len > 0 ? subject->serial.ptr[subject->serial.len - 1] : 0;

	ocsp_times_choose(now_us, conf->validity_secs, issue->responder->not_after_us,
		subject->not_after_us + conf->archive_secs * USEC_PER_SEC, spread, ret_times);
	for (int hash = 0; hash < OCSP_HASHES; hash++)
		ocsp_single_of(issue, conf, subject, (enum ocsp_hash)hash, ret_times,
			&singles[hash]);
	return ocsp_sign(issue, singles, OCSP_HASHES, now_us, bytes_of(NULL, 0), false, out);
}
