/* crl.c — see crl.h. Lengths are believed only as far as the source goes: each element must end
 * exactly where its parent does. */
#include "lib/pki/crl.h"

#include <errno.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "lib/base/clock.h"
#include "lib/pki/der.h"
#include "lib/pki/oid.h"

#define TAG_EXTENSIONS 0xa0
#define HEADER_MAX 6 /* tag, and a length of up to four octets behind its own */
#define ENTRY_MAX 4096

int crl_source_file(int fd, struct crl_source *ret)
{
	struct stat st;

	if (fstat(fd, &st) != 0)
		return ERR_INTERNAL;
	if (!S_ISREG(st.st_mode)) {
		errno = EINVAL;
		return ERR_INTERNAL;
	}
	*ret = (struct crl_source){.fd = fd, .size = (uint64_t)st.st_size};
	return OK;
}

struct crl_source crl_source_bytes(struct bytes der)
{
	return (struct crl_source){.fd = -1, .size = der.len, .memory = der.ptr};
}

int crl_source_read(const struct crl_source *src, uint64_t offset, void *out, size_t len)
{
	uint8_t *to = out;

	if (offset > src->size || len > src->size - offset)
		return ERR_SYNTAX;
	if (src->fd < 0) {
		if (len > 0)
			memcpy(out, src->memory + offset, len);
		return OK;
	}
	while (len > 0) {
		ssize_t got = pread(src->fd, to, len, (off_t)offset);

		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return ERR_INTERNAL;
		if (got == 0) /* it became shorter */
			return ERR_SYNTAX;
		to += got;
		offset += (uint64_t)got;
		len -= (size_t)got;
	}
	return OK;
}

static int read_buf(const struct crl_source *src, uint64_t offset, uint64_t len, struct buf *out)
{
	int err;

	buf_reset(out);
	buf_reserve(out, len);
	err = crl_source_read(src, offset, out->ptr, len);
	if (err == OK)
		out->len = len;
	return err;
}

/* The tag and length of an element at offset, which ends at or before end. */
static int read_header(const struct crl_source *src, uint64_t offset, uint64_t end,
	uint8_t *ret_tag, uint64_t *ret_content, uint64_t *ret_len)
{
	uint8_t head[HEADER_MAX] = {0};
	uint64_t room = end - offset, len;
	size_t have = room < HEADER_MAX ? (size_t)room : HEADER_MAX, octets;
	int err;

	if (offset >= end || have < 2)
		return ERR_SYNTAX;
	err = crl_source_read(src, offset, head, have);
	if (err != OK)
		return err;
	octets = head[1] < 0x80 ? 0 : head[1] & 0x7fU;
	len = head[1];
	if (octets > 0 || head[1] == 0x80) {
		/* X.690 section 10.1: definite, and no longer than needed. */
		if (octets == 0 || octets > 4 || 2 + octets > have || head[2] == 0)
			return ERR_SYNTAX;
		len = 0;
		for (size_t i = 0; i < octets; i++)
			len = len << 8 | head[2 + i];
		if (len < 0x80)
			return ERR_SYNTAX;
	}
	if (len > room - 2 - octets)
		return ERR_SYNTAX;
	*ret_tag = head[0];
	*ret_content = offset + 2 + octets;
	*ret_len = len;
	return OK;
}

static int read_whole(struct bytes *in, uint8_t tag, struct bytes *ret)
{
	return der_peek(*in) == tag ? der_read(in, NULL, NULL, ret) : ERR_SYNTAX;
}

static bool is_time(uint8_t tag)
{
	return tag == DER_UTC_TIME || tag == DER_GENERALIZED_TIME;
}

/* RFC 5280 section 5.1.2: what stands before revokedCertificates. *ret_used: how long it is. */
static int read_front(struct bytes in, struct crl_view *v, size_t *ret_used)
{
	size_t len = in.len;

	if (der_peek(in) == DER_INTEGER && der_expect(&in, DER_INTEGER, &v->version) < 0)
		return ERR_SYNTAX;
	if (read_whole(&in, DER_SEQUENCE, &v->inner_algorithm) < 0 ||
		read_whole(&in, DER_SEQUENCE, &v->issuer) < 0 || !is_time(der_peek(in)) ||
		der_read(&in, NULL, NULL, &v->this_update) < 0)
		return ERR_SYNTAX;
	if (is_time(der_peek(in)) && der_read(&in, NULL, NULL, &v->next_update) < 0)
		return ERR_SYNTAX;
	*ret_used = len - in.len;
	return OK;
}

static int read_extension(struct bytes *in, struct crl_extension *ret)
{
	struct bytes body;

	*ret = (struct crl_extension){0};
	if (der_expect(in, DER_SEQUENCE, &body) < 0 || der_expect(&body, DER_OID, &ret->oid) < 0)
		return ERR_SYNTAX;
	if (der_peek(body) == DER_BOOLEAN && der_expect(&body, DER_BOOLEAN, &ret->critical) < 0)
		return ERR_SYNTAX;
	return der_expect(&body, DER_OCTET_STRING, &ret->value) == OK && body.len == 0 ? OK
										       : ERR_SYNTAX;
}

/* Extensions ::= SEQUENCE SIZE (1..MAX) OF Extension. */
static int read_extensions(struct bytes in, struct crl_view *v)
{
	struct bytes list;

	if (in.len == 0)
		return OK;
	if (der_expect(&in, TAG_EXTENSIONS, &list) < 0 || in.len > 0)
		return ERR_SYNTAX;
	in = list;
	if (der_expect(&in, DER_SEQUENCE, &list) < 0 || in.len > 0 || list.len == 0)
		return ERR_SYNTAX;
	while (list.len > 0) {
		if (v->nextensions == CRL_EXTENSIONS_MAX ||
			read_extension(&list, &v->extensions[v->nextensions]) < 0)
			return ERR_SYNTAX;
		v->nextensions++;
	}
	return OK;
}

/* The front, and where the entries are. */
static int read_tbs(const struct crl_source *src, uint64_t offset, uint64_t end, struct crl_view *v,
	uint64_t *ret_behind)
{
	uint64_t content, len, room = end - offset;
	size_t used;
	uint8_t tag;
	int err = read_buf(src, offset, room < CRL_HEAD_MAX ? room : CRL_HEAD_MAX, &v->front);

	if (err == OK)
		err = read_front(buf_bytes(&v->front), v, &used);
	if (err != OK)
		return err;
	offset += used;
	*ret_behind = offset;
	if (offset == end)
		return OK;
	err = read_header(src, offset, end, &tag, &content, &len);
	if (err != OK || tag != DER_SEQUENCE)
		return err;
	v->has_entries = true;
	v->entries_offset = content;
	v->entries_len = len;
	*ret_behind = content + len;
	return OK;
}

/* What stands behind the entries: the rest of the TBSCertList, algorithm and signature. */
static int read_back(const struct crl_source *src, uint64_t offset, uint64_t tbs_end, uint64_t end,
	struct crl_view *v)
{
	struct bytes in;
	int err;

	if (end - offset > CRL_HEAD_MAX)
		return ERR_SYNTAX;
	err = read_buf(src, offset, end - offset, &v->back);
	if (err != OK)
		return err;
	in = bytes_of(v->back.ptr + (tbs_end - offset), end - tbs_end);
	if (read_whole(&in, DER_SEQUENCE, &v->outer_algorithm) < 0 ||
		der_expect(&in, DER_BIT_STRING, &v->signature) < 0 || in.len > 0)
		return ERR_SYNTAX;
	return read_extensions(bytes_of(v->back.ptr, tbs_end - offset), v);
}

int crl_view_read(const struct crl_source *src, struct crl_view *ret)
{
	uint64_t content, len, tbs, tbs_len, behind;
	uint8_t tag;
	int err;

	*ret = (struct crl_view){0};
	err = read_header(src, 0, src->size, &tag, &content, &len);
	if (err != OK)
		return err;
	if (tag != DER_SEQUENCE || content + len != src->size)
		return ERR_SYNTAX;
	err = read_header(src, content, src->size, &tag, &tbs, &tbs_len);
	if (err != OK)
		return err;
	if (tag != DER_SEQUENCE)
		return ERR_SYNTAX;
	ret->tbs_offset = content;
	ret->tbs_len = tbs + tbs_len - content;
	err = read_tbs(src, tbs, tbs + tbs_len, ret, &behind);
	if (err == OK)
		err = read_back(src, behind, tbs + tbs_len, src->size, ret);
	return err;
}

void crl_view_done(struct crl_view *view)
{
	buf_done(&view->front);
	buf_done(&view->back);
}

const struct crl_extension *crl_extension_find(const struct crl_view *view, struct bytes oid)
{
	for (size_t i = 0; i < view->nextensions; i++) {
		if (bytes_equal(view->extensions[i].oid, oid))
			return &view->extensions[i];
	}
	return NULL;
}

int crl_view_number(const struct crl_view *view, int64_t *ret)
{
	const struct crl_extension *e = crl_extension_find(view, OID_CRL_NUMBER);
	struct bytes value, number;
	uint64_t sum = 0;

	if (e == NULL)
		return ERR_NOENT;
	value = e->value;
	if (der_expect(&value, DER_INTEGER, &number) < 0 || value.len > 0 || number.len == 0 ||
		number.len > 8 || number.ptr[0] >= 0x80)
		return ERR_SYNTAX;
	for (size_t i = 0; i < number.len; i++)
		sum = sum << 8 | number.ptr[i];
	*ret = (int64_t)sum;
	return OK;
}

/* Two digits, or -1. */
static int two_digits(const uint8_t *at)
{
	if (at[0] < '0' || at[0] > '9' || at[1] < '0' || at[1] > '9')
		return -1;
	return (at[0] - '0') * 10 + at[1] - '0';
}

static int days_of(int year, int month)
{
	static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
	bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;

	return days[month - 1] + (month == 2 && leap);
}

int crl_time(struct bytes whole, int64_t *ret_us)
{
	int part[7] = {0}, year;
	size_t first;
	struct bytes text;
	uint8_t tag;
	struct tm tm = {0};

	if (der_read(&whole, &tag, &text, NULL) < 0 || whole.len > 0 || !is_time(tag))
		return ERR_SYNTAX;
	first = tag == DER_UTC_TIME ? 1 : 0;
	if (text.len != 15 - 2 * first || text.ptr[text.len - 1] != 'Z')
		return ERR_SYNTAX;
	for (size_t i = first; i < 7; i++) {
		part[i] = two_digits(text.ptr + 2 * (i - first));
		if (part[i] < 0)
			return ERR_SYNTAX;
	}
	/* RFC 5280 section 4.1.2.5: UTCTime is of 1950 to 2049, and GeneralizedTime later. */
	year = tag == DER_UTC_TIME ? (part[1] < 50 ? 2000 : 1900) + part[1]
				   : part[0] * 100 + part[1];
	if ((tag == DER_GENERALIZED_TIME && year < 2050) || part[2] < 1 || part[2] > 12 ||
		part[3] < 1 || part[3] > days_of(year, part[2]) || part[4] > 23 || part[5] > 59 ||
		part[6] > 59)
		return ERR_SYNTAX;
	tm = (struct tm){.tm_year = year - 1900,
		.tm_mon = part[2] - 1,
		.tm_mday = part[3],
		.tm_hour = part[4],
		.tm_min = part[5],
		.tm_sec = part[6]};
	*ret_us = (int64_t)timegm(&tm) * USEC_PER_SEC;
	return OK;
}

void crl_walk_begin(const struct crl_source *src, const struct crl_view *view, struct crl_walk *ret)
{
	*ret = (struct crl_walk){.src = src,
		.offset = view->entries_offset,
		.end = view->entries_offset + view->entries_len};
}

/* Lets the window begin at the next entry, and hold it whole if it is none of a hostile length. */
static int fill(struct crl_walk *walk)
{
	uint64_t left = walk->end - walk->offset;

	if (walk->window.len - walk->at >= ENTRY_MAX || walk->window.len - walk->at == left)
		return OK;
	walk->at = 0;
	return read_buf(walk->src, walk->offset, left < CRL_WINDOW ? left : CRL_WINDOW,
		&walk->window);
}

int crl_walk_next(struct crl_walk *walk, struct crl_item *ret)
{
	struct bytes in, body, before;
	int err;

	if (walk->offset == walk->end)
		return ERR_NOENT;
	err = fill(walk);
	if (err != OK)
		return err;
	before = in = bytes_of(walk->window.ptr + walk->at, walk->window.len - walk->at);
	*ret = (struct crl_item){0};
	if (der_expect(&in, DER_SEQUENCE, &body) < 0 ||
		der_expect(&body, DER_INTEGER, &ret->serial) < 0 || !is_time(der_peek(body)) ||
		der_read(&body, NULL, NULL, &ret->date) < 0)
		return ERR_SYNTAX;
	if (body.len > 0 && (der_expect(&body, DER_SEQUENCE, &ret->extensions) < 0 || body.len > 0))
		return ERR_SYNTAX;
	walk->at += before.len - in.len;
	walk->offset += before.len - in.len;
	return OK;
}

void crl_walk_done(struct crl_walk *walk)
{
	buf_done(&walk->window);
}
