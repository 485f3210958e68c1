/* challenge.c — see challenge.h. */
#include "lib/acme/challenge.h"

#include <assert.h>

#include "lib/base/b64url.h"
#include "lib/pki/ossl.h"

#define SECRET_LEN 32

static const char *const names[] = {
	[CHALLENGE_HTTP_01] = "http-01",
	[CHALLENGE_DNS_01] = "dns-01",
	[CHALLENGE_TLS_ALPN_01] = "tls-alpn-01",
};

const char *challenge_type_name(enum challenge_type type)
{
	assert(type < ARRAY_LEN(names));
	return names[type];
}

enum challenge_type challenge_type_parse(struct bytes name)
{
	for (size_t type = CHALLENGE_NONE + 1; type < ARRAY_LEN(names); type++) {
		if (bytes_is(name, names[type]))
			return (enum challenge_type)type;
	}
	return CHALLENGE_NONE;
}

void challenge_token(struct bytes secret, enum challenge_type type,
	char out[CHALLENGE_TOKEN_LEN + 1])
{
	CLEANUP_BUF struct buf seed = {0};
	uint8_t digest[32];

	assert(secret.len == SECRET_LEN && type != CHALLENGE_NONE);
	buf_add(&seed, secret.ptr, secret.len);
	buf_add_str(&seed, challenge_type_name(type));
	ossl_sha256_of(buf_bytes(&seed), digest);
	b64url_format(bytes_of(digest, sizeof(digest)), out);
}

bool challenge_is_enabled(const struct conf *conf, enum challenge_type type)
{
	for (size_t i = 0; i < conf->validation.challenges.count; i++) {
		if (challenge_type_parse(bytes_str(conf->validation.challenges.items[i])) == type)
			return type != CHALLENGE_NONE;
	}
	return false;
}

bool challenge_is_shown(const struct conf *conf, const struct authz *authz,
	enum challenge_type type)
{
	if (type == CHALLENGE_NONE)
		return false;
	/* RFC 8555 section 7.1.4: once decided, only what was attempted. */
	if (authz->status != AUTHZ_PENDING && authz->attempted != CHALLENGE_NONE)
		return type == authz->attempted;
	if (type == authz->attempted)
		return true;
	/* CA/B BR 3.2.2.4.19 and .20: http-01 and tls-alpn-01 never prove a wildcard. */
	if (authz->wildcard && type != CHALLENGE_DNS_01)
		return false;
	return challenge_is_enabled(conf, type);
}

enum challenge_status challenge_status_of(const struct authz *authz, enum challenge_type type)
{
	if (type == authz->attempted)
		return authz->challenge;
	return authz->status == AUTHZ_PENDING ? CHALLENGE_PENDING : CHALLENGE_INVALID;
}
