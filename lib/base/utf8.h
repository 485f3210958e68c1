/* utf8.h — UTF-8 as RFC 3629 has it: no overlong forms, no surrogates, nothing above U+10FFFF. */
#pragma once

#include "lib/base/bytes.h"

/* Length (1 to 4) of the character that text begins with; 0 when text is empty or it is none. */
size_t utf8_char_len(struct bytes text);
bool utf8_is_valid(struct bytes text);
