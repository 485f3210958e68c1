/* http.h — HTTP as FastCGI carries it: reading a request from a connection, writing an answer.
 *
 * Parameters read: REQUEST_METHOD, REQUEST_URI, CONTENT_TYPE, CONTENT_LENGTH, HTTP_USER_AGENT,
 * HTTP_ACCEPT, HTTP_REPLAY_NONCE, HTTP_IF_NONE_MATCH, HTTP_IF_MODIFIED_SINCE (empty is absent). The
 * path is what the client sent, byte for byte: nothing is decoded or merged, so that the url of a
 * JWS can be compared. */
#pragma once

#include <fcgiapp.h>

#include "fcgi/app.h"

#define URI_MAX_BYTES 2048

enum http_body {
	HTTP_BODY_WHOLE,  /* exactly CONTENT_LENGTH bytes were read */
	HTTP_BODY_LARGE,  /* more than BODY_MAX_BYTES: thrown away */
	HTTP_BODY_BROKEN, /* not a length, or not as many bytes as it said */
};

struct http_request {
	const char *method;       /* never NULL; texts live until the answer is finished */
	const char *uri;          /* REQUEST_URI, "" when it is missing */
	struct bytes path, query; /* parts of uri */
	const char *content_type; /* NULL: none */
	const char *user_agent;   /* NULL: none */
	const char *accept;       /* NULL: none */
	const char *if_none_match, *if_modified_since; /* NULL: none */
	bool replay_nonce; /* the request has a Replay-Nonce header field */
	enum http_body body_state;
	struct buf body; /* memory is kept from one request to the next */
};

/* Reads the whole request behind a successful FCGX_Accept_r. A broken or unread body closes the
 * connection with the answer. */
void http_read(FCGX_Request *fcgi, struct http_request *in);
/* Forgets the request; keeps a body buffer of ordinary size. */
void http_reset(struct http_request *in);
void http_done(struct http_request *in);

struct http_answer {
	int status;
	const char *content_type;
	struct bytes headers; /* "Name: value\r\n" lines */
	struct bytes body;
	bool head; /* HEAD: the length goes out, the body does not */
};
/* Writes the answer into the connection's stream; FCGX_Finish_r sends what is buffered. */
void http_write(FCGX_Request *fcgi, const struct http_answer *out);
