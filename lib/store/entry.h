/* entry.h — what the programs write into their journals (lib/base/journal.h), record by record;
 * assay-journal(5) describes the bytes.
 *
 * The signer, for each batch: an ENTRY_ISSUE for each certificate that it is about to sign, on the
 * disk before the key is used; and an ENTRY_SETTLED behind them when the database knows them all,
 * or never will, because they were not signed after all. The keeper: revocations, and blocked keys.
 */
#pragma once

#include "lib/base/ident.h"
#include "lib/base/journal_record.h"

enum entry_type {
	ENTRY_ISSUE = JOURNAL_TYPE_FIRST,
	ENTRY_SETTLED,
	ENTRY_REVOKE,
	ENTRY_BLOCK,
	ENTRY_CRL,
};

/* What the serial number is for. */
enum entry_kind { ENTRY_CERTIFICATE, ENTRY_RESPONDER };

struct entry_issue {
	enum entry_kind kind;
	struct ident order, account;
	struct bytes serial;
	struct bytes issuer; /* SHA-256 of the issuing certificate */
	int32_t crl_shard;
	int64_t not_before_us, not_after_us;
	struct bytes spki_sha256;
	struct bytes names; /* separated by one space */
	struct bytes tbs;
};

struct entry_revoke {
	struct bytes serial;
	int64_t at_us;
	int32_t reason;
};

struct entry_block {
	struct bytes spki_sha256;
	int64_t at_us;
	struct bytes why;
};

struct entry_crl { /* the number that a CRL is about to carry */
	struct bytes issuer;
	int32_t crl_shard;
	int64_t number;
};

/* Texts and bytes of what is parsed are borrowed from the payload. ERR_SYNTAX: it is not what an
 * _append writes. */
void entry_issue_append(struct buf *out, const struct entry_issue *e);
MUST_CHECK int entry_issue_parse(struct bytes payload, struct entry_issue *ret);
/* The serial numbers that were not signed. */
void entry_settled_append(struct buf *out, const struct bytes *unsigned_serials, size_t count);
/* Calls fn for each, when all of them are well formed. */
MUST_CHECK int entry_settled_parse(struct bytes payload, void (*fn)(void *arg, struct bytes serial),
	void *arg);
void entry_revoke_append(struct buf *out, const struct entry_revoke *e);
MUST_CHECK int entry_revoke_parse(struct bytes payload, struct entry_revoke *ret);
void entry_block_append(struct buf *out, const struct entry_block *e);
MUST_CHECK int entry_block_parse(struct bytes payload, struct entry_block *ret);
void entry_crl_append(struct buf *out, const struct entry_crl *e);
MUST_CHECK int entry_crl_parse(struct bytes payload, struct entry_crl *ret);
