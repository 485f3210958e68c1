/* caa.h — what a CAA RRset (RFC 8659, RFC 8657) says about one issuance. Pure: looking sets up is
 * caacheck.h's work.
 *
 * Own parser, because a record that cannot be read must refuse and never be dropped. An issuer
 * domain is compared whole and without regard to case, an account URI byte by byte. */
#pragma once

#include "lib/base/problem.h"

struct caa_question {
	const char *const *identities; /* our issuer domain names; with none nothing permits */
	size_t nidentities;
	bool wildcard;
	const char *account_uri;
	const char *method; /* "http-01" … */
};

struct caa_property {
	bool critical;
	struct bytes tag;
	struct bytes value;
};

/* RDATA of one record (RFC 8659 section 4.1). ERR_SYNTAX when malformed. */
MUST_CHECK int caa_property_parse(struct bytes rdata, struct caa_property *ret);

/* How one issue or issuewild value answers the question. Ordered: the further down, the nearer to a
 * permission. */
enum caa_answer {
	CAA_NOBODY,    /* ";" or empty */
	CAA_MALFORMED, /* not the grammar of section 4.2: counts as nobody */
	CAA_OTHER_CA,
	CAA_DUPLICATE, /* our domain, but a parameter twice */
	CAA_OTHER_ACCOUNT,
	CAA_OTHER_METHOD,
	CAA_PERMITS,
};
enum caa_answer caa_value_answer(struct bytes value, const struct caa_question *q);

/* OK: this non-empty set, found at owner, permits. ERR_PROBLEM (caa) says which record stands in
 * the way. */
MUST_CHECK int caa_check_set(const char *owner, const struct bytes *rdata, size_t count,
	const struct caa_question *q, struct problem *pb);
/* For evidence: 0 issue "ca.example", printable. */
void caa_format(struct bytes rdata, struct buf *out);
