/* shares.c — see shares.h. A table of chains; an account is in it while it has something under
 * way. */
#include "workers/validator/shares.h"

#include <assert.h>

#include "lib/base/bytes.h"

struct share {
	struct share *next;        /* of the same bucket */
	struct share *more, *less; /* neighbours in the list of all */
	struct ident account;
	size_t count;
};

struct shares {
	struct share **buckets;
	size_t nbuckets; /* a power of two */
	struct share *all;
};

struct shares *shares_new(size_t max)
{
	struct shares *s = xcalloc(1, sizeof(*s));

	s->nbuckets = 64;
	while (s->nbuckets < max)
		s->nbuckets *= 2;
	s->buckets = xcalloc(s->nbuckets, sizeof(struct share *));
	return s;
}

void shares_free(struct shares *s)
{
	if (s == NULL)
		return;
	while (s->all != NULL) {
		struct share *next = s->all->more;

		free(s->all);
		s->all = next;
	}
	free(s->buckets);
	free(s);
}

/* The last bytes of a UUIDv7 are random. */
static struct share **find(const struct shares *s, const struct ident *account)
{
	uint32_t hash;
	struct share **at;

	memcpy(&hash, account->b + sizeof(account->b) - sizeof(hash), sizeof(hash));
	at = &s->buckets[hash & (s->nbuckets - 1)];
	while (*at != NULL && !ident_equal(&(*at)->account, account))
		at = &(*at)->next;
	return at;
}

void shares_take(struct shares *s, const struct ident *account)
{
	struct share **at = find(s, account);

	if (*at == NULL) {
		*at = xcalloc(1, sizeof(**at));
		(*at)->account = *account;
		(*at)->more = s->all;
		if (s->all != NULL)
			s->all->less = *at;
		s->all = *at;
	}
	(*at)->count++;
}

void shares_give(struct shares *s, const struct ident *account)
{
	struct share **at = find(s, account), *gone = *at;

	assert(gone != NULL && gone->count > 0);
	if (--gone->count > 0)
		return;
	*at = gone->next;
	if (gone->less != NULL)
		gone->less->more = gone->more;
	else
		s->all = gone->more;
	if (gone->more != NULL)
		gone->more->less = gone->less;
	free(gone);
}

size_t shares_full(const struct shares *s, size_t limit, struct ident *ret, size_t max)
{
	size_t count = 0;

	for (const struct share *x = s->all; x != NULL; x = x->more) {
		if (x->count < limit)
			continue;
		if (count < max)
			ret[count] = x->account;
		count++;
	}
	return count;
}
