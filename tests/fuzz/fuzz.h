/* fuzz.h — what a fuzz target is: fuzz_<parser>.c defines this one function and takes any bytes.
 *
 * It returns 0 and ends the process (assert, sanitizer) when a promise of the parser does not hold:
 * targets check properties, such as "what was parsed and formatted again is the same", not only
 * that nothing crashes. */
#pragma once

#include <stddef.h>
#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
