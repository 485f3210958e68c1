/* b64url.h — base64url without padding (RFC 7515 section 2, RFC 4648 section 5), strict:
 * no '=', no white space, no '+' or '/', length % 4 != 1, unused trailing bits zero. */
#pragma once

#include "lib/base/buf.h"

/* Characters needed for len bytes, without a NUL. */
#define B64URL_LEN(len) (((len)*4 + 2) / 3)

/* Writes B64URL_LEN(in.len) characters and a NUL to out. */
void b64url_format(struct bytes in, char *out);
void b64url_append(struct buf *out, struct bytes in);
/* Decodes into out (room for text.len * 3 / 4 bytes), sets *ret_len. ERR_SYNTAX otherwise. */
MUST_CHECK int b64url_parse(struct bytes text, uint8_t *out, size_t *ret_len);
/* The same, appending to a buffer. The buffer is unchanged on failure. */
MUST_CHECK int b64url_parse_buf(struct bytes text, struct buf *out);
