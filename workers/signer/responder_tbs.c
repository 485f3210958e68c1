/* responder_tbs.c — see responder_tbs.h. The constants are complete DER elements. */
#include "workers/signer/responder_tbs.h"

#include <openssl/x509v3.h>

#include "lib/base/clock.h"
#include "lib/pki/der.h"
#include "lib/pki/lint_responder.h"
#include "lib/pki/oid.h"
#include "lib/pki/pubkey.h"
#include "workers/signer/keys.h"

#define BACKDATE_SECS 3600 /* for clients whose clock is behind */
/* Not worth a certificate: it would have to be replaced at once. */
#define VALIDITY_MIN_SECS 3600

enum { TAG_VERSION = 0xa0, TAG_EXTENSIONS = 0xa3, TAG_KEY_ID = 0x80 };

/* [0] { INTEGER 2 }: X.509 version 3. */
static const uint8_t version_3[] = {TAG_VERSION, 0x03, 0x02, 0x01, 0x02};
/* Extension { keyUsage, critical, digitalSignature }. */
static const uint8_t key_usage[] = {0x30, 0x0e, 0x06, 0x03, 0x55, 0x1d, 0x0f, 0x01, 0x01, 0xff,
	0x04, 0x04, 0x03, 0x02, 0x07, 0x80};
/* Extension { extKeyUsage, { OCSPSigning } }. */
static const uint8_t ext_key_usage[] = {0x30, 0x13, 0x06, 0x03, 0x55, 0x1d, 0x25, 0x04, 0x0c, 0x30,
	0x0a, 0x06, 0x08, 0x2b, 0x06, 0x01, 0x05, 0x05, 0x07, 0x03, 0x09};
/* Extension { id-pkix-ocsp-nocheck, NULL }. */
static const uint8_t nocheck[] = {0x30, 0x0f, 0x06, 0x09, 0x2b, 0x06, 0x01, 0x05, 0x05, 0x07, 0x30,
	0x01, 0x05, 0x04, 0x02, 0x05, 0x00};

/* The issuer's name, with a common name of its own: who reads it shall know whose it is. */
static int put_subject(struct buf *out, const struct issuer *issuer, const uint8_t *serial)
{
	struct bytes name = buf_bytes(&issuer->subject), rdns;
	CLEANUP_BUF struct buf common_name = {0};
	size_t subject, rdn, attribute;

	if (der_expect(&name, DER_SEQUENCE, &rdns) < 0)
		return ERR_SYNTAX;
	subject = der_begin(out, DER_SEQUENCE);
	while (rdns.len > 0) {
		struct bytes whole, set, pair, type;

		if (der_read(&rdns, NULL, &set, &whole) < 0 ||
			der_expect(&set, DER_SEQUENCE, &pair) < 0 ||
			der_expect(&pair, DER_OID, &type) < 0)
			return ERR_SYNTAX;
		if (!bytes_equal(type, OID_COMMON_NAME))
			buf_add(out, whole.ptr, whole.len);
	}
	/* Time and the first random octets: no two are the same. */
	buf_add_str(&common_name, "OCSP responder ");
	for (int i = 1; i < 9; i++)
		buf_addf(&common_name, "%02x", serial[i]);
	rdn = der_begin(out, DER_SET);
	attribute = der_begin(out, DER_SEQUENCE);
	der_put_oid(out, OID_COMMON_NAME);
	der_put(out, DER_UTF8_STRING, buf_bytes(&common_name));
	der_end(out, attribute);
	der_end(out, rdn);
	der_end(out, subject);
	return OK;
}

static void put_key_id(struct buf *out, struct bytes oid, uint8_t tag, bool in_sequence,
	struct bytes id)
{
	size_t whole = der_begin(out, DER_SEQUENCE), value, content = 0;

	der_put_oid(out, oid);
	value = der_begin(out, DER_OCTET_STRING);
	if (in_sequence)
		content = der_begin(out, DER_SEQUENCE);
	der_put(out, tag, id);
	if (in_sequence)
		der_end(out, content);
	der_end(out, value);
	der_end(out, whole);
}

/* RFC 5280 section 4.2.1.2, method 1: it is also what names the responder in its responses. */
static void key_id_of(const struct pubkey *key, uint8_t out[20])
{
	if (EVP_Digest(key->octets, key->len, out, NULL, ossl_sha1(), NULL) != 1)
		abort();
}

static int put_tbs(const struct issuer *issuer, const struct pubkey *key, struct bytes spki,
	struct responder_draft *draft)
{
	const ASN1_OCTET_STRING *above = X509_get0_subject_key_id(issuer->x509);
	struct buf *out = &draft->tbs;
	size_t tbs = der_begin(out, DER_SEQUENCE), mark, list;
	uint8_t id[20];
	int err;

	buf_add(out, version_3, sizeof(version_3));
	der_put(out, DER_INTEGER, bytes_of(draft->serial, sizeof(draft->serial)));
	buf_add(out, issuer->algorithm.ptr, issuer->algorithm.len);
	buf_add(out, issuer->subject.ptr, issuer->subject.len);
	mark = der_begin(out, DER_SEQUENCE);
	der_put_time(out, draft->not_before_us);
	der_put_time(out, draft->not_after_us);
	der_end(out, mark);
	err = put_subject(out, issuer, draft->serial);
	if (err != OK)
		return err;
	buf_add(out, spki.ptr, spki.len);
	mark = der_begin(out, TAG_EXTENSIONS);
	list = der_begin(out, DER_SEQUENCE);
	buf_add(out, key_usage, sizeof(key_usage));
	buf_add(out, ext_key_usage, sizeof(ext_key_usage));
	buf_add(out, nocheck, sizeof(nocheck));
	put_key_id(out, OID_AUTHORITY_KEY_IDENTIFIER, TAG_KEY_ID, true,
		bytes_of(ASN1_STRING_get0_data(above), (size_t)ASN1_STRING_length(above)));
	key_id_of(key, id);
	put_key_id(out, OID_SUBJECT_KEY_IDENTIFIER, DER_OCTET_STRING, false,
		bytes_of(id, sizeof(id)));
	der_end(out, list);
	der_end(out, mark);
	der_end(out, tbs);
	return OK;
}

static int choose_validity(const struct issuer *issuer, int64_t now_us, int64_t validity_secs,
	struct responder_draft *draft)
{
	int64_t now_secs = now_us / USEC_PER_SEC;
	int64_t from_us = (now_secs - BACKDATE_SECS) * USEC_PER_SEC;
	int64_t to_us = (now_secs + validity_secs - 1) * USEC_PER_SEC;

	draft->not_before_us = from_us > issuer->not_before_us ? from_us : issuer->not_before_us;
	draft->not_after_us = to_us < issuer->not_after_us ? to_us : issuer->not_after_us;
	return draft->not_after_us - now_us < VALIDITY_MIN_SECS * USEC_PER_SEC ? ERR_LIMIT : OK;
}

static int prove(const struct issuer *issuer, struct bytes spki,
	const struct responder_draft *draft, struct buf *ret_findings)
{
	CLEANUP_BUF struct buf copy = {0};
	struct lint_responder want = {
		.issuer = buf_bytes(&issuer->certificate),
		.spki = spki,
		.validity_secs = (draft->not_after_us - draft->not_before_us) / USEC_PER_SEC + 1,
		.serial_len = SERIAL_LEN,
	};
	int err = key_sign_tbs(issuer->trial, buf_bytes(&draft->tbs), &copy);

	return err == OK ? lint_responder(buf_bytes(&copy), &want, ret_findings) : err;
}

/* Exactly one P-256 key, on its curve. */
static int check_key(struct bytes spki, struct pubkey *ret)
{
	CLEANUP(EVP_PKEY_free) EVP_PKEY *key = NULL;

	return pubkey_from_spki(spki, ret) == OK && ret->kind == PUBKEY_P256 &&
			pubkey_make(ret, &key) == OK
		? OK
		: ERR_LIMIT;
}

int responder_draft_make(const struct issuer *issuer, struct bytes spki, int64_t now_us,
	int64_t validity_secs, struct responder_draft *ret, const char **ret_why,
	struct buf *ret_findings)
{
	struct responder_draft draft = {0};
	struct pubkey key;
	int err;

	if (issuer->ocsp_url == NULL) {
		*ret_why = "this issuer has no ocsp_url";
		return ERR_LIMIT;
	}
	if (check_key(spki, &key) != OK) {
		*ret_why = "its key is not P-256";
		return ERR_LIMIT;
	}
	if (choose_validity(issuer, now_us, validity_secs, &draft) != OK) {
		*ret_why = "the issuer is about to expire";
		return ERR_LIMIT;
	}
	serial_new(now_us, draft.serial);
	err = put_tbs(issuer, &key, spki, &draft);
	if (err == OK)
		err = prove(issuer, spki, &draft, ret_findings);
	if (err != OK) {
		responder_draft_done(&draft);
		return err;
	}
	*ret = draft;
	return OK;
}

void responder_draft_done(struct responder_draft *draft)
{
	buf_done(&draft->tbs);
}
