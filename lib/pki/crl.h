/* crl.h — reading a certificate revocation list (RFC 5280 section 5) of any size in constant
 * memory: its head and tail are taken apart at once, the entries between them one by one.
 *
 * Used by the lint, by the keeper (which looks for a file's number) and by assayctl. Everything
 * read may be hostile. Nothing here judges; crl_lint.h does. */
#pragma once

#include "lib/base/buf.h"

/* What stands before the entries (dates, the issuer's name) and behind them (extensions,
 * signature) is no longer than this each. */
#define CRL_HEAD_MAX 16384
#define CRL_WINDOW 65536

/* Where the bytes are: a file, or memory (fd < 0). */
struct crl_source {
	int fd;
	uint64_t size;
	const uint8_t *memory;
};
/* The open file; ERR_INTERNAL when it is none. */
MUST_CHECK int crl_source_file(int fd, struct crl_source *ret);
struct crl_source crl_source_bytes(struct bytes der);
/* Exactly len bytes. ERR_SYNTAX: there are not so many; ERR_INTERNAL: not readable (errno). */
MUST_CHECK int crl_source_read(const struct crl_source *src, uint64_t offset, void *out,
	size_t len);

struct crl_extension {
	struct bytes oid;
	struct bytes critical; /* contents of the BOOLEAN; ptr NULL when it is left out */
	struct bytes value;    /* contents of extnValue */
};
#define CRL_EXTENSIONS_MAX 16

struct crl_view { /* "whole" is an element with its tag and length; all in front and back */
	struct buf front, back;
	uint64_t tbs_offset, tbs_len;         /* of the whole TBSCertList */
	struct bytes version;                 /* contents; ptr NULL when absent */
	struct bytes inner_algorithm;         /* whole */
	struct bytes issuer;                  /* whole */
	struct bytes this_update;             /* whole */
	struct bytes next_update;             /* whole; ptr NULL when absent */
	bool has_entries;                     /* revokedCertificates is there, empty or not */
	uint64_t entries_offset, entries_len; /* of its contents */
	struct crl_extension extensions[CRL_EXTENSIONS_MAX];
	size_t nextensions;
	struct bytes outer_algorithm; /* whole */
	struct bytes signature;       /* contents of the BIT STRING */
};
/* ERR_SYNTAX: not exactly one CertificateList. Not copyable; end with crl_view_done, also after a
 * failure. */
MUST_CHECK int crl_view_read(const struct crl_source *src, struct crl_view *ret);
void crl_view_done(struct crl_view *view);
/* The first with this OID, or NULL. */
const struct crl_extension *crl_extension_find(const struct crl_view *view, struct bytes oid);
/* CRLNumber (RFC 5280 section 5.2.3) as a positive number of 63 bits. ERR_NOENT: there is none;
 * ERR_SYNTAX: it is no such number. */
MUST_CHECK int crl_view_number(const struct crl_view *view, int64_t *ret);
/* A Time (RFC 5280 section 4.1.2.5), whole element: ERR_SYNTAX unless it is in UTC, with seconds,
 * and of the type that its year asks for. */
MUST_CHECK int crl_time(struct bytes whole, int64_t *ret_us);

struct crl_item {
	struct bytes serial;     /* contents of the INTEGER */
	struct bytes date;       /* whole Time */
	struct bytes extensions; /* contents of crlEntryExtensions; ptr NULL when absent */
};
struct crl_walk {
	const struct crl_source *src;
	uint64_t offset, end;
	struct buf window;
	size_t at; /* in the window */
};
void crl_walk_begin(const struct crl_source *src, const struct crl_view *view,
	struct crl_walk *ret);
/* The next entry, borrowed until the next call. ERR_NOENT: no more; ERR_SYNTAX: not an entry. */
MUST_CHECK int crl_walk_next(struct crl_walk *walk, struct crl_item *ret);
void crl_walk_done(struct crl_walk *walk);
