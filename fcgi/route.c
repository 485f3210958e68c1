/* route.c — see route.h. Paths are compared as bytes: our ids never need percent-encoding, so an
 * encoded path is another path. */
#include "fcgi/route.h"

#include <assert.h>
#include <strings.h>

bool route_matches(const char *pattern, struct bytes path, struct bytes args[PATH_ARGS_MAX])
{
	const uint8_t *p = path.ptr, *end = path.ptr + path.len;
	size_t nargs = 0;

	while (*pattern != '\0') {
		if (strcmp(pattern, "{*}") == 0) {
			assert(nargs < PATH_ARGS_MAX);
			args[nargs] = bytes_of(p, (size_t)(end - p));
			return true;
		}
		if (pattern[0] == '{' && pattern[1] == '}') {
			const uint8_t *from = p;

			while (p < end && *p != '/')
				p++;
			if (p == from)
				return false;
			assert(nargs < PATH_ARGS_MAX);
			args[nargs++] = bytes_of(from, (size_t)(p - from));
			pattern += 2;
		} else if (p < end && *p == (uint8_t)*pattern) {
			p++;
			pattern++;
		} else {
			return false;
		}
	}
	return p == end;
}

static const char *methods_of(const struct route *route)
{
	bool takes_post = route->post || route->post_type != NULL;

	if (route->auth != AUTH_NONE)
		return "POST, OPTIONS";
	return !route->get    ? "POST, OPTIONS"
		: !takes_post ? "GET, HEAD, OPTIONS"
			      : "GET, HEAD, POST, OPTIONS";
}

/* A browser asks before it sends a POST with our content type (the preflight of the Fetch
 * standard); RFC 8555 section 6.1 wants it to be allowed. nginx adds Access-Control-Allow-Origin,
 * as to every answer. */
static void answer_options(struct request *r)
{
	const char *methods = methods_of(r->route);

	r->answer.status = 204;
	r->answer.no_nonce = true;
	answer_header(&r->answer, "Allow", "%s", methods);
	answer_header(&r->answer, "Access-Control-Allow-Methods", "%s", methods);
	answer_header(&r->answer, "Access-Control-Allow-Headers", "Content-Type");
	answer_header(&r->answer, "Access-Control-Max-Age", "86400");
}

static int check_method(const struct route *route, struct request *r, bool post, struct problem *pb)
{
	bool public = route->auth == AUTH_NONE;
	bool takes_post = route->post || route->post_type != NULL;

	if (post ? !public || takes_post
		 : public && route->get &&
				(strcmp(r->method, "GET") == 0 || strcmp(r->method, "HEAD") == 0))
		return OK;
	/* RFC 9110 section 15.5.6: the answer names the methods. RFC 8555 section 6.3: other
	 * resources are POST only. */
	answer_header(&r->answer, "Allow", "%s", methods_of(route));
	if (route->post_type != NULL)
		return problem_set_status(pb, 405, PROBLEM_MALFORMED,
			"the method is not allowed here");
	return problem_set_status(pb, 405, PROBLEM_MALFORMED,
		"the method is not allowed here: RFC 8555 section 6.3 has resources read by "
		"POST-as-GET");
}

static int check_body(const struct http_request *in, size_t max_bytes, struct problem *pb)
{
	if (in->body_state == HTTP_BODY_LARGE || in->body.len > max_bytes)
		return problem_set_status(pb, 413, PROBLEM_MALFORMED,
			"the body is larger than %zu bytes", max_bytes);
	if (in->body_state == HTTP_BODY_BROKEN)
		return problem_set(pb, PROBLEM_MALFORMED,
			"the body is not as long as its Content-Length says");
	return OK;
}

/* RFC 9110 section 8.3.1: types are told in any case. */
static int check_document(const struct route *route, const struct http_request *in,
	struct problem *pb)
{
	if (in->content_type == NULL || strcasecmp(in->content_type, route->post_type) != 0)
		return problem_set_status(pb, 415, PROBLEM_MALFORMED, "the content type must be %s",
			route->post_type);
	return check_body(in, route->post_max_bytes, pb);
}

static int check_post(const struct http_request *in, struct problem *pb)
{
	/* RFC 8555 section 6.1 */
	if (in->user_agent == NULL)
		return problem_set(pb, PROBLEM_MALFORMED,
			"an ACME client must send a User-Agent header field");
	/* RFC 8555 section 6.2 */
	if (in->content_type == NULL || strcmp(in->content_type, "application/jose+json") != 0)
		return problem_set_status(pb, 415, PROBLEM_MALFORMED,
			"the content type must be application/jose+json");
	/* RFC 8555 section 6.5.1 */
	if (in->replay_nonce)
		return problem_set(pb, PROBLEM_MALFORMED,
			"Replay-Nonce is for answers only; the nonce belongs into the protected "
			"header");
	return check_body(in, BODY_MAX_BYTES, pb);
}

int route_check(const struct route *routes, size_t nroutes, const struct http_request *in,
	struct request *r, struct problem *pb)
{
	bool post = strcmp(in->method, "POST") == 0;
	int err;

	r->method = in->method;
	r->query = in->query;
	r->accept = in->accept;
	r->if_none_match = in->if_none_match;
	r->if_modified_since = in->if_modified_since;
	r->body = buf_bytes(&in->body);
	if (in->path.len + in->query.len > URI_MAX_BYTES)
		return problem_set_status(pb, 414, PROBLEM_MALFORMED,
			"the request's path is too long");
	for (size_t i = 0; i < nroutes && r->route == NULL; i++) {
		if (route_matches(routes[i].path, in->path, r->args))
			r->route = &routes[i];
	}
	if (r->route == NULL)
		return problem_set_status(pb, 404, PROBLEM_MALFORMED,
			"there is nothing at this path");
	if (strcmp(in->method, "OPTIONS") == 0) {
		answer_options(r);
		return OK;
	}
	err = check_method(r->route, r, post, pb);
	if (err != OK)
		return err;
	if (!post)
		return OK;
	return r->route->post_type != NULL ? check_document(r->route, in, pb) : check_post(in, pb);
}
