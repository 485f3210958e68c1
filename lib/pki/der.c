/* der.c — see der.h. Reading borrows and never allocates; writing appends to a struct buf and never
 * fails.
 *
 * Only what X.690 section 10 (DER) allows is read: definite lengths in their shortest form. Tags
 * above 30 do not occur in anything we handle and are refused. */
#include "lib/pki/der.h"

#include <assert.h>
#include <time.h>

#include "lib/base/clock.h"

#define TAG_NUMBER_MASK 0x1f
#define LENGTH_LONG 0x80

/* The length octets at the front of *in; *in moves behind them. */
static int read_length(struct bytes *in, size_t *ret)
{
	size_t len, count;

	if (in->len < 1)
		return ERR_SYNTAX;
	len = in->ptr[0];
	*in = bytes_of(in->ptr + 1, in->len - 1);
	if (len < LENGTH_LONG) {
		*ret = len;
		return OK;
	}
	/* 0x80 is the indefinite form; four octets are more than any object we accept needs. */
	count = len & ~(size_t)LENGTH_LONG;
	if (count == 0 || count > 4 || in->len < count || in->ptr[0] == 0)
		return ERR_SYNTAX;
	len = 0;
	for (size_t i = 0; i < count; i++)
		len = len << 8 | in->ptr[i];
	if (len < LENGTH_LONG)
		return ERR_SYNTAX;
	*in = bytes_of(in->ptr + count, in->len - count);
	*ret = len;
	return OK;
}

int der_read(struct bytes *in, uint8_t *ret_tag, struct bytes *ret_content, struct bytes *ret_whole)
{
	struct bytes rest = *in;
	uint8_t tag;
	size_t len;
	int r;

	if (rest.len < 2)
		return ERR_SYNTAX;
	tag = rest.ptr[0];
	if (tag == 0 || (tag & TAG_NUMBER_MASK) == TAG_NUMBER_MASK)
		return ERR_SYNTAX;
	rest = bytes_of(rest.ptr + 1, rest.len - 1);
	r = read_length(&rest, &len);
	if (r < 0)
		return r;
	if (len > rest.len)
		return ERR_SYNTAX;

	if (ret_tag != NULL)
		*ret_tag = tag;
	if (ret_content != NULL)
		*ret_content = bytes_of(rest.ptr, len);
	if (ret_whole != NULL)
		*ret_whole = bytes_of(in->ptr, (size_t)(rest.ptr + len - in->ptr));
	*in = bytes_of(rest.ptr + len, rest.len - len);
	return OK;
}

int der_expect(struct bytes *in, uint8_t tag, struct bytes *ret_content)
{
	if (der_peek(*in) != tag)
		return ERR_SYNTAX;
	return der_read(in, NULL, ret_content, NULL);
}

uint8_t der_peek(struct bytes in)
{
	return in.len == 0 ? 0 : in.ptr[0];
}

size_t der_begin(struct buf *out, uint8_t tag)
{
	buf_add_byte(out, tag);
	buf_add_byte(out, 0);
	return out->len - 1;
}

void der_end(struct buf *out, size_t mark)
{
	size_t len = out->len - mark - 1;
	size_t octets = 0;

	assert(mark < out->len && len <= UINT32_MAX);
	if (len < LENGTH_LONG) {
		out->ptr[mark] = (uint8_t)len;
		return;
	}
	for (size_t rest = len; rest > 0; rest >>= 8)
		octets++;
	for (size_t i = 0; i < octets; i++)
		buf_add_byte(out, 0);
	memmove(out->ptr + mark + 1 + octets, out->ptr + mark + 1, len);
	out->ptr[mark] = (uint8_t)(LENGTH_LONG | octets);
	for (size_t i = 0; i < octets; i++)
		out->ptr[mark + 1 + i] = (uint8_t)(len >> 8 * (octets - 1 - i));
}

void der_put(struct buf *out, uint8_t tag, struct bytes content)
{
	size_t mark = der_begin(out, tag);

	buf_add(out, content.ptr, content.len);
	der_end(out, mark);
}

void der_put_oid(struct buf *out, struct bytes encoded)
{
	der_put(out, DER_OID, encoded);
}

static struct tm broken_down(int64_t wall_us)
{
	int64_t secs = wall_us / USEC_PER_SEC - (wall_us % USEC_PER_SEC < 0);
	time_t t = (time_t)secs;
	struct tm tm = {0};

	gmtime_r(&t, &tm);
	/* What both types have room for; a clock outside of it is a broken machine. */
	assert(tm.tm_year >= 50 && tm.tm_year <= 9999 - 1900);
	return tm;
}

static void put_two_digits(struct buf *out, int n)
{
	buf_add_byte(out, (uint8_t)('0' + n / 10 % 10));
	buf_add_byte(out, (uint8_t)('0' + n % 10));
}

static void put_time(struct buf *out, const struct tm *tm, bool general)
{
	size_t mark = der_begin(out, general ? DER_GENERALIZED_TIME : DER_UTC_TIME);

	if (general)
		put_two_digits(out, (tm->tm_year + 1900) / 100);
	put_two_digits(out, tm->tm_year % 100);
	put_two_digits(out, tm->tm_mon + 1);
	put_two_digits(out, tm->tm_mday);
	put_two_digits(out, tm->tm_hour);
	put_two_digits(out, tm->tm_min);
	put_two_digits(out, tm->tm_sec);
	buf_add_byte(out, 'Z');
	der_end(out, mark);
}

void der_put_time(struct buf *out, int64_t wall_us)
{
	struct tm tm = broken_down(wall_us);

	/* RFC 5280 section 4.1.2.5: UTCTime through the year 2049. */
	put_time(out, &tm, tm.tm_year >= 150);
}

void der_put_generalized_time(struct buf *out, int64_t wall_us)
{
	struct tm tm = broken_down(wall_us);

	put_time(out, &tm, true);
}

void der_put_uint(struct buf *out, struct bytes big_endian)
{
	size_t mark = der_begin(out, DER_INTEGER);

	while (big_endian.len > 0 && big_endian.ptr[0] == 0)
		big_endian = bytes_of(big_endian.ptr + 1, big_endian.len - 1);
	if (big_endian.len == 0 || (big_endian.ptr[0] & 0x80) != 0)
		buf_add_byte(out, 0);
	buf_add(out, big_endian.ptr, big_endian.len);
	der_end(out, mark);
}
