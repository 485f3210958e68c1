/* ocsp_response.c — see ocsp_response.h. */
#include "lib/pki/ocsp_response.h"

#include <assert.h>

#include "lib/pki/der.h"
#include "lib/pki/oid.h"

#define REASON_UNSPECIFIED 0
#define REASON_CERTIFICATE_HOLD 6

/* Context tags of RFC 6960 section 4.2.1, IMPLICIT where the module says so. */
enum {
	TAG_GOOD = 0x80,
	TAG_REVOKED = 0xa1,
	TAG_UNKNOWN = 0x82,
	TAG_REVOCATION_REASON = 0xa0,
	TAG_NEXT_UPDATE = 0xa0,
	TAG_SINGLE_EXTENSIONS = 0xa1,
	TAG_BY_KEY = 0xa2,
	TAG_RESPONSE_EXTENSIONS = 0xa1,
	TAG_CERTIFICATES = 0xa0,
	TAG_RESPONSE_BYTES = 0xa0
};

static void put_null(struct buf *out, uint8_t tag)
{
	der_put(out, tag, bytes_of(NULL, 0));
}

static void put_cert_id(const struct ocsp_single *in, struct buf *out)
{
	struct bytes algorithm = ocsp_hash_algorithm(in->hash);
	size_t id = der_begin(out, DER_SEQUENCE);

	buf_add(out, algorithm.ptr, algorithm.len);
	der_put(out, DER_OCTET_STRING, ocsp_id_name(in->issuer, in->hash));
	der_put(out, DER_OCTET_STRING, ocsp_id_key(in->issuer, in->hash));
	/* Byte for byte as it was asked for. */
	der_put(out, DER_INTEGER, in->serial);
	der_end(out, id);
}

static void put_status(const struct ocsp_single *in, struct buf *out)
{
	size_t info;

	switch (in->status) {
	case OCSP_CERT_GOOD:
		put_null(out, TAG_GOOD);
		return;
	case OCSP_CERT_UNKNOWN:
		put_null(out, TAG_UNKNOWN);
		return;
	case OCSP_CERT_REVOKED:
		break;
	}
	info = der_begin(out, TAG_REVOKED);
	der_put_generalized_time(out, in->revoked_us);
	if (in->reason > REASON_UNSPECIFIED) {
		const uint8_t reason = (uint8_t)in->reason;
		size_t tagged = der_begin(out, TAG_REVOCATION_REASON);

		der_put(out, DER_ENUMERATED, bytes_of(&reason, 1));
		der_end(out, tagged);
	}
	der_end(out, info);
}

/* Extension { oid, OCTET STRING { … for the caller to fill; none of ours is critical. */
struct extension {
	size_t whole, value;
};

static struct extension extension_begin(struct buf *out, struct bytes oid)
{
	struct extension e;

	e.whole = der_begin(out, DER_SEQUENCE);
	der_put_oid(out, oid);
	e.value = der_begin(out, DER_OCTET_STRING);
	return e;
}

static void extension_end(struct buf *out, const struct extension *e)
{
	der_end(out, e->value);
	der_end(out, e->whole);
}

static void put_single(const struct ocsp_single *in, struct buf *out)
{
	size_t single = der_begin(out, DER_SEQUENCE), tagged;

	put_cert_id(in, out);
	put_status(in, out);
	der_put_generalized_time(out, in->this_update_us);
	tagged = der_begin(out, TAG_NEXT_UPDATE);
	der_put_generalized_time(out, in->next_update_us);
	der_end(out, tagged);
	if (in->archive_cutoff_us != INT64_MIN) {
		struct extension e;
		size_t list;

		tagged = der_begin(out, TAG_SINGLE_EXTENSIONS);
		list = der_begin(out, DER_SEQUENCE);
		e = extension_begin(out, OID_OCSP_ARCHIVE_CUTOFF);
		der_put_generalized_time(out, in->archive_cutoff_us);
		extension_end(out, &e);
		der_end(out, list);
		der_end(out, tagged);
	}
	der_end(out, single);
}

static void put_response_extensions(const struct ocsp_response_data *in, struct buf *out)
{
	size_t tagged, list;
	struct extension e;

	if (in->nonce.len == 0 && !in->extended_revoke)
		return;
	tagged = der_begin(out, TAG_RESPONSE_EXTENSIONS);
	list = der_begin(out, DER_SEQUENCE);
	if (in->nonce.len > 0) {
		e = extension_begin(out, OID_OCSP_NONCE);
		der_put(out, DER_OCTET_STRING, in->nonce);
		extension_end(out, &e);
	}
	if (in->extended_revoke) {
		e = extension_begin(out, OID_OCSP_EXTENDED_REVOKE);
		put_null(out, DER_NULL);
		extension_end(out, &e);
	}
	der_end(out, list);
	der_end(out, tagged);
}

void ocsp_response_data(const struct ocsp_response_data *in, struct buf *out)
{
	/* version is v1 by default, which DER leaves out. */
	size_t data = der_begin(out, DER_SEQUENCE), mark;

	assert(in->nsingles > 0);
	mark = der_begin(out, TAG_BY_KEY);
	der_put(out, DER_OCTET_STRING, in->responder);
	der_end(out, mark);
	der_put_generalized_time(out, in->produced_us);
	mark = der_begin(out, DER_SEQUENCE);
	for (size_t i = 0; i < in->nsingles; i++)
		put_single(&in->singles[i], out);
	der_end(out, mark);
	put_response_extensions(in, out);
	der_end(out, data);
}

static void put_basic(struct bytes data, struct bytes algorithm, struct bytes signature,
	struct bytes certificate, struct buf *out)
{
	size_t basic = der_begin(out, DER_SEQUENCE), mark, list;

	buf_add(out, data.ptr, data.len);
	buf_add(out, algorithm.ptr, algorithm.len);
	mark = der_begin(out, DER_BIT_STRING);
	buf_add_byte(out, 0); /* no unused bits */
	buf_add(out, signature.ptr, signature.len);
	der_end(out, mark);
	mark = der_begin(out, TAG_CERTIFICATES);
	list = der_begin(out, DER_SEQUENCE);
	buf_add(out, certificate.ptr, certificate.len);
	der_end(out, list);
	der_end(out, mark);
	der_end(out, basic);
}

void ocsp_response_wrap(struct bytes data, struct bytes algorithm, struct bytes signature,
	struct bytes certificate, struct buf *out)
{
	const uint8_t successful = 0;
	size_t whole = der_begin(out, DER_SEQUENCE), tagged, bytes, octets;

	der_put(out, DER_ENUMERATED, bytes_of(&successful, 1));
	tagged = der_begin(out, TAG_RESPONSE_BYTES);
	bytes = der_begin(out, DER_SEQUENCE);
	der_put_oid(out, OID_OCSP_BASIC);
	octets = der_begin(out, DER_OCTET_STRING);
	put_basic(data, algorithm, signature, certificate, out);
	der_end(out, octets);
	der_end(out, bytes);
	der_end(out, tagged);
	der_end(out, whole);
}

void ocsp_single_never_issued(struct ocsp_single *single)
{
	single->status = OCSP_CERT_REVOKED;
	single->revoked_us = 0; /* January 1, 1970 */
	single->reason = REASON_CERTIFICATE_HOLD;
}

struct bytes ocsp_response_refusal(enum ocsp_refusal status)
{
	/* SEQUENCE { ENUMERATED status }, by status. */
	static const uint8_t refusals[][5] = {
		[OCSP_MALFORMED_REQUEST] = {0x30, 0x03, 0x0a, 0x01, OCSP_MALFORMED_REQUEST},
		[OCSP_INTERNAL_ERROR] = {0x30, 0x03, 0x0a, 0x01, OCSP_INTERNAL_ERROR},
		[OCSP_TRY_LATER] = {0x30, 0x03, 0x0a, 0x01, OCSP_TRY_LATER},
		[OCSP_UNAUTHORIZED] = {0x30, 0x03, 0x0a, 0x01, OCSP_UNAUTHORIZED},
	};

	assert(status < ARRAY_LEN(refusals) && refusals[status][0] != 0);
	return bytes_of(refusals[status], sizeof(refusals[status]));
}
