/* acl.h — what each program may do in Redis, and nothing else: the rules of its ACL user (Redis 7
 * or newer).
 *
 * assayctl writes them into the ACL file, and tests/unit/test_acl proves both sides: every
 * program's calls work, and what is forbidden is refused. No user may script, administer, list
 * keys, or touch a key of anybody else. */
#pragma once

#include "lib/queue/rds.h"

/* "-@all +ping …" for the users assay-directory, -account, -order, -ocsp, -validator, -signer,
 * -ocsp-signer, -keeper and -admin; NULL for others. */
const char *acl_rules(const char *user);
