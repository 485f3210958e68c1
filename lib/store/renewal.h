/* renewal.h — renewal information (RFC 9773) for assay-directory (sql/api/renewal.sql). Nobody's
 * account is in it: whoever knows a certificate may ask. */
#pragma once

#include "lib/store/account.h"

struct renewal_row {
	int64_t not_before_us;
	int64_t not_after_us;
	int64_t revoked_us;        /* INT64_MIN = it is not */
	struct bytes profile;      /* {0}: its order is gone */
	int64_t incident_start_us; /* INT64_MIN = no incident asks for its renewal */
	int64_t incident_end_us;
	struct bytes explanation_url; /* of the incident, or {0} */
};

extern const struct db_stmt renewal_info_stmt;
/* key_id: of the certificate's authority key identifier; serial: content of the DER INTEGER. */
void renewal_info_call(struct db_call *c, struct bytes key_id, struct bytes serial);
/* STORE_OK or STORE_NOT_FOUND, *ret untouched then. Texts are borrowed from the result. */
enum store_code renewal_info_result(const struct db_call *c, struct renewal_row *ret);
