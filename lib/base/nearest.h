/* nearest.h — "did you mean": the candidate that a mistyped word is closest to.
 * Offer every candidate to a zeroed struct nearest with .word set, then read .best. */
#pragma once

#include <stddef.h>

struct nearest {
	const char *word;
	const char *best; /* NULL: nothing was close enough to be meant */
	size_t distance;
};

void nearest_offer(struct nearest *n, const char *candidate);
