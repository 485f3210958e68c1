/* err.h — the one error space of assay, and the macros every header uses.
 *
 * Every fallible function returns 0 (OK) or one of these negative values and is marked MUST_CHECK.
 * ERR_PROBLEM means that the caller's struct problem was filled with what the client is to be told;
 * every other value is internal and reaches a client only as serverInternal. */
#pragma once

#include <stdlib.h>

#define MUST_CHECK __attribute__((warn_unused_result))
#define PRINTF_LIKE(fmt, args) __attribute__((format(printf, fmt, args)))

enum err {
	OK = 0,
	ERR_SYNTAX = -1,       /* the bytes do not follow their grammar */
	ERR_LIMIT = -2,        /* well formed, but more than we accept */
	ERR_NOENT = -3,        /* no such thing */
	ERR_CONFLICT = -4,     /* exists already, or its state forbids the act */
	ERR_BUSY = -5,         /* try again: serialization failure, pool full */
	ERR_PROBLEM = -6,      /* the client is at fault and struct problem says how */
	ERR_DB = -7,           /* PostgreSQL refused or is away; nothing was committed */
	ERR_DB_UNCERTAIN = -8, /* connection lost while committing: read back before retrying */
	ERR_QUEUE = -9,        /* Redis refused or is away */
	ERR_CRYPTO = -10,      /* OpenSSL failed or a signature does not verify */
	ERR_NET = -11,         /* a peer out there failed */
	ERR_TIMEOUT = -12,     /* a deadline passed */
	ERR_INTERNAL = -13,    /* a bug or a broken installation */
};

/* A short lower-case word for logs: "syntax", "db_uncertain". Never NULL. */
const char *err_name(int err);

/* Ownership of locals: CLEANUP(x_free) struct x *x = NULL; success hands it out with TAKE(x).
 * CLEANUP wants a function declared by DEFINE_CLEANUP(x_free, struct x *). */
#define CLEANUP(fn) __attribute__((cleanup(fn##_cleanup)))
#define DEFINE_CLEANUP(fn, type)                                                                   \
	static inline __attribute__((unused)) void fn##_cleanup(__typeof__(type) const *p)         \
	{                                                                                          \
		fn(*p);                                                                            \
	}
#define TAKE(p)                                                                                    \
	({                                                                                         \
		__typeof__(p) take_tmp_ = (p);                                                     \
		(p) = NULL;                                                                        \
		take_tmp_;                                                                         \
	})

#define ARRAY_LEN(a) (sizeof(a) / sizeof((a)[0]))

/* Allocation ends the process when memory is out: all state is in PostgreSQL. */
void *xmalloc(size_t size) __attribute__((malloc, returns_nonnull));
void *xcalloc(size_t count, size_t size) __attribute__((malloc, returns_nonnull));
void *xrealloc(void *ptr, size_t size) __attribute__((returns_nonnull));
char *xstrdup(const char *text) __attribute__((malloc, returns_nonnull));
char *xstrndup(const char *text, size_t len) __attribute__((malloc, returns_nonnull));
/* Any type of pointer: CLEANUP(free) struct ident *ids = xcalloc(…). */
static inline void free_cleanup(void *p)
{
	free(*(void **)p);
}
static inline void free_str_cleanup(char **p)
{
	free(*p);
}
#define CLEANUP_STR __attribute__((cleanup(free_str_cleanup)))
