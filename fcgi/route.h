/* route.h — which route a request is for, and the checks that need no more than its head: path,
 * method, User-Agent, content type, size. */
#pragma once

#include "fcgi/http.h"

/* OPTIONS is answered here: r->answer.status is set then, and nothing else remains to be done.
 * Otherwise sets r->route, args, query, method and accept. ERR_PROBLEM: 404, 405 (with Allow), 400,
 * 415, 413. r->route stays NULL when no path matches. */
MUST_CHECK int route_check(const struct route *routes, size_t nroutes,
	const struct http_request *in, struct request *r, struct problem *pb);
/* True when path matches the pattern; then args holds what each {} matched. */
bool route_matches(const char *pattern, struct bytes path, struct bytes args[PATH_ARGS_MAX]);
