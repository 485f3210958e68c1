/* directory.c — see directory.h. Nothing here touches the database; with PostgreSQL and Redis away
 * the directory and newNonce still answer. */
#include "fcgi/directory.h"

#include "lib/acme/url.h"
#include "lib/acme/view.h"

static void append_html(struct buf *out, const char *text)
{
	for (; *text != '\0'; text++) {
		switch (*text) {
		case '&':
			buf_add_str(out, "&amp;");
			break;
		case '<':
			buf_add_str(out, "&lt;");
			break;
		case '>':
			buf_add_str(out, "&gt;");
			break;
		case '"':
			buf_add_str(out, "&quot;");
			break;
		default:
			buf_add_byte(out, (uint8_t)*text);
		}
	}
}

static void append_link(struct buf *out, const char *before, const char *url, const char *path,
	const char *after)
{
	buf_add_str(out, before);
	buf_add_str(out, "<a href=\"");
	append_html(out, url);
	append_html(out, path);
	buf_add_str(out, "\">");
	append_html(out, url);
	append_html(out, path);
	buf_add_str(out, "</a>");
	buf_add_str(out, after);
}

static const char home_head[] =
	"<!DOCTYPE html>\n"
	"<html lang=\"en\">\n"
	"<head><meta charset=\"utf-8\"><title>ACME server</title>\n"
	"<style>body{font:1rem/1.5 sans-serif;max-width:40rem;margin:4rem auto}</style></head>\n"
	"<body>\n"
	"<h1>ACME server</h1>\n"
	"<p>This address is an API for programs that obtain certificates (ACME, RFC 8555). "
	"There is nothing to see for a browser.</p>\n";

/* For the person whose browser ends up here. */
static int prepare_home(struct request *r, struct problem *pb)
{
	struct answer *a = &r->answer;

	a->status = 200;
	a->content_type = "text/html; charset=utf-8";
	a->no_nonce = true;
	answer_header(a, "Content-Security-Policy",
		"default-src 'none'; style-src 'unsafe-inline'");
	buf_add_str(&a->body, home_head);
	append_link(&a->body,
		"<p>Give your ACME client this directory URL: ", r->conf->server.base_url,
		URL_DIRECTORY, "</p>\n");
	if (r->conf->server.website != NULL)
		append_link(&a->body, "<p>More about this service: ", r->conf->server.website, "",
			"</p>\n");
	if (r->conf->server.terms_of_service != NULL)
		append_link(&a->body, "<p>Terms of service: ", r->conf->server.terms_of_service, "",
			"</p>\n");
	buf_add_str(&a->body, "</body>\n</html>\n");
	return OK;
}

const struct route directory_home_route = {.path = "/",
	.auth = AUTH_NONE,
	.get = true,
	.prepare = prepare_home};

/* RFC 8555 section 7.1.1: the index of everything, so without a link to itself. */
static int prepare_directory(struct request *r, struct problem *pb)
{
	r->answer.status = 200;
	r->answer.no_index = true;
	r->answer.no_nonce = true;
	view_directory(r->conf, &r->answer.body);
	return OK;
}

const struct route directory_route = {.path = URL_DIRECTORY,
	.auth = AUTH_NONE,
	.get = true,
	.post = true,
	.prepare = prepare_directory};

/* RFC 8555 section 7.2: HEAD 200, GET 204; section 6.3: POST-as-GET as well. */
static int prepare_nonce(struct request *r, struct problem *pb)
{
	r->answer.status = strcmp(r->method, "GET") == 0 ? 204 : 200;
	return OK;
}

const struct route directory_nonce_route = {.path = URL_NEW_NONCE,
	.auth = AUTH_NONE,
	.get = true,
	.post = true,
	.prepare = prepare_nonce};

static int prepare_health(struct request *r, struct problem *pb)
{
	r->answer.status = 200;
	r->answer.no_nonce = true;
	buf_add_str(&r->answer.body, "{\"status\":\"alive\"}\n");
	return OK;
}

const struct route directory_health_route = {.path = "/health",
	.auth = AUTH_NONE,
	.get = true,
	.prepare = prepare_health};

static int prepare_ready(struct request *r, struct problem *pb)
{
	const struct app_health health = app_health();
	const struct workers_alive *workers = &health.workers;
	struct jx_out o = {.buf = &r->answer.body};

	r->answer.status = health.database && health.redis && workers->validator &&
			workers->signer && workers->keeper
		? 200
		: 503;
	r->answer.no_nonce = true;
	jx_begin_object(&o, NULL);
	jx_put_str(&o, "status", r->answer.status == 200 ? "ready" : "not ready");
	jx_put_bool(&o, "database", health.database);
	jx_put_bool(&o, "redis", health.redis);
	jx_put_bool(&o, "validator", workers->validator);
	jx_put_bool(&o, "signer", workers->signer);
	jx_put_bool(&o, "keeper", workers->keeper);
	jx_end_object(&o);
	return OK;
}

const struct route directory_ready_route = {.path = "/ready",
	.auth = AUTH_NONE,
	.get = true,
	.prepare = prepare_ready};
