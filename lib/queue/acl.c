/* acl.c — see acl.h. What stands in parentheses is a selector: a command must be permitted by one
 * of them (or by what stands outside) with all its keys, so that a worker may add to a stream which
 * it may not read. */
#include "lib/queue/acl.h"

#define NOTHING "resetkeys resetchannels -@all +ping +info"
#define NONCES " ~nonce:* +get +set +getbit +bitfield +expire"
#define CONSUME " +xreadgroup +xack +xdel +xautoclaim +xpending +xgroup|create &done +publish"

static const struct {
	const char *user;
	const char *rules;
} table[] = {
	{"assay-directory", NOTHING NONCES},
	{"assay-account", NOTHING NONCES},
	/* Asks for responses and hears them. */
	{"assay-ocsp", NOTHING " &ocsp +subscribe (%W~q:ocsp +xadd)"},
	/* Queues validations and issuance; hears when they are finished. */
	{"assay-order", NOTHING NONCES " &done +subscribe (%W~q:val %W~q:sign +xadd)"},
	/* Queues retries, and orders whose CAA was checked again. */
	{"assay-validator", NOTHING " ~q:val" CONSUME " (%W~q:val %W~q:sign %W~q:dead +xadd)"},
	/* Queues orders whose CAA must be checked again. */
	{"assay-signer", NOTHING " ~q:sign" CONSUME " (%W~q:val %W~q:dead +xadd)"},
	/* Answers what was asked. */
	{"assay-ocsp-signer", NOTHING " ~q:ocsp +xreadgroup +xdel +xgroup|create &ocsp +publish"},
	{"assay-keeper",
		NOTHING
		" (%W~q:val %W~q:sign +xadd) (~q:val ~q:sign +xinfo|consumers +xgroup|delconsumer)"
		" (~q:dead +xrange +xdel) &done +publish"},
	/* assayctl status. */
	{"assay-admin", NOTHING " %R~q:val %R~q:sign %R~q:ocsp %R~q:dead +xlen +xrange +xpending"},
};

const char *acl_rules(const char *user)
{
	for (size_t i = 0; i < ARRAY_LEN(table); i++) {
		if (strcmp(table[i].user, user) == 0)
			return table[i].rules;
	}
	return NULL;
}
