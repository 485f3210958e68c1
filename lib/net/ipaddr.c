/* ipaddr.c — see ipaddr.h. */
#include "lib/net/ipaddr.h"

#include <arpa/inet.h>
#include <assert.h>
#include <netinet/in.h>

static int address_bits(const struct ipaddr *a)
{
	return a->family == AF_INET ? 32 : 128;
}

int ipaddr_parse(struct bytes text, struct ipaddr *ret)
{
	char copy[IPADDR_TEXT_LEN + 1];
	struct ipaddr a = {0};

	if (text.len == 0 || text.len > IPADDR_TEXT_LEN || memchr(text.ptr, '\0', text.len) != NULL)
		return ERR_SYNTAX;
	memcpy(copy, text.ptr, text.len);
	copy[text.len] = '\0';
	a.family = strchr(copy, ':') != NULL ? AF_INET6 : AF_INET;
	if (inet_pton(a.family, copy, a.b) != 1)
		return ERR_SYNTAX;
	*ret = a;
	return OK;
}

int ipaddr_of_bytes(struct bytes raw, struct ipaddr *ret)
{
	struct ipaddr a = {0};

	if (raw.len != 4 && raw.len != 16)
		return ERR_SYNTAX;
	a.family = raw.len == 4 ? AF_INET : AF_INET6;
	memcpy(a.b, raw.ptr, raw.len);
	*ret = a;
	return OK;
}

void ipaddr_format(const struct ipaddr *a, char out[IPADDR_TEXT_LEN + 1])
{
	const char *text = inet_ntop(a->family, a->b, out, IPADDR_TEXT_LEN + 1);

	assert(text != NULL);
}

socklen_t ipaddr_to_sockaddr(const struct ipaddr *a, uint16_t port, struct sockaddr_storage *out)
{
	memset(out, 0, sizeof(*out));
	if (a->family == AF_INET) {
		struct sockaddr_in *sin = (struct sockaddr_in *)out;

		sin->sin_family = AF_INET;
		sin->sin_port = htons(port);
		memcpy(&sin->sin_addr, a->b, 4);
		return sizeof(*sin);
	}
	struct sockaddr_in6 *sin6 = (struct sockaddr_in6 *)out;

	sin6->sin6_family = AF_INET6;
	sin6->sin6_port = htons(port);
	memcpy(&sin6->sin6_addr, a->b, 16);
	return sizeof(*sin6);
}

static bool only_prefix_bits(const struct ipaddr *a, int bits)
{
	for (int i = bits; i < address_bits(a); i++)
		if (a->b[i / 8] & (0x80 >> (i % 8)))
			return false;
	return true;
}

int ipaddr_parse_prefix(struct bytes text, struct ipaddr *ret, int *ret_bits)
{
	const uint8_t *slash = text.len == 0 ? NULL : memchr(text.ptr, '/', text.len);
	struct ipaddr a;
	int bits = 0;

	if (slash == NULL) {
		if (ipaddr_parse(text, &a) != OK)
			return ERR_SYNTAX;
		*ret = a;
		*ret_bits = address_bits(&a);
		return OK;
	}
	if (ipaddr_parse(bytes_of(text.ptr, (size_t)(slash - text.ptr)), &a) != OK)
		return ERR_SYNTAX;
	const uint8_t *digit = slash + 1, *end = text.ptr + text.len;

	if (end - digit < 1 || end - digit > 3)
		return ERR_SYNTAX;
	for (; digit < end; digit++) {
		if (*digit < '0' || *digit > '9')
			return ERR_SYNTAX;
		bits = bits * 10 + (*digit - '0');
	}
	if (bits > address_bits(&a) || !only_prefix_bits(&a, bits))
		return ERR_SYNTAX;
	*ret = a;
	*ret_bits = bits;
	return OK;
}

bool ipaddr_in_prefix(const struct ipaddr *a, const struct ipaddr *prefix, int bits)
{
	int whole = bits / 8, rest = bits % 8;

	if (a->family != prefix->family || memcmp(a->b, prefix->b, (size_t)whole) != 0)
		return false;
	return rest == 0 || ((a->b[whole] ^ prefix->b[whole]) & (0xff00 >> rest) & 0xff) == 0;
}
