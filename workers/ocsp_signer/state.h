/* state.h — what the parts of assay-ocsp-signer share. One process, one thread: it signs ahead for
 * a moment, then what handlers ask for, then ahead again. */
#pragma once

#include "workers/ocsp_signer/keyfile.h"
#include "workers/ocsp_signer/sign.h"
#include "workers/process.h"

/* What became of a key. */
enum key_state {
	KEY_NEW,     /* the database does not know it (yet) */
	KEY_WAITING, /* registered; no certificate yet */
	KEY_READY,
	KEY_OVER /* refused or expired: to be removed */
};
struct known_key {
	struct keyfile file;
	enum key_state state;
	struct responder responder; /* of KEY_READY; otherwise its key alone */
};

struct served { /* an [issuer NAME] that has an ocsp_url */
	char *name;
	uint8_t sha256[32];
	struct ocsp_id id;
	int64_t not_before_us;
	int32_t number;          /* as in ocsp_issuers; -1: the database does not know it yet */
	struct responder *using; /* NULL: none */
	int64_t wait_ms;         /* no new key before */
};

struct ocsp_signer {
	struct process process;
	int folder;
	struct ident worker; /* of this process, for the duties */
	struct served *served;
	size_t nserved;
	struct known_key *keys;
	size_t nkeys;
	bool all_ready;   /* every issuer served has a responder */
	int64_t tend_ms;  /* when the keys are looked after next */
	int64_t ahead_ms; /* when to look for something to sign ahead */
	bool clock_sane;
	int64_t clock_ms; /* of its next check */
};

/* responders.c: issuers out of the configuration; ERR_* after a line in the log. */
MUST_CHECK int served_load(struct ocsp_signer *s);
void served_done(struct ocsp_signer *s);
/* Looks after the keys when it is time to: finds, registers, renews, removes. */
void responders_tend(struct ocsp_signer *s);
void responders_done(struct ocsp_signer *s);
/* NULL: not served, or without a responder now. */
const struct served *served_find(const struct ocsp_signer *s, int32_t number);
struct ocsp_issue issue_of(const struct served *served);

/* ahead.c: one round of signing ahead, when it is time for one. True when there may be more. */
bool sign_ahead(struct ocsp_signer *s);
/* At the end: others may go on at once. */
void leave_duties(struct ocsp_signer *s);
/* Stores what was signed. False when it could not be; the log says why. */
bool store_signed(struct ocsp_signer *s, const struct ocsp_signed *in, size_t count);

/* live.c: waits up to block_ms for what handlers ask, and answers it. */
void answer_asks(struct ocsp_signer *s, int block_ms);
