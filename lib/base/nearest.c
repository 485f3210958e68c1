/* nearest.c — edit distance (Levenshtein), without regard to case. */
#include "lib/base/nearest.h"

#include <ctype.h>
#include <string.h>

#define WORD_MAX 64

static size_t smallest(size_t a, size_t b, size_t c)
{
	size_t least = a < b ? a : b;

	return least < c ? least : c;
}

/* Insertions, deletions and replacements that turn a into b. */
static size_t distance(const char *a, const char *b)
{
	size_t row[WORD_MAX + 1], len = strlen(b);

	for (size_t j = 0; j <= len; j++)
		row[j] = j;
	for (size_t i = 1; a[i - 1] != '\0'; i++) {
		size_t diagonal = row[0];

		row[0] = i;
		for (size_t j = 1; j <= len; j++) {
			int differ = tolower((unsigned char)a[i - 1]) !=
				tolower((unsigned char)b[j - 1]);
			size_t replaced = diagonal + (differ ? 1 : 0);

			diagonal = row[j];
			row[j] = smallest(replaced, row[j] + 1, row[j - 1] + 1);
		}
	}
	return row[len];
}

void nearest_offer(struct nearest *n, const char *candidate)
{
	size_t len = strlen(n->word), d;

	if (len > WORD_MAX || strlen(candidate) > WORD_MAX)
		return;
	d = distance(n->word, candidate);
	/* More than a third of the letters wrong is another word, not a slip. */
	if (d > 1 + len / 3 || d >= len || (n->best != NULL && d >= n->distance))
		return;
	n->best = candidate;
	n->distance = d;
}
