/* certview.c — see certview.h. */
#include "lib/pki/certview.h"

#include "lib/pki/der.h"

#define CERTIFICATE_MAX_BYTES 65536
#define TAG_VERSION 0xa0

#define BEGIN_CERTIFICATE "-----BEGIN CERTIFICATE-----"
#define END_CERTIFICATE "-----END CERTIFICATE-----"
#define PEM_COLUMNS 64

/* RFC 5280 section 4.1: TBSCertificate, up to the key. */
static int walk_tbs(struct bytes tbs, struct certview_outline *ret)
{
	if (der_peek(tbs) == TAG_VERSION && der_expect(&tbs, TAG_VERSION, NULL) < 0)
		return ERR_SYNTAX;
	if (der_expect(&tbs, DER_INTEGER, &ret->serial) < 0 || ret->serial.len == 0 ||
		der_expect(&tbs, DER_SEQUENCE, NULL) < 0 || /* signature */
		der_expect(&tbs, DER_SEQUENCE, NULL) < 0 || /* issuer */
		der_expect(&tbs, DER_SEQUENCE, NULL) < 0 || /* validity */
		der_peek(tbs) != DER_SEQUENCE || der_read(&tbs, NULL, NULL, &ret->subject) < 0 ||
		der_peek(tbs) != DER_SEQUENCE)
		return ERR_SYNTAX;
	return der_read(&tbs, NULL, NULL, &ret->spki);
}

int certview_walk(struct bytes der, struct certview_outline *ret)
{
	struct bytes certificate, tbs;

	if (der.len > CERTIFICATE_MAX_BYTES || der_expect(&der, DER_SEQUENCE, &certificate) < 0 ||
		der.len > 0 || der_expect(&certificate, DER_SEQUENCE, &tbs) < 0 ||
		der_expect(&certificate, DER_SEQUENCE, NULL) < 0 ||
		der_expect(&certificate, DER_BIT_STRING, NULL) < 0 || certificate.len > 0)
		return ERR_SYNTAX;
	return walk_tbs(tbs, ret);
}

int certview_parse(struct bytes der, struct certview **ret)
{
	CLEANUP(certview_free) struct certview *view = xcalloc(1, sizeof(*view));
	struct certview_outline outline;
	const uint8_t *end = der.ptr;

	if (certview_walk(der, &outline) < 0)
		return ERR_SYNTAX;
	view->serial = outline.serial;
	view->x509 = d2i_X509(NULL, &end, (long)der.len);
	if (view->x509 == NULL || end != der.ptr + der.len) {
		ossl_drain("d2i_X509");
		return ERR_SYNTAX;
	}
	view->der = der;
	*ret = TAKE(view);
	return OK;
}

void certview_free(struct certview *view)
{
	if (view == NULL)
		return;
	X509_free(view->x509);
	free(view);
}

void pem_append(struct buf *out, const char *label, struct bytes der)
{
	const size_t line_octets = PEM_COLUMNS / 4 * 3;

	buf_addf(out, "-----BEGIN %s-----\n", label);
	for (size_t at = 0; at < der.len; at += line_octets) {
		unsigned char line[PEM_COLUMNS + 1];
		size_t len = der.len - at < line_octets ? der.len - at : line_octets;

		buf_add(out, line, (size_t)EVP_EncodeBlock(line, der.ptr + at, (int)len));
		buf_add_byte(out, '\n');
	}
	buf_addf(out, "-----END %s-----\n", label);
}

/* One line without its end (LF or CRLF) and without trailing blanks. */
static struct bytes next_line(struct bytes *in)
{
	const uint8_t *lf = memchr(in->ptr, '\n', in->len);
	size_t len = lf == NULL ? in->len : (size_t)(lf - in->ptr);
	struct bytes line = bytes_of(in->ptr, len);

	*in = bytes_of(in->ptr + len + (lf != NULL), in->len - len - (lf != NULL));
	while (line.len > 0 &&
		(line.ptr[line.len - 1] == '\r' || line.ptr[line.len - 1] == ' ' ||
			line.ptr[line.len - 1] == '\t'))
		line.len--;
	return line;
}

/* Base64 of whole quanta in the usual alphabet, padding only at the very end, pad bits zero. */
static int decode_base64(const struct buf *text, struct buf *ret)
{
	CLEANUP_BUF struct buf again = {0};
	size_t len = text->len / 4 * 3;
	int n;

	if (text->len == 0 || text->len % 4 != 0 || text->len > CERTIFICATE_MAX_BYTES / 3 * 4)
		return ERR_SYNTAX;
	buf_reserve(ret, len);
	n = EVP_DecodeBlock(ret->ptr, text->ptr, (int)text->len);
	if (n < 0 || (size_t)n != len)
		return ERR_SYNTAX;
	ret->len = len - (text->ptr[text->len - 1] == '=') - (text->ptr[text->len - 2] == '=');
	/* EVP_DecodeBlock forgives: only text that encodes back to itself is taken. */
	buf_reserve(&again, text->len + 1);
	n = EVP_EncodeBlock(again.ptr, ret->ptr, (int)ret->len);
	if ((size_t)n != text->len || memcmp(again.ptr, text->ptr, text->len) != 0)
		return ERR_SYNTAX;
	ret->ptr[ret->len] = 0;
	return OK;
}

/* The lines behind BEGIN, up to and with END. */
static int read_block(struct bytes *in, struct buf *ret)
{
	CLEANUP_BUF struct buf text = {0};

	while (in->len > 0) {
		struct bytes line = next_line(in);

		if (bytes_is(line, END_CERTIFICATE))
			return decode_base64(&text, ret);
		buf_add(&text, line.ptr, line.len);
	}
	return ERR_SYNTAX;
}

static void free_all(struct buf *blocks, size_t count)
{
	for (size_t i = 0; i < count; i++)
		buf_done(&blocks[i]);
	free(blocks);
}

int pem_certificates(struct bytes pem, struct buf **ret, size_t *ret_count)
{
	struct buf *blocks = NULL;
	size_t count = 0;

	while (pem.len > 0) {
		/* RFC 7468 section 2: text outside of the blocks is explanatory. */
		if (!bytes_is(next_line(&pem), BEGIN_CERTIFICATE))
			continue;
		blocks = xrealloc(blocks, (count + 1) * sizeof(*blocks));
		blocks[count] = (struct buf){0};
		if (read_block(&pem, &blocks[count++]) < 0) {
			free_all(blocks, count);
			return ERR_SYNTAX;
		}
	}
	if (count == 0)
		return ERR_SYNTAX;
	*ret = blocks;
	*ret_count = count;
	return OK;
}
