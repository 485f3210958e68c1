/* problem.h — what a client is told when it is refused: RFC 9457 problem document with the types of
 * RFC 8555 section 6.7.
 *
 * A rule says problem_set(pb, PROBLEM_BAD_CSR, "…") and returns its value. A problem is set exactly
 * when ERR_PROBLEM is returned. Detail texts are written for the person who runs the client;
 * anything quoted from a peer must have gone through problem_quote(). */
#pragma once

#include "lib/base/buf.h"

enum problem_type {
	PROBLEM_NONE = 0,
	PROBLEM_ACCOUNT_DOES_NOT_EXIST,  /* 400 */
	PROBLEM_ALREADY_REPLACED,        /* 409, RFC 9773 section 7.4 */
	PROBLEM_ALREADY_REVOKED,         /* 400 */
	PROBLEM_BAD_CSR,                 /* 400 */
	PROBLEM_BAD_NONCE,               /* 400 */
	PROBLEM_BAD_PUBLIC_KEY,          /* 400 */
	PROBLEM_BAD_REVOCATION_REASON,   /* 400 */
	PROBLEM_BAD_SIGNATURE_ALGORITHM, /* 400, "algorithms" lists what we accept (section 6.2) */
	PROBLEM_CAA,                     /* 403 */
	PROBLEM_COMPOUND,                /* 400, subproblems say more */
	PROBLEM_CONNECTION,              /* 400 */
	PROBLEM_DNS,                     /* 400 */
	PROBLEM_EXTERNAL_ACCOUNT_REQUIRED, /* 403 */
	PROBLEM_INCORRECT_RESPONSE,        /* 403 */
	PROBLEM_INVALID_CONTACT,           /* 400 */
	PROBLEM_INVALID_PROFILE,           /* 400, draft-ietf-acme-profiles */
	PROBLEM_MALFORMED,                 /* 400 */
	PROBLEM_ORDER_NOT_READY,           /* 403 */
	PROBLEM_RATE_LIMITED,              /* 429 */
	PROBLEM_REJECTED_IDENTIFIER,       /* 400 */
	PROBLEM_SERVER_INTERNAL,           /* 500 */
	PROBLEM_TLS,                       /* 400 */
	PROBLEM_UNAUTHORIZED,              /* 403; 401 where RFC 8555 section 7.3.6 says so */
	PROBLEM_UNSUPPORTED_CONTACT,       /* 400 */
	PROBLEM_UNSUPPORTED_IDENTIFIER,    /* 400 */
	PROBLEM_USER_ACTION_REQUIRED,      /* 403 */
	PROBLEM_TYPE_COUNT
};

struct problem_sub {
	enum problem_type type;
	char *detail;
	char *identifier; /* a dns name; NULL when the problem is about something else */
};

struct problem {
	enum problem_type type;
	int status; /* HTTP status; 0 = the type's own */
	char *detail;
	struct problem_sub *subs;
	size_t nsubs;
	int retry_after_secs; /* 0 = none */
	char *location;       /* for 409 of keyChange; NULL = none */
	char *instance;       /* NULL = none */
};

/* Fills pb (freeing what it held) and returns ERR_PROBLEM. */
int problem_set(struct problem *pb, enum problem_type type, const char *fmt, ...) PRINTF_LIKE(3, 4);
/* The same with an HTTP status other than the type's own. */
int problem_set_status(struct problem *pb, int status, enum problem_type type, const char *fmt, ...)
	PRINTF_LIKE(4, 5);
/* Adds one subproblem about the dns name identifier, which may be NULL (RFC 8555 section 6.7.1). */
void problem_add_sub(struct problem *pb, const char *identifier, enum problem_type type,
	const char *fmt, ...) PRINTF_LIKE(4, 5);
/* After problem_add_sub()s on an unset pb: gives pb the type and detail of the single subproblem
 * (which stays, for its name), or makes it a compound of all; returns ERR_PROBLEM, or OK when there
 * were none. */
MUST_CHECK int problem_seal(struct problem *pb, const char *compound_detail);
void problem_done(struct problem *pb);
int problem_status(const struct problem *pb);
/* "malformed"; the URN is "urn:ietf:params:acme:error:" plus this. */
const char *problem_type_name(enum problem_type type);
/* PROBLEM_NONE when unknown. Accepts the bare name. */
enum problem_type problem_type_parse(struct bytes name);
/* Appends the JSON document. */
void problem_render(const struct problem *pb, struct buf *out);
/* Appends at most max bytes of peer text, printable ASCII only, the rest as '?'. */
void problem_quote(struct buf *out, struct bytes peer, size_t max);

#define CLEANUP_PROBLEM __attribute__((cleanup(problem_done)))
