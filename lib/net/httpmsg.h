/* httpmsg.h — one HTTP/1.1 response (RFC 9112), read piece by piece, with every length bounded.
 *
 * Interim (1xx) responses are skipped. The head is kept only while it is read; of its fields only
 * those that matter here are understood. Only 2xx responses have a body that matters: others are
 * complete with their head. A body longer than the cap is ERR_LIMIT as soon as it shows, be it by
 * its declared length. */
#pragma once

#include "lib/base/buf.h"

#define HTTPMSG_HEAD_MAX_BYTES 8192

enum httpmsg_state {
	HTTPMSG_HEAD,
	HTTPMSG_BODY_COUNTED,
	HTTPMSG_BODY_CHUNKED,
	HTTPMSG_BODY_TO_END,
	HTTPMSG_COMPLETE
};

struct httpmsg {
	enum httpmsg_state state;
	int ninterim;
	int status;     /* 0 until the head is complete */
	char *location; /* NULL when there is none */
	struct buf body;
	size_t body_max;
	size_t left; /* of the counted body, or of the chunk */
	int chunk_part;
	int chunk_digits;
	struct buf head;
	const char *fault; /* set when feeding failed: what is wrong, a literal */
};

void httpmsg_init(struct httpmsg *m, size_t body_max);
void httpmsg_done(struct httpmsg *m);
/* More bytes from the peer; those behind a complete response are ignored. ERR_SYNTAX or ERR_LIMIT:
 * see fault. */
MUST_CHECK int httpmsg_feed(struct httpmsg *m, struct bytes in);
/* The peer closed. ERR_SYNTAX when the response is incomplete. */
MUST_CHECK int httpmsg_end(struct httpmsg *m);
