/* crl_write.c — see crl_write.h. */
#include "workers/signer/crl_write.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "lib/pki/der.h"
#include "lib/pki/oid.h"
#include "workers/signer/keys.h"

#define CHUNK 65536
#define LEN_MAX 0xffff0000ULL /* what four octets of length hold, less what stands around */

enum {
	TAG_EXTENSIONS = 0xa0,
	TAG_KEY_ID = 0x80,
	TAG_DP_NAME = 0xa0,
	TAG_FULL_NAME = 0xa0,
	TAG_URI = 0x86,
	TAG_ONLY_USER = 0x81,
	TAG_ONLY_CA = 0x82
};

/* A file that has no name, and what is not written to it yet. */
struct spool {
	int fd;
	struct buf pending;
	uint64_t len; /* pending included */
};

struct crl_writer {
	enum crl_scope scope;
	struct spool entries;
	uint64_t count;
};

static int open_nameless(int *ret)
{
	const char *wanted = getenv("TMPDIR");
	const char *folder = wanted != NULL ? wanted : "/tmp";
	CLEANUP_STR char *path = NULL;
	int fd = open(folder, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);

	/* Not every file system can do that. */
	if (fd < 0 && (errno == EOPNOTSUPP || errno == EISDIR)) {
		if (asprintf(&path, "%s/assay-crl.XXXXXX", folder) < 0)
			abort();
		fd = mkostemp(path, O_CLOEXEC);
		if (fd >= 0)
			(void)unlink(path);
	}
	if (fd < 0)
		return ERR_INTERNAL;
	*ret = fd;
	return OK;
}

static int spool_flush(struct spool *s)
{
	const uint8_t *at = s->pending.ptr;
	size_t left = s->pending.len;

	while (left > 0) {
		ssize_t n = write(s->fd, at, left);

		if (n < 0 && errno != EINTR)
			return ERR_INTERNAL;
		at += n > 0 ? n : 0;
		left -= n > 0 ? (size_t)n : 0;
	}
	buf_reset(&s->pending);
	return OK;
}

static int spool_add(struct spool *s, struct bytes bytes)
{
	buf_add(&s->pending, bytes.ptr, bytes.len);
	s->len += bytes.len;
	return s->pending.len >= CHUNK ? spool_flush(s) : OK;
}

static void spool_done(struct spool *s)
{
	if (s->fd >= 0)
		close(s->fd);
	buf_done(&s->pending);
}

int crl_writer_new(enum crl_scope scope, struct crl_writer **ret)
{
	struct crl_writer *w = xcalloc(1, sizeof(*w));
	int err = open_nameless(&w->entries.fd);

	w->scope = scope;
	if (err != OK) {
		free(w);
		return err;
	}
	*ret = w;
	return OK;
}

void crl_writer_free(struct crl_writer *w)
{
	if (w == NULL)
		return;
	spool_done(&w->entries);
	free(w);
}

/* BR 7.2.2: unspecified is said by silence; hold, removeFromCRL and what a subscriber's
 * certificate cannot have are never said. cACompromise is for lists of CA certificates. */
static bool is_listed(int reason, enum crl_scope scope)
{
	return reason == 1 || (reason >= 3 && reason <= 5) || reason == 9 ||
		(reason == 2 && scope != CRL_SCOPE_USER);
}

/* Extension { reasonCode, OCTET STRING { ENUMERATED } } (RFC 5280 section 5.3.1). */
static void put_reason(struct buf *out, int reason)
{
	uint8_t value = (uint8_t)reason;
	size_t list = der_begin(out, DER_SEQUENCE);
	size_t extension = der_begin(out, DER_SEQUENCE);

	der_put_oid(out, OID_CRL_REASON);
	size_t octets = der_begin(out, DER_OCTET_STRING);
	der_put(out, DER_ENUMERATED, bytes_of(&value, 1));
	der_end(out, octets);
	der_end(out, extension);
	der_end(out, list);
}

int crl_writer_add(struct crl_writer *w, const struct crl_entry *entry)
{
	CLEANUP_BUF struct buf der = {0};
	size_t mark = der_begin(&der, DER_SEQUENCE);

	der_put(&der, DER_INTEGER, entry->serial);
	der_put_time(&der, entry->revoked_us);
	if (is_listed(entry->reason, w->scope))
		put_reason(&der, entry->reason);
	der_end(&der, mark);
	w->count++;
	return spool_add(&w->entries, buf_bytes(&der));
}

/* The tag and length of an element whose contents are elsewhere. */
static void put_header(struct buf *out, uint8_t tag, uint64_t len)
{
	int octets = 0;

	buf_add_byte(out, tag);
	if (len < 0x80) {
		buf_add_byte(out, (uint8_t)len);
		return;
	}
	for (uint64_t rest = len; rest > 0; rest >>= 8)
		octets++;
	buf_add_byte(out, (uint8_t)(0x80 | octets));
	while (octets-- > 0)
		buf_add_byte(out, (uint8_t)(len >> 8 * octets));
}

/* Extension { oid [, critical], OCTET STRING { for the caller to fill } }. */
struct extension {
	size_t whole, value;
};

static struct extension extension_begin(struct buf *out, struct bytes oid, bool critical)
{
	struct extension e = {.whole = der_begin(out, DER_SEQUENCE)};

	der_put_oid(out, oid);
	if (critical)
		der_put(out, DER_BOOLEAN, bytes_of("\xff", 1));
	e.value = der_begin(out, DER_OCTET_STRING);
	return e;
}

static void extension_end(struct buf *out, const struct extension *e)
{
	der_end(out, e->value);
	der_end(out, e->whole);
}

static void put_key_id(struct buf *out, const ASN1_OCTET_STRING *id)
{
	struct extension e = extension_begin(out, OID_AUTHORITY_KEY_IDENTIFIER, false);
	size_t body = der_begin(out, DER_SEQUENCE);

	der_put(out, TAG_KEY_ID,
		bytes_of(ASN1_STRING_get0_data(id), (size_t)ASN1_STRING_length(id)));
	der_end(out, body);
	extension_end(out, &e);
}

static void put_number(struct buf *out, int64_t number)
{
	struct extension e = extension_begin(out, OID_CRL_NUMBER, false);
	uint8_t octets[8];

	for (int i = 0; i < 8; i++)
		octets[i] = (uint8_t)((uint64_t)number >> 8 * (7 - i));
	der_put_uint(out, bytes_of(octets, sizeof(octets)));
	extension_end(out, &e);
}

/* RFC 5280 section 5.2.5: critical; the name byte for byte as certificates have it. */
static void put_distribution_point(struct buf *out, const char *url, enum crl_scope scope)
{
	struct extension e = extension_begin(out, OID_ISSUING_DISTRIBUTION_POINT, true);
	size_t body = der_begin(out, DER_SEQUENCE);

	if (url != NULL) {
		size_t name = der_begin(out, TAG_DP_NAME);
		size_t full_name = der_begin(out, TAG_FULL_NAME);

		der_put(out, TAG_URI, bytes_str(url));
		der_end(out, full_name);
		der_end(out, name);
	}
	if (scope != CRL_SCOPE_ALL)
		der_put(out, scope == CRL_SCOPE_USER ? TAG_ONLY_USER : TAG_ONLY_CA,
			bytes_of("\xff", 1));
	der_end(out, body);
	extension_end(out, &e);
}

/* What stands before the entries: version, algorithm, issuer, dates, header of the entries. */
static int put_front(struct buf *out, const struct crl_form *form, uint64_t entries_len)
{
	struct signature_scheme scheme;
	const uint8_t *name;
	size_t name_len;
	int err = key_scheme(form->key, &scheme);

	if (err != OK)
		return err;
	if (X509_NAME_get0_der(X509_get_subject_name(form->issuer), &name, &name_len) != 1)
		return ossl_drain("X509_NAME_get0_der");
	der_put(out, DER_INTEGER, bytes_of("\x01", 1)); /* v2 */
	buf_add(out, scheme.algorithm.ptr, scheme.algorithm.len);
	buf_add(out, name, name_len);
	der_put_time(out, form->this_update_us);
	der_put_time(out, form->next_update_us);
	/* RFC 5280 section 5.1.2.6: absent when there is nothing to list. */
	if (entries_len > 0)
		put_header(out, DER_SEQUENCE, entries_len);
	return OK;
}

static int put_back(struct buf *out, const struct crl_form *form, enum crl_scope scope)
{
	const ASN1_OCTET_STRING *key_id = X509_get0_subject_key_id(form->issuer);
	size_t tagged, list;

	if (key_id == NULL)
		return ERR_CRYPTO;
	tagged = der_begin(out, TAG_EXTENSIONS);
	list = der_begin(out, DER_SEQUENCE);
	put_key_id(out, key_id);
	put_number(out, form->number);
	if (form->url != NULL || scope != CRL_SCOPE_ALL)
		put_distribution_point(out, form->url, scope);
	der_end(out, list);
	der_end(out, tagged);
	return OK;
}

/* Hands all bytes of the TBSCertList, whose header stands in front, to fn, piece by piece. */
static int each_piece(const struct crl_writer *w, const struct buf *front, const struct buf *back,
	int (*fn)(void *arg, struct bytes piece), void *arg)
{
	const struct crl_source src = {.fd = w->entries.fd, .size = w->entries.len};
	CLEANUP_BUF struct buf window = {0};
	int err = fn(arg, buf_bytes(front));

	buf_reserve(&window, CHUNK);
	for (uint64_t at = 0; err == OK && at < src.size;) {
		size_t n = src.size - at < CHUNK ? (size_t)(src.size - at) : CHUNK;

		if (crl_source_read(&src, at, window.ptr, n) != OK)
			return ERR_INTERNAL;
		err = fn(arg, bytes_of(window.ptr, n));
		at += n;
	}
	return err == OK ? fn(arg, buf_bytes(back)) : err;
}

static int hash_piece(void *arg, struct bytes piece)
{
	return key_stream_add(arg, piece);
}

static int sign(const struct crl_writer *w, const struct crl_form *form, const struct buf *front,
	const struct buf *back, struct buf *ret_signature)
{
	CLEANUP(key_stream_free) struct key_stream *stream = NULL;
	int err = key_stream_begin(form->key, &stream);

	if (err == OK)
		err = each_piece(w, front, back, hash_piece, stream);
	if (err == OK)
		err = key_stream_end(stream, X509_get0_pubkey(form->issuer), ret_signature);
	return err;
}

/* Where the list goes, with its hash. */
struct target {
	struct spool spool;
	EVP_MD_CTX *hash;
};

static int write_piece(void *arg, struct bytes piece)
{
	struct target *t = arg;

	if (EVP_DigestUpdate(t->hash, piece.ptr, piece.len) != 1)
		return ossl_drain("EVP_DigestUpdate");
	return spool_add(&t->spool, piece);
}

static int write_all(struct target *t, const struct crl_writer *w, const struct buf *front,
	const struct buf *back, const struct buf *tail)
{
	CLEANUP_BUF struct buf head = {0};
	int err;

	put_header(&head, DER_SEQUENCE, front->len + w->entries.len + back->len + tail->len);
	err = open_nameless(&t->spool.fd);
	if (err == OK && EVP_DigestInit_ex2(t->hash, ossl_sha256(), NULL) != 1)
		err = ossl_drain("EVP_DigestInit_ex2");
	if (err == OK)
		err = write_piece(t, buf_bytes(&head));
	if (err == OK)
		err = each_piece(w, front, back, write_piece, t);
	if (err == OK)
		err = write_piece(t, buf_bytes(tail));
	return err == OK ? spool_flush(&t->spool) : err;
}

static int make(struct crl_writer *w, const struct crl_form *form, struct target *t)
{
	CLEANUP_BUF struct buf fields = {0}, front = {0}, back = {0}, tail = {0}, bits = {0};
	struct signature_scheme scheme;
	int err = key_scheme(form->key, &scheme);

	if (err == OK)
		err = put_front(&fields, form, w->entries.len);
	if (err == OK)
		err = put_back(&back, form, w->scope);
	if (err == OK)
		err = spool_flush(&w->entries);
	if (err != OK)
		return err;
	put_header(&front, DER_SEQUENCE, fields.len + w->entries.len + back.len);
	buf_add(&front, fields.ptr, fields.len);
	err = sign(w, form, &front, &back, &bits);
	if (err != OK)
		return err;
	buf_add(&tail, scheme.algorithm.ptr, scheme.algorithm.len);
	der_put(&tail, DER_BIT_STRING, buf_bytes(&bits));
	return write_all(t, w, &front, &back, &tail);
}

int crl_writer_finish(struct crl_writer *w, const struct crl_form *form, struct crl_made *ret)
{
	CLEANUP(EVP_MD_CTX_free) EVP_MD_CTX *hash = EVP_MD_CTX_new();
	struct target t = {.spool.fd = -1, .hash = hash};
	struct crl_made made = {.entries = w->count};
	int err;

	if (hash == NULL)
		return ossl_drain("EVP_MD_CTX_new");
	if (w->entries.len > LEN_MAX)
		return ERR_LIMIT;
	err = make(w, form, &t);
	if (err == OK && EVP_DigestFinal_ex(hash, made.sha256, NULL) != 1)
		err = ossl_drain("EVP_DigestFinal_ex");
	if (err == OK) {
		made.size = t.spool.len;
		made.fd = t.spool.fd;
		t.spool.fd = -1;
		*ret = made;
	}
	spool_done(&t.spool);
	return err;
}

void crl_made_done(struct crl_made *made)
{
	if (made->fd >= 0)
		close(made->fd);
	made->fd = -1;
}
