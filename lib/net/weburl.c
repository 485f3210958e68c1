/* weburl.c — see weburl.h. */
#include "lib/net/weburl.h"

#include <strings.h>

#define HOST_MAX_LEN 253

static bool has_prefix(struct bytes text, const char *prefix)
{
	size_t len = strlen(prefix);

	return text.len >= len && strncasecmp((const char *)text.ptr, prefix, len) == 0;
}

static struct bytes skip(struct bytes text, size_t n)
{
	return bytes_of(text.ptr + n, text.len - n);
}

static size_t find_any(struct bytes text, const char *chars)
{
	size_t i = 0;

	while (i < text.len && strchr(chars, text.ptr[i]) == NULL)
		i++;
	return i;
}

static uint16_t default_port(bool https)
{
	return https ? 443 : 80;
}

static bool is_visible(struct bytes text)
{
	for (size_t i = 0; i < text.len; i++)
		if (text.ptr[i] < 0x21 || text.ptr[i] > 0x7e)
			return false;
	return true;
}

static bool is_host_char(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_';
}

/* A DNS name whose last label is no number: to some parsers others are IPv4 addresses. */
static bool is_name(const char *host)
{
	const char *last = strrchr(host, '.');
	size_t label = 0;

	for (const char *p = host; *p != '\0'; p++) {
		if (*p == '.') {
			if (label == 0)
				return false;
			label = 0;
		} else if (!is_host_char(*p) || ++label > 63) {
			return false;
		}
	}
	last = last == NULL ? host : last + 1;
	return label > 0 && !(*last >= '0' && *last <= '9');
}

static int parse_host(struct bytes text, const char **ret_fault, struct weburl *url)
{
	*ret_fault = "has no usable host name or IP address";
	if (text.len > 1 && text.ptr[0] == '[') {
		if (text.ptr[text.len - 1] != ']')
			return ERR_SYNTAX;
		text = bytes_of(text.ptr + 1, text.len - 2);
		if (ipaddr_parse(text, &url->address) != OK || url->address.family != AF_INET6)
			return ERR_SYNTAX;
		url->is_address = true;
	} else if (ipaddr_parse(text, &url->address) == OK) {
		if (url->address.family != AF_INET)
			return ERR_SYNTAX;
		url->is_address = true;
	} else if (text.len == 0 || text.len > HOST_MAX_LEN) {
		return ERR_SYNTAX;
	}
	url->host = xstrndup((const char *)text.ptr, text.len);
	for (char *p = url->host; *p != '\0'; p++)
		if (*p >= 'A' && *p <= 'Z')
			*p = (char)(*p + 32);
	if (url->is_address)
		return OK;
	if (!is_name(url->host))
		return ERR_SYNTAX;
	/* "https://example.org" + "/.well-known" written without the slash between. */
	size_t len = strlen(url->host), tail = strlen(".well-known");

	if (len >= tail && strcmp(url->host + len - tail, ".well-known") == 0) {
		*ret_fault =
			"has a host that ends in .well-known: a slash is missing behind the host";
		return ERR_SYNTAX;
	}
	return OK;
}

static int parse_port(struct bytes text, const char **ret_fault, struct weburl *url)
{
	unsigned port = 0;

	*ret_fault = "has a malformed port";
	if (text.len == 0 || text.len > 5)
		return ERR_SYNTAX;
	for (size_t i = 0; i < text.len; i++) {
		if (text.ptr[i] < '0' || text.ptr[i] > '9')
			return ERR_SYNTAX;
		port = port * 10 + (text.ptr[i] - '0');
	}
	if (port == 0 || port > 65535)
		return ERR_SYNTAX;
	url->port = (uint16_t)port;
	return OK;
}

static int parse_authority(struct bytes text, const char **ret_fault, struct weburl *url)
{
	struct bytes host = text;
	size_t colon;

	if (find_any(text, "@") < text.len) {
		*ret_fault = "carries user information";
		return ERR_SYNTAX;
	}
	colon = text.len;
	while (colon > 0 && text.ptr[colon - 1] != ':' && text.ptr[colon - 1] != ']')
		colon--;
	if (colon > 0 && text.ptr[colon - 1] == ':') {
		host.len = colon - 1;
		if (parse_port(skip(text, colon), ret_fault, url) != OK)
			return ERR_SYNTAX;
	}
	return parse_host(host, ret_fault, url);
}

/* RFC 3986 section 5.2.4 for a path that begins with '/'. */
static void append_without_dots(struct buf *out, struct bytes path)
{
	size_t base = out->len;

	while (path.len > 0) {
		size_t seg = 1 + find_any(skip(path, 1), "/");
		bool last = seg == path.len;
		struct bytes name = bytes_of(path.ptr + 1, seg - 1);

		if (bytes_is(name, "..")) {
			while (out->len > base && out->ptr[--out->len] != '/')
				continue;
			if (last)
				buf_add_byte(out, '/');
		} else if (bytes_is(name, ".")) {
			if (last)
				buf_add_byte(out, '/');
		} else {
			buf_add(out, path.ptr, seg);
		}
		path = skip(path, seg);
	}
	if (out->len == base)
		buf_add_byte(out, '/');
}

/* text: path and query behind the authority, or a relative reference; base_target NULL: absolute */
static int set_target(struct bytes text, const char *base_target, const char **ret_fault,
	struct weburl *url)
{
	CLEANUP_BUF struct buf path = {0}, target = {0};
	size_t path_len = find_any(text, "?");
	struct bytes own = bytes_of(text.ptr, path_len);

	buf_reserve(&path, 1);
	if (base_target != NULL && own.len == 0) {
		struct bytes base = bytes_str(base_target);

		buf_add(&path, base.ptr, text.len > 0 ? find_any(base, "?") : base.len);
	} else if (base_target != NULL && own.ptr[0] != '/') {
		struct bytes base = bytes_of(base_target, find_any(bytes_str(base_target), "?"));

		while (base.ptr[base.len - 1] != '/')
			base.len--;
		buf_add(&path, base.ptr, base.len);
		buf_add(&path, own.ptr, own.len);
	} else {
		buf_add(&path, own.ptr, own.len);
	}
	size_t dots_end = find_any(buf_bytes(&path), "?");

	append_without_dots(&target, bytes_of(path.ptr, dots_end));
	buf_add(&target, path.ptr + dots_end, path.len - dots_end);
	buf_add(&target, text.ptr + path_len, text.len - path_len);
	if (target.len > WEBURL_TARGET_MAX_LEN) {
		*ret_fault = "is too long";
		return ERR_SYNTAX;
	}
	url->target = buf_take_str(&target);
	return OK;
}

static int resolve(const struct weburl *base, struct bytes ref, const char **ret_fault,
	struct weburl *url)
{
	size_t colon, end;

	if (!is_visible(ref)) {
		*ret_fault = "contains white space, control characters or bytes outside ASCII";
		return ERR_SYNTAX;
	}
	ref.len = find_any(ref, "#");
	colon = find_any(ref, ":");
	if (has_prefix(ref, "http://") || has_prefix(ref, "https://")) {
		url->https = has_prefix(ref, "https:");
		ref = skip(ref, colon + 1);
	} else if (colon < find_any(ref, "/?")) {
		*ret_fault = "is neither http nor https";
		return ERR_SYNTAX;
	} else {
		url->https = base->https;
	}
	if (!has_prefix(ref, "//")) {
		url->port = base->port;
		url->is_address = base->is_address;
		url->address = base->address;
		url->host = xstrdup(base->host);
		return set_target(ref, base->target, ret_fault, url);
	}
	url->port = default_port(url->https);
	ref = skip(ref, 2);
	end = find_any(ref, "/?");
	if (parse_authority(bytes_of(ref.ptr, end), ret_fault, url) != OK)
		return ERR_SYNTAX;
	return set_target(skip(ref, end), NULL, ret_fault, url);
}

int weburl_resolve(const struct weburl *base, struct bytes reference, const char **ret_fault,
	struct weburl *ret)
{
	struct weburl url = {0};

	if (resolve(base, reference, ret_fault, &url) != OK) {
		weburl_done(&url);
		return ERR_SYNTAX;
	}
	*ret = url;
	return OK;
}

void weburl_init_http(struct weburl *url, const char *name, uint16_t port, const char *target)
{
	*url = (struct weburl){.port = port, .host = xstrdup(name), .target = xstrdup(target)};
}

void weburl_done(struct weburl *url)
{
	free(url->host);
	free(url->target);
	*url = (struct weburl){0};
}

void weburl_format_host(const struct weburl *url, struct buf *out)
{
	bool brackets = url->is_address && url->address.family == AF_INET6;

	buf_addf(out, brackets ? "[%s]" : "%s", url->host);
	if (url->port != default_port(url->https))
		buf_addf(out, ":%u", url->port);
}

void weburl_format(const struct weburl *url, struct buf *out)
{
	buf_add_str(out, url->https ? "https://" : "http://");
	weburl_format_host(url, out);
	buf_add_str(out, url->target);
}
