/* rnd.h — random bytes from OpenSSL's CSPRNG. A failing generator ends the process: nothing may go
 * on without it. */
#pragma once

#include <stddef.h>
#include <stdint.h>

void rnd_bytes(void *out, size_t len);
/* Uniform in [0, bound). bound > 0. */
uint32_t rnd_below(uint32_t bound);
