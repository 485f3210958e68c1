/* lint_rules.h — what the rules of lint.h see: a certificate taken apart once, without an opinion.
 * Private to lint_*.c. */
#pragma once

#include "lib/pki/lint.h"
#include "lib/pki/pubkey.h"

#define LINT_EXTENSIONS_MAX 16

struct lint_extension {
	struct bytes oid;
	struct bytes critical; /* contents of the BOOLEAN; ptr NULL when it is left out */
	struct bytes value;    /* contents of extnValue */
};

struct lint_certificate { /* everything borrowed from the DER; "whole" is an element with its tag
			     and length */
	struct bytes version;         /* contents of [0]; ptr NULL when absent */
	struct bytes serial;          /* contents */
	struct bytes inner_algorithm; /* whole */
	struct bytes issuer;          /* whole */
	struct bytes validity;        /* contents */
	struct bytes subject;         /* whole */
	struct bytes spki;            /* whole */
	bool unique_ids;              /* issuerUniqueID or subjectUniqueID is there */
	struct lint_extension extensions[LINT_EXTENSIONS_MAX];
	size_t nextensions;
	struct bytes outer_algorithm; /* whole */
	struct bytes signature;       /* contents */
};

struct lint {
	const struct lint_expectation *want;
	struct bytes der;
	struct lint_certificate cert;
	struct lint_certificate issuer; /* the issuing certificate */
	struct pubkey issuer_key;
	struct bytes issuer_key_id;
	bool has_key;
	struct pubkey key;   /* of the certificate, when has_key */
	struct bytes *names; /* the dNSNames, sorted bytewise; owned */
	size_t nnames;
};

/* A rule: NULL when it holds, otherwise what is wrong. */
struct lint_rule {
	const char *name;
	const char *section;
	const char *(*broken)(const struct lint *l);
};

/* Each list ends with a rule without a name. */
extern const struct lint_rule lint_der_rules[];
extern const struct lint_rule lint_field_rules[];
extern const struct lint_rule lint_extension_rules[];

/* NULL when there is none; the first of several. */
const struct lint_extension *lint_extension_find(const struct lint_certificate *cert,
	struct bytes oid);
/* Is this one of the dNSNames? */
bool lint_has_name(const struct lint *l, struct bytes name);
/* For qsort and bsearch of struct bytes. */
int lint_compare_bytes(const void *a, const void *b);
