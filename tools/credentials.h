/* credentials.h — who there is in a running CA: one name for each program's Unix user, PostgreSQL
 * role and Redis user, and what each may do in Redis. */
#pragma once

#include "lib/base/buf.h"

/* NULL-terminated: the programs, and assay-admin for people. */
#define CREDENTIALS 9
extern const char *const credential_names[CREDENTIALS + 1];

/* 24 random characters of base64url: 144 bits. out holds CREDENTIAL_LEN + 1. */
#define CREDENTIAL_LEN 24
void credential_new(char out[CREDENTIAL_LEN + 1]);

/* Appends the line of a Redis ACL file for one of the names; the file holds the password's SHA-256
 * only. */
void credential_redis_acl(struct buf *out, const char *name, const char *password);

/* Appends a SCRAM-SHA-256 verifier (RFC 5803), as PostgreSQL stores it: a server's log never sees
 * the password itself. */
MUST_CHECK int credential_scram(struct buf *out, const char *password);
