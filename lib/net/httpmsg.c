/* httpmsg.c — see httpmsg.h. */
#include "lib/net/httpmsg.h"

#include <strings.h>

#define CHUNK_LINE_MAX_DIGITS 8
#define CHUNK_EXTENSION_MAX 256
#define INTERIM_MAX 4

enum chunk_part { CHUNK_SIZE, CHUNK_EXTENSION, CHUNK_LF, CHUNK_DATA, CHUNK_DATA_CR, CHUNK_DATA_LF };

/* What the fields of one head say about the body. */
struct framing {
	bool chunked;
	bool counted;
	size_t length;
};

void httpmsg_init(struct httpmsg *m, size_t body_max)
{
	*m = (struct httpmsg){.body_max = body_max};
}

void httpmsg_done(struct httpmsg *m)
{
	free(m->location);
	buf_done(&m->body);
	buf_done(&m->head);
	*m = (struct httpmsg){0};
}

static int refuse(struct httpmsg *m, int err, const char *fault)
{
	m->fault = fault;
	return err;
}

static bool is_digit(uint8_t c)
{
	return c >= '0' && c <= '9';
}

/* One line without its CRLF or LF (RFC 9112 section 2.2 lets us take a lone LF). */
static struct bytes take_line(struct bytes *in)
{
	const uint8_t *lf = memchr(in->ptr, '\n', in->len);
	struct bytes line = bytes_of(in->ptr, (size_t)(lf - in->ptr));

	*in = bytes_of(lf + 1, in->len - line.len - 1);
	if (line.len > 0 && line.ptr[line.len - 1] == '\r')
		line.len--;
	return line;
}

static struct bytes trim(struct bytes text)
{
	while (text.len > 0 && (text.ptr[0] == ' ' || text.ptr[0] == '\t'))
		text = bytes_of(text.ptr + 1, text.len - 1);
	while (text.len > 0 && (text.ptr[text.len - 1] == ' ' || text.ptr[text.len - 1] == '\t'))
		text.len--;
	return text;
}

/* RFC 9112 section 4: HTTP-version SP status-code SP [reason-phrase]; the second SP is often left
 * out. */
static int read_status_line(struct httpmsg *m, struct bytes line)
{
	const uint8_t *p = line.ptr;

	if (line.len < 12 || memcmp(p, "HTTP/1.", 7) != 0 || !is_digit(p[7]) || p[8] != ' ' ||
		!is_digit(p[9]) || !is_digit(p[10]) || !is_digit(p[11]) ||
		(line.len > 12 && p[12] != ' '))
		return refuse(m, ERR_SYNTAX, "does not begin with an HTTP/1 status line");
	m->status = (p[9] - '0') * 100 + (p[10] - '0') * 10 + (p[11] - '0');
	if (m->status < 100 || m->status > 599)
		return refuse(m, ERR_SYNTAX, "has an impossible status code");
	return OK;
}

static bool is_token_char(uint8_t c)
{
	return is_digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
		(c != '\0' && strchr("!#$%&'*+-.^_`|~", c) != NULL);
}

static bool name_is(struct bytes name, const char *text)
{
	return name.len == strlen(text) && strncasecmp((const char *)name.ptr, text, name.len) == 0;
}

static int read_length(struct httpmsg *m, struct bytes value, struct framing *f)
{
	size_t length = 0;

	if (value.len == 0 || value.len > 18)
		return refuse(m, ERR_SYNTAX, "has a malformed Content-Length");
	for (size_t i = 0; i < value.len; i++) {
		if (!is_digit(value.ptr[i]))
			return refuse(m, ERR_SYNTAX, "has a malformed Content-Length");
		length = length * 10 + (value.ptr[i] - '0');
	}
	/* RFC 9112 section 6.3: differing lengths are unrecoverable. */
	if (f->counted && f->length != length)
		return refuse(m, ERR_SYNTAX, "has two Content-Length fields that differ");
	f->counted = true;
	f->length = length;
	return OK;
}

static int read_field(struct httpmsg *m, struct bytes line, struct framing *f)
{
	size_t colon = 0;
	struct bytes name, value;

	/* A leading blank would be obsolete line folding (RFC 9112 section 5.2): refused here as
	 * "no token". */
	while (colon < line.len && is_token_char(line.ptr[colon]))
		colon++;
	if (colon == 0 || colon == line.len || line.ptr[colon] != ':' ||
		memchr(line.ptr, '\0', line.len) != NULL ||
		memchr(line.ptr, '\r', line.len) != NULL)
		return refuse(m, ERR_SYNTAX, "has a malformed header field");
	name = bytes_of(line.ptr, colon);
	value = trim(bytes_of(line.ptr + colon + 1, line.len - colon - 1));
	if (name_is(name, "Content-Length"))
		return read_length(m, value, f);
	if (name_is(name, "Transfer-Encoding")) {
		if (f->chunked || !name_is(value, "chunked"))
			return refuse(m, ERR_SYNTAX, "has a Transfer-Encoding other than chunked");
		f->chunked = true;
	}
	if (name_is(name, "Location")) {
		if (m->location != NULL)
			return refuse(m, ERR_SYNTAX, "has more than one Location");
		m->location = xstrndup((const char *)value.ptr, value.len);
	}
	return OK;
}

static int choose_body(struct httpmsg *m, const struct framing *f)
{
	/* RFC 9112 section 6.3, in its order. */
	if (m->status < 200 || m->status > 299 || m->status == 204) {
		m->state = HTTPMSG_COMPLETE;
	} else if (f->chunked) {
		if (f->counted)
			return refuse(m, ERR_SYNTAX,
				"has both Transfer-Encoding and Content-Length");
		m->state = HTTPMSG_BODY_CHUNKED;
		m->chunk_part = CHUNK_SIZE;
	} else if (f->counted) {
		if (f->length > m->body_max)
			return refuse(m, ERR_LIMIT, "has too long a body");
		m->state = f->length == 0 ? HTTPMSG_COMPLETE : HTTPMSG_BODY_COUNTED;
		m->left = f->length;
	} else {
		m->state = HTTPMSG_BODY_TO_END;
	}
	return OK;
}

/* head: everything up to and with the empty line. */
static int read_head(struct httpmsg *m, struct bytes head)
{
	struct framing f = {0};
	int rc = read_status_line(m, take_line(&head));

	while (rc == OK && head.len > 0) {
		struct bytes line = take_line(&head);

		if (line.len > 0)
			rc = read_field(m, line, &f);
	}
	if (rc == OK && m->status < 200) {
		/* RFC 9110 section 15.2: interim; the real response follows. 101 cannot, we asked
		 * for no upgrade. */
		if (m->status == 101)
			return refuse(m, ERR_SYNTAX, "switches protocols without being asked");
		if (++m->ninterim > INTERIM_MAX)
			return refuse(m, ERR_LIMIT, "has too many interim responses");
		m->status = 0;
		free(m->location);
		m->location = NULL;
		return OK;
	}
	return rc == OK ? choose_body(m, &f) : rc;
}

/* Length of the head with its empty line, or 0 while it is incomplete. */
static size_t head_len(struct bytes in)
{
	for (size_t i = 0; i + 1 < in.len; i++) {
		if (in.ptr[i] != '\n')
			continue;
		if (in.ptr[i + 1] == '\n')
			return i + 2;
		if (i + 2 < in.len && in.ptr[i + 1] == '\r' && in.ptr[i + 2] == '\n')
			return i + 3;
	}
	return 0;
}

static int body_add(struct httpmsg *m, const uint8_t *ptr, size_t len)
{
	if (len > m->body_max - m->body.len)
		return refuse(m, ERR_LIMIT, "has too long a body");
	buf_add(&m->body, ptr, len);
	return OK;
}

static int chunk_size_ends(struct httpmsg *m)
{
	if (m->chunk_digits == 0)
		return refuse(m, ERR_SYNTAX, "has a malformed chunk");
	m->chunk_digits = 0;
	if (m->left == 0)
		m->state = HTTPMSG_COMPLETE; /* trailers say nothing to us */
	else if (m->left > m->body_max - m->body.len)
		return refuse(m, ERR_LIMIT, "has too long a body");
	m->chunk_part = CHUNK_DATA;
	return OK;
}

static int hex_value(uint8_t c)
{
	if (is_digit(c))
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* The size line of a chunk, byte by byte (RFC 9112 section 7.1). */
static int feed_chunk_line(struct httpmsg *m, uint8_t c)
{
	if (c == '\n')
		return chunk_size_ends(m);
	if (m->chunk_part == CHUNK_LF)
		return refuse(m, ERR_SYNTAX, "has a malformed chunk");
	if (c == '\r') {
		m->chunk_part = CHUNK_LF;
	} else if (m->chunk_part == CHUNK_SIZE && hex_value(c) >= 0) {
		if (m->chunk_digits == 0)
			m->left = 0;
		if (++m->chunk_digits > CHUNK_LINE_MAX_DIGITS)
			return refuse(m, ERR_SYNTAX, "has a malformed chunk");
		m->left = m->left * 16 + (size_t)hex_value(c);
	} else if (m->chunk_digits == 0 ||
		(m->chunk_part == CHUNK_SIZE && c != ';' && c != ' ' && c != '\t')) {
		return refuse(m, ERR_SYNTAX, "has a malformed chunk");
	} else {
		m->chunk_part = CHUNK_EXTENSION;
		if (++m->chunk_digits > CHUNK_EXTENSION_MAX)
			return refuse(m, ERR_LIMIT, "has too long a chunk extension");
	}
	return OK;
}

static int feed_chunked(struct httpmsg *m, struct bytes *in)
{
	uint8_t c = in->ptr[0];
	size_t n = 1;
	int rc = OK;

	if (m->chunk_part == CHUNK_DATA) {
		n = in->len < m->left ? in->len : m->left;
		rc = body_add(m, in->ptr, n);
		m->left -= n;
		if (m->left == 0)
			m->chunk_part = CHUNK_DATA_CR;
	} else if (m->chunk_part == CHUNK_DATA_CR && c == '\r') {
		m->chunk_part = CHUNK_DATA_LF;
	} else if (m->chunk_part == CHUNK_DATA_CR || m->chunk_part == CHUNK_DATA_LF) {
		if (c != '\n')
			return refuse(m, ERR_SYNTAX, "has a malformed chunk");
		m->chunk_part = CHUNK_SIZE;
	} else {
		rc = feed_chunk_line(m, c);
	}
	*in = bytes_of(in->ptr + n, in->len - n);
	return rc;
}

static int feed_head(struct httpmsg *m, struct bytes *in)
{
	size_t room = HTTPMSG_HEAD_MAX_BYTES - m->head.len, before = m->head.len;
	size_t n = in->len < room ? in->len : room, len;
	int rc;

	buf_add(&m->head, in->ptr, n);
	len = head_len(buf_bytes(&m->head));
	if (len == 0) {
		if (m->head.len == HTTPMSG_HEAD_MAX_BYTES)
			return refuse(m, ERR_LIMIT, "has a header over 8 KiB");
		*in = bytes_of(in->ptr + n, in->len - n);
		return OK;
	}
	rc = read_head(m, bytes_of(m->head.ptr, len));
	*in = bytes_of(in->ptr + (len - before), in->len - (len - before));
	buf_done(&m->head);
	m->head = (struct buf){0};
	return rc;
}

static int feed_body(struct httpmsg *m, struct bytes *in)
{
	size_t n = in->len;
	int rc;

	if (m->state == HTTPMSG_BODY_COUNTED && n > m->left)
		n = m->left;
	rc = body_add(m, in->ptr, n);
	if (m->state == HTTPMSG_BODY_COUNTED) {
		m->left -= n;
		if (m->left == 0)
			m->state = HTTPMSG_COMPLETE;
	}
	*in = bytes_of(in->ptr + n, in->len - n);
	return rc;
}

int httpmsg_feed(struct httpmsg *m, struct bytes in)
{
	int rc = OK;

	while (rc == OK && in.len > 0 && m->state != HTTPMSG_COMPLETE) {
		if (m->state == HTTPMSG_HEAD)
			rc = feed_head(m, &in);
		else if (m->state == HTTPMSG_BODY_CHUNKED)
			rc = feed_chunked(m, &in);
		else
			rc = feed_body(m, &in);
	}
	return rc;
}

int httpmsg_end(struct httpmsg *m)
{
	if (m->state == HTTPMSG_BODY_TO_END)
		m->state = HTTPMSG_COMPLETE;
	if (m->state != HTTPMSG_COMPLETE)
		return refuse(m, ERR_SYNTAX, "ends too early");
	return OK;
}
