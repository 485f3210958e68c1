/* probe.h — what the three challenge methods share: the question, the verdict, and the evidence of
 * one try.
 *
 * attempt.c starts a method on a probe and owns the deadline. A method works in the background,
 * writes what it sees into the evidence object, and ends with exactly one of: calling done (pb
 * unset = proved), or being expired. */
#pragma once

#include "lib/base/jx.h"
#include "lib/base/problem.h"
#include "lib/net/perspective.h"

struct probe {
	struct perspective *px;
	const char *name; /* lower-case A-labels, without "*." */
	const char *token;
	const char *key_authorization; /* RFC 8555 section 8.1 */
	struct jx_out *evidence;       /* an open object */
	struct problem pb;             /* the verdict */
	bool hopeless;                 /* trying again soon would end the same way */
	void (*done)(void *arg);
	void *arg;
};

struct probe_method {
	const char *name;      /* "http-01" */
	const char *br_method; /* section of the CA/B Baseline Requirements that describes it */
	/* Never calls done from within. */
	void *(*start)(struct probe *probe);
	/* Time is up: sets pb to what was being waited for, closes the evidence and frees the
	 * state. done is not called. */
	void (*expire)(void *state);
};

extern const struct probe_method http01_method, dns01_method, tlsalpn01_method;

/* How long peer text may be in a message. */
#define PROBE_QUOTE_MAX 200
/* "PREFIX: FAULT" as the verdict of a connection that failed: tls for the handshake, connection
 * else. */
struct stream;
void probe_fail_stream(struct probe *probe, const struct stream *s, const char *what);
