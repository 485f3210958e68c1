/* der.h — a reader and a writer for DER (X.690): definite minimal lengths only, trailing bytes are
 * the caller's to refuse. Used by the CSR walk, the certificate templates, the lint and the
 * tls-alpn-01 check. */
#pragma once

#include "lib/base/buf.h"

enum der_tag {
	DER_BOOLEAN = 0x01,
	DER_INTEGER = 0x02,
	DER_BIT_STRING = 0x03,
	DER_OCTET_STRING = 0x04,
	DER_NULL = 0x05,
	DER_OID = 0x06,
	DER_ENUMERATED = 0x0a,
	DER_UTF8_STRING = 0x0c,
	DER_PRINTABLE_STRING = 0x13,
	DER_IA5_STRING = 0x16,
	DER_UTC_TIME = 0x17,
	DER_GENERALIZED_TIME = 0x18,
	DER_SEQUENCE = 0x30,
	DER_SET = 0x31
};

/* Reads one element from the front of *in: its tag, its contents, and the whole element. *in moves
 * behind it. */
MUST_CHECK int der_read(struct bytes *in, uint8_t *ret_tag, struct bytes *ret_content,
	struct bytes *ret_whole);
/* The same, demanding the tag. */
MUST_CHECK int der_expect(struct bytes *in, uint8_t tag, struct bytes *ret_content);
/* The front element's tag, or 0 at the end. */
uint8_t der_peek(struct bytes in);

/* Writing forwards: begin returns a mark, end patches the length in. */
size_t der_begin(struct buf *out, uint8_t tag);
void der_end(struct buf *out, size_t mark);
void der_put(struct buf *out, uint8_t tag, struct bytes content);
void der_put_oid(struct buf *out, struct bytes encoded);
/* notBefore/notAfter: UTCTime until 2049, GeneralizedTime from 2050 (RFC 5280 section 4.1.2.5). */
void der_put_time(struct buf *out, int64_t wall_us);
/* GeneralizedTime whatever the year, whole seconds (RFC 5280 section 4.1.2.5.2). */
void der_put_generalized_time(struct buf *out, int64_t wall_us);
void der_put_uint(struct buf *out, struct bytes big_endian);
