/* acme.c — the client's side of one whole flow (RFC 8555 section 7), asking no more often than a
 * good client does. */
#include "bench/bench.h"

#include <openssl/core_names.h>
#include <stdio.h>
#include <time.h>

#include "lib/base/b64url.h"
#include "lib/base/clock.h"

#define POLL_FIRST_MS 4
#define POLL_MAX_MS 250
#define FLOW_MAX_SECS 60

/* {"protected":…,"payload":…,"signature":…}; payload NULL is POST-as-GET. */
static int post(struct bench *bench, struct http *h, struct bench_account *account, const char *url,
	const char *payload)
{
	CLEANUP_BUF struct buf header = {0};
	CLEANUP_BUF struct buf input = {0};
	CLEANUP_BUF struct buf body = {0};
	uint8_t signature[64];

	for (int tries = 0; tries < 3; tries++) {
		if (h->nonce[0] == '\0' && http_request(h, "HEAD", bench->new_nonce, NULL) != OK)
			return ERR_NET;
		buf_reset(&header);
		buf_addf(&header, "{\"alg\":\"ES256\",\"nonce\":\"%s\",\"url\":\"%s\",", h->nonce,
			url);
		if (account->kid[0] != '\0')
			buf_addf(&header, "\"kid\":\"%s\"}", account->kid);
		else
			buf_addf(&header, "\"jwk\":%s}", account->jwk);
		h->nonce[0] = '\0';
		buf_reset(&input);
		b64url_append(&input, buf_bytes(&header));
		const size_t cut = input.len;

		buf_add_byte(&input, '.');
		if (payload != NULL)
			b64url_append(&input, bytes_str(payload));
		if (es256_sign(account->key, buf_bytes(&input), signature) != OK)
			return ERR_CRYPTO;
		buf_reset(&body);
		buf_addf(&body, "{\"protected\":\"%.*s\",\"payload\":\"%s\",\"signature\":\"",
			(int)cut, buf_str(&input), buf_str(&input) + cut + 1);
		b64url_append(&body, bytes_of(signature, sizeof(signature)));
		buf_add_str(&body, "\"}");
		if (http_request(h, "POST", url, &body) != OK)
			return ERR_NET;
		if (h->status == 400 && memmem(h->body.ptr, h->body.len, "badNonce", 8) != NULL)
			continue;
		return OK;
	}
	return ERR_CONFLICT;
}

static int copy_member(const struct jx *object, const char *name, char *out, size_t size)
{
	struct bytes text;

	if (jx_get_str(object, name, &text) != OK || text.len >= size)
		return ERR_SYNTAX;
	memcpy(out, text.ptr, text.len);
	out[text.len] = '\0';
	return OK;
}

int acme_directory(struct bench *bench)
{
	struct http h;
	CLEANUP(jx_free) struct jx *root = NULL;
	int err = ERR_SYNTAX;

	http_init(&h, bench);
	if (http_request(&h, "GET", bench->directory, NULL) != OK)
		err = ERR_NET;
	else if (h.status == 200 && jx_parse(buf_bytes(&h.body), &root) == OK &&
		copy_member(root, "newNonce", bench->new_nonce, URL_MAX) == OK &&
		copy_member(root, "newAccount", bench->new_account, URL_MAX) == OK &&
		copy_member(root, "newOrder", bench->new_order, URL_MAX) == OK)
		err = OK;
	http_done(&h);
	return err;
}

static int make_key(struct bench_account *account)
{
	uint8_t point[65], hash[32];
	char x[44], y[44];
	size_t len = 0;

	account->key = EVP_EC_gen("P-256");
	if (account->key == NULL ||
		EVP_PKEY_get_octet_string_param(account->key, OSSL_PKEY_PARAM_PUB_KEY, point,
			sizeof(point), &len) != 1 ||
		len != sizeof(point))
		return ossl_drain("EVP_EC_gen");
	b64url_format(bytes_of(point + 1, 32), x);
	b64url_format(bytes_of(point + 33, 32), y);
	(void)snprintf(account->jwk, sizeof(account->jwk),
		"{\"crv\":\"P-256\",\"kty\":\"EC\",\"x\":\"%s\",\"y\":\"%s\"}", x, y);
	ossl_sha256_of(bytes_str(account->jwk), hash);
	b64url_format(bytes_of(hash, sizeof(hash)), account->thumbprint);
	return OK;
}

int acme_account(struct bench *bench, struct http *h, struct bench_account *account, int index)
{
	if (make_key(account) != OK)
		return ERR_CRYPTO;
	if (post(bench, h, account, bench->new_account, "{\"termsOfServiceAgreed\":true}") != OK)
		return ERR_NET;
	if (h->status != 201 || h->location[0] == '\0') {
		fprintf(stderr, "newAccount %d: status %d: %s\n", index, h->status,
			buf_str(&h->body));
		return ERR_CONFLICT;
	}
	(void)snprintf(account->kid, sizeof(account->kid), "%s", h->location);
	return OK;
}

static int status_is(const struct http *h, const char *status)
{
	CLEANUP(jx_free) struct jx *root = NULL;
	struct bytes text;

	return jx_parse(buf_bytes(&h->body), &root) == OK &&
		jx_get_str(root, "status", &text) == OK && bytes_is(text, status);
}

/* POST-as-GET until the status is `want`; pauses grow. */
static int poll_for(struct bench *bench, struct http *h, struct bench_account *account,
	const char *url, const char *want, int64_t deadline_ms)
{
	for (long pause_ms = POLL_FIRST_MS; !status_is(h, want);
		pause_ms = pause_ms * 2 < POLL_MAX_MS ? pause_ms * 2 : POLL_MAX_MS) {
		const struct timespec nap = {.tv_sec = 0, .tv_nsec = pause_ms * 1000000L};

		if (clock_mono_ms() > deadline_ms || status_is(h, "invalid"))
			return ERR_CONFLICT;
		(void)nanosleep(&nap, NULL);
		if (post(bench, h, account, url, NULL) != OK || h->status != 200)
			return ERR_NET;
	}
	return OK;
}

static int http01_url(const struct http *h, char *out)
{
	CLEANUP(jx_free) struct jx *root = NULL;
	const struct jx *list = NULL;
	struct bytes type;

	if (jx_parse(buf_bytes(&h->body), &root) != OK ||
		jx_get_array(root, "challenges", &list) != OK)
		return ERR_SYNTAX;
	for (size_t i = 0; i < jx_count(list); i++)
		if (jx_get_str(jx_at(list, i), "type", &type) == OK && bytes_is(type, "http-01"))
			return copy_member(jx_at(list, i), "url", out, URL_MAX);
	return ERR_NOENT;
}

static int prove(struct bench *bench, struct http *h, struct bench_account *account,
	const char *authz, int64_t deadline_ms, const char **why)
{
	char challenge[URL_MAX];

	*why = "authorization";
	if (post(bench, h, account, authz, NULL) != OK || h->status != 200)
		return ERR_NET;
	if (status_is(h, "valid"))
		return OK;
	if (http01_url(h, challenge) != OK)
		return ERR_SYNTAX;
	*why = "challenge";
	if (post(bench, h, account, challenge, "{}") != OK || h->status != 200)
		return ERR_NET;
	if (status_is(h, "valid"))
		return OK;
	*why = "validation";
	return poll_for(bench, h, account, authz, "valid", deadline_ms);
}

static int finalize(struct bench *bench, struct http *h, struct bench_account *account,
	const char *order, const char *url, const char *name, EVP_PKEY *key, int64_t deadline_ms)
{
	CLEANUP_BUF struct buf csr = {0};
	CLEANUP_BUF struct buf payload = {0};

	if (csr_make(name, key, &csr) != OK)
		return ERR_CRYPTO;
	buf_add_str(&payload, "{\"csr\":\"");
	b64url_append(&payload, buf_bytes(&csr));
	buf_add_str(&payload, "\"}");
	if (post(bench, h, account, url, buf_str(&payload)) != OK || h->status != 200)
		return ERR_NET;
	return poll_for(bench, h, account, order, "valid", deadline_ms);
}

int acme_flow(struct bench *bench, struct http *h, struct bench_account *account, int index,
	EVP_PKEY *key, const char **why)
{
	CLEANUP(jx_free) struct jx *root = NULL;
	const struct jx *list = NULL;
	char name[128], payload[256], order[URL_MAX], authz[URL_MAX], finalize_url[URL_MAX],
		certificate[URL_MAX];
	const int64_t deadline_ms = clock_mono_ms() + FLOW_MAX_SECS * 1000LL;
	struct bytes text;

	(void)snprintf(name, sizeof(name), "r%ld-%s-a%d.bench.test",
		__atomic_add_fetch(&bench->serial, 1, __ATOMIC_RELAXED), bench->run, index);
	(void)snprintf(payload, sizeof(payload),
		"{\"identifiers\":[{\"type\":\"dns\",\"value\":\"%s\"}]}", name);
	*why = "newOrder";
	if (post(bench, h, account, bench->new_order, payload) != OK || h->status != 201)
		return ERR_NET;
	(void)snprintf(order, sizeof(order), "%s", h->location);
	if (jx_parse(buf_bytes(&h->body), &root) != OK ||
		jx_get_array(root, "authorizations", &list) != OK || jx_count(list) != 1 ||
		jx_str(jx_at(list, 0), &text) != OK || text.len >= sizeof(authz) ||
		copy_member(root, "finalize", finalize_url, sizeof(finalize_url)) != OK)
		return ERR_SYNTAX;
	memcpy(authz, text.ptr, text.len);
	authz[text.len] = '\0';
	if (prove(bench, h, account, authz, deadline_ms, why) != OK)
		return ERR_NET;
	*why = "finalize";
	if (finalize(bench, h, account, order, finalize_url, name, key, deadline_ms) != OK)
		return ERR_NET;
	*why = "certificate";
	jx_free(TAKE(root));
	if (jx_parse(buf_bytes(&h->body), &root) != OK ||
		copy_member(root, "certificate", certificate, sizeof(certificate)) != OK)
		return ERR_SYNTAX;
	if (post(bench, h, account, certificate, NULL) != OK || h->status != 200 ||
		memmem(h->body.ptr, h->body.len, "-----BEGIN CERTIFICATE-----", 27) == NULL)
		return ERR_NET;
	return OK;
}
