/* ident.h — public identifiers of things: UUIDv7 (RFC 9562), shown as 22 characters of base64url.
 * Time order keeps indexes hot and lets tables be partitioned by range of id. */
#pragma once

#include "lib/base/bytes.h"
#include "lib/base/err.h"

#define IDENT_TEXT_LEN 22

struct ident {
	uint8_t b[16];
};

/* A fresh UUIDv7: 48 bits of milliseconds, 74 random bits. */
struct ident ident_new(void);
/* Writes 22 characters and a NUL. */
void ident_format(const struct ident *id, char out[IDENT_TEXT_LEN + 1]);
/* Exactly 22 strict base64url characters. ERR_SYNTAX otherwise. */
MUST_CHECK int ident_parse(struct bytes text, struct ident *ret);
static inline bool ident_equal(const struct ident *a, const struct ident *b)
{
	return memcmp(a->b, b->b, sizeof(a->b)) == 0;
}
/* For qsort: bytewise order, which is time order. */
int ident_compare(const void *a, const void *b);
