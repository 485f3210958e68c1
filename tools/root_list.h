/* root_list.h — the revocation list of a root: small, made by hand, now and then. Used by assayctl
 * init and root-crl. */
#pragma once

#include "lib/pki/crl_lint.h"
#include "lib/pki/ossl.h"

/* BR 4.9.7: a list of CA certificates ends within twelve months. */
#define ROOT_LIST_DAYS_MAX 365
#define ROOT_LIST_MAX_BYTES (1024 * 1024)
#define ROOT_LIST_SERIAL_MAX 20

struct root_list_entry {
	uint8_t serial[ROOT_LIST_SERIAL_MAX];
	size_t serial_len;
	int64_t revoked_us;
	int reason;
};
struct root_list {
	struct root_list_entry *entries; /* owned */
	size_t count;
	int64_t number; /* of the list before; 0 = none */
};
void root_list_done(struct root_list *list);

/* Takes over entries and number of a list that the root signed. ERR_SYNTAX: it is none; findings
 * say why. */
MUST_CHECK int root_list_read(struct bytes der, struct bytes root_der, struct root_list *ret,
	struct buf *ret_findings);
/* ERR_CONFLICT: it is listed already; ERR_SYNTAX: that is no serial number. */
MUST_CHECK int root_list_add(struct root_list *list, struct bytes serial, int64_t revoked_us,
	int reason);
/* The next list, valid for so many days from now_us; its number is that of the list before and one,
 * or the milliseconds since 1970 when that is more. Linted. Appends DER. */
MUST_CHECK int root_list_make(struct root_list *list, X509 *root, EVP_PKEY *key, int64_t now_us,
	int days, struct buf *out, struct buf *ret_findings);
