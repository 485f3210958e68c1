/* accept.h — the Accept header (RFC 9110 section 12.5.1). */
#pragma once

#include <stddef.h>

/* The index of the type the client likes best, the earlier one on a tie; -1 when it takes none of
 * them. No header, an empty one, or one without any media range takes everything. */
int accept_choose(const char *header_or_null, const char *const types[], size_t count);
