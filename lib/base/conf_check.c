/* conf_check.c — checks of single values of assay.conf: NULL when a value is fine, else what to
 * write instead. They catch slips when a program starts, instead of at the first order. */
#include <arpa/inet.h>
#include <stdio.h>
#include <sys/un.h>

#include "lib/base/conf_table.h"

#define LOWER "abcdefghijklmnopqrstuvwxyz"
#define DIGITS "0123456789"
#define NAME_MAX_LEN 253
#define LABEL_MAX_LEN 63
#define URL_MAX_LEN 512
#define FILE_PATH_MAX_LEN 200
/* The longest name a handler puts behind the folder. */
#define LONGEST_SOCKET "/directory.sock"

static bool is_one_of(const char *text, const char *const words[], size_t count)
{
	for (size_t i = 0; i < count; i++) {
		if (strcmp(text, words[i]) == 0)
			return true;
	}
	return false;
}

static bool begins_with(const char *text, const char *prefix)
{
	return strncmp(text, prefix, strlen(prefix)) == 0;
}

/* Something behind the scheme, and only what RFC 3986 lets stand in a URI. */
static bool is_url_behind(const char *text, const char *scheme)
{
	static const char allowed[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZ" LOWER DIGITS "-._~:/?#[]@!$&'()*+,;=%";
	size_t len = strlen(scheme);

	return begins_with(text, scheme) && text[len] != '\0' && text[len] != '/' &&
		text[strspn(text, allowed)] == '\0';
}

/* Every answer carries URLs in its header. */
static bool is_short_url(const char *text)
{
	return strlen(text) <= URL_MAX_LEN;
}

const char *conf_check_base_url(const char *text)
{
	if (!is_short_url(text))
		return "choose a shorter URL: at most 512 characters";
	/* RFC 8555 section 6.1: clients and server talk over HTTPS only. */
	if (!is_url_behind(text, "https://"))
		return "write a URL that begins with https://";
	if (strpbrk(text, "?#") != NULL)
		return "leave out query and fragment";
	if (text[strlen(text) - 1] == '/')
		return "leave out the slash at the end";
	return NULL;
}

const char *conf_check_url(const char *text)
{
	if (!is_short_url(text))
		return "choose a shorter URL: at most 512 characters";
	if (is_url_behind(text, "https://") || is_url_behind(text, "http://"))
		return NULL;
	return "write a URL that begins with https:// or http://";
}

const char *conf_check_http_url(const char *text)
{
	if (!is_short_url(text))
		return "choose a shorter URL: at most 512 characters";
	/* BR 7.1.2.7.7 and 7.1.2.11.2. What is fetched there is signed; https would ask for a
	 * certificate to check one. */
	return is_url_behind(text, "http://")
		? NULL
		: "write a URL that begins with http:// (clients fetch it to check certificates)";
}

/* Names of files and folders that need no escape in a URL and are neither hidden nor "..". */
static bool is_plain_path(const char *path)
{
	static const char allowed[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ" LOWER DIGITS "-._~/";
	size_t len = strlen(path);

	return len > 1 && len <= FILE_PATH_MAX_LEN && path[strspn(path, allowed)] == '\0' &&
		path[len - 1] != '/' && strstr(path, "//") == NULL && strstr(path, "/.") == NULL;
}

const char *conf_check_file_url(const char *text)
{
	const char *advice = conf_check_http_url(text);
	const char *path = advice == NULL ? strchr(text + strlen("http://"), '/') : NULL;

	if (advice != NULL || (path != NULL && is_plain_path(path)))
		return advice;
	/* The keeper writes the file to where its URL says, below a folder that nginx serves. */
	return "write a URL with a plain path: letters, digits and -._~ between single slashes, no "
	       "name that begins with a dot";
}

static bool is_domain(const char *text)
{
	size_t len = strlen(text);

	if (len == 0 || len > NAME_MAX_LEN || text[strspn(text, LOWER DIGITS "-.")] != '\0')
		return false;
	for (;;) {
		size_t label = strcspn(text, ".");

		if (label == 0 || label > LABEL_MAX_LEN || text[0] == '-' || text[label - 1] == '-')
			return false;
		if (text[label] == '\0')
			return true;
		text += label + 1;
	}
}

const char *conf_check_domain(const char *text)
{
	return is_domain(text) ? NULL
			       : "write a domain name in lower case, for instance ca.example.org";
}

const char *conf_check_blocked_name(const char *text)
{
	if (is_domain(text[0] == '.' ? text + 1 : text))
		return NULL;
	return "write example.org for that name alone, or .example.org for it and all names below "
	       "it, in "
	       "lower case";
}

/* True when word stands in text as a parameter, "word=", of a conninfo string or a URI. */
static bool has_parameter(const char *text, const char *word)
{
	for (const char *at = strstr(text, word); at != NULL; at = strstr(at + 1, word)) {
		if (at == text || strchr(" \t?&", at[-1]) != NULL)
			return true;
	}
	return false;
}

/* True for scheme://user…@host. */
static bool has_userinfo(const char *text)
{
	const char *authority = strstr(text, "://");

	if (authority == NULL)
		return false;
	authority += strlen("://");
	return memchr(authority, '@', strcspn(authority, "/?")) != NULL;
}

const char *conf_check_database_uri(const char *text)
{
	if (has_userinfo(text) || has_parameter(text, "user=") || has_parameter(text, "password="))
		return "leave out user and password: each program connects as the role of its own "
		       "name";
	if (strchr(text, '=') == NULL && !begins_with(text, "postgresql://") &&
		!begins_with(text, "postgres://"))
		return "write postgresql://HOST/DATABASE, or host=HOST dbname=DATABASE";
	return NULL;
}

/* The path of a Unix socket, with its NUL, must fit sockaddr_un. */
static bool fits_socket(const char *path, const char *more)
{
	return strlen(path) + strlen(more) < sizeof(((struct sockaddr_un *)NULL)->sun_path);
}

const char *conf_check_socket(const char *text)
{
	return fits_socket(text, "") ? NULL : "choose a shorter path: sockets allow 107 bytes";
}

const char *conf_check_socket_dir(const char *text)
{
	return fits_socket(text, LONGEST_SOCKET) ? NULL
						 : "choose a shorter path: sockets allow 107 bytes";
}

const char *conf_check_scheme(const char *text)
{
	/* RFC 3986 section 3.1. */
	if (text[0] >= 'a' && text[0] <= 'z' && text[strspn(text, LOWER DIGITS "+-.")] == '\0')
		return NULL;
	return "write URI schemes without the colon, for instance mailto";
}

/* A decimal number without leading zeros, 0 to max (of five digits at most). */
static bool is_number_up_to(const char *text, long max)
{
	size_t len = strlen(text);

	return len > 0 && len <= 5 && strspn(text, DIGITS) == len && (len == 1 || text[0] != '0') &&
		strtol(text, NULL, 10) <= max;
}

const char *conf_check_port(const char *text)
{
	return is_number_up_to(text, 65535) && text[0] != '0'
		? NULL
		: "write port numbers from 1 to 65535";
}

const char *conf_check_address(const char *text)
{
	static const char advice[] =
		"write ADDRESS:PORT, in numbers: for instance 127.0.0.1:53 or [::1]:53";
	const char *colon = strrchr(text, ':');
	char host[INET6_ADDRSTRLEN + 2] = {0};
	unsigned char address[16];
	size_t len;

	if (colon == NULL || conf_check_port(colon + 1) != NULL)
		return advice;
	len = (size_t)(colon - text);
	if (len == 0 || len >= sizeof(host))
		return advice;
	memcpy(host, text, len);
	if (inet_pton(AF_INET, host, address) == 1)
		return NULL;
	if (host[0] != '[' || host[len - 1] != ']')
		return advice;
	host[len - 1] = '\0';
	return inet_pton(AF_INET6, host + 1, address) == 1 ? NULL : advice;
}

/* True when a bit behind the prefix is set. */
static bool has_host_bits(const unsigned char *address, long prefix, long bits)
{
	for (long bit = prefix; bit < bits; bit++) {
		if ((address[bit / 8] & (0x80 >> bit % 8)) != 0)
			return true;
	}
	return false;
}

const char *conf_check_cidr(const char *text)
{
	static const char advice[] = "write ADDRESS/LENGTH, for instance 10.0.0.0/8 or fd00::/8";
	const char *slash = strchr(text, '/');
	char host[INET6_ADDRSTRLEN] = {0};
	unsigned char address[16];
	long bits;

	if (slash == NULL || slash == text || (size_t)(slash - text) >= sizeof(host))
		return advice;
	memcpy(host, text, (size_t)(slash - text));
	bits = strchr(host, ':') != NULL ? 128 : 32;
	if (inet_pton(bits == 128 ? AF_INET6 : AF_INET, host, address) != 1 ||
		!is_number_up_to(slash + 1, bits))
		return advice;
	if (has_host_bits(address, strtol(slash + 1, NULL, 10), bits))
		return "clear the address bits behind the prefix, for instance 10.0.0.0/8 for "
		       "10.1.2.3/8";
	return NULL;
}

const char *conf_check_challenge(const char *text)
{
	static const char *const words[] = {"http-01", "dns-01", "tls-alpn-01"};

	return is_one_of(text, words, ARRAY_LEN(words))
		? NULL
		: "choose from http-01, dns-01, tls-alpn-01";
}

const char *conf_check_key_type(const char *text)
{
	static const char *const words[] = {"rsa2048", "rsa3072", "rsa4096", "p256", "p384",
		"p521"};

	return is_one_of(text, words, ARRAY_LEN(words))
		? NULL
		: "choose from rsa2048, rsa3072, rsa4096, p256, p384, p521";
}

/* systemd.exec(5): what may name a credential, so that it stays in the unit's own folder. */
static bool is_credential_name(const char *name)
{
	return name[0] != '\0' && strchr(name, '/') == NULL && strcmp(name, ".") != 0 &&
		strcmp(name, "..") != 0;
}

static const char *check_credential(const char *text)
{
	static const char scheme[] = "credential:";

	if (!begins_with(text, scheme) || is_credential_name(text + strlen(scheme)))
		return NULL;
	return "write credential:NAME, as the unit's LoadCredential calls it";
}

const char *conf_check_key_source(const char *text)
{
	/* Every program reads this file, and so may everybody else. */
	if (begins_with(text, "pkcs11:") && strstr(text, "pin-value=") != NULL)
		return "leave pin-value out of the URI and name a file by key_passphrase";
	return check_credential(text);
}

const char *conf_check_passphrase_source(const char *text)
{
	return begins_with(text, "pkcs11:") ? "write a file, or credential:NAME"
					    : check_credential(text);
}

const char *conf_check_log_level(const char *text)
{
	static const char *const words[] = {"debug", "info", "warning", "error"};

	return is_one_of(text, words, ARRAY_LEN(words)) ? NULL
							: "choose from debug, info, warning, error";
}
