/* ocsp_http.c — see ocsp.h: RFC 5019 section 6 and RFC 9919 section 7 on caching. */
#define _XOPEN_SOURCE 700 /* strptime */
#include <stdio.h>
#include <time.h>

#include "fcgi/ocsp.h"
#include "lib/base/clock.h"
#include "lib/pki/ossl.h"

#define TAG_BYTES 16 /* of the SHA-256 of the response */
#define TAG_LEN (2 + 2 * TAG_BYTES)
#define DATE_FORMAT "%a, %d %b %Y %H:%M:%S GMT" /* RFC 9110 section 5.6.7 */

/* How long our own cache in front may go on with an answer: with it, and the second that nginx
 * rounds to, a revocation shows within five. */
#define FRONT_SECS 3
/* How much longer when this program or the database is away, and nothing can be revoked or known.
 * For caches of others must-revalidate forbids it. */
#define FRONT_AWAY_SECS 300
/* Answers are out of every cache before their nextUpdate. */
#define MARGIN_SECS (FRONT_SECS + 2)

static void set(struct request *r, int status, const char *caching)
{
	r->answer.front_secs = 0;
	r->answer.status = status;
	r->answer.content_type = "application/ocsp-response";
	r->answer.caching = caching;
}

static void add_date(struct answer *a, const char *name, int64_t wall_us)
{
	time_t secs = (time_t)(wall_us / USEC_PER_SEC);
	char text[64];
	struct tm tm;

	gmtime_r(&secs, &tm);
	strftime(text, sizeof(text), DATE_FORMAT, &tm);
	answer_header(a, name, "%s", text);
}

/* A strong validator: the same octets, the same tag. */
static void make_tag(struct bytes response, char out[TAG_LEN + 1])
{
	uint8_t hash[32];

	ossl_sha256_of(response, hash);
	out[0] = '"';
	for (size_t i = 0; i < TAG_BYTES; i++)
		snprintf(out + 1 + 2 * i, 3, "%02x", hash[i]);
	out[TAG_LEN - 1] = '"';
	out[TAG_LEN] = '\0';
}

static bool is_read(const struct request *r)
{
	return strcmp(r->method, "POST") != 0;
}

/* RFC 9110 section 13.1.2 (tags are compared weakly; ours holds no character that a list could
 * hide it behind), else section 13.1.3. */
static bool client_has_it(const struct request *r, const char *tag, int64_t this_update_us)
{
	struct tm tm = {0};
	const char *end;

	if (!is_read(r))
		return false;
	if (r->if_none_match != NULL)
		return strcmp(r->if_none_match, "*") == 0 || strstr(r->if_none_match, tag) != NULL;
	if (r->if_modified_since == NULL)
		return false;
	end = strptime(r->if_modified_since, DATE_FORMAT, &tm);
	return end != NULL && *end == '\0' && (int64_t)timegm(&tm) >= this_update_us / USEC_PER_SEC;
}

/* Half of its life: by then the next one has been signed, and whoever asks should get that. */
static int64_t max_age(int64_t this_update_us, int64_t next_update_us)
{
	int64_t left = (next_update_us - clock_wall_us()) / USEC_PER_SEC - MARGIN_SECS;
	int64_t half = (next_update_us - this_update_us) / USEC_PER_SEC / 2;

	if (left < 0)
		return 0;
	return left < half ? left : half;
}

void ocsp_answer_kept(struct request *r, struct bytes response, int64_t this_update_us,
	int64_t next_update_us, char caching[static 96])
{
	struct answer *a = &r->answer;
	char tag[TAG_LEN + 1];

	buf_reset(&a->headers);
	buf_reset(&a->body);
	make_tag(response, tag);
	snprintf(caching, 96,
		"max-age=%lld, public, no-transform, must-revalidate, stale-if-error=%d",
		(long long)max_age(this_update_us, next_update_us), FRONT_AWAY_SECS);
	set(r, client_has_it(r, tag, this_update_us) ? 304 : 200, caching);
	a->front_secs = FRONT_SECS;
	answer_header(a, "ETag", "%s", tag);
	add_date(a, "Last-Modified", this_update_us);
	add_date(a, "Expires", next_update_us);
	if (a->status == 200)
		buf_add(&a->body, response.ptr, response.len);
}

void ocsp_answer_once(struct request *r, struct bytes response)
{
	buf_reset(&r->answer.headers);
	buf_reset(&r->answer.body);
	set(r, 200, NULL);
	buf_add(&r->answer.body, response.ptr, response.len);
}

void ocsp_answer_error(struct request *r, enum ocsp_refusal refusal)
{
	ocsp_answer_once(r, ocsp_response_refusal(refusal));
}

void ocsp_answer_page(struct request *r)
{
	struct answer *a = &r->answer;

	a->status = 200;
	a->content_type = "text/html; charset=utf-8";
	a->caching = "max-age=3600, public";
	answer_header(a, "Content-Security-Policy",
		"default-src 'none'; style-src 'unsafe-inline'");
	buf_add_str(&a->body,
		"<!DOCTYPE html>\n"
		"<html lang=\"en\">\n"
		"<head><meta charset=\"utf-8\"><title>OCSP responder</title>\n"
		"<style>body{font:1rem/1.5 sans-serif;max-width:40rem;margin:4rem auto}</style>"
		"</head>\n"
		"<body>\n"
		"<h1>OCSP responder</h1>\n"
		"<p>Programs ask here whether a certificate has been revoked (RFC 6960). There is "
		"nothing to see for a browser.</p>\n"
		"</body>\n</html>\n");
}
