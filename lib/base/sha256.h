/* sha256.h — SHA-256 for what stands below lib/pki. */
#pragma once

#include "lib/base/bytes.h"

/* Of the two, one behind the other. */
void sha256_of_two(struct bytes first, struct bytes second, uint8_t out[32]);
