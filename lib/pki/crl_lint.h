/* crl_lint.h — a revocation list judged before it is published: RFC 5280 section 5 and the CA/B
 * Baseline Requirements section 7.2. Like lint.h it shares no code with what writes them, and it
 * needs constant memory, however long the list is. Called by the signer for each list that it made,
 * and by assayctl for those of a root. */
#pragma once

#include "lib/pki/crl.h"

enum crl_scope {
	CRL_SCOPE_ALL,  /* no onlyContains…; without a URL there is no issuingDistributionPoint */
	CRL_SCOPE_USER, /* onlyContainsUserCerts */
	CRL_SCOPE_CA,   /* onlyContainsCACerts */
};

struct crl_expectation {
	struct bytes issuer; /* the issuing certificate, DER: name, key and key identifier decide */
	const char *url; /* fullName of the issuingDistributionPoint; NULL = no such extension */
	enum crl_scope scope;
	int64_t validity_max_secs; /* nextUpdate - thisUpdate + 1, both ends included */
	/* What follows is not asked for when negative. */
	int64_t number;
	int64_t this_update_us, next_update_us;
	int64_t entries;
	/* Ours are in order of serial, which shows that none is there twice. Those of others may be
	 * in any order: their serials are then kept in memory. */
	bool any_order;
	/* Lists of others may give dates of invalidity, too. */
	bool any_entry_extension;
};

/* What the lint saw, for those that did not know it before. */
struct crl_facts {
	int64_t number;
	int64_t this_update_us, next_update_us;
	int64_t entries;
};

/* OK when nothing is wrong, and *ret (may be NULL) is set. Otherwise ERR_SYNTAX, and findings got
 * one line for each broken rule: "rule: what (section)"; of rules about entries the first entry
 * that breaks one. ERR_INTERNAL: the source or the issuing certificate cannot be read. */
MUST_CHECK int crl_lint(const struct crl_source *src, const struct crl_expectation *want,
	struct crl_facts *ret, struct buf *ret_findings);
