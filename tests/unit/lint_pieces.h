/* lint_pieces.h — a good certificate in pieces, to be broken one at a time: a rule of the lint must
 * say so, and no other may (but for OpenSSL's and DER's own, which may see the same defect). */
#pragma once

#include "lib/pki/lint.h"
#include "lib/pki/oid.h"
#include "tests/unit/pki_fixture.h"

enum piece {
	VERSION_3,
	SERIAL,
	ALGORITHM,
	ISSUER,
	VALIDITY,
	SUBJECT,
	SPKI,
	UNIQUE_ID,
	AKI,
	AIA,
	CRLDP,
	POLICIES,
	KEY_USAGE,
	EKU,
	BASIC,
	SAN,
	EXTRA,
	OUTER_ALGORITHM,
	SIGNATURE,
	PIECES
};

struct pieces { /* whole elements; an empty buffer is left out */
	struct buf at[PIECES];
};

/* What the good certificate is judged by. Set up by lint_group_setup. */
extern struct lint_expectation lint_want;
int lint_group_setup(void **state);
int lint_group_teardown(void **state);

struct pieces pieces_good(void);
void pieces_done(struct pieces *p);
#define CLEANUP_PIECES __attribute__((cleanup(pieces_done)))
void pieces_assemble(const struct pieces *p, struct buf *out);

void piece_set(struct pieces *p, enum piece i, const void *ptr, size_t len);
#define SET(p, i, literal) piece_set((p), (i), (literal), sizeof(literal) - 1)
void piece_set_spki(struct pieces *p, EVP_PKEY *key);
void piece_set_extension(struct pieces *p, enum piece i, struct bytes oid, bool critical,
	struct bytes value);
#define SET_EXTENSION(p, i, oid, critical, literal)                                                \
	piece_set_extension((p), (i), (oid), (critical), bytes_of((literal), sizeof(literal) - 1))

#define ECDSA_SHA256 "\x30\x0a\x06\x08\x2a\x86\x48\xce\x3d\x04\x03\x02"
#define ISSUER_NAME                                                                                \
	"\x30\x11\x31\x0f\x30\x0d\x06\x03\x55\x04\x03\x0c\x06"                                     \
	"Issuer"
#define KEY_ID "\x01\x02\x03\x04\x05\x06\x07\x08"
#define SAN_VALUE                                                                                  \
	"\x30\x18\x82\x09"                                                                         \
	"a.example"                                                                                \
	"\x82\x0b"                                                                                 \
	"*.b.example"

void assert_clean(const struct pieces *p, const struct lint_expectation *expect);
/* Exactly this rule is broken; "der" and "openssl" may be, too. */
void assert_finding(const struct pieces *p, const struct lint_expectation *expect,
	const char *rule);
/* This rule is broken, maybe among others. */
void assert_speaks(const struct pieces *p, const char *rule);
/* The good certificate with one piece replaced. */
void assert_broken(enum piece i, struct bytes replacement, const char *rule);
#define BREAK(i, literal, rule) assert_broken((i), bytes_of((literal), sizeof(literal) - 1), (rule))
void assert_broken_extension(enum piece i, struct bytes oid, bool critical, struct bytes value,
	const char *rule);
#define BREAK_EXTENSION(i, oid, critical, literal, rule)                                           \
	assert_broken_extension((i), (oid), (critical), bytes_of((literal), sizeof(literal) - 1),  \
		(rule))
