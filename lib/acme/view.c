/* view.c — see view.h. */
#include "lib/acme/view.h"

#include "lib/acme/state.h"
#include "lib/acme/url.h"
#include "lib/base/clock.h"
#include "lib/base/jx.h"

static const enum challenge_type all_types[] = {CHALLENGE_HTTP_01, CHALLENGE_DNS_01,
	CHALLENGE_TLS_ALPN_01};

static void put_url(struct jx_out *o, const char *name, const struct conf *conf, const char *path)
{
	CLEANUP_STR char *url = url_of(conf, path);

	jx_put_str(o, name, url);
}

static void put_object_url(struct jx_out *o, const char *name, const struct conf *conf,
	const char *path, const struct ident *id)
{
	CLEANUP_STR char *url = url_of_object(conf, path, id);

	jx_put_str(o, name, url);
}

/* INT64_MIN is no time, and nothing is written. */
static void put_time(struct jx_out *o, const char *name, int64_t wall_us)
{
	char text[CLOCK_RFC3339_LEN + 1];

	if (wall_us == INT64_MIN)
		return;
	clock_rfc3339_format(wall_us, text);
	jx_put_str(o, name, text);
}

/* A problem document stored with the row, or nothing. */
static void put_error(struct jx_out *o, struct bytes json)
{
	if (json.ptr != NULL)
		jx_put_raw(o, "error", json);
}

/* RFC 8555 section 9.7.6; profiles: draft-ietf-acme-profiles. */
static void put_meta(struct jx_out *o, const struct conf *conf)
{
	jx_begin_object(o, "meta");
	if (conf->server.terms_of_service != NULL)
		jx_put_str(o, "termsOfService", conf->server.terms_of_service);
	if (conf->server.website != NULL)
		jx_put_str(o, "website", conf->server.website);
	if (conf->server.caa_identities.count > 0) {
		jx_begin_array(o, "caaIdentities");
		for (size_t i = 0; i < conf->server.caa_identities.count; i++)
			jx_put_str(o, NULL, conf->server.caa_identities.items[i]);
		jx_end_array(o);
	}
	if (conf->nprofiles > 0) {
		jx_begin_object(o, "profiles");
		for (size_t i = 0; i < conf->nprofiles; i++) {
			const struct conf_profile *profile = &conf->profiles[i];

			jx_put_str(o, profile->name,
				profile->description != NULL ? profile->description
							     : profile->name);
		}
		jx_end_object(o);
	}
	jx_end_object(o);
}

void view_directory(const struct conf *conf, struct buf *out)
{
	struct jx_out o = {.buf = out};

	jx_begin_object(&o, NULL);
	put_url(&o, "newNonce", conf, URL_NEW_NONCE);
	put_url(&o, "newAccount", conf, URL_NEW_ACCOUNT);
	put_url(&o, "newOrder", conf, URL_NEW_ORDER);
	put_url(&o, "revokeCert", conf, URL_REVOKE_CERT);
	put_url(&o, "keyChange", conf, URL_KEY_CHANGE);
	put_url(&o, "renewalInfo", conf, URL_RENEWAL_INFO);
	put_meta(&o, conf);
	jx_end_object(&o);
}

void view_account(const struct conf *conf, const struct account *account, struct buf *out)
{
	struct jx_out o = {.buf = out};

	jx_begin_object(&o, NULL);
	jx_put_str(&o, "status", state_of_account(account->status));
	jx_begin_array(&o, "contact");
	for (size_t i = 0; i < account->ncontacts; i++)
		jx_put_bytes(&o, NULL, account->contacts[i]);
	jx_end_array(&o);
	if (account->terms_agreed)
		jx_put_bool(&o, "termsOfServiceAgreed", true);
	put_object_url(&o, "orders", conf, URL_ACCOUNT_ORDERS, &account->id);
	jx_end_object(&o);
}

void view_orders(const struct conf *conf, const struct ident *ids, size_t count, struct buf *out)
{
	struct jx_out o = {.buf = out};

	jx_begin_object(&o, NULL);
	jx_begin_array(&o, "orders");
	for (size_t i = 0; i < count; i++)
		put_object_url(&o, NULL, conf, URL_ORDER, &ids[i]);
	jx_end_array(&o);
	jx_end_object(&o);
}

static void put_identifier(struct jx_out *o, const char *member, struct bytes name)
{
	jx_begin_object(o, member);
	jx_put_str(o, "type", "dns");
	jx_put_bytes(o, "value", name);
	jx_end_object(o);
}

void view_order(const struct conf *conf, const struct order *order, struct buf *out)
{
	struct jx_out o = {.buf = out};

	jx_begin_object(&o, NULL);
	jx_put_str(&o, "status", state_of_order(order->status));
	put_time(&o, "expires", order->expires_us);
	jx_begin_array(&o, "identifiers");
	for (size_t i = 0; i < order->nnames; i++)
		put_identifier(&o, NULL, order->names[i]);
	jx_end_array(&o);
	jx_put_bytes(&o, "profile", order->profile);
	put_time(&o, "notBefore", order->not_before_us);
	put_time(&o, "notAfter", order->not_after_us);
	/* RFC 9773 section 5: reflected in every answer. */
	if (order->replaces.ptr != NULL)
		jx_put_bytes(&o, "replaces", order->replaces);
	put_error(&o, order->error);
	jx_begin_array(&o, "authorizations");
	for (size_t i = 0; i < order->nauthzs; i++)
		put_object_url(&o, NULL, conf, URL_AUTHZ, &order->authzs[i]);
	jx_end_array(&o);
	put_object_url(&o, "finalize", conf, URL_FINALIZE, &order->id);
	if (order->has_certificate)
		put_object_url(&o, "certificate", conf, URL_CERTIFICATE, &order->id);
	jx_end_object(&o);
}

static void put_challenge(struct jx_out *o, const struct conf *conf, const struct authz *authz,
	enum challenge_type type)
{
	CLEANUP_STR char *url = url_of_challenge(conf, &authz->id, challenge_type_name(type));
	enum challenge_status status = challenge_status_of(authz, type);
	char token[CHALLENGE_TOKEN_LEN + 1];

	challenge_token(authz->secret, type, token);
	jx_begin_object(o, NULL);
	jx_put_str(o, "type", challenge_type_name(type));
	jx_put_str(o, "url", url);
	jx_put_str(o, "status", state_of_challenge(status));
	jx_put_str(o, "token", token);
	if (type == authz->attempted) {
		/* RFC 8555 section 8: validated goes with valid; error while it is retried or has
		 * failed. */
		if (status == CHALLENGE_VALID)
			put_time(o, "validated", authz->validated_us);
		else
			put_error(o, authz->error);
	}
	jx_end_object(o);
}

void view_challenge(const struct conf *conf, const struct authz *authz, enum challenge_type type,
	struct buf *out)
{
	struct jx_out o = {.buf = out};

	put_challenge(&o, conf, authz, type);
}

void view_authz(const struct conf *conf, const struct authz *authz, struct buf *out)
{
	struct jx_out o = {.buf = out};

	jx_begin_object(&o, NULL);
	jx_put_str(&o, "status", state_of_authz(authz->status));
	put_time(&o, "expires", authz->expires_us);
	put_identifier(&o, "identifier", authz->name);
	/* RFC 8555 section 7.1.4: present and true for a wildcard, absent otherwise. */
	if (authz->wildcard)
		jx_put_bool(&o, "wildcard", true);
	jx_begin_array(&o, "challenges");
	for (size_t i = 0; i < ARRAY_LEN(all_types); i++) {
		if (challenge_is_shown(conf, authz, all_types[i]))
			put_challenge(&o, conf, authz, all_types[i]);
	}
	jx_end_array(&o);
	jx_end_object(&o);
}

void view_renewal_info(const struct renewal_window *window, struct bytes explanation_url,
	struct buf *out)
{
	struct jx_out o = {.buf = out};

	jx_begin_object(&o, NULL);
	jx_begin_object(&o, "suggestedWindow");
	put_time(&o, "start", window->start_us);
	put_time(&o, "end", window->end_us);
	jx_end_object(&o);
	if (explanation_url.ptr != NULL)
		jx_put_bytes(&o, "explanationURL", explanation_url);
	jx_end_object(&o);
}
