/* http.c — see http.h. One pass over the parameters, one read of the body up to and including its
 * end-of-stream record: a record left in the socket would be taken for the next request of a kept
 * connection. */
#include "fcgi/http.h"

#include <stdio.h>

#define BODY_KEEP_BYTES 16384          /* a larger buffer is given back after the request */
#define BODY_DISCARD_MAX_BYTES 1048576 /* read of an oversized one so that its refusal arrives */

/* The value when entry is "NAME=value"; nginx passes a header field that was not sent as an empty
 * one. */
static const char *value_of(const char *entry, const char *name)
{
	size_t len = strlen(name);

	return strncmp(entry, name, len) == 0 && entry[len] == '=' && entry[len + 1] != '\0'
		? entry + len + 1
		: NULL;
}

static void read_params(char **envp, struct http_request *in, const char **ret_length)
{
	for (; *envp != NULL; envp++) {
		const char *value;

		switch ((*envp)[0]) {
		case 'R':
			if ((value = value_of(*envp, "REQUEST_METHOD")) != NULL)
				in->method = value;
			else if ((value = value_of(*envp, "REQUEST_URI")) != NULL)
				in->uri = value;
			break;
		case 'C':
			if ((value = value_of(*envp, "CONTENT_LENGTH")) != NULL)
				*ret_length = value;
			else if ((value = value_of(*envp, "CONTENT_TYPE")) != NULL)
				in->content_type = value;
			break;
		case 'H':
			if ((value = value_of(*envp, "HTTP_USER_AGENT")) != NULL)
				in->user_agent = value;
			else if ((value = value_of(*envp, "HTTP_ACCEPT")) != NULL)
				in->accept = value;
			else if (value_of(*envp, "HTTP_REPLAY_NONCE") != NULL)
				in->replay_nonce = true;
			else if ((value = value_of(*envp, "HTTP_IF_NONE_MATCH")) != NULL)
				in->if_none_match = value;
			else if ((value = value_of(*envp, "HTTP_IF_MODIFIED_SINCE")) != NULL)
				in->if_modified_since = value;
			break;
		default:
			break;
		}
	}
}

static void split_uri(struct http_request *in)
{
	const char *mark = strchr(in->uri, '?');
	size_t len = strlen(in->uri);

	if (mark == NULL) {
		in->path = bytes_of(in->uri, len);
		in->query = bytes_of(in->uri + len, 0);
		return;
	}
	in->path = bytes_of(in->uri, (size_t)(mark - in->uri));
	in->query = bytes_str(mark + 1);
}

/* RFC 9110 section 8.6: digits only. More than we would ever read counts as large, whatever its
 * size. */
static bool parse_length(const char *text, size_t *ret)
{
	size_t length = 0;

	if (text == NULL) {
		*ret = 0;
		return true;
	}
	for (; *text != '\0'; text++) {
		if (*text < '0' || *text > '9')
			return false;
		if (length <= BODY_DISCARD_MAX_BYTES)
			length = length * 10 + (size_t)(*text - '0');
	}
	*ret = length;
	return true;
}

static void discard(FCGX_Stream *in)
{
	char waste[4096];
	size_t total = 0;
	int got;

	while (total < BODY_DISCARD_MAX_BYTES && (got = FCGX_GetStr(waste, sizeof(waste), in)) > 0)
		total += (size_t)got;
}

static void read_body(FCGX_Request *fcgi, struct http_request *in, const char *length_text)
{
	size_t length;
	int got;

	if (!parse_length(length_text, &length)) {
		in->body_state = HTTP_BODY_BROKEN;
	} else if (length > BODY_MAX_BYTES) {
		in->body_state = HTTP_BODY_LARGE;
	} else {
		/* One byte more than announced, so that the end of the stream is read too. */
		buf_reserve(&in->body, length + 1);
		got = FCGX_GetStr((char *)in->body.ptr, (int)length + 1, fcgi->in);
		if (got == (int)length && FCGX_GetError(fcgi->in) == 0) {
			in->body.len = length;
			in->body.ptr[length] = '\0';
			in->body_state = HTTP_BODY_WHOLE;
			return;
		}
		in->body_state = HTTP_BODY_BROKEN;
	}
	discard(fcgi->in);
	fcgi->keepConnection = 0;
}

void http_read(FCGX_Request *fcgi, struct http_request *in)
{
	const char *length = NULL;

	http_reset(in);
	read_params(fcgi->envp, in, &length);
	split_uri(in);
	read_body(fcgi, in, length);
}

void http_reset(struct http_request *in)
{
	struct buf body = in->body;

	if (body.cap > BODY_KEEP_BYTES)
		buf_done(&body);
	buf_reset(&body);
	*in = (struct http_request){.method = "", .uri = "", .body = body};
}

void http_done(struct http_request *in)
{
	buf_done(&in->body);
}

static const char *reason(int status)
{
	switch (status) {
	case 200:
		return "OK";
	case 201:
		return "Created";
	case 204:
		return "No Content";
	case 304:
		return "Not Modified";
	case 400:
		return "Bad Request";
	case 401:
		return "Unauthorized";
	case 403:
		return "Forbidden";
	case 404:
		return "Not Found";
	case 405:
		return "Method Not Allowed";
	case 406:
		return "Not Acceptable";
	case 409:
		return "Conflict";
	case 413:
		return "Content Too Large";
	case 414:
		return "URI Too Long";
	case 415:
		return "Unsupported Media Type";
	case 429:
		return "Too Many Requests";
	case 500:
		return "Internal Server Error";
	case 503:
		return "Service Unavailable";
	default:
		return "Other";
	}
}

static bool bodiless(int status)
{
	return status == 204 || status == 304;
}

static void put(FCGX_Request *fcgi, struct bytes text)
{
	/* A failed write shows in the stream's error, and FCGX_Finish_r closes the connection:
	 * nothing else can be done. */
	if (text.len > 0)
		(void)FCGX_PutStr((const char *)text.ptr, (int)text.len, fcgi->out);
}

void http_write(FCGX_Request *fcgi, const struct http_answer *out)
{
	char head[192];
	int len;

	/* RFC 9110 section 8.6: no Content-Length with 204, nor another than that of 200 with 304
	 */
	if (bodiless(out->status))
		len = snprintf(head, sizeof(head), "Status: %d %s\r\n", out->status,
			reason(out->status));
	else
		len = snprintf(head, sizeof(head),
			"Status: %d %s\r\nContent-Type: %s\r\nContent-Length: %zu\r\n", out->status,
			reason(out->status), out->content_type, out->body.len);
	put(fcgi, bytes_of(head, (size_t)len));
	put(fcgi, out->headers);
	put(fcgi, bytes_str("\r\n"));
	if (!out->head && !bodiless(out->status))
		put(fcgi, out->body);
}
