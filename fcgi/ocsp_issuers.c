/* ocsp_issuers.c — see ocsp.h. A new issuer is known before its first certificate is asked about:
 * the signer registers it at start, and rollovers take longer than OCSP_ISSUERS_SECS. */
#include <pthread.h>

#include "fcgi/ocsp.h"
#include "lib/base/log.h"
#include "lib/store/ocsp.h"

struct known {
	int32_t id;
	bool answers;
	struct ocsp_id names;
};

static struct {
	pthread_mutex_t mutex;
	struct known *list;
	size_t count;
	bool read;
} issuers = {.mutex = PTHREAD_MUTEX_INITIALIZER};

void ocsp_issuers_bind(struct db_call *c)
{
	ocsp_issuers_call(c);
}

void ocsp_issuers_take(const struct db_call *c)
{
	size_t rows = ocsp_issuers_count(c), count = 0;
	struct known *list = xcalloc(rows + 1, sizeof(*list)), *old;

	for (size_t i = 0; i < rows; i++) {
		struct ocsp_issuer row;

		ocsp_issuers_at(c, i, &row);
		list[count].id = row.id;
		list[count].answers = row.answers;
		if (ocsp_id_of(row.certificate, &list[count].names) == OK)
			count++;
		else
			log_event(LOG_LEVEL_ERROR, "issuer's certificate cannot be read",
				F_INT("issuer", row.id));
	}
	pthread_mutex_lock(&issuers.mutex);
	old = issuers.list;
	issuers.list = list;
	issuers.count = count;
	issuers.read = true;
	pthread_mutex_unlock(&issuers.mutex);
	free(old);
}

void ocsp_issuers_done(void)
{
	free(TAKE(issuers.list));
	issuers.count = 0;
	issuers.read = false;
}

enum ocsp_issuer_found ocsp_issuer_find(const struct ocsp_certid *id, int32_t *ret,
	bool *ret_answers)
{
	enum ocsp_issuer_found found;

	pthread_mutex_lock(&issuers.mutex);
	found = issuers.read ? OCSP_ISSUER_UNKNOWN : OCSP_ISSUERS_UNREAD;
	for (size_t i = 0; i < issuers.count && found == OCSP_ISSUER_UNKNOWN; i++) {
		const struct known *known = &issuers.list[i];

		if (!bytes_equal(ocsp_id_key(&known->names, id->hash), id->key_hash) ||
			!bytes_equal(ocsp_id_name(&known->names, id->hash), id->name_hash))
			continue;
		*ret = known->id;
		*ret_answers = known->answers;
		found = OCSP_ISSUER_KNOWN;
	}
	pthread_mutex_unlock(&issuers.mutex);
	return found;
}
