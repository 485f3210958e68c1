/* db_order.c — the order of a batch's calls: batches of different programs share transactions with
 * strangers' requests, and must never wait for each other crosswise. */
#include "lib/store/db_raw.h"

struct place {
	struct db_call *call;
	size_t was; /* equals keep their order */
};

static int compare(const void *a, const void *b)
{
	const struct place *x = a, *y = b;
	int by_row;

	if (x->call->rank != y->call->rank)
		return x->call->rank < y->call->rank ? -1 : 1;
	by_row = memcmp(x->call->row, y->call->row, sizeof(x->call->row));
	if (by_row != 0)
		return by_row;
	return x->was < y->was ? -1 : 1;
}

void db_locks_row(struct db_call *call, enum db_rank rank, struct bytes row)
{
	call->rank = rank;
	memset(call->row, 0, sizeof(call->row));
	memcpy(call->row, row.ptr, row.len < sizeof(call->row) ? row.len : sizeof(call->row));
}

void db_locks_rows(struct db_call *call)
{
	call->rank = DB_RANK_ALONE;
}

bool db_is_ordered(struct db_call *const calls[], size_t count)
{
	for (size_t i = 0; i < count; i++) {
		if (calls[i]->rank != DB_RANK_NONE)
			return count == 1;
	}
	return true;
}

size_t db_order(struct db_call *const calls[], size_t count, struct db_call *ret[])
{
	struct place *places = xcalloc(count, sizeof(*places));
	size_t together = 0;

	for (size_t i = 0; i < count; i++)
		places[i] = (struct place){.call = calls[i], .was = i};
	qsort(places, count, sizeof(*places), compare);
	for (size_t i = 0; i < count; i++) {
		ret[i] = places[i].call;
		if (ret[i]->rank != DB_RANK_ALONE)
			together++;
	}
	free(places);
	return together;
}
