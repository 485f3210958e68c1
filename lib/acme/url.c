/* url.c — see url.h. */
#include "lib/acme/url.h"

#include <assert.h>
#include <stdio.h>

#include "lib/base/buf.h"

#define HOLE "{}"
#define HOLES_MAX 2

/* Replaces the holes of path by the values, in order; there must be as many of each. */
static char *fill(const struct conf *conf, const char *path, const char *const values[HOLES_MAX])
{
	struct buf out = {0};
	const char *rest = path;
	const char *hole;
	size_t n = 0;

	buf_add_str(&out, conf->server.base_url);
	while ((hole = strstr(rest, HOLE)) != NULL) {
		assert(n < HOLES_MAX && values[n] != NULL);
		buf_add(&out, rest, (size_t)(hole - rest));
		buf_add_str(&out, values[n++]);
		rest = hole + strlen(HOLE);
	}
	assert(n == HOLES_MAX || values[n] == NULL);
	buf_add_str(&out, rest);
	return buf_take_str(&out);
}

char *url_of(const struct conf *conf, const char *path)
{
	return fill(conf, path, (const char *const[HOLES_MAX]){NULL, NULL});
}

char *url_of_object(const struct conf *conf, const char *path, const struct ident *id)
{
	char text[IDENT_TEXT_LEN + 1];

	ident_format(id, text);
	return fill(conf, path, (const char *const[HOLES_MAX]){text, NULL});
}

char *url_of_challenge(const struct conf *conf, const struct ident *authz, const char *type_name)
{
	char text[IDENT_TEXT_LEN + 1];

	ident_format(authz, text);
	return fill(conf, URL_CHALLENGE, (const char *const[HOLES_MAX]){text, type_name});
}

char *url_of_chain(const struct conf *conf, const struct ident *order, int32_t n)
{
	char id[IDENT_TEXT_LEN + 1], number[16];

	if (n == 0)
		return url_of_object(conf, URL_CERTIFICATE, order);
	ident_format(order, id);
	snprintf(number, sizeof(number), "%d", n);
	return fill(conf, URL_CERTIFICATE_ALTERNATE, (const char *const[HOLES_MAX]){id, number});
}

/* Takes the C string prefix off the front of *text. */
static bool skip_prefix(struct bytes *text, const char *prefix)
{
	size_t len = strlen(prefix);

	if (text->len < len || memcmp(text->ptr, prefix, len) != 0)
		return false;
	*text = bytes_of(text->ptr + len, text->len - len);
	return true;
}

int url_parse_account(const struct conf *conf, struct bytes url, struct ident *ret)
{
	CLEANUP_STR char *prefix = xstrndup(URL_ACCOUNT, strlen(URL_ACCOUNT) - strlen(HOLE));

	if (!skip_prefix(&url, conf->server.base_url) || !skip_prefix(&url, prefix))
		return ERR_SYNTAX;
	return ident_parse(url, ret);
}
