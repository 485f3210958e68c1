/* ocsp_peek.c — see ocsp_peek.h. */
#include "lib/pki/ocsp_peek.h"

#include <time.h>

#include "lib/base/clock.h"
#include "lib/pki/der.h"
#include "lib/pki/oid.h"

#define DER_ENUMERATED 0x0a
/* Context tags, constructed. */
#define TAG_0 0xa0
#define TAG_1 0xa1
#define TAG_2 0xa2

static bool is_known_status(uint8_t status)
{
	return status == 0 || status == OCSP_MALFORMED_REQUEST || status == OCSP_INTERNAL_ERROR ||
		status == OCSP_TRY_LATER || status == OCSP_UNAUTHORIZED;
}

/* YYYYMMDDHHMMSSZ, as RFC 5280 section 4.1.2.5.2 has it. */
static int read_time(struct bytes *in, int64_t *ret)
{
	static const int widths[] = {4, 2, 2, 2, 2, 2};
	struct bytes text;
	int parts[ARRAY_LEN(widths)] = {0};
	struct tm tm;
	size_t at = 0;

	if (der_expect(in, DER_GENERALIZED_TIME, &text) < 0 || text.len != 15 ||
		text.ptr[14] != 'Z')
		return ERR_SYNTAX;
	for (size_t part = 0; part < ARRAY_LEN(widths); part++) {
		for (int i = 0; i < widths[part]; i++, at++) {
			if (text.ptr[at] < '0' || text.ptr[at] > '9')
				return ERR_SYNTAX;
			parts[part] = parts[part] * 10 + (text.ptr[at] - '0');
		}
	}
	tm = (struct tm){.tm_year = parts[0] - 1900,
		.tm_mon = parts[1] - 1,
		.tm_mday = parts[2],
		.tm_hour = parts[3],
		.tm_min = parts[4],
		.tm_sec = parts[5]};
	*ret = (int64_t)timegm(&tm) * USEC_PER_SEC;
	/* timegm carries what exceeds its place: then it is no time. */
	if (tm.tm_mon != parts[1] - 1 || tm.tm_mday != parts[2] || tm.tm_hour != parts[3] ||
		tm.tm_min != parts[4] || tm.tm_sec != parts[5])
		return ERR_SYNTAX;
	return OK;
}

/* The SingleResponse: certID, certStatus, thisUpdate, nextUpdate [0]. */
static int read_single(struct bytes single, struct ocsp_peek *ret)
{
	struct bytes explicit;
	uint8_t status;

	if (der_expect(&single, DER_SEQUENCE, NULL) < 0 ||
		der_read(&single, &status, NULL, NULL) < 0 ||
		read_time(&single, &ret->this_update_us) < 0)
		return ERR_SYNTAX;
	ret->next_update_us = INT64_MIN;
	if (der_peek(single) != TAG_0)
		return OK;
	if (der_expect(&single, TAG_0, &explicit) < 0 ||
		read_time(&explicit, &ret->next_update_us) < 0 || explicit.len > 0)
		return ERR_SYNTAX;
	return OK;
}

/* ResponseData: version, responderID, producedAt, responses. */
static int read_data(struct bytes data, struct ocsp_peek *ret)
{
	struct bytes responses, single;
	int64_t produced;

	if (der_peek(data) == TAG_0 && der_expect(&data, TAG_0, NULL) < 0)
		return ERR_SYNTAX;
	if ((der_peek(data) != TAG_1 && der_peek(data) != TAG_2) ||
		der_read(&data, NULL, NULL, NULL) < 0 || read_time(&data, &produced) < 0 ||
		der_expect(&data, DER_SEQUENCE, &responses) < 0 ||
		der_expect(&responses, DER_SEQUENCE, &single) < 0)
		return ERR_SYNTAX;
	return read_single(single, ret);
}

static int read_basic(struct bytes explicit, struct ocsp_peek *ret)
{
	struct bytes response, oid, octets, basic, data;

	if (der_expect(&explicit, DER_SEQUENCE, &response) < 0 || explicit.len > 0 ||
		der_expect(&response, DER_OID, &oid) < 0 || !bytes_equal(oid, OID_OCSP_BASIC) ||
		der_expect(&response, DER_OCTET_STRING, &octets) < 0 || response.len > 0 ||
		der_expect(&octets, DER_SEQUENCE, &basic) < 0 || octets.len > 0 ||
		der_expect(&basic, DER_SEQUENCE, &data) < 0)
		return ERR_SYNTAX;
	return read_data(data, ret);
}

int ocsp_peek(struct bytes der, struct ocsp_peek *ret)
{
	struct ocsp_peek peek = {.this_update_us = INT64_MIN, .next_update_us = INT64_MIN};
	struct bytes outer, status, explicit;

	if (der_expect(&der, DER_SEQUENCE, &outer) < 0 || der.len > 0 ||
		der_expect(&outer, DER_ENUMERATED, &status) < 0 || status.len != 1 ||
		!is_known_status(status.ptr[0]))
		return ERR_SYNTAX;
	peek.status = status.ptr[0];
	if (peek.status == 0 &&
		(der_expect(&outer, TAG_0, &explicit) < 0 || read_basic(explicit, &peek) < 0))
		return ERR_SYNTAX;
	if (outer.len > 0)
		return ERR_SYNTAX;
	*ret = peek;
	return OK;
}
