/* account_rules.h — what a client may ask of its account (RFC 8555 section 7.3). Decisions only;
 * used by fcgi/account.c. Members that we do not know are ignored, as section 7.3.2 demands. */
#pragma once

#include "lib/base/conf.h"
#include "lib/base/jx.h"
#include "lib/base/problem.h"

#define CONTACTS_MAX 10
#define CONTACT_MAX_BYTES 320

struct account_wish {
	bool only_existing;
	bool terms_agreed;
	bool deactivate;
	bool has_contacts;      /* false: leave them as they are */
	struct bytes *contacts; /* array owned, texts borrowed from the payload */
	size_t ncontacts;
};
void account_rules_done(struct account_wish *wish);

/* newAccount. *ret may be partly filled on ERR_PROBLEM (account_rules_done it in any case):
 * section 7.3.1 wants the request ignored when the key has an account already, so the caller keeps
 * the problem until it knows. */
MUST_CHECK int account_rules_new(const struct conf *conf, const struct jx *payload,
	struct problem *pb, struct account_wish *ret);
/* An update of an existing account; payload NULL or without known members wishes nothing. */
MUST_CHECK int account_rules_update(const struct conf *conf, const struct jx *payload,
	struct problem *pb, struct account_wish *ret);
