/* test_view.c — the JSON documents, whole. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "lib/acme/view.h"
#include "tests/unit/acme_make.h"

#define ID1 "AZqmDQAAcACAAAAAAAAAAQ"
#define ID2 "AZqmDQAAcACAAAAAAAAAAg"
#define ID3 "AZqmDQAAcACAAAAAAAAAAw"
/* 2026-11-21T12:00:00Z and its text */
#define NOON (1795262400LL * 1000000)
#define NOON_TEXT "2026-11-21T12:00:00Z"
#define PROBLEM "{\"type\":\"urn:ietf:params:acme:error:dns\",\"status\":400}"

static const uint8_t secret[32] = {1, 2, 3};

static struct ident id(const char *text)
{
	struct ident ret = {0};
	int err = ident_parse(bytes_str(text), &ret);

	assert_int_equal(err, OK);
	return ret;
}

static char *token(enum challenge_type type)
{
	char out[CHALLENGE_TOKEN_LEN + 1];

	challenge_token(bytes_of(secret, sizeof(secret)), type, out);
	return xstrdup(out);
}

static void the_directory_lists_everything(void **state)
{
	CLEANUP(conf_free)
	struct conf *conf = make_conf(MAKE_SERVER
		"terms_of_service = https://acme.example/terms\nwebsite = https://example.org\n"
		"caa_identities = ca.example other.example\n"
		"[profile classic]\ndescription = 90 days\n[profile short]\nvalidity = 6d\n");
	CLEANUP_BUF struct buf out = {0};

	view_directory(conf, &out);
	assert_string_equal(buf_str(&out),
		"{\"newNonce\":\"https://acme.example/acme/new-nonce\","
		"\"newAccount\":\"https://acme.example/acme/new-account\","
		"\"newOrder\":\"https://acme.example/acme/new-order\","
		"\"revokeCert\":\"https://acme.example/acme/revoke-cert\","
		"\"keyChange\":\"https://acme.example/acme/key-change\","
		"\"renewalInfo\":\"https://acme.example/acme/renewal-info\","
		"\"meta\":{\"termsOfService\":\"https://acme.example/terms\","
		"\"website\":\"https://example.org\","
		"\"caaIdentities\":[\"ca.example\",\"other.example\"],"
		"\"profiles\":{\"classic\":\"90 days\",\"short\":\"short\"}}}");
}

static void absent_options_leave_no_members(void **state)
{
	CLEANUP(conf_free) struct conf *conf = make_conf(MAKE_SERVER "[profile p]\n");
	CLEANUP_BUF struct buf out = {0};

	view_directory(conf, &out);
	assert_null(strstr(buf_str(&out), "termsOfService"));
	assert_null(strstr(buf_str(&out), "website"));
	assert_null(strstr(buf_str(&out), "caaIdentities"));
	assert_null(strstr(buf_str(&out), "externalAccountRequired"));
	assert_non_null(strstr(buf_str(&out), "\"meta\":{\"profiles\":{\"p\":\"p\"}}"));
}

static void an_account_shows_contacts_and_orders(void **state)
{
	CLEANUP(conf_free) struct conf *conf = make_conf(MAKE_SERVER);
	CLEANUP_BUF struct buf out = {0};
	struct bytes contacts[] = {bytes_str("mailto:a@example.org"),
		bytes_str("mailto:\"b\"@example.org")};
	struct account account = {.id = id(ID1),
		.terms_agreed = true,
		.contacts = contacts,
		.ncontacts = ARRAY_LEN(contacts)};

	view_account(conf, &account, &out);
	assert_string_equal(buf_str(&out),
		"{\"status\":\"valid\",\"contact\":[\"mailto:a@example.org\","
		"\"mailto:\\\"b\\\"@example.org\"],\"termsOfServiceAgreed\":true,"
		"\"orders\":\"https://acme.example/acme/account/" ID1 "/orders\"}");
	buf_reset(&out);
	account = (struct account){.id = id(ID1), .status = ACCOUNT_DEACTIVATED};
	view_account(conf, &account, &out);
	assert_string_equal(buf_str(&out),
		"{\"status\":\"deactivated\",\"contact\":[],"
		"\"orders\":\"https://acme.example/acme/account/" ID1 "/orders\"}");
}

static void an_orders_list_is_a_list_of_urls(void **state)
{
	CLEANUP(conf_free) struct conf *conf = make_conf(MAKE_SERVER);
	CLEANUP_BUF struct buf out = {0};
	struct ident ids[] = {id(ID2), id(ID1)};

	view_orders(conf, ids, ARRAY_LEN(ids), &out);
	assert_string_equal(buf_str(&out),
		"{\"orders\":[\"https://acme.example/acme/order/" ID2
		"\",\"https://acme.example/acme/order/" ID1 "\"]}");
	buf_reset(&out);
	view_orders(conf, ids, 0, &out);
	assert_string_equal(buf_str(&out), "{\"orders\":[]}");
}

static void a_pending_order_shows_what_to_do(void **state)
{
	CLEANUP(conf_free) struct conf *conf = make_conf(MAKE_SERVER);
	CLEANUP_BUF struct buf out = {0};
	struct bytes names[] = {bytes_str("*.x.test"), bytes_str("x.test")};
	struct ident authzs[] = {id(ID2), id(ID3)};
	struct order order = {
		.id = id(ID1),
		.expires_us = NOON + 999999,
		.not_before_us = NOON,
		.not_after_us = INT64_MIN,
		.nnames = 2,
		.names = names,
		.nauthzs = 2,
		.authzs = authzs,
		.profile = bytes_str("classic"),
	};

	view_order(conf, &order, &out);
	assert_string_equal(buf_str(&out),
		"{\"status\":\"pending\",\"expires\":\"" NOON_TEXT "\","
		"\"identifiers\":[{\"type\":\"dns\",\"value\":\"*.x.test\"},"
		"{\"type\":\"dns\",\"value\":\"x.test\"}],\"profile\":\"classic\","
		"\"notBefore\":\"" NOON_TEXT "\","
		"\"authorizations\":[\"https://acme.example/acme/authz/" ID2
		"\",\"https://acme.example/acme/authz/" ID3 "\"],"
		"\"finalize\":\"https://acme.example/acme/order/" ID1 "/finalize\"}");
}

static void an_order_ends_with_a_certificate_or_an_error(void **state)
{
	CLEANUP(conf_free) struct conf *conf = make_conf(MAKE_SERVER);
	CLEANUP_BUF struct buf out = {0};
	struct order order = {.id = id(ID1),
		.status = ORDER_VALID,
		.expires_us = NOON,
		.not_before_us = INT64_MIN,
		.not_after_us = NOON,
		.profile = bytes_str("p"),
		.has_certificate = true};

	view_order(conf, &order, &out);
	assert_non_null(strstr(buf_str(&out), "\"status\":\"valid\""));
	assert_non_null(strstr(buf_str(&out), "\"notAfter\":\"" NOON_TEXT "\""));
	assert_non_null(strstr(buf_str(&out),
		"\"certificate\":\"https://acme.example/acme/certificate/" ID1 "\"}"));
	assert_null(strstr(buf_str(&out), "\"error\""));
	assert_null(strstr(buf_str(&out), "\"replaces\""));

	buf_reset(&out);
	order.replaces = bytes_str("AA.AQ");
	view_order(conf, &order, &out);
	assert_non_null(strstr(buf_str(&out), "\"replaces\":\"AA.AQ\""));

	buf_reset(&out);
	order.status = ORDER_INVALID;
	order.has_certificate = false;
	order.error = bytes_str(PROBLEM);
	view_order(conf, &order, &out);
	assert_non_null(strstr(buf_str(&out), "\"status\":\"invalid\""));
	assert_non_null(strstr(buf_str(&out), "\"error\":" PROBLEM));
	assert_null(strstr(buf_str(&out), "\"certificate\""));
}

/* RFC 9773 section 4.2. */
static void renewal_information_has_a_window_and_perhaps_a_page(void **state)
{
	struct renewal_window window = {NOON - 86400 * INT64_C(1000000), NOON};
	CLEANUP_BUF struct buf out = {0};

	view_renewal_info(&window, (struct bytes){0}, &out);
	assert_string_equal(buf_str(&out),
		"{\"suggestedWindow\":{\"start\":\"2026-11-20T12:00:00Z\",\"end\":\"" NOON_TEXT
		"\"}}");
	buf_reset(&out);
	view_renewal_info(&window, bytes_str("https://ca.test/why"), &out);
	assert_non_null(strstr(buf_str(&out), "},\"explanationURL\":\"https://ca.test/why\"}"));
}

static struct authz pending_authz(void)
{
	return (struct authz){
		.id = id(ID1),
		.order = id(ID2),
		.name = bytes_str("x.test"),
		.expires_us = NOON,
		.secret = bytes_of(secret, sizeof(secret)),
		.validated_us = INT64_MIN,
	};
}

/* types: "http-01 dns-01", in the order they are shown. */
static void expect_challenges(const struct conf *conf, const struct authz *authz, const char *types,
	const char *statuses)
{
	CLEANUP_BUF struct buf out = {0};
	CLEANUP_BUF struct buf seen = {0};
	CLEANUP_BUF struct buf how = {0};
	CLEANUP(jx_free) struct jx *json = NULL;
	const struct jx *list = NULL;

	view_authz(conf, authz, &out);
	assert_int_equal(jx_parse(buf_bytes(&out), &json), OK);
	assert_int_equal(jx_get_array(json, "challenges", &list), OK);
	for (size_t i = 0; i < jx_count(list); i++) {
		struct bytes type = {0};
		struct bytes status = {0};

		assert_int_equal(jx_get_str(jx_at(list, i), "type", &type), OK);
		assert_int_equal(jx_get_str(jx_at(list, i), "status", &status), OK);
		buf_addf(&seen, "%s%.*s", i > 0 ? " " : "", (int)type.len, (const char *)type.ptr);
		buf_addf(&how, "%s%.*s", i > 0 ? " " : "", (int)status.len,
			(const char *)status.ptr);
	}
	assert_string_equal(buf_str(&seen), types);
	assert_string_equal(buf_str(&how), statuses);
}

static void a_pending_authorization_offers_every_challenge(void **state)
{
	CLEANUP(conf_free) struct conf *conf = make_conf(MAKE_SERVER);
	CLEANUP_BUF struct buf out = {0};
	CLEANUP_BUF struct buf want = {0};
	CLEANUP_STR char *http = token(CHALLENGE_HTTP_01);
	CLEANUP_STR char *dns = token(CHALLENGE_DNS_01);
	CLEANUP_STR char *alpn = token(CHALLENGE_TLS_ALPN_01);
	struct authz authz = pending_authz();

	view_authz(conf, &authz, &out);
	buf_addf(&want,
		"{\"status\":\"pending\",\"expires\":\"" NOON_TEXT "\","
		"\"identifier\":{\"type\":\"dns\",\"value\":\"x.test\"},\"challenges\":["
		"{\"type\":\"http-01\",\"url\":\"https://acme.example/acme/challenge/" ID1
		"/http-01\","
		"\"status\":\"pending\",\"token\":\"%s\"},"
		"{\"type\":\"dns-01\",\"url\":\"https://acme.example/acme/challenge/" ID1
		"/dns-01\","
		"\"status\":\"pending\",\"token\":\"%s\"},"
		"{\"type\":\"tls-alpn-01\",\"url\":\"https://acme.example/acme/challenge/" ID1
		"/tls-alpn-01\","
		"\"status\":\"pending\",\"token\":\"%s\"}]}",
		http, dns, alpn);
	assert_string_equal(buf_str(&out), buf_str(&want));
	assert_string_not_equal(http, dns);
	assert_string_not_equal(dns, alpn);
}

static void a_wildcard_offers_dns_alone_and_shows_its_base(void **state)
{
	CLEANUP(conf_free) struct conf *conf = make_conf(MAKE_SERVER);
	CLEANUP(conf_free)
	struct conf *no_dns = make_conf(MAKE_SERVER "[validation]\nchallenges = http-01\n");
	CLEANUP_BUF struct buf out = {0};
	struct authz authz = pending_authz();

	authz.wildcard = true;
	view_authz(conf, &authz, &out);
	assert_non_null(strstr(buf_str(&out), "\"value\":\"x.test\"},\"wildcard\":true,"));
	expect_challenges(conf, &authz, "dns-01", "pending");
	expect_challenges(no_dns, &authz, "", "");
}

static void the_configuration_decides_what_is_offered(void **state)
{
	CLEANUP(conf_free)
	struct conf *conf =
		make_conf(MAKE_SERVER "[validation]\nchallenges = tls-alpn-01 http-01\n");
	struct authz authz = pending_authz();

	expect_challenges(conf, &authz, "http-01 tls-alpn-01", "pending pending");
	assert_false(challenge_is_enabled(conf, CHALLENGE_DNS_01));
	assert_false(challenge_is_enabled(conf, CHALLENGE_NONE));
	/* What was tried before it was switched off is still shown. */
	authz.attempted = CHALLENGE_DNS_01;
	authz.challenge = CHALLENGE_PROCESSING;
	expect_challenges(conf, &authz, "http-01 dns-01 tls-alpn-01", "pending processing pending");
}

static void after_the_attempt_only_that_challenge_remains(void **state)
{
	CLEANUP(conf_free) struct conf *conf = make_conf(MAKE_SERVER);
	struct authz authz = pending_authz();
	static const struct {
		enum authz_status status;
		enum challenge_status challenge;
		const char *types;
		const char *statuses;
	} rows[] = {
		{AUTHZ_PENDING, CHALLENGE_PROCESSING, "http-01 dns-01 tls-alpn-01",
			"pending processing pending"},
		{AUTHZ_VALID, CHALLENGE_VALID, "dns-01", "valid"},
		{AUTHZ_INVALID, CHALLENGE_INVALID, "dns-01", "invalid"},
		{AUTHZ_DEACTIVATED, CHALLENGE_VALID, "dns-01", "valid"},
		{AUTHZ_EXPIRED, CHALLENGE_VALID, "dns-01", "valid"},
		{AUTHZ_REVOKED, CHALLENGE_VALID, "dns-01", "valid"},
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		authz.attempted = CHALLENGE_DNS_01;
		authz.status = rows[i].status;
		authz.challenge = rows[i].challenge;
		expect_challenges(conf, &authz, rows[i].types, rows[i].statuses);
	}
	authz.attempted = CHALLENGE_NONE;
	authz.challenge = CHALLENGE_PENDING;
	authz.status = AUTHZ_DEACTIVATED;
	expect_challenges(conf, &authz, "http-01 dns-01 tls-alpn-01", "invalid invalid invalid");
}

static void a_challenge_shows_how_it_went(void **state)
{
	CLEANUP(conf_free) struct conf *conf = make_conf(MAKE_SERVER);
	CLEANUP_BUF struct buf out = {0};
	struct authz authz = pending_authz();

	authz.attempted = CHALLENGE_HTTP_01;
	authz.challenge = CHALLENGE_PROCESSING;
	authz.error = bytes_str(PROBLEM);
	view_challenge(conf, &authz, CHALLENGE_HTTP_01, &out);
	assert_non_null(strstr(buf_str(&out), "\"status\":\"processing\""));
	assert_non_null(strstr(buf_str(&out), "\"error\":" PROBLEM "}"));

	buf_reset(&out);
	authz.status = AUTHZ_VALID;
	authz.challenge = CHALLENGE_VALID;
	authz.validated_us = NOON;
	view_challenge(conf, &authz, CHALLENGE_HTTP_01, &out);
	assert_non_null(strstr(buf_str(&out), "\"validated\":\"" NOON_TEXT "\"}"));
	assert_null(strstr(buf_str(&out), "error"));

	buf_reset(&out);
	view_challenge(conf, &authz, CHALLENGE_DNS_01, &out);
	assert_null(strstr(buf_str(&out), "validated"));
}

static void tokens_are_what_the_contract_says(void **state)
{
	CLEANUP_STR char *http = token(CHALLENGE_HTTP_01);

	/* base64url(SHA-256(01 02 03 00{29} "http-01")), computed with another program */
	assert_string_equal(http, "xsGICMBtTaNfimifvsttCmMXJTdvj-olI3dybAHro1w");
	assert_int_equal(challenge_type_parse(bytes_str("tls-alpn-01")), CHALLENGE_TLS_ALPN_01);
	assert_int_equal(challenge_type_parse(bytes_str("HTTP-01")), CHALLENGE_NONE);
	assert_int_equal(challenge_type_parse(bytes_str("")), CHALLENGE_NONE);
	assert_int_equal(challenge_type_parse(bytes_str("http-011")), CHALLENGE_NONE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_directory_lists_everything),
		cmocka_unit_test(absent_options_leave_no_members),
		cmocka_unit_test(an_account_shows_contacts_and_orders),
		cmocka_unit_test(an_orders_list_is_a_list_of_urls),
		cmocka_unit_test(a_pending_order_shows_what_to_do),
		cmocka_unit_test(an_order_ends_with_a_certificate_or_an_error),
		cmocka_unit_test(renewal_information_has_a_window_and_perhaps_a_page),
		cmocka_unit_test(a_pending_authorization_offers_every_challenge),
		cmocka_unit_test(a_wildcard_offers_dns_alone_and_shows_its_base),
		cmocka_unit_test(the_configuration_decides_what_is_offered),
		cmocka_unit_test(after_the_attempt_only_that_challenge_remains),
		cmocka_unit_test(a_challenge_shows_how_it_went),
		cmocka_unit_test(tokens_are_what_the_contract_says),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
